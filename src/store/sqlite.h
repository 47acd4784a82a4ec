/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of the SQLite store share; only store.c and they include it. See sqlite.c. */

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "store/cube.h"
#include "store/ddl.h"
#include "store/kept.h"
#include "store/value_ids.h"

extern const struct store_ops sqlite_ops;

#define SQLITE_SCHEMA_VERSION 3

/* ---- dictionaries (sqlite_dict.c) ---- */

enum sqlite_dict_kind { DICT_NAMES, DICT_PREFIXES, DICT_PATHS, DICT_COUNT };

/* Ids of byte strings, for the writer. A cache: it may be cleared whenever no transaction is open, and
 * must be when one was rolled back. */
struct dict_ids {
	struct value_ids known;
	sqlite3_stmt *select, *insert;
};

/* Byte strings of ids, for a reader. */
struct dict_values {
	struct arena arena;
	struct view *values; /* by id; data NULL: not cached */
	size_t cap;
	sqlite3_stmt *select;
};

int dict_ids_init(struct dict_ids *d, sqlite3 *db, enum sqlite_dict_kind kind);
void dict_ids_done(struct dict_ids *d);
/* The id of a value, made if new. SQLITE_OK or an SQLite error code. */
int dict_ids_get(struct dict_ids *d, sqlite3 *db, enum sqlite_dict_kind kind, struct view value, uint64_t *ret);

int dict_values_init(struct dict_values *d, sqlite3 *db, enum sqlite_dict_kind kind);
void dict_values_done(struct dict_values *d);
void dict_values_trim(struct dict_values *d);
/* The value of an id, valid until dict_values_trim. SQLITE_OK or an SQLite error code; SQLITE_CORRUPT
 * when there is none or it is malformed. */
int dict_values_get(struct dict_values *d, enum sqlite_dict_kind kind, uint64_t id, struct view *ret);
/* The id of a value; 0 when the dictionary has none. */
int dict_find(sqlite3 *db, enum sqlite_dict_kind kind, struct view value, uint64_t *ret);

static inline bool dict_of(enum dimension dim, enum sqlite_dict_kind *ret)
{
	enum dimension_kind kind = dimension_table[dim].kind;
	*ret = kind == KIND_TEXT ? DICT_NAMES : kind == KIND_PREFIX ? DICT_PREFIXES : DICT_PATHS;
	return !kind_is_number(kind);
}

/* ---- rows to write (sqlite_rows.c) ---- */

/* Rows [from, to) of groups: what a connection's table SQLITE_ROWS_TABLE has, its columns being c0, c1, ... */
struct sqlite_rows {
	const struct groups *groups;
	uint32_t from, to;
};

#define SQLITE_ROWS_TABLE   "rows_in_memory"
#define SQLITE_ROWS_COLUMNS (1 + CUBE_KEY_MAX + MEASURE_COUNT)

/* rows outlive the connection. SQLITE_OK or an SQLite error code. */
int sqlite_rows_make(sqlite3 *db, const struct sqlite_rows *rows);

/* ---- the store ---- */

#define SQLITE_WAY_LOCKS 16

struct sqlite_ways {
	pthread_mutex_t locks[SQLITE_WAY_LOCKS]; /* of blocks, by their times */
	atomic_bool many; /* in one block: they are not read any more */
};

struct sqlite_store {
	struct store base;
	char *path;
	sqlite3 *db;
	uint64_t retention_s[LEVEL_COUNT];
	uint64_t cutoff_s[LEVEL_COUNT]; /* as of the last maintain: buckets that end by then are gone */
	int64_t share_rows;             /* deleted by one call of maintain */
	struct dict_ids dicts[DICT_COUNT];
	sqlite3_stmt *upserts[CUBE_COUNT][LEVEL_COUNT]; /* of what is in rows */
	struct sqlite_rows rows;
	sqlite3_stmt *insert_batch, *insert_change, *mark_bucket;
	int64_t change; /* the number of the present transaction */
	struct groups scratch[2]; /* kept for their memory */
	struct kept_cache *cache; /* the readers' */
	struct sqlite_ways ways;  /* theirs */
};

