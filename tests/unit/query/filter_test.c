/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "place/country.h"
#include "query/filter.h"
#include "route/path.h"
#include "wt_test.h"

/* The filter written out again in one way, to compare with. */
static void write_value(FILE *out, enum dimension dim, const struct dim_value *v)
{
	char text[4096];
	if (!v->known) {
		(void)fputs("null", out);
		return;
	}
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
		(void)fprintf(out, "'%.*s'", (int)v->bytes.len, (const char *)v->bytes.data);
		break;
	case KIND_PREFIX:
		(void)fputs(prefix_format(&v->prefix, text), out);
		break;
	case KIND_PATH:
		assert_true(path_valid(v->bytes));
		(void)path_format(v->bytes, text, sizeof(text));
		(void)fprintf(out, "<%s>", text);
		break;
	default:
		(void)fprintf(out, "%llu", (unsigned long long)v->number);
	}
}

static char *write_filter(const struct filter *f)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	for (size_t i = 0; i < f->count; i++) {
		const struct store_filter *item = &f->items[i];
		(void)fprintf(out, "%s%s%s:", i ? " " : "", item->negate ? "-" : "", dimension_table[item->dim].name);
		for (size_t k = 0; k < item->value_count; k++) {
			(void)fputs(k ? "," : "", out);
			write_value(out, item->dim, &item->values[k]);
		}
	}
	(void)fclose(out);
	return text;
}

static const struct {
	const char *text, *meaning;
} good[] = {
	{"", ""},
	{" \t\n ", ""},
	{"router:edge1", "router:'edge1'"},
	{"  router:edge1   type:video ", "router:'edge1' type:'video'"},
	{"router:edge1,edge2,null", "router:'edge1','edge2',null"},
	{"-router:edge1", "-router:'edge1'"},
	{"type:\"null\"", "type:'null'"},
	{"type:\"a b,c:\\\"d\\\\\",x", "type:'a b,c:\"d\\','x'"},
	{"type:vidéo:1", "type:'vidéo:1'"},
	{"origin:64500,AS174,as4294967295,null", "origin:64500,174,4294967295,null"},
	{"neighbour:1 via:2 -via:null", "neighbour:1 via:2 -via:null"},
	{"via:1 via:2", "via:1 via:2"},
	{"origin:\"64500\"", "origin:64500"},
	{"country:de,AT,null", "country:17477,16724,null"},
	{"match:none,own,stale,fallback", "match:0,1,2,3"},
	{"prefix:192.0.2.0/24,2001:db8::/32,null", "prefix:192.0.2.0/24,2001:db8::/32,null"},
	{"prefix:192.0.2.1", "prefix:192.0.2.1/32"},
	{"path:64500", "path:<64500>"},
	{"path:\"\"", "path:<>"},
	{"path:\"64500 174 {7381,15169}\",null", "path:<64500 174 {7381,15169}>,null"},
	{"path:\"(65001 65002) 64500\"", "path:<(65001 65002) 64500>"},
};

