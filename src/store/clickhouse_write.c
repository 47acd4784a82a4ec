/* SPDX-License-Identifier: BSD-2-Clause */

/* Applying a batch: one INSERT a table, shard and partition, the batch's row in `batches`, and the collector's in
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
 * Of an applied batch nobody asks for the marks any more; they are taken out again from time to time (clickhouse_marks.c).
 *
 * Cost: a part each, about 20 a batch, which the server merges at its leisure. */

#include "store/clickhouse.h"

#include <stdlib.h>
#include <string.h>

#define MARKS_MAX   20000 /* to be cleared: some minutes of batches */

struct job {
	struct clickhouse_store *s;
	const struct store_batch *batch;
	struct cube_source src;
	struct ch_dict dict; /* by the numbers of src */
	struct sql mark;
	struct ch_place_list wanted, done, written; /* of the marks */
	/* What the blocks of `rows` have behind their times, a shard each. */
	struct {
		enum store_cube cube;
		const struct groups *rows;
		struct {
			struct ch_rest *rest; /* NULL: not made yet */
			uint32_t first, count, before;
		} of[CH_NODES_MAX];
	} shared;
	unsigned asked;             /* the shard that is asked for them */
	uint32_t *at;               /* a table's rows, block by block */
	uint16_t *shards;           /* their shards; NULL: there is one */
	uint32_t row_cap;           /* of both */
	struct buffer key;
	struct error *err;
};

static struct view text_view(const char *text)
{
	return (struct view){(const uint8_t *)text, strlen(text)};
}

/* Where the rows of `batches` and `collectors` are. */
static struct ch_place own_place(const struct job *j, unsigned table)
{
	return (struct ch_place){.table = table, .shard = ch_shard_of(j->s, text_view(j->batch->collector))};
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

/* Where the batch will be, whatever the shard: any cube has rows wherever a flow is. */
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
			r = ch_place_add(&j->wanted,
				&(struct ch_place){.table = ch_table((enum store_cube)cube, level), .partition = partition});
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
			r = ch_place_add(&j->wanted, &(struct ch_place){.table = CH_TABLE_changes,
				.partition = flows->changes[i].time_ms / CH_CHANGES_PARTITION_MS});
	return r;
}

static void add_question(struct sql *s, const struct job *j, unsigned table)
{
	const char *column = table == CH_TABLE_changes ? "time_ms" : "ts", *comma = "";
	sql_add(s, "SELECT materialize(toUInt8(%u)), toUInt64(%s) FROM ", table, column);
	ch_table_local(s, &j->s->layout, table);
	sql_add(s, " WHERE marker = 1 AND mark = ");
	ch_quote_text(s, sql_text(&j->mark));
	sql_add(s, " AND %s IN (", column);
	for (size_t i = 0; i < j->wanted.count; i++) {
		if (j->wanted.v[i].table != table)
			continue;
		sql_add(s, "%s%llu", comma, (unsigned long long)ch_place_time(&j->wanted.v[i]));
		comma = ", ";
	}
	sql_add(s, ")");
}

static int on_mark(void *ctx, struct rd *r, struct error *err)
{
	struct job *j = ctx;
	struct ch_place place = {.table = (unsigned)rd_le(r, 1), .shard = j->asked};
	uint64_t time = rd_le(r, 8);
	place.partition = place.table <= CH_TABLE_changes ? time / ch_place_width(place.table) : 0;
	if (rd_ok(r) && ch_place_add(&j->done, &place) < 0)
		return ch_no_memory(&j->s->url, err);
	return 0;
}

