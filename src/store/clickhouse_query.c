/* SPDX-License-Identifier: BSD-2-Clause */

/* Answering: a query is one statement, a SELECT ... GROUP BY for each of its segments, which the server adds up and
 * sends row by row.
 *
 * When only the best rows are wanted, the server is asked first which these are, by the one or two sums that tell: it has to read
 * as many rows for that, but two columns of thirty, and need not make and send the sums of a hundred thousand prefixes. The
 * statement then has a group for each winner and one for all others, read at once: whatever is written between the two, rows and
 * others are the total. Only who wins is a moment older.
 *
 * Rows that are older than what the store keeps are left out by their time: a partition is dropped when all of it is. The
 * store has no snapshots: each query sees what has been written when it begins. */

#include "store/clickhouse.h"

#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"

struct job {
	struct clickhouse_reader *reader;
	const struct store_query *q;
	store_row_fn *fn;
	void *ctx;
	enum dimension dims[CUBE_KEY_MAX];
	unsigned dim_count;
	bool with_time;
	uint8_t measures[MEASURE_COUNT];
	unsigned measure_count;
	struct sql where;
	unsigned rows;
	/* Winners: of each its stored values, as the list of an IN; empty: every group is one. */
	struct {
		struct sql list;
		unsigned come, count;
		double least; /* the figure of the last that is wanted */
	} best;
};

#define ROWS_A_CLOCK 1024

/* ---- conditions ---- */

static int add_value(struct sql *s, const struct store_filter *f, const struct dim_value *v)
{
	CLEANUP(buffer_done) struct buffer b = {0};
	if (f->dim == DIM_via || ch_width(f->dim)) {
		sql_add(s, "%llu", (unsigned long long)v->number);
		return 0;
	}
	ch_encode(dimension_table[f->dim].kind, v, &b);
	ch_quote(s, (struct view){b.data, b.len});
	return b.failed ? -ENOMEM : 0;
}

static int add_condition(struct job *j, const struct store_filter *f)
{
	const char *name = dimension_table[f->dim].name, *comma = "";
	bool unknown = false, via = f->dim == DIM_via;
	struct sql *s = &j->where;
	int r = 0;
	sql_add(s, " AND %s(0", f->negate ? "NOT " : "");
	for (size_t i = 0; i < f->value_count && r == 0; i++) {
		if (!f->values[i].known) {
			unknown = true;
			continue;
		}
		if (!*comma)
			sql_add(s, via ? " OR hasAny(members, [" : " OR %s IN (", name);
		sql_add(s, "%s", comma);
		r = add_value(s, f, &f->values[i]);
		comma = ", ";
	}
	if (*comma)
		sql_add(s, via ? "])" : ")");
	if (unknown)
		sql_add(s, via ? " OR empty(members)" : ch_width(f->dim) ? " OR %s = 0" : " OR %s = ''", name);
	sql_add(s, ")");
	return r;
}

/* ---- the statement ---- */

static void add_bucket(struct sql *s, const struct job *j)
{
	sql_add(s, "toUInt64(intDiv(ts, %u) * %u)", j->q->step_s, j->q->step_s);
}

static void add_source(struct sql *s, const struct job *j, const struct store_segment *seg)
{
	uint64_t kept = ch_first_kept(j->reader->store, seg->level), from = seg->from_s > kept ? seg->from_s : kept;
	sql_add(s, " FROM ");
	schema_table(s, j->q->cube, seg->level);
	sql_add(s, " WHERE ts >= %llu AND ts < %llu AND marker = 0%s", (unsigned long long)from,
		(unsigned long long)seg->to_s, sql_text(&j->where));
}

/* "prefix, path" */
static void add_dims(struct sql *s, const struct job *j, const char *before)
{
	for (unsigned i = 0; i < j->dim_count; i++)
		sql_add(s, "%s%s%s", i ? ", " : "", before, dimension_table[j->dims[i]].name);
}

static void add_measures(struct sql *s, const struct job *j)
{
	for (unsigned i = 0; i < j->measure_count; i++)
		sql_add(s, ", sum(%s)", measure_table[j->measures[i]].name);
}

