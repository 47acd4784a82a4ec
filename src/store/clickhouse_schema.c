/* SPDX-License-Identifier: BSD-2-Clause */

/* Tables and views of the ClickHouse store, and the steps from one version of them to the next.
 *
 * A cube's table is a SummingMergeTree: rows of equal keys are added up when their parts are merged, and by the query
 * until then. Its key is the cube's, and behind it `mark`, which is empty but in the marks of clickhouse_write.c
 * (`marker` = 1). A partition is a fixed number of days, so that retention drops whole partitions. path_change is a
 * MergeTree with the same marks.
 *
 * Nothing here is a transaction, so everything may be repeated: each statement makes what is not there, and the version is
 * written to the table meta at last. Tables and views that are missing on a server although it says so, local and Distributed
 * ones alike, are made again there. Steps are numbered and never changed once released; a schema that is newer than the
 * program is left alone, and so is a database with tables but without meta. */

#include "store/clickhouse.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char updating[] = "updating the schema", reading[] = "reading the schema version";

/* Days are whole in each of them. */
const uint32_t ch_partition_s[LEVEL_COUNT] = {[LEVEL_minute] = 86400, [LEVEL_hour] = 30 * 86400, [LEVEL_day] = 365 * 86400};

/* What the statements are made for. */
struct target {
	struct ch_node *node;
	const struct ch_layout *layout;
	struct sql *print; /* NULL: they are run */
	struct error *err;
};

void ch_table_name(struct sql *s, unsigned table)
{
	static const char *const others[] = {"path_change", "batches", "collectors"};
	if (table < CH_TABLE_changes)
		schema_table(s, (enum store_cube)(table / LEVEL_COUNT), (enum store_level)(table % LEVEL_COUNT));
	else
		sql_add(s, "%s", others[table - CH_TABLE_changes]);
}

void ch_table_local(struct sql *s, const struct ch_layout *layout, unsigned table)
{
	ch_table_name(s, table);
	sql_add(s, layout->cluster ? "_local" : "");
}

/* ---- statements ---- */

static int run(const struct target *t, const struct sql *sql, bool without_database)
{
	struct ch_request q = {.sql = sql_text(sql), .doing = updating, .without_database = without_database};
	if (t->print) {
		sql_add(t->print, "%s;\n", q.sql ? q.sql : "");
		t->print->failed |= !q.sql;
		return 0;
	}
	return ch_run(&t->node->conn, &q, t->err);
}

static void column_definition(struct sql *s, const char *name)
{
	sql_add(s, "%s UInt64", name);
}

static void column_plain(struct sql *s, const char *name)
{
	sql_add(s, "%s", name);
}

/* The beginning of a table's statement, and what comes before the arguments of its engine. Replicas find each other by a
 * path that says it all, and are told apart by their hosts. */
static void add_create(struct sql *s, const struct target *t, unsigned table)
{
	sql_add(s, "CREATE TABLE IF NOT EXISTS ");
	ch_table_local(s, t->layout, table);
}

static void add_engine(struct sql *s, const struct target *t, unsigned table, const char *engine, const char *arguments)
{
	sql_add(s, ") ENGINE = ");
	if (!t->layout->replicated) {
		sql_add(s, *arguments ? "%s(%s)" : "%s", engine, arguments);
		return;
	}
	sql_add(s, "Replicated%s('/clickhouse/whereto/%s/%s/%u/", engine, t->node->conn.url->cluster,
		t->node->conn.url->database, t->node->shard);
	ch_table_name(s, table);
	sql_add(s, "', '%s'%s%s)", t->node->conn.at, *arguments ? ", " : "", arguments);
}

/* What a table gets where the server has the setting: parts that are on disk when an INSERT is answered, and memory of the
 * last blocks, one of which is then not taken twice. */
static void add_engine_settings(struct sql *s, const struct target *t)
{
	static const struct {
		enum ch_setting setting;
		const char *text;
	} table[] = {
		{CH_merge_tree_fsync_after_insert, "fsync_after_insert = 1"},
		{CH_merge_tree_fsync_part_directory, "fsync_part_directory = 1"},
		{CH_merge_tree_non_replicated_deduplication_window, "non_replicated_deduplication_window = 1000"},
		{CH_merge_tree_replicated_deduplication_window, "replicated_deduplication_window = 10000"},
	};
	sql_add(s, " SETTINGS index_granularity = 8192");
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (t->node->conn.settings & 1u << table[i].setting)
			sql_add(s, ", %s", table[i].text);
}