/* Whether its rows in `batches` and `collectors` are there. */
static void add_own_questions(struct sql *s, const struct job *j)
{
	const struct ch_layout *layout = &j->s->layout;
	unsigned long long id = j->batch->id;
	sql_add(s, "SELECT materialize(toUInt8(%u)), toUInt64(0) FROM ", (unsigned)CH_TABLE_batches);
	ch_table_local(s, layout, CH_TABLE_batches);
	sql_add(s, " WHERE id = %llu AND collector = ", id);
	ch_quote_text(s, j->batch->collector);
	sql_add(s, " UNION ALL SELECT materialize(toUInt8(%u)), toUInt64(0) FROM ", (unsigned)CH_TABLE_collectors);
	ch_table_local(s, layout, CH_TABLE_collectors);
	sql_add(s, " WHERE batch >= %llu AND collector = ", id);
	ch_quote_text(s, j->batch->collector);
}

/* One question for all that a shard has of it. */
static int ask_shard(struct job *j, unsigned shard)
{
	CLEANUP(sql_done) struct sql sql = {0};
	struct ch_node *node;
	bool asked[CH_TABLE_COUNT] = {false};
	if (shard == own_place(j, 0).shard)
		add_own_questions(&sql, j);
	for (size_t i = 0; i < j->wanted.count; i++) {
		unsigned table = j->wanted.v[i].table;
		if (asked[table])
			continue;
		asked[table] = true;
		sql_add(&sql, sql.len ? " UNION ALL " : "");
		add_question(&sql, j, table);
	}
	if (!sql.len && !sql.failed)
		return 0;
	struct ch_request q = {.sql = sql_text(&sql), .doing = "asking what is there of a batch"};
	int r = ch_node_get(j->s, shard, &node, j->err);
	j->asked = shard;
	if (r == 0)
		r = ch_node_select(node, &q, on_mark, j, j->err);
	return r;
}

static int find_marks(struct job *j)
{
	bool follows = j->s->own.known && j->batch->id == j->s->own.last + 1;
	int r = !follows && want_places(j) < 0 ? ch_no_memory(&j->s->url, j->err) : 0;
	for (unsigned shard = 0; shard < j->s->layout.shards && r == 0; shard++)
		r = ask_shard(j, shard);
	return r;
}

/* ---- blocks ---- */

/* A block to be filled; NULL: an earlier one has failed. */
static struct ch_post *take(struct job *j)
{
	return ch_posts_take(&j->s->posts, j->err);
}

/* Sends it on its way. */
static int insert(struct job *j, struct ch_post *post, struct ch_place place)
{
	struct ch_node *node;
	sql_add(&post->sql, "INSERT INTO ");
	ch_table_local(&post->sql, &j->s->layout, place.table);
	sql_add(&post->sql, " FORMAT Native");
	ch_writer_id(&post->query_id, j->s, j->batch->collector);
	sql_add(&post->query_id, "%s %u %u %llu", sql_text(&j->mark), place.table, place.shard, (unsigned long long)place.partition);
	int r = ch_node_get(j->s, place.shard, &node, j->err);
	return r < 0 ? r : ch_posts_send(&j->s->posts, post, node, j->err);
}

/* A row's shard, by its origin or by all of its dimensions. */
static unsigned shard_of_row(struct job *j, enum store_cube cube, const uint64_t *words)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);
	bool by_origin = cube_dims[cube] & DIM_BIT(DIM_origin);
	buffer_clear(&j->key);
	for (size_t i = 0; i < n; i++) {
		if (by_origin && key[i] != DIM_origin)
			continue;
		if (ch_width(key[i]))
			ch_block_number(&j->key, ch_width(key[i]), words[1 + i]);
		else
			ch_block_string(&j->key, ch_dict_of(&j->dict, key[i])[words[1 + i]]);
	}
	return ch_shard_of(j->s, (struct view){j->key.data, j->key.len});
}

static int place_rows(struct job *j, enum store_cube cube, const struct groups *rows)
{
	if (rows->count > j->row_cap) {
		free(j->at);
		free(j->shards);
		j->row_cap = rows->count;
		j->at = malloc(rows->count * sizeof(*j->at));
		j->shards = calloc(rows->count, sizeof(*j->shards));
		if (!j->at || !j->shards)
			return ch_no_memory(&j->s->url, j->err);
	}
	for (uint32_t i = 0; i < rows->count && j->s->layout.shards > 1; i++)
		j->shards[i] = (uint16_t)shard_of_row(j, cube, groups_key(rows, i));
	return j->key.failed ? ch_no_memory(&j->s->url, j->err) : 0;
}

