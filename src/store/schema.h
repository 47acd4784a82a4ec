/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What schema.def, dimensions.def and measures.def say, in the forms in which stores need it: names,
 * key columns in order, and pieces of SQL that every dialect shares. */

#include "store/sql.h"
#include "store/store.h"

#define CUBE_KEY_MAX DIMENSION_COUNT

extern const char *const cube_names[CUBE_COUNT];
extern const char *const level_names[LEVEL_COUNT];

/* The cube's dimensions in key order (ts stands before them); returns how many there are. */
size_t cube_key(enum store_cube cube, enum dimension ret[static CUBE_KEY_MAX]);
/* What a query wants of its cube, in the order of columns: dimensions without the time, measures. How many. */
unsigned query_dims(const struct store_query *q, enum dimension ret[static CUBE_KEY_MAX]);
unsigned query_measures(const struct store_query *q, uint8_t ret[static MEASURE_COUNT]);

/* Every table has a number below TABLE_COUNT. */
#define TABLE_COUNT (CUBE_COUNT * LEVEL_COUNT)
static inline struct store_table table_at(int i)
{
	return (struct store_table){(enum store_cube)(i / LEVEL_COUNT), (enum store_level)(i % LEVEL_COUNT)};
}

/* The start of the bucket that holds ts. */
static inline uint64_t level_floor(enum store_level level, uint64_t ts)
{
	return ts - ts % level_seconds[level];
}

/* A store keeps the buckets of a level whose end is later than this; 0 keeps everything. */
uint64_t level_cutoff(const uint64_t retention_s[static LEVEL_COUNT], enum store_level level, uint64_t now_s);

/* Of path changes it keeps those whose hour it keeps: from this time on, given the cutoff of the hours. */
static inline uint64_t changes_cutoff_ms(uint64_t hour_cutoff_s)
{
	return level_floor(LEVEL_hour, hour_cutoff_s) * 1000;
}

/* Prefixes in the form in which some stores keep them: family (4 or 6), address, length. In the order of these bytes
 * all that lie within one stand together: from its own to that of its last address. */
#define PREFIX_BYTES_MAX 18
struct view prefix_to_bytes(const struct prefix *p, uint8_t buf[static PREFIX_BYTES_MAX]);
/* False for bytes that no prefix has. */
bool prefix_from_bytes(struct view bytes, struct prefix *ret);
/* The last address in it, with its full length. */
struct prefix prefix_last(const struct prefix *p);

/* How a store's SQL shows the column of a row t to people, by the kind of its dimension: "$" stands for the column's name.
 * NULL: as every dialect does. */
struct schema_dialect {
	const char *readable[KIND_MATCH + 1];
};
/* The expression; NULL for what is unknown. */
void schema_readable(struct sql *s, const struct schema_dialect *d, const char *column, enum dimension dim);

/* "flow_minute" */
void schema_table(struct sql *s, enum store_cube cube, enum store_level level);
/* "ts, origin, prefix, ..." */
void schema_key_columns(struct sql *s, enum store_cube cube);
/* ", bytes_sent, bytes_received, ...": each measure after a comma, as fmt writes a name. */
void schema_measures(struct sql *s, void (*fmt)(struct sql *s, const char *name));