static void test_good(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct filter *f;
		struct error err = {0};
		if (filter_parse(good[i].text, &f, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		char *text = write_filter(f);
		assert_string_equal(text, good[i].meaning);
		free(text);
		filter_free(f);
	}
	struct filter *f;
	assert_int_equal(filter_parse(NULL, &f, NULL), 0);
	assert_int_equal(f->count, 0);
	filter_free(f);
	filter_free(NULL);
}

static const struct {
	const char *text;
	int character;
	const char *about;
} bad[] = {
	{"edge1", 1, "DIMENSION:VALUE"},
	{"router:a edge1", 10, "DIMENSION:VALUE"},
	{":a", 1, "DIMENSION:VALUE"},
	{"- router:a", 2, "DIMENSION:VALUE"},
	{"router :a", 1, "DIMENSION:VALUE"},
	{"--router:a", 2, "no dimension '-router'"},
	{"asn:1", 1, "no dimension 'asn'; there are router, type, prefix, origin, neighbour, via, path, country, match"},
	{"type:ü,ö asn:1", 10, "no dimension 'asn'"},
	{"averyveryveryveryveryverylongname:1", 1, "no dimension"},
	{"time:5", 1, "range"},
	{"router:", 8, "missing"},
	{"router: a", 8, "missing"},
	{"router:a,", 10, "missing"},
	{"router:a,,b", 10, "missing"},
	{"router:\"\"", 8, "empty name"},
	{"router:\"a", 8, "no end"},
	{"router:\"a\\\"", 8, "no end"},
	{"router:\"a\\n\"", 10, "backslash"},
	{"router:\"a\\", 10, "backslash"},
	{"router:\"a\"b", 11, "comma"},
	{"router:a\"b\"", 9, "quote"},
	{"origin:AS", 8, "not an AS number"},
	{"origin:64500x", 8, "not an AS number"},
	{"origin:-1", 8, "not an AS number"},
	{"origin:1,2,\"\"", 12, "not an AS number"},
	{"origin:0", 8, "AS 0"},
	{"origin:4294967296", 8, "larger"},
	{"origin:99999999999999999999999", 8, "larger"},
	{"country:D", 9, "country"},
	{"country:DEU", 9, "country"},
	{"country:D1", 9, "country"},
	{"match:null", 7, "none"},
	{"match:Own", 7, "match"},
	{"prefix:192.0.2.1/24", 8, "did you mean 192.0.2.0/24"},
	{"prefix:192.0.2.0/33", 8, "prefix length"},
	{"prefix:edge", 8, "not an address or prefix"},
	{"path:x", 6, "AS path"},
	{"path:\"64500 {\"", 6, "AS path"},
	{"path:64500,\"1 99999999999\"", 12, "AS path"},
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct filter *f = NULL;
		struct error err = {0};
		char where[64];
		(void)snprintf(where, sizeof(where), "character %d: ", bad[i].character);
		if (filter_parse(bad[i].text, &f, &err) != -EINVAL)
			fail_msg("%s: accepted", bad[i].text);
		assert_null(f);
		if (strncmp(err.text, where, strlen(where)) != 0 || !strstr(err.text, bad[i].about))
			fail_msg("%s: %s", bad[i].text, err.text);
	}
}

static void test_limits(void **state)
{
	struct filter *f;
	struct error err;
	static char text[70000];
	for (int i = 0; i < QUERY_FILTERS_MAX; i++)
		strcat(text, "via:1 ");
	assert_int_equal(filter_parse(text, &f, &err), 0);
	assert_int_equal(f->count, QUERY_FILTERS_MAX);
	filter_free(f);
	strcat(text, "via:1");
	assert_int_equal(filter_parse(text, &f, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 32 terms"));

	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "type:", 5);
	assert_int_equal(filter_parse(text, &f, &err), -EINVAL);
	assert_non_null(strstr(err.text, "longer than"));
	text[65536] = '\0';
	assert_int_equal(filter_parse(text, &f, &err), 0);
	assert_int_equal(f->items[0].values[0].bytes.len, 65531);
	filter_free(f);
}

/* Whatever it is given: an answer, no fault. */
static void test_every_truncation_and_change(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		size_t len = strlen(good[i].text);
		for (size_t n = 0; n < len; n++) {
			char *text = strndup(good[i].text, n);
			struct filter *f = NULL;
			int r = filter_parse(text, &f, NULL);
			assert_true(r == 0 || r == -EINVAL);
			filter_free(f);
			free(text);
			for (int c = 1; c < 256; c += 1 + (int)wt_random_below(8)) {
				text = strdup(good[i].text);
				text[n] = (char)c;
				f = NULL;
				r = filter_parse(text, &f, NULL);
				assert_true(r == 0 || r == -EINVAL);
				filter_free(f);
				free(text);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_truncation_and_change),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