static void forget_shared(struct job *j)
{
	for (unsigned shard = 0; shard < j->s->layout.shards; shard++)
		ch_rest_unref(j->shared.of[shard].rest);
	memset(&j->shared, 0, sizeof(j->shared));
}

/* As it was made for the level before, when the same rows make this block. */
static struct ch_rest *rest_of(struct job *j, const struct ch_block *b, unsigned shard)
{
	struct ch_rest *rest = j->shared.of[shard].rest;
	if (rest && j->shared.of[shard].first == b->at[0] && j->shared.of[shard].count == b->count && j->shared.of[shard].before == b->before)
		return rest;
	ch_rest_unref(rest);
	rest = j->shared.of[shard].rest = ch_rest_new();
	if (!rest)
		return NULL;
	j->shared.of[shard].first = b->at[0];
	j->shared.of[shard].count = b->count;
	j->shared.of[shard].before = b->before;
	ch_block_rest(b, &rest->bytes);
	return rest;
}

static int send_block(struct job *j, const struct ch_block *b, struct ch_place place)
{
	struct ch_rest *rest = rest_of(j, b, place.shard);
	struct ch_post *post = rest ? take(j) : NULL;
	if (!post)
		return rest ? j->s->posts.result : ch_no_memory(&j->s->url, j->err);
	ch_block_times(b, &post->block);
	post->rest = ch_rest_ref(rest);
	return insert(j, post, place);
}

/* The rows [from, to) that are of the place's shard. */
static int write_block(struct job *j, struct ch_place place, enum store_cube cube, const struct groups *rows, uint32_t from,
	uint32_t to)
{
	struct view mark = text_view(sql_text(&j->mark));
	struct ch_block b = {.cube = cube, .rows = rows, .at = j->at, .marks = &mark, .mark_count = 1, .marker = CH_MARK,
		.marker_ts = ch_place_time(&place), .dict = &j->dict};
	for (; from < to; from++) {
		if (j->shards[from] != place.shard)
			continue;
		b.before += groups_key(rows, from)[0] < b.marker_ts;
		j->at[b.count++] = from;
	}
	if (!b.count)
		return 0;
	if (ch_place_add(&j->written, &place) < 0)
		return ch_no_memory(&j->s->url, j->err);
	return ch_place_has(&j->done, &place) ? 0 : send_block(j, &b, place);
}

/* One table's, which come in the order of their time. */
static int write_rows(void *ctx, enum store_cube cube, enum store_level level, const struct groups *rows)
{
	struct job *j = ctx;
	uint32_t from = 0, to;
	int r = 0;
	if (j->shared.rows != rows || j->shared.cube != cube) {
		forget_shared(j);
		j->shared.rows = rows;
		j->shared.cube = cube;
		r = place_rows(j, cube, rows);
	}
	while (from < rows->count && !row_is_kept(j->s, level, groups_key(rows, from)[0]))
		from++;
	for (; from < rows->count && r == 0; from = to) {
		uint64_t partition = groups_key(rows, from)[0] / ch_partition_s[level];
		for (to = from; to < rows->count && groups_key(rows, to)[0] / ch_partition_s[level] == partition; to++)
			;
		for (unsigned shard = 0; shard < j->s->layout.shards && r == 0; shard++)
			r = write_block(j, (struct ch_place){.table = ch_table(cube, level), .shard = shard, .partition = partition}, cube, rows, from, to);
	}
	return r;
}

static struct ch_place place_of_change(const struct job *j, const struct path_change *c)
{
	return (struct ch_place){.table = CH_TABLE_changes, .shard = ch_shard_of(j->s, j->dict.prefixes[j->src.prefixes[c->prefix]]),
		.partition = c->time_ms / CH_CHANGES_PARTITION_MS};
}

