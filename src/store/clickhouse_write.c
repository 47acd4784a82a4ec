/* SPDX-License-Identifier: BSD-2-Clause */

/* Applying a batch: one INSERT a table and partition, the batch's row in `batches`, and the collector's in
 * `collectors`, at last. Each is one block that becomes one part, so it is there as a whole or not at all; but together they
 * are no transaction.
 *
 * So each block carries a mark, a row that says which batch it is of: it comes and goes with the other rows, for it is in
 * their part, and stands in a place of the key where no other row is (a second behind a partition's start), so that it is
 * found without reading anything else. When it is not known that nothing of a batch is there yet, the marks of all of
 * its blocks are asked for, in one question, and only what is missing is written. A batch is applied once the
 * collector's row says so: until then path changes of it are not shown, while sums may show a part of it.
 *
 * It is known when this process wrote the batch before this one, all of it, and has had no failure since; then only
 * the last two are asked for, because somebody else may have the same name. What else must be waited for is told in
 * clickhouse_writer.c.
 *
 * Cost: a part each, about 20 a batch, which the server merges at its leisure. */

#include "store/clickhouse.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "route/path.h"

#define MEMBERS_MAX (PATH_BYTES_MAX / 4)

static const char writing[] = "writing a batch";

struct place {
	unsigned table;
	uint64_t partition;
};

struct places {
	struct place *v;
	size_t count, cap;
};

struct job {
	struct clickhouse_store *s;
	const struct store_batch *batch;
	struct cube_source src;
	struct arena arena;
	struct view *names, *prefixes, *paths, *members; /* as stored, by the flow table's numbers */
	struct sql mark;
	struct places wanted, done; /* of the marks */
	struct error *err;
};

static bool has_place(const struct places *p, unsigned table, uint64_t partition)
{
	for (size_t i = p->count; i-- > 0;)
		if (p->v[i].partition == partition && p->v[i].table == table)
			return true;
	return false;
}

static int add_place(struct places *p, unsigned table, uint64_t partition)
{
	if (has_place(p, table, partition))
		return 0;
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct place *v = realloc(p->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		p->v = v;
		p->cap = cap;
	}
	p->v[p->count++] = (struct place){table, partition};
	return 0;
}

/* Seconds, or milliseconds of path_change, that a table's partition holds. */
static uint64_t partition_width(unsigned table)
{
	return table == CH_TABLE_changes ? CH_CHANGES_PARTITION_MS : ch_partition_s[table % LEVEL_COUNT];
}

static uint64_t marker_time(unsigned table, uint64_t partition)
{
	return partition * partition_width(table) + 1;
}

static bool row_is_kept(const struct clickhouse_store *s, enum store_level level, uint64_t ts)
{
	return ts + level_seconds[level] > s->cutoff_s[level];
}

static bool change_is_kept(const struct clickhouse_store *s, const struct path_change *c)
{
	return c->time_ms >= changes_cutoff_ms(s->cutoff_s[LEVEL_hour]);
}

/* ---- what is there already ---- */

/* Where the batch will be: any cube has rows wherever a flow is. */
static int want_level(struct job *j, enum store_level level)
{
	const struct flow_table *flows = j->batch->flows;
	const struct store_table *only = j->batch->only;
	unsigned first = only ? (unsigned)only->cube : 0, end = only ? first + 1 : CUBE_COUNT;
	uint64_t last = UINT64_MAX;
	int r = 0;
	for (uint32_t i = 0; i < flows->row_count; i++) {
		uint64_t ts = level_floor(level, flows->rows[i].key.minute), partition = ts / ch_partition_s[level];
		if (partition == last || !row_is_kept(j->s, level, ts))
			continue;
		last = partition;
		for (unsigned cube = first; cube < end && r == 0; cube++)
			r = add_place(&j->wanted, ch_table((enum store_cube)cube, level), partition);
	}
	return r;
}

static int want_places(struct job *j)
{
	const struct flow_table *flows = j->batch->flows;
	int r = 0;
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++)
		if (!j->batch->only || j->batch->only->level == (enum store_level)level)
			r = want_level(j, (enum store_level)level);
	for (uint32_t i = 0; i < flows->change_count && r == 0; i++)
		if (change_is_kept(j->s, &flows->changes[i]))
			r = add_place(&j->wanted, CH_TABLE_changes, flows->changes[i].time_ms / CH_CHANGES_PARTITION_MS);
	return r;
}