static void add_select(struct sql *s, const struct job *j, const struct store_segment *seg)
{
	sql_add(s, "SELECT ");
	if (j->with_time)
		add_bucket(s, j);
	else
		sql_add(s, "count()");
	sql_add(s, j->dim_count ? ", " : "");
	add_dims(s, j, "");
	add_measures(s, j);
	add_source(s, j, seg);
	if (j->with_time || j->dim_count)
		sql_add(s, " GROUP BY ");
	if (j->with_time)
		add_bucket(s, j);
	sql_add(s, j->with_time && j->dim_count ? ", " : "");
	add_dims(s, j, "");
	sql_add(s, " HAVING count() > 0"); /* without a key there would be a row of nothing */
}

/* ---- the best ---- */

#define BEST_MORE 100 /* rows as good as the last one, for which there is room */

static unsigned best_most(const struct job *j)
{
	return 2 * j->q->best + BEST_MORE;
}

static void add_best_segment(struct sql *s, const struct job *j, const struct store_segment *seg)
{
	const struct store_query *q = j->q;
	sql_add(s, "SELECT ");
	add_dims(s, j, "");
	sql_add(s, ", sum(%s) AS best_by, sum(%s) AS best_per", measure_table[q->best_by].name,
		measure_table[q->best_per ? *q->best_per : q->best_by].name);
	add_source(s, j, seg);
	sql_add(s, " GROUP BY ");
	add_dims(s, j, "");
}

/* Groups with the largest figures, the largest first. */
static void add_best(struct sql *s, const struct job *j)
{
	bool many = j->q->segment_count > 1;
	const char *by = many ? "sum(best_by)" : "best_by", *per = many ? "sum(best_per)" : "best_per";
	if (j->q->best_per)
		sql_add(s, "SELECT if(%s = 0, toFloat64(-1), %s / %s) AS figure, ", per, by, per);
	else
		sql_add(s, "SELECT toFloat64(%s) AS figure, ", by);
	add_dims(s, j, "");
	sql_add(s, " FROM (");
	for (size_t i = 0; i < j->q->segment_count; i++) {
		sql_add(s, i ? " UNION ALL " : "");
		add_best_segment(s, j, &j->q->segments[i]);
	}
	sql_add(s, ") AS segments");
	if (many) {
		sql_add(s, " GROUP BY ");
		add_dims(s, j, "");
	}
	sql_add(s, " ORDER BY figure DESC LIMIT %u", best_most(j));
}

static void add_winner(struct job *j, struct rd *r)
{
	struct sql *s = &j->best.list;
	sql_add(s, "%s%s", s->len ? ", " : "", j->dim_count > 1 ? "(" : "");
	for (unsigned i = 0; i < j->dim_count; i++) {
		unsigned width = ch_width(j->dims[i]);
		sql_add(s, i ? ", " : "");
		if (width)
			sql_add(s, "%llu", (unsigned long long)rd_le(r, width));
		else
			ch_quote(s, ch_read_string(r));
	}
	sql_add(s, j->dim_count > 1 ? ")" : "");
}

static void skip_dims(struct rd *r, const struct job *j)
{
	for (unsigned i = 0; i < j->dim_count; i++)
		if (ch_width(j->dims[i]))
			rd_skip(r, ch_width(j->dims[i]));
		else
			(void)ch_read_string(r);
}

static int on_best(void *ctx, struct rd *r, struct error *err)
{
	struct job *j = ctx;
	uint64_t bits = rd_le(r, sizeof(bits));
	double figure;
	struct rd dims = *r;
	memcpy(&figure, &bits, sizeof(figure));
	skip_dims(r, j);
	if (!rd_ok(r))
		return 0;
	j->best.come++;
	if (j->best.count >= j->q->best && figure < j->best.least)
		return 0;
	add_winner(j, &dims);
	j->best.least = j->best.count++ < j->q->best ? figure : j->best.least;
	return 0;
}

