/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "wt_test.h"

#include "http/question.h"

#define NOW 1000000000ull

/* Parses "name=value&name=value" (no escapes). text must outlive the question. */
static int parse(const char *text, enum question_kind kind, struct http_question *q, struct error *err)
{
	static char copy[1024];
	struct http_params params = {.count = 0};
	(void)snprintf(copy, sizeof(copy), "%s", text);
	char *rest = copy;
	for (char *pair; *text && (pair = strsep(&rest, "&"));) {
		char *value = strchr(pair, '=');
		assert_non_null(value);
		*value++ = '\0';
		params.list[params.count++] = (struct http_param){pair, value};
	}
	return question_parse(&params, kind, NOW, q, err);
}

static void defaults(void **state)
{
	struct http_question q;
	struct error err;
	assert_int_equal(parse("", QUESTION_TOP, &q, &err), 0);
	assert_int_equal(q.query.by_count, 1);
	assert_int_equal(q.query.by[0], DIM_origin);
	assert_int_equal(q.query.sort, MEASURE_bytes_sent);
	assert_false(q.query.ascending);
	assert_int_equal(q.query.limit, 20);
	assert_int_equal(q.query.from_s, NOW - 3600);
	assert_int_equal(q.query.to_s, NOW + 1); /* with the present second */
	assert_false(q.query.exact_range);
	assert_int_equal(q.query.step_s, 0);
	assert_false(q.csv);
	question_done(&q);

	assert_int_equal(parse("", QUESTION_SERIES, &q, &err), 0);
	assert_int_equal(q.query.by_count, 0);
	assert_int_equal(q.query.limit, 10);
	question_done(&q);
}

static void everything(void **state)
{
	struct http_question q;
	struct error err;
	assert_int_equal(parse("by=time,prefix,via,path&sort=requests&order=asc&from=900000000&to=-1h&limit=100000"
			       "&step=2h&format=csv&filter=router:edge1",
				 QUESTION_TOP, &q, &err), 0);
	assert_int_equal(q.query.by_count, 4);
	assert_int_equal(q.query.by[3], DIM_path);
	assert_int_equal(q.query.sort, MEASURE_requests);
	assert_true(q.query.ascending);
	assert_int_equal(q.query.from_s, 900000000);
	assert_int_equal(q.query.to_s, NOW - 3600);
	assert_int_equal(q.query.limit, 100000);
	assert_int_equal(q.query.step_s, 7200);
	assert_true(q.csv);
	assert_non_null(q.query.filter);
	assert_string_equal(q.filter_text, "router:edge1");
	question_done(&q);

	assert_int_equal(parse("by=", QUESTION_TOP, &q, &err), 0);
	assert_int_equal(q.query.by_count, 0);
	question_done(&q);
	assert_int_equal(parse("by=time,router&step=1m", QUESTION_SERIES, &q, &err), 0);
	assert_int_equal(q.query.by_count, 1);
	assert_int_equal(q.query.by[0], DIM_router);
	question_done(&q);
}

