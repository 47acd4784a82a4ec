/* SPDX-License-Identifier: BSD-2-Clause */

/* The parameters of a question: a byte for its kind, then lines NAME=VALUE. What is accepted keeps its bounds, and its
 * filter's values read the same when written again; what is refused names a character inside the value, if any. */

#include <string.h>

#include "fuzz.h"
#include "http/question.h"
#include "query/filter.h"
#include "query/values.h"

#define NOW_S 1795428000u

static void check_filter(const struct filter *f)
{
	for (size_t i = 0; f && i < f->count; i++)
		for (size_t k = 0; k < f->items[i].value_count; k++) {
			char *text = NULL;
			size_t len;
			struct filter *again;
			FILE *out = open_memstream(&text, &len);
			FUZZ_CHECK(filter_write_value(f->items[i].dim, &f->items[i].values[k], out) && fclose(out) == 0);
			FUZZ_CHECK(filter_parse_values(f->items[i].dim, text, &again, NULL) == 0 && again->items[0].value_count == 1);
			FUZZ_CHECK(value_cmp(dimension_table[f->items[i].dim].kind, &f->items[i].values[k], again->items[0].values) == 0);
			filter_free(again);
			free(text);
		}
}

static void check_question(const struct http_params *params, enum question_kind kind)
{
	struct http_question q;
	struct error err;
	if (question_parse(params, kind, NOW_S, &q, &err) < 0) {
		const char *filter = http_param(params, "filter"), *keys = http_param(params, "keys");
		FUZZ_CHECK(err.at <= 1 + (filter ? strlen(filter) : 0) || err.at <= 1 + (keys ? strlen(keys) : 0));
		return;
	}
	FUZZ_CHECK(q.query.from_s < q.query.to_s && q.query.by_count <= QUERY_DIMS_MAX);
	FUZZ_CHECK(q.query.limit >= 1 && q.query.limit <= QUERY_LIMIT_MAX && q.query.step_s % 60 == 0);
	check_filter(q.filter);
	check_filter(q.keys);
	question_done(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_params params = {.count = 0};
	char *text = size ? strndup((const char *)data + 1, size - 1) : NULL, *rest = text;
	for (char *line; rest && params.count < HTTP_PARAMS_MAX && (line = strsep(&rest, "\n"));) {
		char *name = strsep(&line, "=");
		if (line && !http_param(&params, name))
			params.list[params.count++] = (struct http_param){name, line};
	}
	if (text)
		check_question(&params, (enum question_kind)(data[0] % (QUESTION_SPARKLINES + 1)));
	free(text);
	return 0;
}
