/* SPDX-License-Identifier: BSD-2-Clause */

/* The filter language: any text gives a filter or an error that names a character inside it. */

#include "fuzz.h"
#include "query/filter.h"
#include "route/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct filter *f;
	struct error err;
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (filter_parse(text, &f, &err) < 0) {
		size_t character = 0;
		int n = sscanf(err.text, "character %zu: ", &character);
		FUZZ_CHECK(n == 1 && character >= 1 && character <= size + 1);
	} else {
		FUZZ_CHECK(f->count <= QUERY_FILTERS_MAX);
		for (size_t i = 0; i < f->count; i++) {
			FUZZ_CHECK(f->items[i].dim != DIM_time && f->items[i].value_count > 0);
			for (size_t k = 0; k < f->items[i].value_count && f->items[i].dim == DIM_path; k++)
				FUZZ_CHECK(!f->items[i].values[k].known || path_valid(f->items[i].values[k].bytes));
		}
		filter_free(f);
	}
	free(text);
	return 0;
}