static void add_cube_table(struct sql *s, const struct target *t, enum store_cube cube, enum store_level level)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);
	CLEANUP(sql_done) struct sql sums = {0};

	add_create(s, t, ch_table(cube, level));
	sql_add(s, "(ts UInt32");
	for (size_t i = 0; i < n; i++)
		sql_add(s, ", %s %s", dimension_table[key[i]].name, ch_type(key[i]));
	if (cube_dims[cube] & DIM_BIT(DIM_path))
		sql_add(s, ", members Array(UInt32)");
	sql_add(s, ", mark String");
	schema_measures(s, column_definition);
	sql_add(s, ", marker UInt8");
	sql_add(&sums, "(marker");
	schema_measures(&sums, column_plain);
	sql_add(&sums, ")");
	s->failed |= sums.failed;
	add_engine(s, t, ch_table(cube, level), "SummingMergeTree", sums.failed ? "" : sums.text);
	sql_add(s, " PARTITION BY intDiv(ts, %u) ORDER BY (", ch_partition_s[level]);
	schema_key_columns(s, cube);
	sql_add(s, ", mark)");
	add_engine_settings(s, t);
}

/* A view's columns have the tables' names, and their expressions are made of columns of other names: an expression of
 * what it is called itself is no expression to a server. */
struct view_column {
	const char *name;
	enum dimension dim;
};

static void add_view_columns(struct sql *s, const struct view_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char stored[40];
		(void)snprintf(stored, sizeof(stored), "%s_stored", columns[i].name);
		sql_add(s, ", ");
		ch_readable(s, stored, columns[i].dim);
		sql_add(s, " AS %s", columns[i].name);
	}
}

static void add_view_sources(struct sql *s, const struct view_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sql_add(s, ", %s AS %s_stored", columns[i].name, columns[i].name);
}

static void add_cube_view(struct sql *s, enum store_cube cube, enum store_level level)
{
	enum dimension key[CUBE_KEY_MAX];
	struct view_column columns[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);
	const char *members = cube_dims[cube] & DIM_BIT(DIM_path) ? ", members" : "";
	for (size_t i = 0; i < n; i++)
		columns[i] = (struct view_column){dimension_table[key[i]].name, key[i]};

	sql_add(s, "CREATE VIEW IF NOT EXISTS v_");
	schema_table(s, cube, level);
	sql_add(s, " AS SELECT ts, toDateTime(ts) AS time");
	add_view_columns(s, columns, n);
	sql_add(s, "%s", members);
	schema_measures(s, column_plain);
	sql_add(s, " FROM (SELECT ts");
	add_view_sources(s, columns, n);
	sql_add(s, "%s", members);
	schema_measures(s, column_plain);
	sql_add(s, " FROM ");
	schema_table(s, cube, level);
	sql_add(s, " WHERE marker = 0)");
}

static void add_changes_table(struct sql *s, const struct target *t)
{
	add_create(s, t, CH_TABLE_changes);
	sql_add(s, "(time_ms UInt64, collector String, batch UInt64, number UInt32, router String, prefix String,"
		   " path_before String, path_after String, mark String, marker UInt8");
	add_engine(s, t, CH_TABLE_changes, "MergeTree", "");
	sql_add(s, " PARTITION BY intDiv(time_ms, %llu) ORDER BY (time_ms, collector, batch, number)", CH_CHANGES_PARTITION_MS);
	add_engine_settings(s, t);
}

/* A batch that is written again replaces its row; of a collector the last batch stays. */
static void add_batches_table(struct sql *s, const struct target *t)
{
	add_create(s, t, CH_TABLE_batches);
	sql_add(s, "(collector String, id UInt64, flows UInt64, changes UInt64, changes_left_out UInt64");
	add_engine(s, t, CH_TABLE_batches, "ReplacingMergeTree", "");
	sql_add(s, " ORDER BY (collector, id)");
	add_engine_settings(s, t);
}

static void add_collectors_table(struct sql *s, const struct target *t)
{
	add_create(s, t, CH_TABLE_collectors);
	sql_add(s, "(collector String, batch UInt64");
	add_engine(s, t, CH_TABLE_collectors, "ReplacingMergeTree", "batch");
	sql_add(s, " ORDER BY collector");
	add_engine_settings(s, t);
}

