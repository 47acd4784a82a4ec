/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A store keeps results: rows of sums per cube, level and bucket (schema.def). One implementation a
 * database, all behind struct store_ops; tests/contract holds them all to the same answers.
 *
 * Writing: one thread (the writer) calls write_batch, maintain and migrate. A batch is applied once:
 * its id is written in the same transaction as its rows, so a batch that comes again after a crash is
 * recognised. Rows are added to what is there, whatever bucket they belong to, so late rows and
 * rollups need nothing special. Minute, hour and day levels are written by the batch. Path changes are
 * single events, kept as long as the hours they fall into.
 *
 * Reading: any number of threads, each with a reader of its own. */

#include <stdatomic.h>

#include "base/error.h"
#include "place/country.h"
#include "traffic/flow.h"

/* ---- dimensions ---- */

enum dimension {
#define DIMENSION(name, kind, help) DIM_##name,
#include "traffic/dimensions.def"
#undef DIMENSION
	DIMENSION_COUNT
};

enum dimension_kind { KIND_TIME, KIND_TEXT, KIND_PREFIX, KIND_ASN, KIND_PATH, KIND_COUNTRY, KIND_MATCH };

/* Not a text, a prefix or a path, for which stores have dictionaries. */
static inline bool kind_is_number(enum dimension_kind kind)
{
	return kind != KIND_TEXT && kind != KIND_PREFIX && kind != KIND_PATH;
}

struct dimension_info {
	const char *name, *help;
	enum dimension_kind kind;
};
extern const struct dimension_info dimension_table[DIMENSION_COUNT];

#define DIM_BIT(d) (1u << (d))

/* -ENOENT. */
int dimension_by_name(const char *name) MUST_USE;
#define DIMENSION_NAMES_MAX 200
/* The names of all but these (a mask of DIM_BIT), for people: "router, type, ...". Returns ret. */
const char *dimension_names(uint32_t without, char ret[static DIMENSION_NAMES_MAX]);

/* A value of any dimension. Views live as long as the row or query they stand in. */
struct dim_value {
	bool known;           /* false: null */
	/* TIME: seconds; ASN; COUNTRY: packed; MATCH: enum route_match. TEXT, PREFIX, PATH: in a store's rows a number that
	 * it has for this value and for no other, the same in every query of a snapshot; 0: none. */
	uint64_t number;
	struct view bytes;    /* TEXT: UTF-8; PATH: route/path.h form */
	struct prefix prefix; /* PREFIX */
};

/* ---- levels, cubes ---- */

enum store_level {
#define LEVEL(name, seconds) LEVEL_##name,
#define CUBE(name, dims)
#include "store/schema.def"
#undef LEVEL
#undef CUBE
	LEVEL_COUNT
};
extern const uint32_t level_seconds[LEVEL_COUNT];

enum store_cube {
#define LEVEL(name, seconds)
#define CUBE(name, dims) CUBE_##name,
#include "store/schema.def"
#undef LEVEL
#undef CUBE
	CUBE_COUNT
};
extern const uint32_t cube_dims[CUBE_COUNT]; /* masks of DIM_BIT */

/* ---- writing ---- */

struct store_table {
	enum store_cube cube;
	enum store_level level;
};

struct store_batch {
	const char *collector;          /* name of the collector that made it */
	uint64_t id;                    /* counts up from 1 per collector, never reused */
	const struct flow_table *flows; /* rows whose measures are all zero are not stored; its changes are */
	/* NULL: the flows are of minutes, and every table gets its share of them. Else they are this table's rows
	 * (their minute being the start of its bucket), and no other table gets any: how a store is copied. */
	const struct store_table *only;
};

enum store_result {
	STORE_OK,
	STORE_DUPLICATE, /* had been applied before: nothing was done */
	STORE_RETRY,     /* the store is away, busy or full: the same batch again later */
	STORE_FATAL,     /* this will not get better by itself (corrupt, foreign schema) */
};

struct store_config {
	const char *url;                         /* "sqlite:/path/file.db" */
	uint64_t retention_s[LEVEL_COUNT];       /* UINT64_MAX: forever */
	bool read_only; /* change nothing: a store that is there and of this version; only range, collectors and readers are asked */
	const atomic_bool *give_up; /* NULL, or: once it is true what waits for a server soon fails, -EBUSY; outlives the store */
	uint32_t share_rows;                     /* what one call of maintain deletes, about; 0: the store's own measure */
};

/* ---- reading ---- */

struct store_segment {
	enum store_level level;
	uint64_t from_s, to_s; /* half open, multiples of the level's seconds */
};

