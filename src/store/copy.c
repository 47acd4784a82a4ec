/* SPDX-License-Identifier: BSD-2-Clause */

/* Copying a store. Each cube at each level is a table of its own here: retention has left different ranges of
 * them, so none can be made from another. A batch holds rows of one table (store_batch.only) and bears the name
 * "copy of SOURCE", under which a collector could not write.
 *
 * Nothing is doubled, whatever is interrupted and how often: what is brought is what the source has and the
 * target lacks, key by key, and a batch is applied whole or not at all. So a copy that was interrupted goes on
 * where each table of the target ends, and one that was complete brings what came since. Rows that came late,
 * into buckets long copied, show in the sums that are compared at the end: a table whose sums differ is gone
 * through once more, from its start.
 *
 * A source that is being written is read as it was at one moment (a snapshot), which is one between two batches
 * of each collector, and their last numbers are taken from that moment. When all sums are the same, the target is
 * given those numbers, so that each collector's journal goes on there with the next batch. A store without
 * snapshots must be at rest; that it was is checked.
 *
 * Cost: a row read, looked up in the target and added there; some 100,000 rows a second. Memory: a batch.
 * Left out: which collector recorded a path change, and how many it left out. */

#include "store/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>

#include "store/copy_parts.h"

#define NAME_PREFIX    "copy of "
#define SNAPSHOT_TRIES 1000

/* Collectors with batches in a store. */
struct collectors {
	struct collector {
		char *name;
		uint64_t last;
	} *items;
	size_t count, cap;
};

static void collectors_done(struct collectors *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i].name);
	free(l->items);
	*l = (struct collectors){0};
}

static int add_collector(void *ctx, const char *name, uint64_t last)
{
	struct collectors *l = ctx;
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct collector *items = realloc(l->items, cap * sizeof(*items));
		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	l->items[l->count++] = (struct collector){copy, last};
	return 0;
}

static int list_collectors(struct copy *c, enum copy_side side, struct collectors *ret)
{
	collectors_done(ret);
	int r = c->ops[side]->collectors(c->stores[side], add_collector, ret, c->err);
	return r == -ENOMEM ? copy_no_memory(c) : r;
}

static uint64_t last_of(const struct collectors *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i].name, name) == 0)
			return l->items[i].last;
	return 0;
}

static bool is_copy(const char *name)
{
	return strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
}

static bool same_collectors(const struct collectors *a, const struct collectors *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].last != last_of(b, a->items[i].name))
			return false;
	return true;
}

/* ---- what the other files use ---- */

int copy_no_memory(struct copy *c)
{
	return error_set(c->err, -ENOMEM, "out of memory");
}

int copy_name(struct flow_table *t, const struct dim_value *v, uint32_t *ret)
{
	return v->known ? flow_table_name(t, v->bytes, ret) : 0;
}

int copy_prefix(struct flow_table *t, const struct dim_value *v, uint32_t *ret)
{
	return v->known ? flow_table_prefix(t, &v->prefix, ret) : 0;
}

int copy_path(struct flow_table *t, const struct dim_value *v, uint32_t *ret)
{
	return v->known ? flow_table_path(t, v->bytes, ret) : 0;
}

int copy_ask(struct copy *c, enum copy_side side, struct store_table table, uint64_t from_s, uint64_t to_s, uint32_t dims,
	store_row_fn *fn, void *ctx)
{
	struct store_query q = {
		.cube = table.cube,
		.segments = {{table.level, from_s, to_s}},
		.segment_count = 1,
		.dims = dims,
		.step_s = dims & DIM_BIT(DIM_time) ? level_seconds[table.level] : 0,
		.keep_snapshot = side == COPY_FROM && c->ops[side]->snapshots,
	};
	return c->ops[side]->query(c->readers[side], &q, fn, ctx, c->err);
}

static int add_sums(void *ctx, const struct store_row *row)
{
	measures_add(ctx, &row->m);
	return 0;
}

