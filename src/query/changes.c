/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes under a filter. Stores know one router and one prefix, by which they find; everything else is asked here, of
 * each change that a store has. It is read in pages, the newest first, until there are as many as wanted: what is common is found
 * in the first, and what is rare takes as long as reading all changes of the range does (the query's deadline holds for all
 * pages). A page goes on behind the place of the last change seen, wherever in a millisecond that was and whatever has been stored since.
 *
 * A term about a path holds when it holds for the path before or the one after; its negation, when for neither. */

#include <errno.h>

#include "query/filter.h"

#define PAGE_MIN 1000u
#define PAGE_MAX 256000u

struct reading {
	const struct filter *filter;
	store_change_fn *fn;
	void *ctx;
	uint32_t wanted, found;
	/* of the present page */
	uint32_t seen;
	struct store_change_place last; /* seen */
	bool enough;
	int result; /* of fn */
};

static bool is_value(const void *subject, enum dimension dim, const struct dim_value *v)
{
	const struct store_change *c = subject;
	switch (dim) {
	case DIM_router:
		return filter_same_bytes(&c->router, v);
	case DIM_prefix:
		return c->prefix.known == v->known && (!v->known || prefix_equal(&c->prefix.prefix, &v->prefix));
	default:
		return filter_path_is(&c->before, dim, v) || filter_path_is(&c->after, dim, v);
	}
}

/* Ends the page with -ECANCELED when there are enough. */
static int on_change(void *ctx, const struct store_change *c)
{
	struct reading *r = ctx;
	r->seen++;
	r->last = c->place;
	if (!filter_passes(r->filter, is_value, c))
		return 0;
	r->result = r->fn(r->ctx, c);
	r->enough = ++r->found == r->wanted || r->result < 0;
	return r->enough ? -ECANCELED : 0;
}

/* What a store finds by: a term of one known value. */
static const struct dim_value *only_value(const struct filter *f, enum dimension dim)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct store_filter *item = &f->items[i];
		if (item->dim == dim && !item->negate && item->value_count == 1 && item->values[0].known)
			return &item->values[0];
	}
	return NULL;
}

static int read_pages(struct store_reader *reader, struct store_change_query *page, struct reading *r, struct error *err)
{
	struct store_change_place behind;
	page->limit = r->wanted > PAGE_MIN ? r->wanted : PAGE_MIN;
	for (;;) {
		r->seen = 0;
		int rc = reader->ops->changes(reader, page, on_change, r, err);
		if (r->enough)
			return r->result < 0 ? r->result : 0;
		if (rc < 0 || r->seen < page->limit)
			return rc;
		behind = r->last;
		page->behind = &behind;
		page->limit = page->limit < PAGE_MAX / 4 ? page->limit * 4 : PAGE_MAX;
	}
}

int query_changes(struct store_reader *reader, const struct store_change_query *q, const struct filter *filter,
	store_change_fn *fn, void *ctx, struct error *err)
{
	if (!filter || !filter->count || !q->limit)
		return reader->ops->changes(reader, q, fn, ctx, err);
	struct store_change_query page = *q;
	const struct dim_value *router = only_value(filter, DIM_router), *prefix = only_value(filter, DIM_prefix);
	if (!page.router && router)
		page.router = &router->bytes;
	if (!page.prefix && prefix)
		page.prefix = &prefix->prefix;
	struct reading r = {.filter = filter, .fn = fn, .ctx = ctx, .wanted = q->limit};
	return read_pages(reader, &page, &r, err);
}
