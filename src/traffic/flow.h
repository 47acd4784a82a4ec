/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Flow tables: what was sent where, summed per minute and key, and which AS paths changed meanwhile.
 *
 * A table stands alone: its rows name router, traffic type, prefix and AS path by small numbers that
 * index the table's own dictionaries, so it can be handed to another thread, written to the journal
 * or merged into another table long after the routes that made it are gone. Number 0 of every
 * dictionary is "unknown". Not thread-safe; ownership moves as a whole. */

#include "base/address.h"
#include "base/arena.h"
#include "base/index.h"
#include "traffic/measures.h"

/* How a record's route was found. */
enum route_match {
	MATCH_NONE,     /* no route: prefix, path, origin, neighbour unknown */
	MATCH_OWN,      /* in the router's own table, from its preferred source */
	MATCH_STALE,    /* kept from a source that is gone, within the grace period */
	MATCH_FALLBACK, /* from a source further down the router's list */
	MATCH_COUNT
};
extern const char *const route_match_names[MATCH_COUNT]; /* "none" "own" "stale" "fallback" */

struct flow_key {
	uint32_t minute;  /* seconds since 1970, a multiple of 60 */
	uint32_t router;  /* index into names; 0: no router serves the server */
	uint32_t type;    /* index into names; 0: none given */
	uint32_t prefix;  /* index into prefixes; 0: none */
	uint32_t path;    /* index into paths; 0: none */
	uint16_t country; /* place/country.h; 0: unknown */
	uint8_t match;    /* enum route_match */
	uint8_t zero;
};

struct flow_row {
	struct flow_key key;
	struct measures m;
};

/* A router's AS path to a prefix became another one. */
struct path_change {
	uint64_t time_ms;
	uint32_t router;        /* index into names */
	uint32_t prefix;        /* index into prefixes */
	uint32_t before, after; /* index into paths; 0: there was, is, no route */
};

struct flow_table {
	struct arena arena; /* holds the bytes of names and paths */

	struct view *names; /* router names and traffic types */
	struct prefix *prefixes;
	struct view *paths; /* route/path.h form; an empty path is a known, empty path */
	uint32_t name_count, prefix_count, path_count; /* entry 0 included */
	uint32_t name_cap, prefix_cap, path_cap;
	struct index name_index, prefix_index, path_index;

	struct flow_row *rows;
	uint32_t row_count, row_cap;
	struct index row_index;

	/* In the order in which they came. Bounded by whoever adds them (delta_change), which counts what it
	 * had to leave out. */
	struct path_change *changes;
	uint32_t change_count, change_cap;
	uint64_t changes_left_out;
};

int flow_table_new(struct flow_table **ret) MUST_USE;
void flow_table_free(struct flow_table *t);
/* Empties it, keeps the memory. */
int flow_table_clear(struct flow_table *t) MUST_USE;

/* The number of a dictionary entry, made if new. -ENOMEM. */
int flow_table_name(struct flow_table *t, struct view name, uint32_t *ret) MUST_USE;
int flow_table_prefix(struct flow_table *t, const struct prefix *prefix, uint32_t *ret) MUST_USE;
int flow_table_path(struct flow_table *t, struct view path, uint32_t *ret) MUST_USE;

/* The row of a key, made (all zero) if new; valid until the next call. NULL when memory is out. */
struct flow_row *flow_table_row(struct flow_table *t, const struct flow_key *key);

/* Adds a change behind those that are there. -ENOMEM. */
int flow_table_change(struct flow_table *t, const struct path_change *change) MUST_USE;

/* Nothing in it that anybody would miss: no row, no change, none left out. */
bool flow_table_is_empty(const struct flow_table *t);

/* Adds every row of other to t, and its changes behind t's. -ENOMEM leaves t partly added: give it up. */
int flow_table_merge(struct flow_table *t, const struct flow_table *other) MUST_USE;

/* Bytes the table occupies. */
size_t flow_table_memory_bytes(const struct flow_table *t);