struct sqlite_reader {
	struct store_reader base;
	const char *path; /* the store's */
	sqlite3 *db;
	struct dict_values dicts[DICT_COUNT];
	struct kept_reader kept;
	sqlite3_stmt *newest_bucket, *bucket_marks;
	struct kept_reader ways; /* with the marks of `kept` while they are read */
	struct sqlite_ways *of_store;
	struct sqlite_job *job; /* whose rows are being read */
	struct groups by_path;  /* of a run that is summed up by via; here for its memory */
	bool in_snapshot;
	uint64_t deadline_ns;
};

/* "PATH: while DOING: what SQLite says", and the errno that stands for the code (see sqlite.c). */
int sqlite_error(sqlite3 *db, const char *path, int code, const char *doing, struct error *err);
/* Runs statements that yield nothing. SQLITE_OK or an error code. */
int sqlite_run(sqlite3 *db, const char *sql);
/* One number; 0 rows leave *ret alone. SQLITE_OK or an error code. */
int sqlite_number(sqlite3 *db, const char *sql, int64_t *ret);
int sqlite_prepare(sqlite3 *db, const struct sql *sql, sqlite3_stmt **ret);

/* The file's schema version, 0 when it is empty; refuses what is newer or not ours. */
int sqlite_version(sqlite3 *db, const char *path, int64_t *ret, struct error *err);
/* Creates the tables or brings them up to date (sqlite_schema.c). */
int sqlite_migrate(sqlite3 *db, const char *path, struct error *err);
/* What of the present version's schema is not in the file. SQLITE_OK or an SQLite error code. */
int sqlite_missing(sqlite3 *db, ddl_fn *fn, void *ctx);
int sqlite_prepare_writer(struct sqlite_store *s, struct error *err);
void sqlite_finalize_writer(struct sqlite_store *s);

/* A reader's statements for the marks of buckets; they are its own. */
int sqlite_prepare_marks(struct sqlite_reader *reader);
/* The function that gets the rows of its questions. SQLITE_OK or an SQLite error code. */
int sqlite_make_add_row(struct sqlite_reader *reader);

/* Path changes (sqlite_changes.c). SQLITE_OK or an SQLite error code; deleting stops after max_rows, or a few
 * more of the same millisecond. */
int sqlite_prepare_changes(struct sqlite_store *s);
int sqlite_write_changes(struct sqlite_store *s, const struct store_batch *batch, const struct cube_source *src);
int sqlite_delete_changes(struct sqlite_store *s, int64_t max_rows, int64_t *ret_rows);

/* In a transaction that changes rows: takes the next number of changes, and marks a bucket with it. SQLITE_OK or an
 * SQLite error code. */
int sqlite_next_change(struct sqlite_store *s);
int sqlite_mark_bucket(struct sqlite_store *s, enum store_level level, uint64_t ts);

enum store_result sqlite_write_batch(struct store *store, const struct store_batch *batch, struct error *err);
int sqlite_last_batch(struct store *store, const char *collector, uint64_t *ret, struct error *err);
int sqlite_maintain(struct store *store, uint64_t now_s, struct error *err);
int sqlite_reader_open(struct store *store, struct store_reader **ret, struct error *err);
int sqlite_query(struct store_reader *reader, const struct store_query *q, store_row_fn *fn, void *ctx,
	struct error *err);
/* Interrupts what the reader does from then on; 0: never. */
void sqlite_set_deadline(struct sqlite_reader *reader, uint64_t deadline_ns);
/* The value that a column's number stands for. SQLITE_OK or an SQLite error code. */
int sqlite_value_of(struct sqlite_reader *reader, enum dimension dim, uint64_t number, struct dim_value *ret);
int sqlite_changes(struct store_reader *reader, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err);
void sqlite_reader_close(struct store_reader *reader);

/* The file of a URL. */
int sqlite_path(const char *url, const char **ret, struct error *err) MUST_USE;
int sqlite_ddl(const char *url, enum store_ddl what, struct sql *ret, struct error *err);
int sqlite_look(const char *url, struct store_look *ret, struct error *err);
int sqlite_collectors(struct store *s, store_collector_fn *fn, void *ctx, struct error *err);
int sqlite_range(struct store *s, struct store_table table, uint64_t ret[static 2], struct error *err);