static void add_changes_view(struct sql *s)
{
	static const struct view_column columns[] = {{"router", DIM_router}, {"prefix", DIM_prefix},
		{"path_before", DIM_path}, {"path_after", DIM_path}};
	sql_add(s, "CREATE VIEW IF NOT EXISTS v_path_change AS SELECT time_ms,"
		   " toDateTime(toUInt32(intDiv(time_ms, 1000))) AS time, collector, batch, number");
	add_view_columns(s, columns, ARRAY_LEN(columns));
	sql_add(s, " FROM (SELECT time_ms, collector, batch, number");
	add_view_sources(s, columns, ARRAY_LEN(columns));
	sql_add(s, " FROM path_change WHERE marker = 0)");
}

/* A table, its Distributed one, its view: the statement made for the first is run, and text is left empty. */
static int make_table(const struct target *t, struct sql *text, unsigned table)
{
	int r = run(t, text, false);
	sql_clear(text);
	if (r < 0 || !t->layout->cluster)
		return r;
	sql_add(text, "CREATE TABLE IF NOT EXISTS ");
	ch_table_name(text, table);
	sql_add(text, " AS ");
	ch_table_local(text, t->layout, table);
	sql_add(text, " ENGINE = Distributed('%s', '%s', '", t->node->conn.url->cluster, t->node->conn.url->database);
	ch_table_local(text, t->layout, table);
	sql_add(text, "')");
	r = run(t, text, false);
	sql_clear(text);
	return r;
}

static int make_cube(const struct target *t, enum store_cube cube, enum store_level level)
{
	CLEANUP(sql_done) struct sql s = {0};
	add_cube_table(&s, t, cube, level);
	int r = make_table(t, &s, ch_table(cube, level));
	add_cube_view(&s, cube, level);
	return r < 0 ? r : run(t, &s, false);
}

static int make_others(const struct target *t)
{
	CLEANUP(sql_done) struct sql s = {0};
	add_changes_table(&s, t);
	int r = make_table(t, &s, CH_TABLE_changes);
	if (r < 0)
		return r;
	add_changes_view(&s);
	r = run(t, &s, false);
	if (r < 0)
		return r;
	sql_clear(&s);
	add_batches_table(&s, t);
	r = make_table(t, &s, CH_TABLE_batches);
	if (r < 0)
		return r;
	add_collectors_table(&s, t);
	return make_table(t, &s, CH_TABLE_collectors);
}

/* The first of all: what is in a database with this table is ours. Each server has its own. */
static int make_meta(const struct target *t)
{
	CLEANUP(sql_done) struct sql s = {0};
	struct ch_conn *c = &t->node->conn;
	sql_add(&s, "CREATE DATABASE IF NOT EXISTS %s", c->url->database);
	int r = run(t, &s, true);
	sql_clear(&s);
	if (t->print)
		sql_add(&s, "USE %s;\n", c->url->database);
	sql_add(&s, "CREATE TABLE IF NOT EXISTS meta(key String, value UInt64, version UInt64)"
		    " ENGINE = ReplacingMergeTree(version) ORDER BY key");
	add_engine_settings(&s, t);
	if (r == 0)
		r = run(t, &s, false);
	if (t->print)
		return r;
	if (r == 0 && t->layout->cluster)
		r = ch_meta_set(c, "shards", t->layout->shards, t->err);
	if (r == 0 && t->layout->cluster)
		r = ch_meta_set(c, "shard", t->node->shard, t->err);
	return r < 0 || !t->layout->replicated ? r : ch_meta_set(c, "replicated", 1, t->err);
}

/* ---- versions ---- */

/* Version 1: everything. */
static int step_1(const struct target *t)
{
	int r = 0;
	for (int cube = 0; cube < CUBE_COUNT; cube++)
		for (int level = 0; level < LEVEL_COUNT && r == 0; level++)
			r = make_cube(t, (enum store_cube)cube, (enum store_level)level);
	return r < 0 ? r : make_others(t);
}

static int (*const steps[])(const struct target *t) = {step_1};
_Static_assert(ARRAY_LEN(steps) == CLICKHOUSE_SCHEMA_VERSION, "one step a version");

int ch_meta_get(struct ch_conn *c, const char *key, uint64_t *ret, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "SELECT argMax(value, version) FROM meta WHERE key = '%s' HAVING count() > 0", key);
	struct ch_request q = {.sql = sql_text(&s), .doing = reading};
	return ch_number(c, &q, 8, ret, err);
}

int ch_meta_set(struct ch_conn *c, const char *key, uint64_t value, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "INSERT INTO meta(key, value, version) VALUES ('%s', %llu, %llu)", key, (unsigned long long)value,
		(unsigned long long)clock_wall_ms());
	struct ch_request q = {.sql = sql_text(&s), .doing = updating};
	return ch_run(c, &q, err);
}

