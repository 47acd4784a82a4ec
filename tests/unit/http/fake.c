/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "route/path.h"

struct fake_reader {
	struct store_reader base;
	struct fake_store *store;
};

static int fake_reader_open(struct store *store, struct store_reader **ret, struct error *err)
{
	struct fake_reader *r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, -ENOMEM, "out of memory");
	r->base.ops = store->ops;
	r->store = (struct fake_store *)store;
	atomic_fetch_add(&r->store->readers_open, 1);
	*ret = &r->base;
	return 0;
}

static void fake_reader_close(struct store_reader *reader)
{
	struct fake_reader *r = (struct fake_reader *)reader;
	atomic_fetch_sub(&r->store->readers_open, 1);
	free(r);
}

static bool value_equal(const struct dim_value *a, const struct dim_value *b)
{
	if (a->known != b->known || !a->known)
		return a->known == b->known;
	if (a->bytes.len != b->bytes.len || !prefix_equal(&a->prefix, &b->prefix))
		return false;
	return a->number == b->number && (!a->bytes.len || !memcmp(a->bytes.data, b->bytes.data, a->bytes.len));
}

static bool row_passes(const struct store_row *row, const struct store_query *q)
{
	for (size_t i = 0; i < q->filter_count; i++) {
		const struct store_filter *f = &q->filters[i];
		bool any = false;
		for (size_t j = 0; j < f->value_count; j++)
			any |= value_equal(&row->values[f->dim], &f->values[j]);
		if (any == f->negate)
			return false;
	}
	return true;
}

/* False: the query is to be given up. */
static bool wait_while_slow(struct fake_store *s, const struct store_query *q)
{
	bool go_on = true;
	atomic_fetch_add(&s->running, 1);
	while (atomic_load(&s->slow) && go_on) {
		go_on = !deadline_past(q->deadline_ns);
		(void)sched_yield();
	}
	atomic_fetch_sub(&s->running, 1);
	return go_on;
}

/* Rows of the segments asked for, each given once per segment that holds it. Minutes only: the other
 * levels are rounded down from them. */