int copy_sums(struct copy *c, enum copy_side side, struct store_table table, uint64_t from_s, uint64_t to_s,
	struct measures *ret)
{
	*ret = (struct measures){0};
	return copy_ask(c, side, table, from_s, to_s, 0, add_sums, ret);
}

void copy_tell(struct copy *c, struct store_table table, double done, bool over)
{
	CLEANUP(sql_done) struct sql name = {0};
	schema_table(&name, table.cube, table.level);
	double rows = c->rows_before + done * c->rows_expected[table.cube][table.level];
	c->config->progress(c->config->ctx, &(struct copy_progress){.table = sql_text(&name) ? sql_text(&name) : "", .rows = c->rows,
		.share = rows / c->rows_total, .table_done = over});
}

static int write_batch(struct copy *c, const struct store_batch *batch)
{
	switch (c->ops[COPY_TO]->write_batch(c->stores[COPY_TO], batch, c->err)) {
	case STORE_OK:
		return 0;
	case STORE_DUPLICATE:
		return 1;
	case STORE_RETRY:
	case STORE_FATAL:
		break;
	}
	return c->err->code < 0 ? c->err->code : -EIO;
}

int copy_write(struct copy *c, const struct store_table *table)
{
	struct store_batch batch = {.collector = c->name, .id = c->next_id++, .flows = c->flows, .only = table};
	int r = write_batch(c, &batch);
	return r == 1 ? error_set(c->err, -EBUSY, "another copy into %s is running", c->report->names[COPY_TO]) : r;
}

/* ---- opening ---- */

static int open_store(struct copy *c, enum copy_side side)
{
	const char *url = c->config->urls[side];
	struct store_config config = {.url = url, .read_only = side == COPY_FROM};
	struct store_look look;
	c->ops[side] = store_find(url, c->err);
	if (!c->ops[side])
		return c->err->code;
	int r = c->ops[side]->look(url, &look, c->err);
	if (r < 0)
		return r;
	memcpy(c->report->names[side], look.name, sizeof(look.name));
	if (look.version != look.known && (side == COPY_FROM || look.version))
		return error_set(c->err, -EPROTO, look.version ? "%s: its schema is not of this program's version; `whereto store"
			" migrate` brings it up to date" : "%s: there are no tables of whereto to copy", look.name);
	if (side == COPY_TO && strcmp(c->report->names[COPY_FROM], look.name) == 0)
		return error_set(c->err, -EINVAL, "%s cannot be copied into itself", look.name);
	for (int level = 0; level < LEVEL_COUNT; level++)
		config.retention_s[level] = UINT64_MAX;
	r = c->ops[side]->open(&config, &c->stores[side], c->err);
	return r < 0 ? r : c->ops[side]->reader_open(c->stores[side], &c->readers[side], c->err);
}

static int refuse_target(struct copy *c)
{
	return error_set(c->err, -EEXIST, "%s holds results that are not a copy of %s; copy into an empty store",
		c->report->names[COPY_TO], c->report->names[COPY_FROM]);
}

/* 1: there is a row in it. */
static int has_rows(struct copy *c)
{
	uint64_t range[2];
	int r = 0;
	for (int i = 0; i < TABLE_COUNT && r == 0; i++)
		r = c->ops[COPY_TO]->range(c->stores[COPY_TO], table_at(i), range, c->err);
	return r;
}

/* Nobody but a copy of this source has written there. */
static int check_target(struct copy *c, const struct collectors *from, const struct collectors *to)
{
	if (!last_of(to, c->name)) {
		int r = to->count ? 1 : has_rows(c);
		return r == 1 ? refuse_target(c) : r;
	}
	for (size_t i = 0; i < to->count; i++) {
		const char *name = to->items[i].name;
		if (is_copy(name) && strcmp(name, c->name) != 0)
			return refuse_target(c);
		if (!is_copy(name) && to->items[i].last > last_of(from, name))
			return error_set(c->err, -EEXIST, "collector %s has written to %s since that was copied; it cannot be copied"
				" into any more", name, c->report->names[COPY_TO]);
	}
	return 0;
}

