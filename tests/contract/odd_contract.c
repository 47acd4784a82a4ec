/* SPDX-License-Identifier: BSD-2-Clause */

/* Values at the edge of what there can be, and a server that is gone for a while. */

#include "fixture.h"

#include <errno.h>

#include "route/path.h"

#define TEXT(text) ((struct view){(const uint8_t *)(text), sizeof(text) - 1})

/* One value each, in a flow of its own that has 2^i bytes. */
struct odd {
	enum dimension dim;
	struct view bytes;         /* TEXT, PATH */
	const char *prefix;        /* PREFIX */
	uint64_t number;           /* COUNTRY, MATCH */
};

static const uint8_t one_segment[] = {PATH_SEQUENCE, 2, 0, 0, 0, 7, 0, 0, 0, 9};
static const uint8_t two_segments[] = {PATH_SEQUENCE, 1, 0, 0, 0, 7, PATH_SEQUENCE, 1, 0, 0, 0, 9}; /* reads like the other */
static const uint8_t set_alone[] = {PATH_SET, 2, 0, 0, 0, 9, 0, 0, 0, 7};
static const uint8_t large_as[] = {PATH_SEQUENCE, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};

static const struct odd odd_values[] = {
	{DIM_router, TEXT(""), NULL, 0},
	{DIM_router, TEXT("'; DROP TABLE batches; --"), NULL, 0},
	{DIM_router, TEXT("back\\slash \"quote\" %s {x}"), NULL, 0},
	{DIM_router, TEXT("null"), NULL, 0},
	{DIM_type, TEXT("Null"), NULL, 0},
	{DIM_type, TEXT("other"), NULL, 0},
	{DIM_type, TEXT("\xe6\x97\xa5\xe6\x9c\xac \xc3\xa4 \xf0\x9f\x90\x98"), NULL, 0},
	{DIM_type, TEXT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), NULL, 0},
	{DIM_type, TEXT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeF"), NULL, 0},
	{DIM_type, TEXT(" 1"), NULL, 0},
	{DIM_type, TEXT("1"), NULL, 0},
	{DIM_prefix, {0}, "0.0.0.0/0", 0},
	{DIM_prefix, {0}, "::/0", 0},
	{DIM_prefix, {0}, "255.255.255.255/32", 0},
	{DIM_prefix, {0}, "0.0.0.0/32", 0},
	{DIM_prefix, {0}, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 0},
	{DIM_prefix, {0}, "::/128", 0},
	{DIM_path, {one_segment, sizeof(one_segment)}, NULL, 0},
	{DIM_path, {two_segments, sizeof(two_segments)}, NULL, 0},
	{DIM_path, {set_alone, sizeof(set_alone)}, NULL, 0},
	{DIM_path, {large_as, sizeof(large_as)}, NULL, 0},
	{DIM_path, TEXT(""), NULL, 0},
	{DIM_country, {0}, NULL, 'Z' << 8 | 'Z'},
	{DIM_country, {0}, NULL, 'A' << 8 | 'A'},
	{DIM_match, {0}, NULL, MATCH_COUNT - 1},
};

static struct dim_value value_of(const struct odd *o)
{
	struct dim_value v = {.known = true, .number = o->number, .bytes = o->bytes};
	if (o->prefix)
		assert_int_equal(prefix_parse(o->prefix, &v.prefix, NULL), 0);
	return v;
}