/* What a server has in the database, as ddl.h wants it. */
struct catalogue {
	struct sql text;
	bool any, meta;
};

static void catalogue_done(struct catalogue *k)
{
	sql_done(&k->text);
}

static int on_table(void *ctx, struct rd *r, struct error *err)
{
	struct catalogue *k = ctx;
	struct view line = ch_read_string(r);
	if (!rd_ok(r))
		return 0;
	sql_add(&k->text, "%.*s\n", (int)line.len, (const char *)line.data);
	k->any = true;
	k->meta |= line.len == strlen("table meta") && memcmp(line.data, "table meta", line.len) == 0;
	return 0;
}

static int read_catalogue(struct ch_conn *c, struct catalogue *ret, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "SELECT concat(if(engine = 'View', 'view ', 'table '), name) FROM system.tables WHERE database = '%s'", c->url->database);
	struct ch_request q = {.sql = sql_text(&s), .doing = reading, .without_database = true};
	int r = ch_select(c, &q, on_table, ret, err);
	return r == 0 && !sql_text(&ret->text) ? ch_no_memory(c->url, err) : r;
}

static int read_version(struct ch_conn *c, const struct catalogue *k, uint64_t *ret, struct error *err)
{
	uint64_t version = 0;
	int r = k->meta ? ch_meta_get(c, "schema_version", &version, err) : 0;
	if (r < 0)
		return r;
	if (k->any && !k->meta)
		return error_set(err, -EPROTO, "clickhouse store %s: this database was not made by whereto; give it one of its"
			" own", c->url->name);
	if (version > CLICKHOUSE_SCHEMA_VERSION)
		return error_set(err, -EPROTO, "clickhouse store %s: schema version %llu was made by a newer whereto; this"
			" program knows versions up to %d: upgrade it, or use another database", c->url->name,
			(unsigned long long)version, CLICKHOUSE_SCHEMA_VERSION);
	*ret = version;
	return 0;
}

int ch_version(struct ch_conn *c, uint64_t *ret, struct error *err)
{
	CLEANUP(catalogue_done) struct catalogue there = {0};
	int r = read_catalogue(c, &there, err);
	return r < 0 ? r : read_version(c, &there, ret, err);
}

static int print_everything(const struct target *t)
{
	int r = make_meta(t);
	return r < 0 ? r : step_1(t);
}

static int find_missing(struct ch_node *node, const struct ch_layout *layout, const struct catalogue *there, ddl_fn *fn, void *ctx,
	struct error *err)
{
	CLEANUP(sql_done) struct sql wanted = {0};
	struct target t = {.node = node, .layout = layout, .print = &wanted, .err = err};
	int r = print_everything(&t);
	if (r == 0 && !sql_text(&wanted))
		r = ch_no_memory(node->conn.url, err);
	return r < 0 ? r : ddl_missing(wanted.text, there->text.text ? there->text.text : "", fn, ctx);
}

int ch_missing(struct ch_node *node, const struct ch_layout *layout, ddl_fn *fn, void *ctx, uint64_t *ret_version, struct error *err)
{
	CLEANUP(catalogue_done) struct catalogue there = {0};
	int r = read_catalogue(&node->conn, &there, err);
	if (r == 0)
		r = read_version(&node->conn, &there, ret_version, err);
	return r < 0 ? r : find_missing(node, layout, &there, fn, ctx, err);
}

/* The rows are where this program looks for them. */
static int check_layout(const struct target *t)
{
	struct ch_conn *c = &t->node->conn;
	uint64_t shards = 0, shard = t->node->shard;
	int r = ch_meta_get(c, "shards", &shards, t->err);
	if (r == 0)
		r = ch_meta_get(c, "shard", &shard, t->err);
	if (r < 0 || (shards == (t->layout->cluster ? t->layout->shards : 0) && shard == t->node->shard))
		return r;
	if (!t->layout->cluster)
		return error_set(t->err, -EPROTO, "clickhouse store %s: its tables are those of a cluster: name it in the url,"
			" ?cluster=NAME", c->url->name);
	return error_set(t->err, -EPROTO, "clickhouse store %s: the tables at %s were made for shard %llu of %llu, and it is shard %u"
		" of %u in the cluster %s; rows do not move, give it another database", c->url->name, c->at,
		(unsigned long long)shard + 1, (unsigned long long)shards, t->node->shard + 1, t->layout->shards, c->url->cluster);
}