static bool is_at(const struct job *j, const struct path_change *c, struct ch_place place)
{
	struct ch_place own = place_of_change(j, c);
	return own.partition == place.partition && own.shard == place.shard && change_is_kept(j->s, c);
}

/* A change's value in column `column`, or that of the mark when c is NULL. */
static void add_change_value(struct job *j, struct buffer *out, unsigned column, struct ch_place place, const struct path_change *c)
{
	const struct view none = {0};
	switch (column) {
	case 0:
		ch_block_number(out, 8, c ? c->time_ms : ch_place_time(&place));
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
		ch_block_string(out, c ? j->dict.names[j->src.names[c->router]] : none);
		break;
	case 5:
		ch_block_string(out, c ? j->dict.prefixes[j->src.prefixes[c->prefix]] : none);
		break;
	case 6:
		ch_block_string(out, c ? j->dict.paths[j->src.paths[c->before]] : none);
		break;
	case 7:
		ch_block_string(out, c ? j->dict.paths[j->src.paths[c->after]] : none);
		break;
	case 8:
		ch_block_string(out, c ? none : text_view(sql_text(&j->mark)));
		break;
	default:
		ch_block_number(out, 1, !c);
	}
}

static int write_changes_at(struct job *j, struct ch_place place)
{
	static const struct {
		const char *name, *type;
	} columns[] = {{"time_ms", "UInt64"}, {"collector", "String"}, {"batch", "UInt64"}, {"number", "UInt32"},
		{"router", "String"}, {"prefix", "String"}, {"path_before", "String"}, {"path_after", "String"},
		{"mark", "String"}, {"marker", "UInt8"}};
	const struct flow_table *flows = j->batch->flows;
	uint64_t rows = 1;
	struct ch_post *post = take(j);
	if (!post)
		return j->s->posts.result;
	for (uint32_t i = 0; i < flows->change_count; i++)
		rows += is_at(j, &flows->changes[i], place);
	ch_block_begin(&post->block, ARRAY_LEN(columns), rows);
	for (unsigned column = 0; column < ARRAY_LEN(columns); column++) {
		ch_block_column(&post->block, columns[column].name, columns[column].type);
		for (uint32_t i = 0; i < flows->change_count; i++)
			if (is_at(j, &flows->changes[i], place))
				add_change_value(j, &post->block, column, place, &flows->changes[i]);
		add_change_value(j, &post->block, column, place, NULL);
	}
	return insert(j, post, place);
}

static int write_changes(struct job *j)
{
	const struct flow_table *flows = j->batch->flows;
	int r = 0;
	for (uint32_t i = 0; i < flows->change_count && r == 0; i++) {
		struct ch_place place = place_of_change(j, &flows->changes[i]);
		if (!change_is_kept(j->s, &flows->changes[i]) || ch_place_has(&j->done, &place))
			continue;
		r = write_changes_at(j, place);
		if (r == 0 && ch_place_add(&j->done, &place) < 0)
			r = ch_no_memory(&j->s->url, j->err);
	}
	return r;
}

/* A row of the collector's name and numbers, when all before it is there. */
static int write_own_row(struct job *j, unsigned table, const char *const names[], const uint64_t values[], unsigned n)
{
	int r = ch_posts_wait(&j->s->posts, j->err);
	struct ch_post *post = r == 0 ? take(j) : NULL;
	if (r < 0 || !post)
		return r < 0 ? r : j->s->posts.result;
	ch_block_begin(&post->block, 1 + n, 1);
	ch_block_column(&post->block, "collector", "String");
	ch_block_string(&post->block, text_view(j->batch->collector));
	for (unsigned i = 0; i < n; i++) {
		ch_block_column(&post->block, names[i], "UInt64");
		ch_block_number(&post->block, 8, values[i]);
	}
	return insert(j, post, own_place(j, table));
}

