/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/pages.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CAP 16u

int pages_init(struct pool *pages)
{
	pool_init_flat(pages, sizeof(struct page));
	uint32_t empty = pool_alloc(pages, 1);
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

static int add_page(struct pool *pages, struct paged *v, uint32_t i)
{
	uint32_t ref = pool_alloc(pages, 1);
	if (ref == POOL_NONE)
		return -ENOMEM;
	if (ref >= UINT32_MAX / PAGE_WORDS) {
		pool_free(pages, ref, 1);
		return -ENOMEM;
	}
	*page_at(pages, ref) = *page_at(pages, PAGE_EMPTY);
	v->starts[i] = start_of(ref, i);
	return 0;
}

int paged_set(struct pool *pages, struct paged *v, uint32_t id, uint32_t attrs, uint32_t *ret_before)
{
	uint32_t i = id / PAGE_IDS;
	if (reserve(v, i) < 0)
		return -ENOMEM;
	if (page_ref(v, i) == PAGE_EMPTY && add_page(pages, v, i) < 0)
		return -ENOMEM;
	struct page *p = page_at(pages, page_ref(v, i));
	uint32_t before = p->attrs[id % PAGE_IDS];
	p->attrs[id % PAGE_IDS] = attrs;
	p->routes += before == ROUTE_NONE;
	*ret_before = before;
	return 0;
}

uint32_t paged_del(struct pool *pages, struct paged *v, uint32_t id)
{
	uint32_t i = id / PAGE_IDS, ref = page_ref(v, i);
	struct page *p = page_at(pages, ref);
	uint32_t before = p->attrs[id % PAGE_IDS];
	assert(before != ROUTE_NONE);
	p->attrs[id % PAGE_IDS] = ROUTE_NONE;
	if (--p->routes == 0) {
		pool_free(pages, ref, 1);
		v->starts[i] = start_of(PAGE_EMPTY, i);
	}
	return before;
}

uint32_t paged_next(const struct pool *pages, const struct paged *v, uint32_t from)
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
