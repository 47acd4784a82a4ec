/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: what a view is made of. An array of attribute ids over all prefix ids would cost a
 * router's peer with ten routes as much as one with a million, so it is cut into pages, and only those
 * with a route in them exist. All views' pages come out of one pool. Its first page is empty and stands
 * wherever a view has none, so reading asks no questions.
 *
 * A page is 128 ids: smaller ones make the arrays that find them longer, larger ones hold more air
 * where a view's few routes lie scattered. */

#include "route/pool.h"
#include "route/route.h"

#define PAGE_IDS   128u
#define PAGE_EMPTY 0u

struct page {
	uint32_t attrs[PAGE_IDS]; /* ROUTE_NONE: no route */
	uint32_t routes;
};

/* A view's. The attributes of id are the word starts[id / PAGE_IDS] + id (modulo 2^32) of the pool, which is
 * one addition instead of four operations; page_ref makes a reference of it. All zero is a view without
 * routes. */
struct paged {
	uint32_t *starts;
	uint32_t cap; /* of starts */
};

#define PAGE_WORDS (sizeof(struct page) / sizeof(uint32_t))

int pages_init(struct pool *pages) MUST_USE;

static inline struct page *page_at(const struct pool *pages, uint32_t ref)
{
	return (struct page *)(void *)pages->flat + ref;
}

/* ROUTE_NONE for ROUTE_NONE as well. */
static inline uint32_t paged_get(const struct pool *pages, const struct paged *v, uint32_t id)
{
	const uint32_t *words = (const uint32_t *)(const void *)pages->flat;
	uint32_t i = id / PAGE_IDS;
	return LIKELY(i < v->cap) ? words[(uint32_t)(v->starts[i] + id)] : ROUTE_NONE;
}

/* What was there goes to *ret_before. -ENOMEM. */
int paged_set(struct pool *pages, struct paged *v, uint32_t id, uint32_t attrs, uint32_t *ret_before) MUST_USE;
/* Removes what is there, which must be something, and returns it. */
uint32_t paged_del(struct pool *pages, struct paged *v, uint32_t id);
/* The first id from `from` on that has something, or ROUTE_NONE. */
uint32_t paged_next(const struct pool *pages, const struct paged *v, uint32_t from);
/* Of a view without routes. */
void paged_done(struct paged *v);