static void add_question(struct sql *s, const struct job *j, unsigned table)
{
	const char *column = table == CH_TABLE_changes ? "time_ms" : "ts", *comma = "";
	sql_add(s, "SELECT materialize(toUInt8(%u)), toUInt64(intDiv(%s, %llu)) FROM ", table, column,
		(unsigned long long)partition_width(table));
	ch_table_name(s, table);
	sql_add(s, " WHERE marker = 1 AND mark = ");
	ch_quote_text(s, sql_text(&j->mark));
	sql_add(s, " AND %s IN (", column);
	for (size_t i = 0; i < j->wanted.count; i++) {
		if (j->wanted.v[i].table != table)
			continue;
		sql_add(s, "%s%llu", comma, (unsigned long long)marker_time(table, j->wanted.v[i].partition));
		comma = ", ";
	}
	sql_add(s, ") UNION ALL ");
}

static int on_mark(void *ctx, struct rd *r, struct error *err)
{
	struct job *j = ctx;
	unsigned table = (unsigned)rd_le(r, 1);
	uint64_t partition = rd_le(r, 8);
	if (rd_ok(r) && add_place(&j->done, table, partition) < 0)
		return ch_no_memory(&j->s->url, err);
	return 0;
}

/* One question for all of its marks. */
static int find_marks(struct job *j)
{
	CLEANUP(sql_done) struct sql sql = {0};
	unsigned long long id = j->batch->id;
	bool asked[CH_TABLE_COUNT] = {false}, follows = j->s->own.known && j->batch->id == j->s->own.last + 1;
	if (!follows && want_places(j) < 0)
		return ch_no_memory(&j->s->url, j->err);
	for (size_t i = 0; i < j->wanted.count; i++) {
		if (!asked[j->wanted.v[i].table])
			add_question(&sql, j, j->wanted.v[i].table);
		asked[j->wanted.v[i].table] = true;
	}
	sql_add(&sql, "SELECT materialize(toUInt8(%u)), toUInt64(0) FROM batches WHERE id = %llu AND collector = ",
		(unsigned)CH_TABLE_batches, id);
	ch_quote_text(&sql, j->batch->collector);
	sql_add(&sql, " UNION ALL SELECT materialize(toUInt8(%u)), toUInt64(0) FROM collectors WHERE batch >= %llu AND collector = ",
		(unsigned)CH_TABLE_collectors, id);
	ch_quote_text(&sql, j->batch->collector);
	struct ch_request q = {.sql = sql_text(&sql), .doing = "asking what is there of a batch"};
	return ch_writer_run(j->s, j->batch->collector, &q, on_mark, j, j->err);
}

/* ---- values ---- */

static int keep(struct job *j, struct buffer *b, struct view *ret)
{
	const uint8_t *copy = b->failed ? NULL : arena_copy(&j->arena, b->data, b->len);
	if (!copy)
		return -ENOMEM;
	*ret = (struct view){copy, b->len};
	buffer_clear(b);
	return 0;
}

static int keep_value(struct job *j, struct buffer *b, enum dimension_kind kind, const struct dim_value *v, struct view *ret)
{
	ch_encode(kind, v, b);
	return keep(j, b, ret);
}

static int keep_members(struct job *j, struct buffer *b, struct view path, uint32_t *members, struct view *ret)
{
	size_t count = path_members(path, members, MEMBERS_MAX);
	struct wr w = buffer_reserve(b, 4 * count);
	for (size_t i = 0; i < count; i++)
		wr_le(&w, members[i], 4);
	buffer_commit(b, &w);
	return keep(j, b, ret);
}

static int encode_dictionaries(struct job *j, struct buffer *b, uint32_t *members)
{
	const struct flow_table *flows = j->batch->flows;
	int r = 0;
	for (uint32_t i = 1; i < flows->name_count && r == 0; i++)
		if (j->src.name_used[i])
			r = keep_value(j, b, KIND_TEXT, &(struct dim_value){.known = true, .bytes = flows->names[i]}, &j->names[i]);
	for (uint32_t i = 1; i < flows->prefix_count && r == 0; i++)
		if (j->src.prefix_used[i])
			r = keep_value(j, b, KIND_PREFIX, &(struct dim_value){.known = true, .prefix = flows->prefixes[i]},
				&j->prefixes[i]);
	for (uint32_t i = 1; i < flows->path_count && r == 0; i++) {
		if (!j->src.path_used[i])
			continue;
		r = keep_value(j, b, KIND_PATH, &(struct dim_value){.known = true, .bytes = flows->paths[i]}, &j->paths[i]);
		if (r == 0)
			r = keep_members(j, b, flows->paths[i], members, &j->members[i]);
	}
	return r;
}

static int encode_values(struct job *j)
{
	const struct flow_table *flows = j->batch->flows;
	CLEANUP(buffer_done) struct buffer b = {0};
	CLEANUP(free_p) uint32_t *members = malloc(MEMBERS_MAX * sizeof(*members));
	j->names = calloc((size_t)flows->name_count + 1, sizeof(struct view));
	j->prefixes = calloc((size_t)flows->prefix_count + 1, sizeof(struct view));
	j->paths = calloc((size_t)flows->path_count + 1, sizeof(struct view));
	j->members = calloc((size_t)flows->path_count + 1, sizeof(struct view));
	if (!members || !j->names || !j->prefixes || !j->paths || !j->members || encode_dictionaries(j, &b, members) < 0)
		return ch_no_memory(&j->s->url, j->err);
	return 0;
}

