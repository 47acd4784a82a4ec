/* SPDX-License-Identifier: BSD-2-Clause */

/* See pages.h for the idea. A page comes with its first route and goes with its last, a few dozen nanoseconds
 * either way; what a view has beside its pages is four bytes for each page up to its last.
 *
 * The bytes that say when routes changed are labels of ages.h, and a page says which of two numberings its own
 * are in. Whoever writes to a page converts it first; pages_clock converts the rest, page by page in the order of
 * the pool, whichever views they belong to. */

#include "route/pages.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CAP 16u

int pages_init(struct pages *pages)
{
	*pages = (struct pages){.converted = 0};
	ages_init(&pages->ages);
	pool_init_flat(&pages->pool, sizeof(struct page));
	uint32_t empty = pool_alloc(&pages->pool, 1);
	if (empty == POOL_NONE)
		return -ENOMEM;
	assert(empty == PAGE_EMPTY);
	*page_at(pages, empty) = (struct page){0};
	memset(page_at(pages, empty)->attrs, 0xff, sizeof(((struct page *)0)->attrs));
	return 0;
}

static uint32_t start_of(uint32_t ref, uint32_t i)
{
	return ref * (uint32_t)PAGE_WORDS - i * PAGE_IDS;
}

static uint32_t page_ref(const struct paged *v, uint32_t i)
{
	return (v->starts[i] + i * PAGE_IDS) / (uint32_t)PAGE_WORDS;
}

void pages_done(struct pages *pages)
{
	pool_done(&pages->pool);
}

static void convert(const struct ages *a, struct page *p)
{
	if (p->generation == a->generation)
		return;
	ages_convert(a, p->changed, PAGE_IDS);
	p->generation = a->generation;
}

/* Free pages are converted too, which does no harm. */
void pages_clock(struct pages *pages, uint64_t now_ms)
{
	ages_clock(&pages->ages, now_ms);
	if (!pages->ages.converting) {
		ages_merge(&pages->ages);
		pages->converted = 0;
	}
	for (unsigned i = 0; pages->ages.converting && i < PAGES_SLICE; i++) {
		if (pages->converted >= pages->pool.used)
			pages->ages.converting = false;
		else
			convert(&pages->ages, page_at(pages, pages->converted++));
	}
}

uint64_t paged_changed_ms(const struct pages *pages, const struct paged *v, uint32_t id)
{
	if (paged_get(pages, v, id) == ROUTE_NONE)
		return 0;
	const struct page *p = page_at(pages, page_ref(v, id / PAGE_IDS));
	return ages_ms(&pages->ages, p->changed[id % PAGE_IDS], p->generation);
}

/* The array is short (4 bytes for 128 prefixes), so copying it now and then is no matter. */
static int reserve(struct paged *v, uint32_t i)
{
	if (i < v->cap)
		return 0;
	uint32_t cap = i + i / 8 + MIN_CAP;
	uint32_t *grown = realloc(v->starts, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (uint32_t j = v->cap; j < cap; j++)
		grown[j] = start_of(PAGE_EMPTY, j);
	v->starts = grown;
	v->cap = cap;
	return 0;
}

static int add_page(struct pages *pages, struct paged *v, uint32_t i)
{
	uint32_t ref = pool_alloc(&pages->pool, 1);
	if (ref == POOL_NONE)
		return -ENOMEM;
	if (ref >= UINT32_MAX / PAGE_WORDS) {
		pool_free(&pages->pool, ref, 1);
		return -ENOMEM;
	}
	*page_at(pages, ref) = *page_at(pages, PAGE_EMPTY);
	page_at(pages, ref)->generation = pages->ages.generation;
	v->starts[i] = start_of(ref, i);
	return 0;
}

int paged_set(struct pages *pages, struct paged *v, uint32_t id, uint32_t attrs, uint32_t *ret_before)
{
	uint32_t i = id / PAGE_IDS;
	if (reserve(v, i) < 0)
		return -ENOMEM;
	if (page_ref(v, i) == PAGE_EMPTY && add_page(pages, v, i) < 0)
		return -ENOMEM;
	struct page *p = page_at(pages, page_ref(v, i));
	uint32_t before = p->attrs[id % PAGE_IDS];
	*ret_before = before;
	if (before == attrs)
		return 0;
	convert(&pages->ages, p);
	p->attrs[id % PAGE_IDS] = attrs;
	p->changed[id % PAGE_IDS] = ages_label(&pages->ages);
	p->routes += before == ROUTE_NONE;
	return 0;
}

uint32_t paged_del(struct pages *pages, struct paged *v, uint32_t id)
{
	uint32_t i = id / PAGE_IDS, ref = page_ref(v, i);
	struct page *p = page_at(pages, ref);
	uint32_t before = p->attrs[id % PAGE_IDS];
	assert(before != ROUTE_NONE);
	p->attrs[id % PAGE_IDS] = ROUTE_NONE;
	if (--p->routes == 0) {
		pool_free(&pages->pool, ref, 1);
		v->starts[i] = start_of(PAGE_EMPTY, i);
	}
	return before;
}

uint32_t paged_next(const struct pages *pages, const struct paged *v, uint32_t from)
{
	for (uint32_t i = from / PAGE_IDS; i < v->cap; i++, from = i * PAGE_IDS) {
		const struct page *p = page_at(pages, page_ref(v, i));
		if (p->routes == 0)
			continue;
		for (uint32_t at = from % PAGE_IDS; at < PAGE_IDS; at++)
			if (p->attrs[at] != ROUTE_NONE)
				return i * PAGE_IDS + at;
	}
	return ROUTE_NONE;
}

void paged_done(struct paged *v)
{
	free(v->starts);
	*v = (struct paged){0};
}