struct store_filter {
	enum dimension dim;  /* not DIM_time; DIM_via tests membership in the path, null being a path without members */
	bool negate;
	const struct dim_value *values; /* any of these (negate: none of these); an unknown value matches null */
	size_t value_count;
};

#define STORE_SEGMENTS_MAX 8

struct store_query {
	enum store_cube cube; /* holds every dimension used below (DIM_path standing for DIM_via) */
	struct store_segment segments[STORE_SEGMENTS_MAX]; /* do not overlap */
	size_t segment_count;
	uint32_t dims;        /* mask of dimensions wanted in each row; DIM_via only of a store that can (store_ops.via) */
	uint32_t step_s;      /* with DIM_time: width of its buckets; a multiple of each segment's level */
	const struct store_filter *filters; /* all must hold */
	size_t filter_count;
	uint64_t measures;    /* mask of MEASURE_BIT wanted, the others come as 0; 0: all of them */
	/* Not 0: rows may be left out when so many others have more of the measure `best_by`, or, with best_per, more of it
	 * for each of that measure (divided as doubles; what has none of it has less than any other). */
	uint32_t best;
	enum measure best_by;
	const enum measure *best_per; /* NULL: none */
	/* Not DIM_time: rows may be left out whose value of this one of `dims` no other row has. Not with best or vias, nor with
	 * DIM_time among dims. */
	enum dimension shared;
	/* With DIM_via, rows of any but these may be left out. A filter by via is another thing: it leaves all that are on a path with one. 0: none
	 * may. Not with best. */
	const struct dim_value *vias;
	size_t via_count;
	bool keep_snapshot;   /* the reader's next query sees the very same rows; see snapshots below */
	uint64_t deadline_ns; /* monotonic: give up with -ETIMEDOUT; 0: never */
};

#define MEASURE_BIT(m) (1ull << (m))
_Static_assert(MEASURE_COUNT <= 64, "measures fit a mask");

/* One row: values[d] is set for each dimension asked for. Rows may come in any order and a key may
 * come more than once: the caller adds them up. A negative return ends the query with it. */
struct store_row {
	struct dim_value values[DIMENSION_COUNT];
	struct measures m;
	bool others; /* of those left out for `best`; it has no values */
};
typedef int store_row_fn(void *ctx, const struct store_row *row);

#define STORE_COLLECTOR_MAX 65 /* bytes of a collector's name, with the zero */

/* Where a change stands in the order of all: by time, and in one millisecond by what recorded it. No two stand at one place, and a
 * change never moves. */
struct store_change_place {
	uint64_t time_ms, batch, number;
	char collector[STORE_COLLECTOR_MAX]; /* the name or its number, as the store has it */
};

/* Changes of routers' AS paths. Which collector recorded one is kept, and no question yet. */
struct store_change_query {
	uint64_t from_ms, to_ms;     /* half open */
	const struct store_change_place *behind; /* only what comes behind it, that is what is older; NULL: all */
	const struct view *router;   /* NULL: any */
	const struct prefix *prefix; /* NULL: any */
	bool within;                 /* and every prefix inside it */
	uint32_t limit;              /* the newest so many */
	uint64_t deadline_ns;        /* as in store_query */
};

/* The time before which its changes are. */
static inline uint64_t store_changes_end_ms(const struct store_change_query *q)
{
	return q->behind && q->behind->time_ms < q->to_ms ? q->behind->time_ms + 1 : q->to_ms;
}

struct store_change {
	uint64_t time_ms;
	struct store_change_place place;
	struct dim_value router, prefix; /* as DIM_router and DIM_prefix */
	struct dim_value before, after;  /* as DIM_path; unknown: there was, is, no route */
};
typedef int store_change_fn(void *ctx, const struct store_change *change);

#define STORE_MISSING_MAX 200

/* What stands in a store, before it is opened. */
struct store_look {
	char name[320];   /* for people; without a password */
	unsigned version; /* of its schema; 0: nothing of ours yet */
	unsigned known;   /* the version that this program makes */
	/* Of a store of that version, what of its schema is not there: "view v_flow_hour, and 2 more"; "": all is. */
	char missing[STORE_MISSING_MAX];
	struct error lack; /* of rights that a collector's user needs, as far as the store can tell; code 0: none */
	bool reader;       /* it may not even write */
};
typedef int store_collector_fn(void *ctx, const char *collector, uint64_t last);

/* What to print of a store's SQL. */
enum store_ddl {
	STORE_DDL_SCHEMA, /* its tables and views, of a new store */
	STORE_DDL_LEGACY, /* views under the names of the system that was before whereto */
};