/* ---- blocks ---- */

/* The store's block into a table. */
static int insert(struct job *j, unsigned table)
{
	CLEANUP(sql_done) struct sql sql = {0};
	struct buffer *block = &j->s->block;
	sql_add(&sql, "INSERT INTO ");
	ch_table_name(&sql, table);
	sql_add(&sql, " FORMAT Native");
	if (block->failed)
		return ch_no_memory(&j->s->url, j->err);
	struct ch_request q = {.sql = sql_text(&sql), .doing = writing, .with_data = true, .data = {block->data, block->len}};
	return ch_writer_run(j->s, j->batch->collector, &q, NULL, NULL, j->err);
}

/* One table's, which come in the order of their time. */
static int write_rows(void *ctx, enum store_cube cube, enum store_level level, const struct groups *rows)
{
	struct job *j = ctx;
	uint32_t from = 0, to;
	int r = 0;
	while (from < rows->count && !row_is_kept(j->s, level, groups_key(rows, from)[0]))
		from++;
	for (; from < rows->count && r == 0; from = to) {
		unsigned table = ch_table(cube, level);
		uint64_t partition = groups_key(rows, from)[0] / ch_partition_s[level];
		for (to = from; to < rows->count && groups_key(rows, to)[0] / ch_partition_s[level] == partition; to++)
			;
		if (has_place(&j->done, table, partition))
			continue;
		struct ch_block b = {.cube = cube, .rows = rows, .from = from, .to = to, .mark = sql_text(&j->mark),
			.marker_ts = marker_time(table, partition), .names = j->names, .prefixes = j->prefixes,
			.paths = j->paths, .members = j->members};
		ch_block_write(&b, &j->s->block);
		r = insert(j, table);
	}
	return r;
}

static struct view text_view(const char *text)
{
	return (struct view){(const uint8_t *)text, strlen(text)};
}

/* A batch's changes of one partition, or their mark when c is NULL: the value of column `column`. */
static void add_change_value(struct job *j, unsigned column, uint64_t partition, const struct path_change *c)
{
	const struct view none = {0};
	struct buffer *out = &j->s->block;
	switch (column) {
	case 0:
		ch_block_number(out, 8, c ? c->time_ms : marker_time(CH_TABLE_changes, partition));
		break;
	case 1:
		ch_block_string(out, text_view(j->batch->collector));
		break;
	case 2:
		ch_block_number(out, 8, j->batch->id);
		break;
	case 3:
		ch_block_number(out, 4, c ? (uint64_t)(c - j->batch->flows->changes) : UINT32_MAX);
		break;
	case 4:
		ch_block_string(out, c ? j->names[c->router] : none);
		break;
	case 5:
		ch_block_string(out, c ? j->prefixes[c->prefix] : none);
		break;
	case 6:
		ch_block_string(out, c ? j->paths[c->before] : none);
		break;
	case 7:
		ch_block_string(out, c ? j->paths[c->after] : none);
		break;
	case 8:
		ch_block_string(out, c ? none : text_view(sql_text(&j->mark)));
		break;
	default:
		ch_block_number(out, 1, !c);
	}
}

static int write_changes_of(struct job *j, uint64_t partition)
{
	static const struct {
		const char *name, *type;
	} columns[] = {{"time_ms", "UInt64"}, {"collector", "String"}, {"batch", "UInt64"}, {"number", "UInt32"},
		{"router", "String"}, {"prefix", "String"}, {"path_before", "String"}, {"path_after", "String"},
		{"mark", "String"}, {"marker", "UInt8"}};
	const struct flow_table *flows = j->batch->flows;
	uint64_t rows = 1;
	for (uint32_t i = 0; i < flows->change_count; i++)
		rows += flows->changes[i].time_ms / CH_CHANGES_PARTITION_MS == partition && change_is_kept(j->s, &flows->changes[i]);
	buffer_clear(&j->s->block);
	ch_block_begin(&j->s->block, ARRAY_LEN(columns), rows);
	for (unsigned column = 0; column < ARRAY_LEN(columns); column++) {
		ch_block_column(&j->s->block, columns[column].name, columns[column].type);
		for (uint32_t i = 0; i < flows->change_count; i++) {
			const struct path_change *c = &flows->changes[i];
			if (c->time_ms / CH_CHANGES_PARTITION_MS == partition && change_is_kept(j->s, c))
				add_change_value(j, column, partition, c);
		}
		add_change_value(j, column, partition, NULL);
	}
	return insert(j, CH_TABLE_changes);
}