/* ---- the moment of the source that is copied ---- */

static int look_at_nothing(void *ctx, const struct store_row *row)
{
	(void)ctx;
	(void)row;
	return 0;
}

/* A snapshot between two batches: the collectors have the same last ones before and after it is taken. */
static int take_snapshot(struct copy *c, struct collectors *ret)
{
	CLEANUP(collectors_done) struct collectors before = {0};
	struct store_query none = {0};
	int r = list_collectors(c, COPY_FROM, ret);
	for (int i = 0; i < SNAPSHOT_TRIES && r == 0; i++) {
		struct collectors swap = before;
		before = *ret;
		*ret = swap;
		r = copy_ask(c, COPY_FROM, (struct store_table){CUBE_total, LEVEL_day}, 0, level_seconds[LEVEL_day], 0,
			look_at_nothing, NULL);
		if (r == 0)
			r = list_collectors(c, COPY_FROM, ret);
		if (r < 0 || same_collectors(&before, ret))
			return r;
		r = c->ops[COPY_FROM]->query(c->readers[COPY_FROM], &none, look_at_nothing, NULL, c->err);
	}
	return r < 0 ? r : error_set(c->err, -EBUSY, "%s is being written without a pause", c->report->names[COPY_FROM]);
}

/* Without snapshots: nothing came meanwhile. */
static int check_rest(struct copy *c, const struct collectors *from)
{
	CLEANUP(collectors_done) struct collectors now = {0};
	if (c->ops[COPY_FROM]->snapshots)
		return 0;
	int r = list_collectors(c, COPY_FROM, &now);
	if (r == 0 && !same_collectors(from, &now))
		return error_set(c->err, -EBUSY, "batches came into %s meanwhile: stop its collectors and copy again",
			c->report->names[COPY_FROM]);
	return r;
}

/* ---- tables ---- */

static int count_row(void *ctx, const struct store_row *row)
{
	(void)row;
	++*(uint64_t *)ctx;
	return 0;
}

/* Where the tables of the source begin and end, and how many rows they may have, by a bucket from the middle. */
static int survey(struct copy *c)
{
	c->rows_total = 1;
	for (int i = 0; i < TABLE_COUNT; i++) {
		struct store_table table = table_at(i);
		struct copy_table *t = &c->report->tables[table.cube][table.level];
		uint64_t width = level_seconds[table.level], rows = 0;
		int r = c->ops[COPY_FROM]->range(c->stores[COPY_FROM], table, t->range, c->err);
		t->any = r > 0;
		if (r == 0)
			continue;
		uint64_t buckets = r > 0 ? (t->range[1] - t->range[0]) / width + 1 : 0;
		uint64_t middle = r > 0 ? t->range[0] + buckets / 2 * width : 0;
		if (r > 0)
			r = copy_ask(c, COPY_FROM, table, middle, middle + width, cube_dims[table.cube] | DIM_BIT(DIM_time),
				count_row, &rows);
		if (r < 0)
			return r;
		c->rows_expected[table.cube][table.level] = (double)(rows + 1) * (double)buckets;
		c->rows_total += c->rows_expected[table.cube][table.level];
	}
	return 0;
}

/* From where the target's table ends. */
static int bring_new_rows(struct copy *c, struct store_table table)
{
	const struct copy_table *t = &c->report->tables[table.cube][table.level];
	uint64_t have[2], from_s = t->range[0];
	int r = c->ops[COPY_TO]->range(c->stores[COPY_TO], table, have, c->err);
	if (r == 1 && have[1] > from_s)
		from_s = have[1];
	return r < 0 ? r : copy_rows(c, table, from_s, t->range[1] + level_seconds[table.level]);
}

static int compare(struct copy *c, struct store_table table)
{
	struct copy_table *t = &c->report->tables[table.cube][table.level];
	uint64_t end = t->range[1] + level_seconds[table.level];
	int r = copy_sums(c, COPY_FROM, table, t->range[0], end, &t->sums[COPY_FROM]);
	return r < 0 ? r : copy_sums(c, COPY_TO, table, t->range[0], end, &t->sums[COPY_TO]);
}

