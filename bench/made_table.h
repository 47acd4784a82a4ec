/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The routes of a full table of one family, made up: which prefixes have which attributes. See made_table.c
 * for what they are like. */

#include "prefixes.h"

#define MADE_AS   64500u /* of the router and all its peers */
#define MADE_NONE UINT32_MAX

struct made_set {
	uint32_t at, len;     /* of its attributes in bytes: as in an UPDATE, for IPv6 without MP_REACH */
	uint32_t next_hop;    /* 1 to 250 */
	uint32_t first, last; /* prefixes, linked by `next` */
};

struct made_table {
	bool v6;
	struct prefixes prefixes; /* in order */
	uint32_t *set_of;         /* each prefix's */
	uint32_t *next;           /* the next prefix of the same set, or MADE_NONE */
	struct made_set *sets;
	uint32_t set_count, set_cap;
	uint8_t *bytes;
	size_t bytes_used, bytes_cap;

	struct origin *ases; /* by number */
	uint32_t *origins;   /* each prefix's */
	struct path *paths;
	uint32_t path_count;
	uint64_t hops;
};

/* The prefixes: those of a file (NULL: none) and made-up ones, count of them; and their origins. */
void made_table_new(struct made_table *t, uint8_t family, const char *file, size_t count);
/* The routes of a router; another number has other ones to the same prefixes. Prints what they are like. */
void made_table_routes(struct made_table *t, unsigned router);
void made_table_done(struct made_table *t);