/* Sums that a store keeps in memory of what it was asked. */
struct store_kept {
	uint64_t found, read; /* runs of closed buckets that were there; that had to be read, and are there since */
	size_t bytes;
};

/* ---- the interface ---- */

/* A parameter of a URL that names a file. */
struct store_url_file {
	const char *parameter;
	enum { STORE_FILE_PLAIN, STORE_FILE_SECRET, STORE_FILE_PASSWORDS } kind; /* a secret: one line; libpq's file of passwords */
};
typedef int store_url_file_fn(void *ctx, const struct store_url_file *file, const char *path);

struct sql;
struct store;
struct store_reader;

struct store_ops {
	const char *scheme; /* "sqlite" */
	const struct store_url_file *url_files; /* parameters of its URL that name files; the last has none. NULL: none do */
	/* The URL can be read. Nobody is asked, and what it names is not looked at. */
	int (*check_url)(const char *url, struct error *err);
	/* keep_snapshot works: queries of one reader agree with each other until one comes without it
	 * (a query of no segments just ends it) or one fails. */
	bool snapshots;
	/* What is left out for `best` comes all the same, added up (store_row.others): sums of all rows are the total. */
	bool others;
	/* Queries may want DIM_via: a row of the tables counts once for each AS on its path, for the unknown when there is none. */
	bool via;
	/* Statements as text, for a store like that of the URL, which may be "sqlite:" and no more; nobody is asked. -EOPNOTSUPP. */
	int (*ddl)(const char *url, enum store_ddl what, struct sql *ret, struct error *err);
	/* Makes and changes nothing. Schemas that are foreign or newer than the program are errors, as with open. */
	int (*look)(const char *url, struct store_look *ret, struct error *err);
	/* Opens or creates (-EBUSY: try again later), and brings the schema up to date. Errors name the store and what to do. */
	int (*open)(const struct store_config *config, struct store **ret, struct error *err);
	enum store_result (*write_batch)(struct store *s, const struct store_batch *batch, struct error *err);
	/* Id of the last batch of this collector that was applied; 0: none. One that is still being applied for a
	 * connection that is gone is waited for. */
	int (*last_batch)(struct store *s, const char *collector, uint64_t *ret, struct error *err);
	/* Every collector with a batch, by name, and its last one's id. A negative return ends the list with it. */
	int (*collectors)(struct store *s, store_collector_fn *fn, void *ctx, struct error *err);
	/* Starts of the table's oldest and newest bucket: 1, or 0 when it has no rows. Called by the writer's thread. */
	int (*range)(struct store *s, struct store_table table, uint64_t ret[static 2], struct error *err);
	/* Retention and housekeeping; called about once a minute. 1: it did its share and there may be more; then it is called
	 * again as soon as no batch waits. A store that drops whole partitions does all of it at once. */
	int (*maintain)(struct store *s, uint64_t now_s, struct error *err);
	/* Makes the store's own table of country ranges be these; NULL: it keeps none. Called by the writer's thread. */
	int (*countries)(struct store *s, const struct countries *countries, struct error *err);
	/* Thread-safe. NULL: it keeps nothing. */
	void (*kept)(struct store *s, struct store_kept *ret);
	void (*close)(struct store *s);

	int (*reader_open)(struct store *s, struct store_reader **ret, struct error *err); /* thread-safe */
	int (*query)(struct store_reader *r, const struct store_query *q, store_row_fn *fn, void *ctx,
		struct error *err);
	/* In the order of their places, the newest first; of one millisecond, in the reverse order of their recording by one collector. What
	 * fn is given lives until it returns; a negative return ends the query with it. -ETIMEDOUT. */
	int (*changes)(struct store_reader *r, const struct store_change_query *q, store_change_fn *fn, void *ctx,
		struct error *err);
	void (*reader_close)(struct store_reader *r);
};

/* Calls fn for each file that the URL names. 0; a negative return ends the list with it. */
int store_url_files(const char *url, const struct store_url_file *files, store_url_file_fn *fn, void *ctx) MUST_USE;
/* The URL with those of its files that do not begin with / in dir ("" or with a slash at its end). */
void store_url_resolve(const char *url, const struct store_url_file *files, const char *dir, struct sql *ret);
/* The implementation for a URL's scheme; NULL and err set when there is none. */
const struct store_ops *store_find(const char *url, struct error *err);
/* The URL for people: passwords in it (USER:PASSWORD@, password=, sslpassword=) become "***"; what has no room
 * is left out. Returns ret. */
const char *store_url_hidden(const char *url, size_t cap, char *ret);

/* Every implementation has this at the start of its struct store and struct store_reader. */
struct store {
	const struct store_ops *ops;
};
struct store_reader {
	const struct store_ops *ops;
};