static bool sums_equal(const struct copy_table *t)
{
	return memcmp(&t->sums[COPY_FROM], &t->sums[COPY_TO], sizeof(t->sums[0])) == 0;
}

static int bring_table(struct copy *c, struct store_table table)
{
	const struct copy_table *t = &c->report->tables[table.cube][table.level];
	int r = bring_new_rows(c, table);
	if (r == 0)
		r = compare(c, table);
	if (r < 0 || sums_equal(t))
		return r;
	r = copy_rows(c, table, t->range[0], t->range[1] + level_seconds[table.level]);
	return r < 0 ? r : compare(c, table);
}

static int bring_tables(struct copy *c)
{
	int r = 0;
	c->report->equal = true;
	for (int i = 0; i < TABLE_COUNT && r == 0; i++) {
		struct store_table table = table_at(i);
		struct copy_table *t = &c->report->tables[table.cube][table.level];
		if (!t->any)
			continue;
		r = bring_table(c, table);
		c->report->equal &= sums_equal(t);
		if (r == 0)
			copy_tell(c, table, 1, true);
		c->rows_before += c->rows_expected[table.cube][table.level];
	}
	return r;
}

/* ---- the whole ---- */

/* Empty batches: their numbers are what counts. */
static int give_numbers(struct copy *c, const struct collectors *from)
{
	int r = flow_table_clear(c->flows);
	for (size_t i = 0; i < from->count && r >= 0; i++) {
		const struct collector *k = &from->items[i];
		struct store_batch batch = {.collector = k->name, .id = k->last, .flows = c->flows};
		if (!is_copy(k->name))
			r = write_batch(c, &batch);
	}
	return r < 0 ? r : 0;
}

/* A number is left out after an interruption: part of that batch may stand in a store that has no transactions. */
static int begin(struct copy *c, struct collectors *from)
{
	CLEANUP(collectors_done) struct collectors to = {0};
	uint64_t last;
	int r = take_snapshot(c, from);
	if (r == 0)
		r = c->ops[COPY_TO]->last_batch(c->stores[COPY_TO], c->name, &last, c->err);
	if (r == 0)
		r = list_collectors(c, COPY_TO, &to);
	if (r == 0)
		r = check_target(c, from, &to);
	if (r < 0)
		return r;
	c->next_id = last ? last + 2 : 1;
	return copy_write(c, NULL);
}

static int run(struct copy *c)
{
	CLEANUP(collectors_done) struct collectors from = {0};
	if (flow_table_new(&c->flows) < 0)
		return copy_no_memory(c);
	int r = open_store(c, COPY_FROM);
	if (r == 0)
		r = open_store(c, COPY_TO);
	(void)snprintf(c->name, sizeof(c->name), NAME_PREFIX "%s", c->report->names[COPY_FROM]);
	if (r == 0)
		r = begin(c, &from);
	if (r == 0)
		r = survey(c);
	if (r == 0)
		r = bring_tables(c);
	if (r == 0)
		r = copy_changes(c);
	if (r == 0)
		r = check_rest(c, &from);
	c->report->equal &= c->report->changes[COPY_FROM] == c->report->changes[COPY_TO];
	return r == 0 && c->report->equal ? give_numbers(c, &from) : r;
}

int store_copy(const struct copy_config *config, struct copy_report *ret, struct error *err)
{
	struct copy c = {.config = config, .report = ret, .err = err};
	*ret = (struct copy_report){0};
	*err = (struct error){0};
	int r = run(&c);
	for (int side = COPY_FROM; side <= COPY_TO; side++) {
		if (c.readers[side])
			c.ops[side]->reader_close(c.readers[side]);
		if (c.stores[side])
			c.ops[side]->close(c.stores[side]);
	}
	flow_table_free(c.flows);
	return r;
}
