/* SPDX-License-Identifier: BSD-2-Clause */

/* Marks, and how they go. A batch every few seconds leaves one in each table: in those of days, which are kept for
 * ever, there would be more marks than rows some day. Of an applied batch nobody needs them, for its row in `batches`
 * says all. So once in a while a row of the same key is put beside each, whose marker makes the sum zero, and the
 * next merge leaves both out.
 *
 * That is done once for each, and not again when it is not known whether it was done: a mark that stays harms
 * nobody, nor does a second row of that kind. */

#include "store/clickhouse.h"

#include <stdlib.h>
#include <string.h>

void ch_mark(struct sql *s, uint64_t batch, const char *collector)
{
	sql_add(s, "%llu/%s", (unsigned long long)batch, collector);
}

/* ---- places ---- */

uint64_t ch_place_width(unsigned table)
{
	return table == CH_TABLE_changes ? CH_CHANGES_PARTITION_MS : ch_partition_s[table % LEVEL_COUNT];
}

uint64_t ch_place_time(const struct ch_place *place)
{
	return place->partition * ch_place_width(place->table) + 1;
}

static bool same_block(const struct ch_place *a, const struct ch_place *b)
{
	return a->table == b->table && a->shard == b->shard && a->partition == b->partition;
}

bool ch_place_has(const struct ch_place_list *list, const struct ch_place *place)
{
	for (size_t i = list->count; i-- > 0;)
		if (same_block(&list->v[i], place) && list->v[i].batch == place->batch)
			return true;
	return false;
}

int ch_place_add(struct ch_place_list *list, const struct ch_place *place)
{
	if (ch_place_has(list, place))
		return 0;
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		struct ch_place *v = realloc(list->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		list->v = v;
		list->cap = cap;
	}
	list->v[list->count++] = *place;
	return 0;
}

void ch_place_done(struct ch_place_list *list)
{
	free(list->v);
	*list = (struct ch_place_list){0};
}

/* ---- clearing ---- */

struct clearing {
	struct clickhouse_store *s;
	struct ch_place_list places;
	struct view *marks;
	struct sql *texts;
};

/* The marks of one table, shard and partition, as views of texts. */
static uint32_t collect(struct clearing *c, const struct ch_place *place)
{
	uint32_t n = 0;
	for (size_t i = 0; i < c->places.count; i++) {
		if (!same_block(&c->places.v[i], place))
			continue;
		sql_clear(&c->texts[n]);
		ch_mark(&c->texts[n], c->places.v[i].batch, c->s->own.name);
		const char *text = sql_text(&c->texts[n]);
		if (text)
			c->marks[n++] = (struct view){(const uint8_t *)text, strlen(text)};
	}
	return n;
}

static int clear_place(struct clearing *c, const struct ch_place *place, struct error *err)
{
	struct clickhouse_store *s = c->s;
	CLEANUP(buffer_done) struct buffer block = {0};
	CLEANUP(sql_done) struct sql sql = {0};
	struct ch_node *node;
	struct ch_block b = {.cube = (enum store_cube)(place->table / LEVEL_COUNT), .marks = c->marks, .marker = CH_UNMARK,
		.mark_count = collect(c, place), .marker_ts = ch_place_time(place)};
	ch_block_times(&b, &block);
	ch_block_rest(&b, &block);
	sql_add(&sql, "INSERT INTO ");
	ch_table_local(&sql, &s->layout, place->table);
	sql_add(&sql, " FORMAT Native");
	if (block.failed)
		return ch_no_memory(&s->url, err);
	struct ch_request q = {.sql = sql_text(&sql), .doing = "clearing marks", .with_data = true, .data = {{block.data, block.len}}};
	int r = ch_node_get(s, place->shard, &node, err);
	return r < 0 ? r : ch_run(&node->conn, &q, err);
}

static bool is_first(const struct clearing *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_block(&c->places.v[k], &c->places.v[i]))
			return false;
	return true;
}

int ch_marks_clear(struct clickhouse_store *s, struct error *err)
{
	struct clearing c = {.s = s, .places = s->own.marks};
	int r = 0;
	s->own.marks = (struct ch_place_list){0};
	c.marks = calloc(c.places.count + 1, sizeof(*c.marks));
	c.texts = calloc(c.places.count + 1, sizeof(*c.texts));
	if (!c.marks || !c.texts)
		r = ch_no_memory(&s->url, err);
	for (size_t i = 0; i < c.places.count && r == 0; i++)
		if (is_first(&c, i))
			r = clear_place(&c, &c.places.v[i], err);
	for (size_t i = 0; c.texts && i < c.places.count; i++)
		sql_done(&c.texts[i]);
	free(c.texts);
	free(c.marks);
	ch_place_done(&c.places);
	return r;
}
