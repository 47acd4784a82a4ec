/* SPDX-License-Identifier: BSD-2-Clause */

/* Counters of traffic: their sums are all traffic, none ever falls while it is there, and the largest have places. */

#include "collector/traffic_metrics.h"

#include <string.h>

#include "base/clock.h"
#include "route/path.h"
#include "wt_test.h"

#define MINUTE_NS (61 * NS_PER_S)

/* One row: so many bytes to an AS by a neighbour; as 0: no route. */
static void send_to(struct traffic_metrics *t, uint32_t as, uint16_t country, uint64_t bytes, uint64_t now_ns)
{
	char text[64];
	uint8_t path[64];
	struct flow_table *flows;
	assert_int_equal(flow_table_new(&flows), 0);
	struct flow_key key = {.minute = 60, .country = country};
	(void)snprintf(text, sizeof(text), "64500 %u", as);
	int n = path_parse(text, path, sizeof(path));
	assert_true(n > 0);
	if (as)
		assert_int_equal(flow_table_path(flows, (struct view){path, (size_t)n}, &key.path), 0);
	flow_table_row(flows, &key)->m.v[MEASURE_bytes_sent] = bytes;
	traffic_metrics_add(t, flows, now_ns);
	flow_table_free(flows);
}

static char *name_of(void *ctx, uint32_t asn)
{
	return asn == 1 ? strdup("a \"b\"\\") : NULL;
}