static int write_batch_row(struct job *j)
{
	static const char *const names[] = {"id", "flows", "changes", "changes_left_out"};
	const struct flow_table *flows = j->batch->flows;
	const uint64_t values[] = {j->batch->id, flows->row_count, flows->change_count, flows->changes_left_out};
	return write_own_row(j, CH_TABLE_batches, names, values, ARRAY_LEN(names));
}

static int write_collector_row(struct job *j)
{
	static const char *const names[] = {"batch"};
	return write_own_row(j, CH_TABLE_collectors, names, &j->batch->id, 1);
}

/* ---- a batch ---- */

static bool is_done(const struct job *j, unsigned table)
{
	struct ch_place place = own_place(j, table);
	return ch_place_has(&j->done, &place);
}

static int write_content(struct job *j)
{
	int r = ch_dict_init(&j->dict, &j->src);
	if (r == 0)
		r = cube_walk(&j->src, j->batch->only, j->s->scratch, write_rows, j);
	forget_shared(j);
	if (r == -ENOMEM || r == -E2BIG)
		(void)ch_no_memory(&j->s->url, j->err);
	if (r == 0)
		r = write_changes(j);
	if (r == 0 && !is_done(j, CH_TABLE_batches))
		r = write_batch_row(j);
	if (r == 0)
		r = write_collector_row(j);
	int late = ch_posts_wait(&j->s->posts, r < 0 ? NULL : j->err);
	return r < 0 ? r : late;
}

static void job_done(struct job *j)
{
	cube_source_done(&j->src);
	ch_dict_done(&j->dict);
	sql_done(&j->mark);
	forget_shared(j);
	free(j->at);
	free(j->shards);
	buffer_done(&j->key);
	ch_place_done(&j->wanted);
	ch_place_done(&j->done);
	ch_place_done(&j->written);
}

static int apply(struct job *j, bool *ret_new)
{
	struct clickhouse_store *s = j->s;
	int r = ch_writer_settle(s, j->batch->collector, j->err);
	if (r == 0)
		r = find_marks(j);
	if (r < 0)
		return r;
	*ret_new = !is_done(j, CH_TABLE_batches) || !is_done(j, CH_TABLE_collectors);
	if (!*ret_new)
		return 0;
	r = write_content(j);
	if (r < 0)
		return r;
	s->own.known = true;
	s->own.last = j->batch->id;
	for (size_t i = 0; i < j->written.count; i++) {
		j->written.v[i].batch = j->batch->id;
		if (s->own.marks.count < MARKS_MAX && ch_place_add(&s->own.marks, &j->written.v[i]) < 0)
			break; /* those stay, which harms nobody */
	}
	return 0;
}

enum store_result clickhouse_write_batch(struct store *store, const struct store_batch *batch, struct error *err)
{
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	CLEANUP(job_done) struct job j = {.s = s, .batch = batch, .err = err};
	bool is_new = false;
	ch_mark(&j.mark, batch->id, batch->collector);
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
	struct ch_node *node;
	uint64_t last = 0;
	int r = ch_writer_ready(s, err);
	if (r == 0)
		r = ch_writer_settle(s, collector, err);
	if (r == 0)
		r = ch_node_get(s, ch_shard_of(s, text_view(collector)), &node, err);
	sql_add(&sql, "SELECT max(batch) FROM ");
	ch_table_local(&sql, &s->layout, CH_TABLE_collectors);
	sql_add(&sql, " WHERE collector = ");
	ch_quote_text(&sql, collector);
	struct ch_request q = {.sql = sql_text(&sql), .doing = "reading the last batch"};
	if (r == 0) {
		r = ch_number(&node->conn, &q, 8, &last, err);
		if (r < 0 && node->conn.code == 0)
			ch_node_failed(node);
	}
	if (r == 0)
		*ret = last;
	else
		ch_writer_doubt(s);
	return r;
}
