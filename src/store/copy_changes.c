/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes, from the newest back, in pages that end between two milliseconds. The hook tells what changed
 * and when, and neither by whom nor in which batch, so what the target has of a page is taken away by its
 * content, as often as it stands there, and the rest is one batch. Changes of one millisecond keep their
 * order, as the batch counts them. */

#include <errno.h>
#include <stdlib.h>

#include "store/copy_parts.h"
#include "store/groups.h"

#define PAGE     50000
#define PAGE_MAX (PAGE << 14)

enum { KEY_WORDS = 5 }; /* time, router, prefix, before, after: numbers of c->flows */

struct page {
	struct copy *c;
	uint64_t from_ms, to_ms;
	struct path_change *changes; /* newest first */
	size_t count, cap;
	struct groups have; /* how often the target has each */
	uint64_t have_count;
};

static int read_change(struct flow_table *t, const struct store_change *from, struct path_change *ret)
{
	*ret = (struct path_change){.time_ms = from->time_ms};
	int r = copy_name(t, &from->router, &ret->router);
	if (r == 0)
		r = copy_prefix(t, &from->prefix, &ret->prefix);
	if (r == 0)
		r = copy_path(t, &from->before, &ret->before);
	return r == 0 ? copy_path(t, &from->after, &ret->after) : r;
}

static int on_source_change(void *ctx, const struct store_change *change)
{
	struct page *p = ctx;
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 1024;
		struct path_change *changes = realloc(p->changes, cap * sizeof(*changes));
		if (!changes)
			return copy_no_memory(p->c);
		p->changes = changes;
		p->cap = cap;
	}
	return read_change(p->c->flows, change, &p->changes[p->count++]) < 0 ? copy_no_memory(p->c) : 0;
}

static uint64_t *find_count(struct page *p, const struct path_change *c)
{
	const uint64_t key[KEY_WORDS] = {c->time_ms, c->router, c->prefix, c->before, c->after};
	uint32_t row;
	return groups_get(&p->have, key, &row) < 0 ? NULL : groups_sums(&p->have, row);
}

static int on_target_change(void *ctx, const struct store_change *change)
{
	struct page *p = ctx;
	struct path_change c;
	uint64_t *count = read_change(p->c->flows, change, &c) == 0 ? find_count(p, &c) : NULL;
	if (!count)
		return copy_no_memory(p->c);
	++*count;
	p->have_count++;
	return 0;
}

/* The newest before to_ms: those of whole milliseconds, down to from_ms. */
static int read_page(struct page *p)
{
	struct copy *c = p->c;
	for (uint32_t limit = PAGE; limit <= PAGE_MAX; limit *= 2) {
		struct store_change_query q = {.to_ms = p->to_ms, .limit = limit};
		p->count = 0;
		if (flow_table_clear(c->flows) < 0)
			return copy_no_memory(c);
		int r = c->ops[COPY_FROM]->changes(c->readers[COPY_FROM], &q, on_source_change, p, c->err);
		p->from_ms = 0;
		if (r < 0 || p->count < limit)
			return r;
		/* The oldest millisecond may go on. */
		uint64_t oldest = p->changes[p->count - 1].time_ms;
		while (p->count && p->changes[p->count - 1].time_ms == oldest)
			p->count--;
		p->from_ms = oldest + 1;
		if (p->count)
			return 0;
	}
	return error_set(c->err, -E2BIG, "one millisecond has more path changes than can be copied");
}

static int bring_page(struct page *p)
{
	struct copy *c = p->c;
	/* What is older than the source's oldest has been dropped there since it was copied. */
	uint64_t from_ms = p->from_ms ? p->from_ms : p->count ? p->changes[p->count - 1].time_ms : p->to_ms;
	struct store_change_query q = {.from_ms = from_ms, .to_ms = p->to_ms, .limit = UINT32_MAX};
	groups_reset(&p->have, KEY_WORDS, 1);
	p->have_count = 0;
	int r = c->ops[COPY_TO]->changes(c->readers[COPY_TO], &q, on_target_change, p, c->err);
	if (r < 0)
		return r;
	for (size_t i = p->count; i--; ) {
		uint64_t *count = find_count(p, &p->changes[i]);
		if (!count)
			return copy_no_memory(c);
		if (*count)
			--*count;
		else if (flow_table_change(c->flows, &p->changes[i]) < 0)
			return copy_no_memory(c);
	}
	c->report->changes[COPY_FROM] += p->count;
	c->report->changes[COPY_TO] += p->have_count + c->flows->change_count;
	return c->flows->change_count ? copy_write(c, NULL) : 0;
}

static int copy_pages(struct page *p)
{
	struct copy *c = p->c;
	int r = 0;
	for (p->to_ms = UINT64_MAX; r == 0 && p->to_ms; p->to_ms = p->from_ms) {
		r = read_page(p);
		if (r == 0)
			r = bring_page(p);
		c->config->progress(c->config->ctx, &(struct copy_progress){.table = "path_change", .rows = c->report->changes[COPY_FROM],
			.share = c->rows_before / c->rows_total, .table_done = r == 0 && !p->from_ms});
	}
	return r;
}

int copy_changes(struct copy *c)
{
	struct page p = {.c = c};
	groups_init(&p.have, KEY_WORDS, 1, INDEX_NONE - 1);
	int r = copy_pages(&p);
	groups_done(&p.have);
	free(p.changes);
	return r;
}