static char *text_of(struct traffic_metrics *t)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	traffic_metrics_write(t, name_of, NULL, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* The value of a sample, and -1 when there is none. */
static int64_t value_of(const char *text, const char *sample)
{
	const char *at = strstr(text, sample);
	return at ? atoll(at + strlen(sample)) : -1;
}

#define ASES 40
#define TOP  5

/* What a scrape sees of one list: by AS, -1 when it has no counter of its own; then unknown and other. */
struct scrape {
	int64_t values[ASES + 2];
};

static struct scrape scrape(struct traffic_metrics *t)
{
	struct scrape s;
	char *text = text_of(t);
	for (uint32_t k = 0; k < ASES + 2; k++) {
		char sample[80], label[16];
		(void)snprintf(label, sizeof(label), "%u", k);
		(void)snprintf(sample, sizeof(sample), "whereto_origin_bytes_sent_total{origin=\"%s\"} ",
			k < ASES ? label : k == ASES ? "unknown" : "other");
		s.values[k] = value_of(text, sample);
	}
	free(text);
	return s;
}

/* Between two scrapes the counters rise by what was sent, all together, and none falls. */
static void rises_are_all(void **state)
{
	struct traffic_metrics *t;
	uint64_t now = 0;
	unsigned changes = 0;
	assert_int_equal(traffic_metrics_new(TOP, &t), 0);
	struct scrape before = scrape(t);
	for (int i = 0; i < 3000; i++) {
		uint32_t as = (uint32_t)wt_random_below(ASES);
		/* Which are the largest changes now and then. */
		uint64_t bytes = 1 + wt_random_below(1000000) / (1 + (as + (unsigned)i / 500 * 7) % ASES);
		now += wt_random_below(30) * NS_PER_S;
		send_to(t, as, 0, bytes, now);
		struct scrape after = scrape(t);
		uint64_t rise = 0;
		unsigned own = 0;
		for (uint32_t k = 0; k < ASES + 2; k++) {
			int64_t from = before.values[k] < 0 ? 0 : before.values[k];
			own += k < ASES && after.values[k] >= 0;
			changes += (before.values[k] < 0) != (after.values[k] < 0);
			if (after.values[k] < 0)
				continue;
			assert_true(after.values[k] >= from);
			rise += (uint64_t)(after.values[k] - from);
		}
		assert_int_equal(rise, bytes);
		assert_true(own <= TOP);
		before = after;
	}
	assert_true(changes > TOP);
	traffic_metrics_free(t);
}

/* The one that has become large takes the place of the smallest, once. */
static void largest_get_places(void **state)
{
	struct traffic_metrics *t;
	uint64_t now = 1;
	assert_int_equal(traffic_metrics_new(TOP, &t), 0);
	for (uint32_t as = 1; as <= TOP; as++)
		send_to(t, as, 'D' << 8 | 'E', 1000 * as, now);
	send_to(t, 9, 'D' << 8 | 'E', 1000000, now);
	struct scrape s = scrape(t);
	assert_int_equal(s.values[1], 1000);
	assert_int_equal(s.values[9], -1);
	assert_int_equal(s.values[ASES + 1], 1000000);
	send_to(t, 9, 'D' << 8 | 'E', 7, now += MINUTE_NS);
	s = scrape(t);
	assert_int_equal(s.values[1], -1);
	assert_int_equal(s.values[2], 2000);
	assert_int_equal(s.values[9], 7);
	assert_int_equal(s.values[ASES + 1], 1000000);
	send_to(t, 1, 0, 5, now += MINUTE_NS);
	s = scrape(t);
	assert_int_equal(s.values[9], 7);
	assert_int_equal(s.values[ASES + 1], 1000005);
	char *text = text_of(t);
	assert_int_equal(value_of(text, "whereto_neighbour_bytes_sent_total{neighbour=\"64500\"} "), 1015012);
	assert_int_equal(value_of(text, "whereto_country_bytes_sent_total{country=\"DE\"} "), 1015007);
	assert_int_equal(value_of(text, "whereto_country_bytes_sent_total{country=\"unknown\"} "), 5);
	free(text);
	traffic_metrics_free(t);
}

/* Names are told once, and escaped. */
static void names(void **state)
{
	struct traffic_metrics *t;
	assert_int_equal(traffic_metrics_new(TOP, &t), 0);
	send_to(t, 1, 0, 1, 1);
	send_to(t, 2, 0, 1, 1);
	char *text = text_of(t), *first = strstr(text, "whereto_as_info{as=\"1\",name=\"a \\\"b\\\"\\\\\"} 1\n");
	assert_non_null(first);
	assert_null(strstr(first + 1, "whereto_as_info"));
	free(text);
	traffic_metrics_free(t);
}

/* Nothing is counted, nothing is shown. */
static void switched_off(void **state)
{
	struct traffic_metrics *t;
	assert_int_equal(traffic_metrics_new(0, &t), 0);
	send_to(t, 1, 0, 1, 1);
	char *text = text_of(t);
	assert_string_equal(text, "");
	free(text);
	traffic_metrics_free(t);
}

/* AS n has sent n times 100 bytes. Fewer places are those of the largest, whose counters go on; more are the next. */
static void resized(void **state)
{
	struct traffic_metrics *t;
	assert_int_equal(traffic_metrics_new(TOP, &t), 0);
	for (uint32_t as = 1; as <= 8; as++)
		send_to(t, as, 0, as * 100, 1);
	assert_int_equal(traffic_metrics_resize(t, 2), 0);
	struct scrape s = scrape(t);
	assert_int_equal(s.values[5], -1); /* the first five had places; 8 and 7 are the largest */
	assert_int_equal(s.values[8], 0);
	assert_int_equal(s.values[7], 0);
	assert_int_equal(s.values[ASES + 1], 600 + 700 + 800);
	send_to(t, 8, 0, 10, 2);
	assert_int_equal(traffic_metrics_resize(t, 4), 0);
	send_to(t, 5, 0, 1, 3);
	send_to(t, 4, 0, 1, 3);
	s = scrape(t);
	assert_int_equal(s.values[8], 10); /* what it had */
	assert_int_equal(s.values[6], 0);
	assert_int_equal(s.values[5], 1);
	assert_int_equal(s.values[4], -1);
	assert_int_equal(s.values[ASES + 1], 600 + 700 + 800 + 1);
	assert_int_equal(traffic_metrics_resize(t, 0), 0);
	char *text = text_of(t);
	assert_string_equal(text, "");
	free(text);
	traffic_metrics_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rises_are_all),
		cmocka_unit_test(largest_get_places),
		cmocka_unit_test(names),
		cmocka_unit_test(switched_off),
		cmocka_unit_test(resized),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
