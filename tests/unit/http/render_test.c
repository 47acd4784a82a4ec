/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "wt_test.h"

#include "fake.h"
#include "http/render.h"

static const enum dimension all_dims[] = {DIM_time, DIM_router, DIM_type, DIM_prefix, DIM_origin,
	DIM_neighbour, DIM_via, DIM_path, DIM_country, DIM_match};
#define DIMS ARRAY_LEN(all_dims)

static const uint8_t path_bytes[] = {2, 2, 0, 0, 0xfb, 0xf4, 0, 0, 0xfb, 0xf5}; /* 64500 64501 */

struct fixture {
	struct fake_store *store;
	struct http_backend backend;
	struct measures total;
	struct dim_value values[DIMS];
	struct query_row row;
	struct render render;
};

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.store = fake_store_new()};
	f->backend = fake_backend(f->store);
	f->row.values = f->values;
	f->render = (struct render){all_dims, DIMS, MEASURE_bytes_sent, &f->total, &f->backend, 0};
}

static void fixture_done(struct fixture *f)
{
	fake_store_free(f->store);
}

static void fill_known(struct fixture *f)
{
	const struct dim_value values[DIMS] = {
		fake_number(1795428000), fake_text("edge1"), fake_text("video"), fake_prefix("192.0.2.0/24"),
		fake_number(64501), fake_number(64500), fake_number(64999),
		{.known = true, .bytes = {path_bytes, sizeof(path_bytes)}},
		fake_number('D' << 8 | 'E'), fake_number(MATCH_OWN),
	};
	memcpy(f->values, values, sizeof(values));
}

static const char *string_at(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);
	if (!json_is_string(v))
		fail_msg("%s is no string", key);
	return json_string_value(v);
}

static void known_values(void **state)
{
	struct fixture f;
	fixture_init(&f);
	fill_known(&f);
	json_t *obj = render_json(&f.render, &f.row);
	assert_string_equal(string_at(obj, "time"), "2026-11-23T10:00:00Z");
	assert_string_equal(string_at(obj, "router"), "edge1");
	assert_string_equal(string_at(obj, "type"), "video");
	assert_string_equal(string_at(obj, "prefix"), "192.0.2.0/24");
	assert_int_equal(json_integer_value(json_object_get(obj, "origin")), 64501);
	assert_string_equal(string_at(obj, "origin_name"), "Other");
	assert_int_equal(json_integer_value(json_object_get(obj, "neighbour")), 64500);
	assert_string_equal(string_at(obj, "neighbour_name"), "Example, Net");
	assert_int_equal(json_integer_value(json_object_get(obj, "via")), 64999);
	assert_null(json_object_get(obj, "via_name"));
	assert_string_equal(string_at(obj, "path"), "64500 64501");
	assert_string_equal(string_at(obj, "country"), "DE");
	assert_string_equal(string_at(obj, "match"), "own");
	json_decref(obj);
	fixture_done(&f);
}

/* What is not known is null, never 0 or an empty string. */
static void nulls(void **state)
{
	static const char *const derived[] = {"retransmit_rate", "rtt_p50_us", "rtt_p95_us", "goodput_rate", "spurious_rate", "share"};
	struct fixture f;
	fixture_init(&f);
	json_t *obj = render_json(&f.render, &f.row);
	for (size_t i = 0; i < DIMS; i++)
		assert_true(json_is_null(json_object_get(obj, dimension_table[all_dims[i]].name)));
	for (size_t i = 0; i < ARRAY_LEN(derived); i++)
		assert_true(json_is_null(json_object_get(obj, derived[i])));
	assert_null(json_object_get(obj, "origin_name"));
	assert_true(json_is_false(json_object_get(obj, "approximate")));
	json_decref(obj);
	fixture_done(&f);
}

