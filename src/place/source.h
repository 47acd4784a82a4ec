/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a country source is made of, whatever format it came from: a table of address ranges each for
 * IPv4 and IPv6. The formats are readers that fill two range lists; a new one is one file and one
 * function here. */

#include "place/country.h"
#include "place/ranges.h"

/* "ZZ" (unknown) and what is no country code give COUNTRY_UNKNOWN. */
country_code source_country(const char *text, size_t len);

/* Values below this one are no countries but references: an IPv6 prefix of that many bits in which
 * the next 32 bits are an IPv4 address that has the answer (0: no value). */
#define SOURCE_VIA_V4_MAX 96

struct source_lists {
	struct range_list v4, v6;
};

/* RIR statistics in memory; file is the name for messages. text is not changed. */
int rir_parse(const char *file, const char *text, size_t len, struct source_lists *lists,
	struct error *err) MUST_USE;
/* Reads the file and parses it. */
int rir_read(const char *file, struct source_lists *lists, struct error *err) MUST_USE;

int mmdb_read(const char *file, struct source_lists *lists, struct error *err) MUST_USE;