/* Leaves the list empty when nobody needs to be left out, or more are as good as the last one than there is room for. */
static int find_best(struct job *j, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	add_best(&sql, j);
	struct ch_request request = {.sql = sql_text(&sql), .doing = "reading", .deadline_ns = j->q->deadline_ns};
	int r = ch_reader_select(j->reader, &request, on_best, j, err);
	if (r == 0 && j->best.list.failed)
		return ch_no_memory(&j->reader->store->url, err);
	if (r == 0 && (j->best.come <= j->q->best || j->best.count == best_most(j)))
		sql_clear(&j->best.list);
	return r;
}

/* What add_select asks, with a group for each winner, and one for all others, whose first column is 0. */
static void add_select_best(struct sql *s, const struct job *j, const struct store_segment *seg)
{
	sql_add(s, j->dim_count > 1 ? "SELECT toUInt64((" : "SELECT toUInt64(");
	add_dims(s, j, "");
	sql_add(s, j->dim_count > 1 ? ") IN (%s) AS won)" : " IN (%s) AS won)", sql_text(&j->best.list));
	for (unsigned i = 0; i < j->dim_count; i++) {
		const char *name = dimension_table[j->dims[i]].name;
		sql_add(s, ", if(won, %s, %s) AS won_%s", name, ch_width(j->dims[i]) ? "0" : "''", name);
	}
	add_measures(s, j);
	add_source(s, j, seg);
	sql_add(s, " GROUP BY won, ");
	add_dims(s, j, "won_");
}

/* ---- running it ---- */

static int on_row(void *ctx, struct rd *r, struct error *err)
{
	struct job *j = ctx;
	struct store_row row = {0};
	uint64_t first = rd_le(r, 8);
	row.others = j->best.list.len && !first;
	if (j->with_time)
		row.values[DIM_time] = (struct dim_value){.known = true, .number = first};
	for (unsigned i = 0; i < j->dim_count; i++)
		if (ch_read_value(r, j->dims[i], &j->reader->scratch[0], &row.values[j->dims[i]]) < 0)
			return error_set(err, -EBADMSG, "clickhouse store %s: a %s in it cannot be read", j->reader->store->url.name,
				dimension_table[j->dims[i]].name);
	for (unsigned i = 0; i < j->measure_count; i++)
		row.m.v[j->measures[i]] = rd_le(r, 8);
	if (!rd_ok(r))
		return 0;
	if (j->rows++ % ROWS_A_CLOCK == 0 && deadline_past(j->q->deadline_ns))
		return ch_too_late(err);
	int result = j->fn(j->ctx, &row);
	return result < 0 ? result : 0;
}

static int run(struct job *j, struct error *err)
{
	const struct store_query *q = j->q;
	CLEANUP(sql_done) struct sql sql = {0};
	int r = 0;
	j->with_time = q->dims & DIM_BIT(DIM_time);
	j->dim_count = query_dims(q, j->dims);
	j->measure_count = query_measures(q, j->measures);
	for (size_t i = 0; i < q->filter_count && r == 0; i++)
		r = add_condition(j, &q->filters[i]);
	if (r < 0 || !sql_text(&j->where))
		return ch_no_memory(&j->reader->store->url, err);
	if (q->best && j->dim_count && !j->with_time)
		r = find_best(j, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < q->segment_count; i++) {
		sql_add(&sql, i ? " UNION ALL " : "");
		(j->best.list.len ? add_select_best : add_select)(&sql, j, &q->segments[i]);
	}
	struct ch_request request = {.sql = sql_text(&sql), .doing = "reading", .deadline_ns = q->deadline_ns};
	return ch_reader_select(j->reader, &request, on_row, j, err);
}

int clickhouse_query(struct store_reader *base, const struct store_query *q, store_row_fn *fn, void *ctx, struct error *err)
{
	struct clickhouse_reader *reader = CONTAINER_OF(base, struct clickhouse_reader, base);
	CLEANUP(free_p) struct job *j = calloc(1, sizeof(*j));
	if (!j)
		return ch_no_memory(&reader->store->url, err);
	*j = (struct job){.reader = reader, .q = q, .fn = fn, .ctx = ctx};
	int r = q->segment_count ? run(j, err) : 0;
	sql_done(&j->where);
	sql_done(&j->best.list);
	return r;
}