static void ranges(void **state)
{
	static const struct {
		const char *text;
		uint64_t from_s, to_s;
	} cases[] = {
		{"last=90s", NOW - 90, NOW + 1},
		{"last=7d&to=now", NOW - 7 * 86400, NOW + 1},
		{"from=-24h&to=now", NOW - 86400, NOW + 1}, /* which may be a minute's first second */
		{"last=1h&to=999990000", 999986400, 999990000},
		{"to=999990000", 999986400, 999990000},
		{"from=-2h", NOW - 7200, NOW + 1},
		{"from=now-2h&to=now-1h", NOW - 7200, NOW - 3600},
		{"from=2001-09-09T01:00:00Z", 999997200, NOW + 1},
		{"from=2001-09-09T01:00:00.5Z&to=2001-09-09T01:00:01.5Z", 999997200, 999997202},
		{"from=2001-09-09T03:00:00+02:00", 999997200, NOW + 1},
		{"from=2001-09-09T03:00:00 02:00", 999997200, NOW + 1}, /* a + that was not percent-encoded */
		{"from=2001-09-09T03:00 0200", 999997200, NOW + 1},
		{"from=2001-09-09 01:00Z", 999997200, NOW + 1},
		{"from=2001-09-08&to=2001-09-09", 999907200, 999993600},
		{"last=forever", 0, NOW + 1},
		{"from=0&to=253402300799", 0, 253402300799ull},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_question q;
		struct error err = {0};
		if (parse(cases[i].text, QUESTION_TOP, &q, &err) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(q.query.from_s, cases[i].from_s);
		assert_int_equal(q.query.to_s, cases[i].to_s);
		assert_int_equal(q.query.exact_range, strstr(cases[i].text, "from") || strstr(cases[i].text, "to="));
		question_done(&q);
	}
}

/* Each bad value, and what the message must name. */
static void refusals(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"by=nonsense", "parameter 'by': 'nonsense' is no dimension; there are time, router, type, prefix, origin, neighbour, via, "
				"path, country, match"},
		{"by=origin,", "parameter 'by': ''"},
		{"by=origin,origin", "parameter 'by': 'origin' stands there twice"},
		{"by=origin,prefix,path,router,type", "parameter 'by': at most 4"},
		{"sort=size", "parameter 'sort': 'size' is no measure; there are bytes_sent, "},
		{"sort=size", "records, records_approximate, rtt_count, retransmit_rate, rtt_p50_us, rtt_p95_us, goodput_rate, spurious_rate"},
		{"fields=bytes_sent,size", "parameter 'fields': 'size' is no figure of a row; there are bytes_sent, "},
		{"fields=size", "spurious_rate, share, approximate"},
		{"sort=", "parameter 'sort': ''"},
		{"order=up", "parameter 'order': 'up'"},
		{"filter=planet:earth", "parameter 'filter': character 1: there is no dimension 'planet'; there are router, "},
		{"last=1", "parameter 'last': '1'"},
		{"last=0s", "parameter 'last': '0s'"},
		{"last=-1h", "parameter 'last': '-1h'"},
		{"last=1h&from=-2h", "parameter 'last': 'from' and 'last' exclude each other"},
		{"by=time&step=1h&points=20", "parameter 'points': 'step' and 'points' exclude each other"},
		{"by=time&compare=previous", "parameter 'compare' does not go with 'time'"},
		{"percentile=100", "parameter 'percentile': '100' is no number from 1 to 99"},
		{"from=yesterday", "parameter 'from': 'yesterday'"},
		{"from=-", "parameter 'from': '-'"},
		{"from=nowish", "parameter 'from': 'nowish'"},
		{"from=2026-02-30T00:00:00Z", "parameter 'from'"},
		{"from=2026-02-30", "parameter 'from'"},
		{"from=2026-11-27T10:00", "parameter 'from'"}, /* of which zone? */
		{"from=2026-11-27T10Z", "parameter 'from'"},
		{"from=2026-11-27 01:00", "parameter 'from'"},
		{"from=2026-11-27T10:00:00 01:000", "parameter 'from'"},
		{"from=2026-11-27T", "parameter 'from'"},
		{"from=-1h&to=-2h", "parameter 'from': the range is empty"},
		{"from=5&to=5", "parameter 'from': the range is empty"},
		{"to=0", "parameter 'to': the range is empty"},
		{"to=253402300800", "parameter 'to': '253402300800'"},
		{"to=18446744073709551615", "parameter 'to'"},
		{"limit=0", "parameter 'limit': '0'"},
		{"limit=100001", "parameter 'limit': '100001'"},
		{"limit=-1", "parameter 'limit': '-1'"},
		{"limit=1e3", "parameter 'limit': '1e3'"},
		{"limit=99999999999999999999", "parameter 'limit'"},
		{"limit=", "parameter 'limit'"},
		{"by=time&step=90s", "parameter 'step': '90s'"},
		{"by=time&step=forever", "parameter 'step': 'forever'"},
		{"step=5m", "parameter 'step' needs 'time'"},
		{"format=xml", "parameter 'format': 'xml'"},
		{"bye=origin", "unknown parameter 'bye'"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_question q;
		struct error err = {0};
		assert_int_equal(parse(cases[i].text, QUESTION_TOP, &q, &err), -EINVAL);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: got \"%s\", want \"%s\"", cases[i].text, err.text, cases[i].says);
	}
	struct http_question q;
	struct error err;
	assert_int_equal(parse("by=origin,prefix,path,router", QUESTION_SERIES, &q, &err), -EINVAL);
}

static void of_changes(void **state)
{
	struct http_question q;
	struct error err = {0};
	struct prefix prefix;
	assert_int_equal(prefix_parse("2001:db8::/32", &prefix, NULL), 0);
	assert_int_equal(parse("", QUESTION_CHANGES, &q, &err), 0);
	assert_int_equal(q.query.limit, 100);
	assert_int_equal(q.query.from_s, NOW - 3600);
	assert_true(!q.router && !q.within && q.prefix.addr.family == ADDR_NONE && !q.query.by_count);
	question_done(&q);
	assert_int_equal(parse("router=edge1&within=2001:db8::/32&last=2w&limit=7&format=csv", QUESTION_CHANGES, &q, &err), 0);
	assert_string_equal(q.router, "edge1");
	assert_true(q.within && prefix_equal(&q.prefix, &prefix) && q.csv);
	assert_int_equal(q.query.limit, 7);
	assert_int_equal(q.query.from_s, NOW - 14 * 86400);
	question_done(&q);
	assert_int_equal(parse("prefix=2001:db8::/32", QUESTION_CHANGES, &q, &err), 0);
	assert_true(!q.within && prefix_equal(&q.prefix, &prefix));
	question_done(&q);
	assert_int_equal(parse("prefix=2001:db8::1/32", QUESTION_CHANGES, &q, &err), -EINVAL);
	assert_non_null(strstr(err.text, "parameter 'prefix'"));
}

static void of_comparisons(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{"by=via", "parameter 'by': not by 'via'; there are prefix, origin, country"}, {"by=origin,prefix", "parameter 'by': one dimension only"},
		{"by=", "parameter 'by' is empty"}, {"between=type", "parameter 'between': 'type' is neither router nor neighbour"},
	};
	struct http_question q;
	struct error err = {0};
	assert_int_equal(parse("", QUESTION_COMPARE, &q, &err), 0);
	assert_true(q.query.by_count == 2 && q.query.by[0] == DIM_prefix && q.query.by[1] == DIM_router && q.query.limit == 20);
	question_done(&q);
	assert_int_equal(parse("between=neighbour&by=country&limit=3", QUESTION_COMPARE, &q, &err), 0);
	assert_true(q.query.by_count == 2 && q.query.by[0] == DIM_country && q.query.by[1] == DIM_neighbour && q.query.limit == 3);
	question_done(&q);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(parse(wrong[i].text, QUESTION_COMPARE, &q, &err), -EINVAL);
		assert_non_null(strstr(err.text, wrong[i].says));
	}
	assert_int_equal(parse("last=2d", QUESTION_PEERING, &q, &err), 0);
	assert_int_equal(q.query.by_count, 0);
	question_done(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(everything),
		cmocka_unit_test(ranges),
		cmocka_unit_test(refusals),
		cmocka_unit_test(of_changes),
		cmocka_unit_test(of_comparisons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
