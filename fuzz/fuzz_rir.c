/* SPDX-License-Identifier: BSD-2-Clause */

/* RIR statistics: ranges stay inside their address space, name a country, and the table made from
 * them gives the later range's answer. Messages name the file. */

#include "fuzz.h"
#include "place/source.h"

static void check(struct range_list *list, unsigned family)
{
	struct range last = list->count ? list->items[list->count - 1] : (struct range){0};
	for (size_t i = 0; i < list->count; i++) {
		const struct range *r = &list->items[i];
		FUZZ_CHECK(r->first <= r->last && (family == ADDR_V6 || r->last <= UINT32_MAX) && r->value >= ('A' << 8 | 'A'));
	}
	struct range_map map;
	FUZZ_CHECK(range_map_init(&map, list, family) == 0);
	uint16_t got = family == ADDR_V4 ? range_map_get_v4(&map, (uint32_t)last.last) :
					   range_map_get_v6(&map, last.last);
	FUZZ_CHECK(got == last.value || !last.value);
	range_map_done(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source_lists lists = {0};
	struct error err = {0};
	if (rir_parse("file", (const char *)data, size, &lists, &err) < 0)
		FUZZ_CHECK(err.code < 0 && strncmp(err.text, "file:", 5) == 0);
	check(&lists.v4, ADDR_V4);
	check(&lists.v6, ADDR_V6);
	range_list_done(&lists.v4);
	range_list_done(&lists.v6);
	return 0;
}