int ch_rights(struct ch_conn *c, struct error *ret_lack, struct error *err)
{
	uint64_t readonly = 0;
	struct ch_request q = {.sql = "SELECT toUInt64(value) FROM system.settings WHERE name = 'readonly'",
		.doing = "asking for the user's rights", .without_database = true};
	int r = ch_number(c, &q, 8, &readonly, err);
	*ret_lack = (struct error){0};
	if (r == 0 && readonly)
		(void)error_set(ret_lack, -EACCES, "clickhouse store %s: the user may only read (readonly = %llu); give the collector's a profile"
			" without that", c->url->name, (unsigned long long)readonly);
	return r;
}

int ch_migrate(struct ch_node *node, const struct ch_layout *layout, bool *ret_fresh, struct error *err)
{
	struct target t = {.node = node, .layout = layout, .err = err};
	CLEANUP(catalogue_done) struct catalogue there = {0};
	struct ddl_names missing = {0};
	uint64_t version = 0;
	struct error lack;
	int r = ch_rights(&node->conn, &lack, err);
	if (r == 0 && lack.code)
		return error_set(err, lack.code, "%s", lack.text);
	if (r == 0)
		r = read_catalogue(&node->conn, &there, err);
	if (r == 0)
		r = read_version(&node->conn, &there, &version, err);
	if (r == 0 && version == CLICKHOUSE_SCHEMA_VERSION) {
		r = check_layout(&t);
		if (r == 0)
			r = find_missing(node, layout, &there, ddl_names_add, &missing, err);
		if (r < 0 || !missing.count)
			return r;
		version = 0;
	}
	if (r == 0 && version == 0)
		r = make_meta(&t);
	while (r == 0 && version < CLICKHOUSE_SCHEMA_VERSION)
		r = steps[version++](&t);
	if (r == 0)
		r = ch_meta_set(&node->conn, "schema_version", version, err);
	*ret_fresh = r == 0 && !there.any;
	return r;
}

int ch_check(struct ch_node *node, const struct ch_layout *layout, struct error *err)
{
	struct target t = {.node = node, .layout = layout, .err = err};
	struct ddl_names missing = {0};
	uint64_t version = 0;
	int r = ch_missing(node, layout, ddl_names_add, &missing, &version, err);
	if (r == 0 && version)
		r = check_layout(&t);
	if (r < 0 || !missing.count)
		return r;
	ddl_names_end(&missing);
	return error_set(err, -ENOENT, "clickhouse store %s: missing at %s: %s; a collector makes them, or whereto store migrate",
		node->conn.url->name, node->conn.at, missing.text);
}

/* ---- as text ---- */

static const char for_one[] = "-- One server's tables.", for_cluster[] =
	"-- The tables of each server of the cluster. Where it has a ZooKeeper or Keeper, a collector gives the local tables\n"
	"-- ENGINE = Replicated...('/clickhouse/whereto/CLUSTER/DATABASE/SHARD/TABLE', 'HOST:PORT', ...), shards being counted from 0.";

/* Of a cluster, what the table meta says of each server is left to the collector, which then looks at everything again. */
int clickhouse_ddl(const char *text, enum store_ddl what, struct sql *ret, struct error *err)
{
	CLEANUP(ch_url_done) struct ch_url url = {0};
	if (what != STORE_DDL_SCHEMA)
		return error_set(err, -EOPNOTSUPP, "there are no such views for clickhouse");
	int r = ch_url_parse(text[strcspn(text, ":") + 1] ? text : "clickhouse://localhost/whereto", &url, err);
	if (r < 0)
		return r;
	/* Of the settings, the one that every server knows. */
	struct ch_node node = {.conn = {.url = &url, .settings = 1u << CH_merge_tree_replicated_deduplication_window}};
	struct ch_layout layout = {.cluster = url.cluster};
	struct target t = {.node = &node, .layout = &layout, .print = ret, .err = err};
	sql_add(ret, "%s\n-- A server that knows fsync_after_insert, fsync_part_directory and non_replicated_deduplication_window gets"
		" them in the\n-- SETTINGS of each table, with 1, 1 and 1000.\n", url.cluster ? for_cluster : for_one);
	r = print_everything(&t);
	if (r == 0 && !url.cluster)
		sql_add(ret, "INSERT INTO meta VALUES ('schema_version', %d, toUnixTimestamp(now()) * 1000);\n",
			CLICKHOUSE_SCHEMA_VERSION);
	return r;
}