static void measures_and_derived(void **state)
{
	static const char *const sums[] = {"bytes_sent", "bytes_received", "packets_sent", "packets_retransmitted",
		"bytes_retransmitted", "packets_spurious", "connections", "connections_with_retransmit", "requests",
		"duration_ms", "goodput_tested", "goodput_met", "records", "records_approximate", "rtt_count"};
	struct fixture f;
	fixture_init(&f);
	for (int i = 0; i < MEASURE_COUNT; i++)
		f.row.m.v[i] = 1000 + (uint64_t)i;
	f.row.m.v[MEASURE_bytes_sent] = 1ull << 60;
	f.row.m.v[MEASURE_packets_sent] = 1000;
	f.row.m.v[MEASURE_packets_retransmitted] = 10;
	f.row.m.v[MEASURE_rtt_count] = 4;
	f.row.m.v[MEASURE_rtt_sum_us] = 4 * 7500;
	memset(f.row.m.v + MEASURE_rtt_h0, 0, RTT_BUCKETS * sizeof(uint64_t));
	f.row.m.v[MEASURE_rtt_h0 + 3] = 4;
	f.total.v[MEASURE_bytes_sent] = 1ull << 61;
	f.total.v[MEASURE_requests] = 4 * f.row.m.v[MEASURE_requests];
	json_t *obj = render_json(&f.render, &f.row);
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		const json_t *v = json_object_get(obj, sums[i]);
		assert_true(json_is_integer(v));
		assert_int_equal(json_integer_value(v), f.row.m.v[measure_by_name(sums[i])]);
	}
	assert_true(json_real_value(json_object_get(obj, "retransmit_rate")) == 0.01);
	assert_true(json_real_value(json_object_get(obj, "rtt_p50_us")) == 7500);
	assert_true(json_real_value(json_object_get(obj, "share")) == 0.5);
	assert_true(json_is_true(json_object_get(obj, "approximate")));
	json_decref(obj);

	f.render.sort = MEASURE_requests;
	obj = render_json(&f.render, &f.row);
	assert_true(json_real_value(json_object_get(obj, "share")) == 0.25);
	json_decref(obj);
	f.render.sort = QUERY_SORT_RETRANSMIT_RATE;
	obj = render_json(&f.render, &f.row);
	assert_true(json_real_value(json_object_get(obj, "share")) == 0.5);
	json_decref(obj);
	fixture_done(&f);
}

/* A sender's label that is no UTF-8 must not cost the answer. */
static void bad_utf8(void **state)
{
	struct fixture f;
	fixture_init(&f);
	f.values[2] = fake_text("vid\xff\xc3o");
	json_t *obj = render_json(&f.render, &f.row);
	assert_non_null(obj);
	assert_string_equal(string_at(obj, "type"), "vid??o");
	json_decref(obj);
	f.values[2] = fake_text("vidéo");
	obj = render_json(&f.render, &f.row);
	assert_string_equal(string_at(obj, "type"), "vidéo");
	json_decref(obj);
	fixture_done(&f);
}

static char *csv_of(struct fixture *f, bool header)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (header) {
		render_csv_dimensions_header(&f->render, out);
		render_csv_figures_header(&f->render, "", out);
	} else {
		assert_int_equal(render_csv_dimensions(&f->render, &f->row, out), 0);
		render_csv_figures(&f->render, &f->row.m, out);
	}
	(void)fputs("\r\n", out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void csv(void **state)
{
	static const enum dimension by[] = {DIM_type, DIM_neighbour, DIM_prefix};
	struct fixture f;
	fixture_init(&f);
	f.render.by = by;
	f.render.by_count = 3;
	f.values[0] = fake_text("say \"hi\",\r\nyou");
	f.values[1] = fake_number(64500);
	f.values[2] = (struct dim_value){.known = false};
	f.row.m.v[MEASURE_bytes_sent] = 5;
	f.total.v[MEASURE_bytes_sent] = 20;

	char *text = csv_of(&f, true);
	assert_string_equal(text, "type,neighbour,neighbour_name,prefix,bytes_sent,bytes_received,packets_sent,"
		"packets_retransmitted,bytes_retransmitted,packets_spurious,connections,connections_with_retransmit,"
		"requests,duration_ms,goodput_tested,goodput_met,records,records_approximate,rtt_count,"
		"retransmit_rate,rtt_p50_us,rtt_p95_us,goodput_rate,spurious_rate,share,approximate\r\n");
	free(text);
	text = csv_of(&f, false);
	assert_string_equal(text, "\"say \"\"hi\"\",\r\nyou\",64500,\"Example, Net\",,"
		"5,0,0,0,0,0,0,0,0,0,0,0,0,0,0,,,,,,0.25,false\r\n");
	free(text);
	fixture_done(&f);
}

/* A path far longer than any fixed buffer keeps every AS. */
static void long_path(void **state)
{
	static const enum dimension by[] = {DIM_path};
	enum { SEGMENTS = 20, EACH = 255 };
	struct fixture f;
	fixture_init(&f);
	uint8_t *bytes = malloc(SEGMENTS * (2 + EACH * 4)), *p = bytes;
	for (int s = 0; s < SEGMENTS; s++) {
		*p++ = 2;
		*p++ = EACH;
		for (int i = 0; i < EACH; i++, p += 4)
			memcpy(p, (uint8_t[]){0xff, 0xff, 0xff, 0xff}, 4);
	}
	f.render.by = by;
	f.render.by_count = 1;
	f.values[0] = (struct dim_value){.known = true, .bytes = {bytes, (size_t)(p - bytes)}};
	json_t *obj = render_json(&f.render, &f.row);
	assert_int_equal(strlen(string_at(obj, "path")), SEGMENTS * EACH * 11 - 1);
	json_decref(obj);
	char *text = csv_of(&f, false);
	assert_true(strlen(text) > SEGMENTS * EACH * 11);
	free(text);
	free(bytes);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(nulls),
		cmocka_unit_test(measures_and_derived),
		cmocka_unit_test(bad_utf8),
		cmocka_unit_test(csv),
		cmocka_unit_test(long_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