static int fake_query(struct store_reader *reader, const struct store_query *q, store_row_fn *fn, void *ctx,
	struct error *err)
{
	struct fake_store *s = ((struct fake_reader *)reader)->store;
	int fail = atomic_load(&s->fail);
	if (fail)
		return error_set(err, fail, "the fake store fails on purpose");
	if (!wait_while_slow(s, q))
		return error_set(err, -ETIMEDOUT, "given up");
	for (size_t i = 0; i < s->row_count; i++) {
		struct store_row row = s->rows[i];
		uint64_t t = row.values[DIM_time].number;
		for (size_t k = 0; k < q->segment_count; k++) {
			if (t < q->segments[k].from_s || t >= q->segments[k].to_s || !row_passes(&row, q))
				continue;
			if (q->step_s)
				row.values[DIM_time].number = t - t % q->step_s;
			int r = fn(ctx, &row);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static bool change_passes(const struct store_change *c, const struct store_change_query *q)
{
	if (c->time_ms < q->from_ms || c->time_ms >= q->to_ms)
		return false;
	if (q->behind && (strcmp(q->behind->collector, c->place.collector) != 0 || c->place.number >= q->behind->number))
		return false;
	if (q->router && !value_equal(&c->router, &(struct dim_value){.known = true, .bytes = *q->router}))
		return false;
	if (!q->prefix)
		return true;
	return q->within ? c->prefix.prefix.len >= q->prefix->len && prefix_contains(q->prefix, &c->prefix.prefix.addr)
			 : prefix_equal(&c->prefix.prefix, q->prefix);
}

static int fake_changes(struct store_reader *reader, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err)
{
	struct fake_store *s = ((struct fake_reader *)reader)->store;
	int fail = atomic_load(&s->fail), r = 0;
	uint32_t given = 0;
	for (size_t i = 0; i < s->change_count && r >= 0 && given < q->limit; i++) {
		if (!change_passes(&s->changes[i], q))
			continue;
		r = fn(ctx, &s->changes[i]);
		given++;
	}
	if (fail) /* not before some rows: what was begun must not be seen */
		return error_set(err, fail, "the fake store fails on purpose");
	return r < 0 ? r : 0;
}

static const struct store_ops fake_ops = {
	.scheme = "fake",
	.reader_open = fake_reader_open,
	.query = fake_query,
	.changes = fake_changes,
	.reader_close = fake_reader_close,
};

struct fake_store *fake_store_new(void)
{
	struct fake_store *s = calloc(1, sizeof(*s));
	if (s)
		s->base.ops = &fake_ops;
	return s;
}

void fake_store_free(struct fake_store *s)
{
	free(s);
}

struct store_row *fake_store_row(struct fake_store *s, uint64_t minute_s)
{
	if (s->row_count == FAKE_ROWS_MAX)
		abort();
	struct store_row *row = &s->rows[s->row_count++];
	row->values[DIM_time] = fake_number(minute_s);
	return row;
}

struct store_change *fake_store_change(struct fake_store *s, uint64_t time_ms)
{
	if (s->change_count == FAKE_CHANGES_MAX)
		abort();
	struct store_change *c = &s->changes[s->change_count++];
	c->time_ms = time_ms;
	c->place = (struct store_change_place){time_ms, 7, FAKE_CHANGES_MAX - s->change_count, "fake-1"};
	return c;
}

struct dim_value fake_number(uint64_t n)
{
	return (struct dim_value){.known = true, .number = n};
}

struct dim_value fake_text(const char *text)
{
	return (struct dim_value){.known = true, .bytes = {(const uint8_t *)text, strlen(text)}};
}

struct dim_value fake_prefix(const char *text)
{
	struct dim_value v = {.known = true};
	if (prefix_parse(text, &v.prefix, NULL) < 0)
		abort();
	return v;
}

struct dim_value fake_path(const char *text)
{
	static uint8_t memory[65536];
	static size_t used;
	int n = path_parse(text, memory + used, sizeof(memory) - used);
	if (n < 0)
		abort();
	struct dim_value v = {.known = true, .bytes = {memory + used, (size_t)n}};
	used += (size_t)n;
	return v;
}

static void fake_settle(void *ctx)
{
	atomic_fetch_add(&((struct fake_store *)ctx)->settled, 1);
}

static json_t *fake_senders(void *ctx)
{
	return json_pack("{s:[{s:s,s:i}],s:{s:i}}", "rows", "sender", "web1", "sent", 7, "refused", "bad_tag", 3);
}

static json_t *fake_routers(void *ctx)
{
	if (atomic_load(&((struct fake_store *)ctx)->fail))
		return NULL;
	return json_pack("{s:[{s:s}]}", "rows", "name", "edge1");
}

static int fake_lookup(void *ctx, const struct addr *addr, const char *router, json_t **ret, struct error *err)
{
	char text[ADDR_TEXT_MAX];
	if (router && strcmp(router, "edge1") != 0)
		return error_set(err, -ENOENT, "no router '%s'", router);
	*ret = json_pack("{s:s,s:[{s:s,s:n}]}", "address", addr_format(addr, text), "rows", "router", "edge1",
		"prefix");
	return 0;
}

static void fake_metrics(void *ctx, FILE *out)
{
	(void)fputs("# TYPE whereto_fake gauge\n# HELP whereto_fake Made up.\nwhereto_fake 1\n", out);
}

static const char *fake_health(void *ctx)
{
	return atomic_load(&((struct fake_store *)ctx)->fail) ? "the store is away" : NULL;
}

static char *fake_as_name(void *ctx, uint32_t asn)
{
	return asn == 64500 ? strdup("Example, Net") : asn == 64501 ? strdup("Other") : NULL;
}

struct http_backend fake_backend(struct fake_store *s)
{
	return (struct http_backend){
		.ctx = s,
		.settle = fake_settle,
		.senders = fake_senders,
		.routers = fake_routers,
		.lookup = fake_lookup,
		.metrics = fake_metrics,
		.health = fake_health,
		.as_name = fake_as_name,
		.store = &s->base,
		.name = "fake",
		.notice = "not real",
		.retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX},
	};
}
