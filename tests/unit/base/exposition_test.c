/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/exposition.h"

#include "wt_test.h"

struct text {
	char *buf;
	size_t len;
	FILE *out;
};

static void open_text(struct text *t)
{
	t->out = open_memstream(&t->buf, &t->len);
	assert_non_null(t->out);
}

static void expect(struct text *t, const char *want)
{
	assert_int_equal(fclose(t->out), 0);
	assert_string_equal(t->buf, want);
	free(t->buf);
}

static void a_family_has_a_sentence(void **state)
{
	struct text t;
	open_text(&t);
	exposition_family(t.out, "whereto_", "acks", "counter", "acknowledgements sent");
	exposition_family(t.out, "", "x", "gauge", "1: up; 0: down");
	expect(&t, "# TYPE whereto_acks counter\n# HELP whereto_acks Acknowledgements sent.\n"
		"# TYPE x gauge\n# HELP x 1: up; 0: down.\n");
}

/* Buckets are cumulative, and the last one is the count, which the older format has as well. */
static void a_histogram(void **state)
{
	static const char *const bounds[] = {"0.1", "1.0"};
	static const uint64_t counts[] = {3, 0, 2};
	static const char want[] = "t_bucket{a=\"b\",le=\"0.1\"} 3\nt_bucket{a=\"b\",le=\"1.0\"} 3\nt_bucket{a=\"b\",le=\"+Inf\"} 5\n"
		"t_sum{a=\"b\"} 7.500000000\nt_count{a=\"b\"} 5\n";
	struct text t;
	open_text(&t);
	exposition_histogram(t.out, "t", "a=\"b\"", &(struct exposition_histogram){bounds, counts, 2, 7.5});
	expect(&t, want);
	open_text(&t);
	exposition_older(want, t.out);
	expect(&t, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_family_has_a_sentence), cmocka_unit_test(a_histogram)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
