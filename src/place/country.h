/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Which country an address is in. A source is a set of RIR statistics files or an MMDB file; the
 * sources of a list are asked in order and the first that knows answers. Loading blocks and may run
 * on any thread; a loaded list never changes and may be read by any number of threads. */

#include "base/address.h"

/* ISO 3166 code packed as 'D' << 8 | 'E'; 0: unknown. */
typedef uint16_t country_code;
#define COUNTRY_UNKNOWN 0

/* "DE"; "" for unknown. Returns buf. */
const char *country_format(country_code code, char buf[static 3]);
/* "Germany"; NULL when the code is nobody's. */
const char *country_name(country_code code);
/* Two letters, any case; COUNTRY_UNKNOWN for anything else. */
country_code country_parse(const char *text);

struct countries;

int countries_new(struct countries **ret) MUST_USE;
void countries_free(struct countries *c);

/* RIR delegated and delegated-extended statistics (the exchange format of the five registries):
 * ranges by start and count for IPv4, which need not be CIDR blocks; prefixes for IPv6. patterns are
 * file names or glob(3) patterns; each must match at least one file. Only allocated and assigned
 * ranges count. Files may be compressed. Where files disagree, the later one in the list (a pattern's
 * matches sorted) wins. Errors name file and line. */
int countries_add_rir(struct countries *c, const char *const *patterns, size_t count, struct error *err) MUST_USE;

/* MaxMind DB (MaxMind GeoLite2/GeoIP2 Country or City, DB-IP, IPinfo: both layouts). The file's
 * content is read into memory: it may be replaced on disk. */
int countries_add_mmdb(struct countries *c, const char *file, struct error *err) MUST_USE;

country_code countries_lookup(const struct countries *c, const struct addr *addr);

/* Every range of addresses of one country, as lookups answer, in order, IPv4 first; neighbours of the same country are one
 * range. IPv6 addresses whose country is that of an IPv4 address in them (6to4 and the like) are left out. -ENOMEM, or
 * fn's negative return, which ends the walk. */
typedef int country_range_fn(void *ctx, const struct addr *first, const struct addr *last, country_code code);
int countries_walk(const struct countries *c, country_range_fn *fn, void *ctx) MUST_USE;

struct countries_stats {
	size_t ranges_v4, ranges_v6, databases, memory_bytes;
};
struct countries_stats countries_stats(const struct countries *c);