static void add_odd(struct flow_table *t, const struct odd *o, uint64_t bytes)
{
	struct flow_key key = {.minute = T0};
	struct dim_value v = value_of(o);
	int r = 0;
	switch (o->dim) {
	case DIM_router:
		r = flow_table_name(t, v.bytes, &key.router);
		break;
	case DIM_type:
		r = flow_table_name(t, v.bytes, &key.type);
		break;
	case DIM_prefix:
		r = flow_table_prefix(t, &v.prefix, &key.prefix);
		break;
	case DIM_path:
		r = flow_table_path(t, v.bytes, &key.path);
		break;
	case DIM_country:
		key.country = (uint16_t)v.number;
		break;
	default:
		key.match = (uint8_t)v.number;
	}
	assert_int_equal(r, 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = bytes;
}

struct found {
	const struct odd *odd; /* what every row should have */
	uint64_t bytes;
};

static int check_odd(void *ctx, const struct store_row *row)
{
	struct found *f = ctx;
	struct dim_value v = value_of(f->odd);
	const struct dim_value *got = &row->values[f->odd->dim];
	assert_true(got->known);
	if (f->odd->prefix) {
		assert_true(prefix_equal(&got->prefix, &v.prefix));
	} else if (dimension_table[f->odd->dim].kind == KIND_COUNTRY || f->odd->dim == DIM_match) {
		assert_int_equal(got->number, v.number);
	} else {
		assert_int_equal(got->bytes.len, v.bytes.len);
		assert_memory_equal(got->bytes.data ? got->bytes.data : (const uint8_t *)"", v.bytes.data, v.bytes.len);
	}
	f->bytes += row->m.v[MEASURE_bytes_sent];
	return 0;
}

/* Each is found by itself, comes back as it was, and is taken for no other. */
void test_odd_values(void **state)
{
	struct fixture f;
	struct flow_table *t;
	struct error err = {0};
	open_fixture(&f, (const uint64_t[])FOREVER);
	assert_int_equal(flow_table_new(&t), 0);
	for (size_t i = 0; i < ARRAY_LEN(odd_values); i++)
		add_odd(t, &odd_values[i], 1ull << i);
	struct store_batch batch = {.collector = "c' \"\\ \xc3\xa4", .id = 1, .flows = t};
	assert_int_equal(contract->ops->write_batch(f.store, &batch, &err), STORE_OK);
	assert_int_equal(contract->ops->write_batch(f.store, &batch, &err), STORE_DUPLICATE);
	for (size_t i = 0; i < ARRAY_LEN(odd_values); i++) {
		struct found found = {.odd = &odd_values[i]};
		struct dim_value value = value_of(found.odd);
		struct store_filter filter = {.dim = found.odd->dim, .values = &value, .value_count = 1};
		struct store_query q = {.cube = CUBE_flow, .segments = {{(enum store_level)(i % LEVEL_COUNT), T0, T0 + 86400}},
			.segment_count = 1, .dims = DIM_BIT(found.odd->dim), .filters = &filter, .filter_count = 1};
		if (contract->ops->query(f.reader, &q, check_odd, &found, &err) < 0)
			fail_msg("value %zu: %s", i, err.text);
		assert_int_equal(found.bytes, 1ull << i);
	}
	flow_table_free(t);
	close_fixture(&f);
}

static int add_bytes(void *ctx, const struct store_row *row)
{
	*(uint64_t *)ctx += row->m.v[MEASURE_bytes_sent];
	return 0;
}

static int ask_bytes(struct store_reader *r, uint64_t *ret)
{
	struct store_query q = {.cube = CUBE_total, .segments = {{LEVEL_day, T0, T0 + 86400}}, .segment_count = 1};
	*ret = 0;
	return contract->ops->query(r, &q, add_bytes, ret, NULL);
}

static enum store_result write_bytes(struct store *s, uint64_t id, uint64_t bytes, struct error *err)
{
	struct flow_table *t;
	struct flow_key key = {.minute = T0};
	assert_int_equal(flow_table_new(&t), 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = bytes;
	struct store_batch batch = {.collector = "test1", .id = id, .flows = t};
	enum store_result r = contract->ops->write_batch(s, &batch, err);
	flow_table_free(t);
	return r;
}

/* Sums of the largest numbers are the largest there is at worst: they never wrap, and no question fails. */
void test_largest_values(void **state)
{
	struct fixture f;
	struct error err;
	uint64_t before = 1ull << 55, sum;
	open_fixture(&f, (const uint64_t[])FOREVER);
	for (uint64_t id = 1; id <= 5; id++) {
		assert_int_equal(write_bytes(f.store, id, UINT64_MAX, &err), STORE_OK);
		assert_int_equal(contract->ops->maintain(f.store, T0 + id * 3600, NULL), 0);
		assert_int_equal(ask_bytes(f.reader, &sum), 0);
		assert_true(sum >= before && sum <= INT64_MAX);
		before = sum;
	}
	close_fixture(&f);
}

/* While the server is away everything says so, and what was open goes on when it is back. */
void test_server_goes_away(void **state)
{
	struct fixture f;
	struct store *other;
	struct error err;
	uint64_t sum, last;
	char name[64];
	open_fixture(&f, (const uint64_t[])FOREVER);
	assert_int_equal(write_bytes(f.store, 1, 5, &err), STORE_OK);
	assert_int_equal(ask_bytes(f.reader, &sum), 0);
	assert_true(contract->server(false));
	assert_int_equal(write_bytes(f.store, 2, 7, &err), STORE_RETRY);
	assert_int_equal(err.code, -EBUSY);
	assert_int_equal(sscanf(f.url, "%*[^/]//%*[^/]/%63[^?]", name), 1);
	assert_non_null(strstr(err.text, name));
	assert_int_equal(contract->ops->last_batch(f.store, "test1", &last, &err), -EBUSY);
	assert_int_equal(contract->ops->maintain(f.store, T0, &err), -EBUSY);
	assert_int_equal(ask_bytes(f.reader, &sum), -EBUSY);
	assert_int_equal(contract->ops->open(&(struct store_config){.url = f.url, .retention_s = FOREVER}, &other, &err), -EBUSY);
	assert_true(contract->server(true));
	assert_int_equal(write_bytes(f.store, 2, 7, &err), STORE_OK);
	assert_int_equal(write_bytes(f.store, 1, 5, &err), STORE_DUPLICATE);
	assert_int_equal(ask_bytes(f.reader, &sum), 0);
	assert_int_equal(sum, 12);
	close_fixture(&f);
}