static int write_changes(struct job *j)
{
	const struct flow_table *flows = j->batch->flows;
	int r = 0;
	for (uint32_t i = 0; i < flows->change_count && r == 0; i++) {
		uint64_t partition = flows->changes[i].time_ms / CH_CHANGES_PARTITION_MS;
		if (!change_is_kept(j->s, &flows->changes[i]) || has_place(&j->done, CH_TABLE_changes, partition))
			continue;
		r = write_changes_of(j, partition);
		if (r == 0 && add_place(&j->done, CH_TABLE_changes, partition) < 0)
			r = ch_no_memory(&j->s->url, j->err);
	}
	return r;
}

static int write_batch_row(struct job *j)
{
	const struct flow_table *flows = j->batch->flows;
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {{"id", j->batch->id}, {"flows", flows->row_count}, {"changes", flows->change_count},
		{"changes_left_out", flows->changes_left_out}};
	struct buffer *out = &j->s->block;
	buffer_clear(out);
	ch_block_begin(out, 1 + ARRAY_LEN(numbers), 1);
	ch_block_column(out, "collector", "String");
	ch_block_string(out, text_view(j->batch->collector));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		ch_block_column(out, numbers[i].name, "UInt64");
		ch_block_number(out, 8, numbers[i].value);
	}
	return insert(j, CH_TABLE_batches);
}

static int write_collector_row(struct job *j)
{
	struct buffer *out = &j->s->block;
	buffer_clear(out);
	ch_block_begin(out, 2, 1);
	ch_block_column(out, "collector", "String");
	ch_block_string(out, text_view(j->batch->collector));
	ch_block_column(out, "batch", "UInt64");
	ch_block_number(out, 8, j->batch->id);
	return insert(j, CH_TABLE_collectors);
}

/* ---- a batch ---- */

static int write_content(struct job *j)
{
	int r = encode_values(j);
	if (r == 0) {
		r = cube_walk(&j->src, j->batch->only, j->s->scratch, write_rows, j);
		if (r == -ENOMEM || r == -E2BIG)
			return ch_no_memory(&j->s->url, j->err);
	}
	if (r == 0)
		r = write_changes(j);
	if (r == 0 && !has_place(&j->done, CH_TABLE_batches, 0))
		r = write_batch_row(j);
	return r < 0 ? r : write_collector_row(j);
}

static void job_done(struct job *j)
{
	cube_source_done(&j->src);
	arena_done(&j->arena);
	sql_done(&j->mark);
	free(j->names);
	free(j->prefixes);
	free(j->paths);
	free(j->members);
	free(j->wanted.v);
	free(j->done.v);
}

static int apply(struct job *j, bool *ret_new)
{
	struct clickhouse_store *s = j->s;
	int r = ch_writer_settle(s, j->batch->collector, j->err);
	if (r == 0)
		r = find_marks(j);
	if (r < 0)
		return r;
	*ret_new = !has_place(&j->done, CH_TABLE_batches, 0) || !has_place(&j->done, CH_TABLE_collectors, 0);
	if (!*ret_new)
		return 0;
	r = write_content(j);
	if (r == 0) {
		s->own.known = true;
		s->own.last = j->batch->id;
	}
	return r;
}

enum store_result clickhouse_write_batch(struct store *store, const struct store_batch *batch, struct error *err)
{
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	CLEANUP(job_done) struct job j = {.s = s, .batch = batch, .err = err};
	bool is_new = false;
	arena_init(&j.arena);
	sql_add(&j.mark, "%llu/%s", (unsigned long long)batch->id, batch->collector);
	int r = ch_writer_ready(s, err);
	if (r == 0 && (!sql_text(&j.mark) || cube_source_init(&j.src, batch->flows, batch->only) < 0))
		r = ch_no_memory(&s->url, err);
	if (r == 0)
		r = apply(&j, &is_new);
	if (r == 0)
		return is_new ? STORE_OK : STORE_DUPLICATE;
	ch_writer_doubt(s);
	return r == -EBADMSG || r == -EPROTO ? STORE_FATAL : STORE_RETRY;
}

int clickhouse_last_batch(struct store *store, const char *collector, uint64_t *ret, struct error *err)
{
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	CLEANUP(sql_done) struct sql sql = {0};
	uint64_t last = 0;
	int r = ch_writer_ready(s, err);
	if (r == 0)
		r = ch_writer_settle(s, collector, err);
	sql_add(&sql, "SELECT max(batch) FROM collectors WHERE collector = ");
	ch_quote_text(&sql, collector);
	struct ch_request q = {.sql = sql_text(&sql), .doing = "reading the last batch"};
	if (r == 0)
		r = ch_number(&s->conn, &q, 8, &last, err);
	if (r == 0)
		*ret = last;
	else
		ch_writer_doubt(s);
	return r;
}
