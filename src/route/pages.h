/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: what a view is made of. An array of attribute ids over all prefix ids would cost a
 * router's peer with ten routes as much as one with a million, so it is cut into pages, and only those
 * with a route in them exist. All views' pages come out of one pool. Its first page is empty and stands
 * wherever a view has none, so reading asks no questions. Beside the attributes stands when they changed.
 *
 * A page is 128 ids: smaller ones make the arrays that find them longer, larger ones hold more air
 * where a view's few routes lie scattered. */

#include "route/ages.h"
#include "route/pool.h"
#include "route/route.h"

#define PAGE_IDS   128u
#define PAGE_EMPTY 0u

struct page {
	uint32_t attrs[PAGE_IDS]; /* ROUTE_NONE: no route */
	uint8_t changed[PAGE_IDS]; /* labels of ages */
	uint16_t routes;
	uint8_t generation; /* of the labels */
};

struct pages {
	struct pool pool;
	struct ages ages;
	uint32_t converted; /* pages before this one have labels of the present generation */
};

/* A view's. The attributes of id are the word starts[id / PAGE_IDS] + id (modulo 2^32) of the pool, which is
 * one addition instead of four operations; page_ref makes a reference of it. All zero is a view without
 * routes. */
struct paged {
	uint32_t *starts;
	uint32_t cap; /* of starts */
};

#define PAGE_WORDS (sizeof(struct page) / sizeof(uint32_t))

int pages_init(struct pages *pages) MUST_USE;
void pages_done(struct pages *pages);
/* Also does a piece of what is left to convert: PAGES_SLICE pages, a fraction of a millisecond. */
void pages_clock(struct pages *pages, uint64_t now_ms);
#define PAGES_SLICE 2048u

static inline struct page *page_at(const struct pages *pages, uint32_t ref)
{
	return (struct page *)(void *)pages->pool.flat + ref;
}

/* ROUTE_NONE for ROUTE_NONE as well. */
static inline uint32_t paged_get(const struct pages *pages, const struct paged *v, uint32_t id)
{
	const uint32_t *words = (const uint32_t *)(const void *)pages->pool.flat;
	uint32_t i = id / PAGE_IDS;
	return LIKELY(i < v->cap) ? words[(uint32_t)(v->starts[i] + id)] : ROUTE_NONE;
}

/* For paged_get, soon. */
static inline void paged_prefetch(const struct pages *pages, const struct paged *v, uint32_t id)
{
	const uint32_t *words = (const uint32_t *)(const void *)pages->pool.flat;
	uint32_t i = id / PAGE_IDS;
	if (LIKELY(i < v->cap))
		__builtin_prefetch(&words[(uint32_t)(v->starts[i] + id)]);
}

/* When the attributes of id last became other ones; 0: there are none. */
uint64_t paged_changed_ms(const struct pages *pages, const struct paged *v, uint32_t id);

/* What was there goes to *ret_before. -ENOMEM. */
int paged_set(struct pages *pages, struct paged *v, uint32_t id, uint32_t attrs, uint32_t *ret_before) MUST_USE;
/* Removes what is there, which must be something, and returns it. */
uint32_t paged_del(struct pages *pages, struct paged *v, uint32_t id);
/* The first id from `from` on that has something, or ROUTE_NONE. */
uint32_t paged_next(const struct pages *pages, const struct paged *v, uint32_t from);
/* Of a view without routes. */
void paged_done(struct paged *v);
