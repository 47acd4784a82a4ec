/* SPDX-License-Identifier: BSD-2-Clause */

/* The SQLite store: one file, one writer, readers beside it.
 *
 * Files: sqlite_schema.c makes the tables, sqlite_dict.c numbers names, prefixes and paths,
 * sqlite_write.c applies batches, sqlite_query.c answers (with kept.h, which keeps sums), sqlite_changes.c does both for path changes,
 * sqlite_maintain.c drops what is too old.
 *
 * Durability: a batch that was reported as applied is deleted from the journal, so it must be on the
 * disk by then. In WAL mode only synchronous=FULL syncs the log at every commit (NORMAL keeps the
 * file consistent but may lose the last commits when the power fails). That is one fsync a batch, a
 * batch a minute. Automatic checkpoints are off: they would fall into the middle of things; the
 * writer copies the log back after each batch instead, which never waits for readers.
 *
 * Tables: WITHOUT ROWID, key (ts, dimensions): a bucket's rows lie together, a time range is a range
 * of the tree, and there is no second index to keep. Key columns hold numbers only (dictionary ids,
 * AS numbers, packed country codes), 0 standing for unknown, because NULLs never conflict and so
 * could not be upserted.
 *
 * Errors: what can pass (busy, disk full, I/O) lets a batch be retried, the journal holding it;
 * a corrupt file or tables that are not ours never heal and are fatal. */

#include "store/sqlite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000
#define SHARE_ROWS      1500000

static const struct {
	int code, error;
} error_codes[] = {
	{SQLITE_BUSY, -EBUSY},
	{SQLITE_LOCKED, -EBUSY},
	{SQLITE_FULL, -ENOSPC},
	{SQLITE_NOMEM, -ENOMEM},
	{SQLITE_IOERR, -EIO},
	{SQLITE_READONLY, -EROFS},
	{SQLITE_CANTOPEN, -ENOENT},
	{SQLITE_PERM, -EACCES},
	{SQLITE_AUTH, -EACCES},
	{SQLITE_INTERRUPT, -ETIMEDOUT},
	{SQLITE_CORRUPT, -EBADMSG},
	{SQLITE_NOTADB, -EBADMSG},
};

/* Why a file of ours cannot be used: its readers write, too, the files that they share with the writer. */
static void explain_access(sqlite3 *db, const char *path, int result, size_t cap, char *ret)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int n = slash && slash != path ? (int)(slash - path) : 1;
	(void)snprintf(folder, sizeof(folder), "%.*s", n, slash ? path : ".");
	if (result == -EROFS && access(folder, W_OK) < 0)
		(void)snprintf(ret, cap, "; nothing can be made in its folder (%s), and even reading makes files beside it (-wal, -shm): run this"
			" as the collector's user", strerror(errno));
	else if (result == -EROFS && access(path, W_OK) < 0)
		(void)snprintf(ret, cap, "; it cannot be written to (%s): run this as the collector's user", strerror(errno));
	else if (result == -ENOENT && db && sqlite3_system_errno(db))
		(void)snprintf(ret, cap, " (%s)", strerror(sqlite3_system_errno(db)));
}

int sqlite_error(sqlite3 *db, const char *path, int code, const char *doing, struct error *err)
{
	char access_hint[200] = "";
	int result = -EPROTO; /* an SQL error: tables that are not what this program made */
	for (size_t i = 0; i < ARRAY_LEN(error_codes); i++)
		if (error_codes[i].code == (code & 0xff))
			result = error_codes[i].error;
	const char *hint = "";
	if (result == -EBADMSG)
		hint = "; restore the file from a backup, or move it away to start an empty one";
	else if (result == -ENOSPC)
		hint = "; free some space or shorten the retention";
	explain_access(db, path, result, sizeof(access_hint), access_hint);
	/* The connection's own message is more precise, when it is about this code. */
	const char *text = db && sqlite3_errcode(db) == (code & 0xff) ? sqlite3_errmsg(db) : sqlite3_errstr(code);
	return error_set(err, result, "sqlite store %s: %s: %s%s%s", path, doing, text, hint, access_hint);
}

int sqlite_run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int sqlite_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt;
	int r = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (r != SQLITE_OK)
		return r;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	return sqlite3_finalize(stmt);
}

int sqlite_prepare(sqlite3 *db, const struct sql *sql, sqlite3_stmt **ret)
{
	const char *text = sql_text(sql);
	return text ? sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) : SQLITE_NOMEM;
}

static const char writer_pragmas[] =
	"PRAGMA journal_mode=WAL;"
	"PRAGMA synchronous=FULL;"
	"PRAGMA wal_autocheckpoint=0;"
	"PRAGMA journal_size_limit=67108864;"
	"PRAGMA cache_size=-131072;"
	"PRAGMA temp_store=MEMORY;";

/* Nothing is changed in a file before its version says that it is ours. */
static int set_up(struct sqlite_store *s, bool read_only, struct error *err)
{
	int64_t version, synced = 0;
	(void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	int r = sqlite_version(s->db, s->path, &version, err);
	if (r < 0 || read_only)
		return r;
	if (sqlite3_db_readonly(s->db, "main") == 1) /* the best that SQLite could do; no batch would get through */
		return sqlite_error(s->db, s->path, SQLITE_READONLY, "opening", err);
	int code = sqlite_run(s->db, writer_pragmas);
	if (code == SQLITE_OK)
		code = sqlite_number(s->db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &synced);
	if (code != SQLITE_OK)
		return sqlite_error(s->db, s->path, code, "opening", err);
	if (!synced)
		return error_set(err, -ENOTSUP, "sqlite store %s: its file system has no shared memory files, which"
			" readers beside the writer need; put it on a local disk", s->path);
	r = sqlite_migrate(s->db, s->path, err);
	if (r < 0)
		return r;
	return sqlite_prepare_writer(s, err);
}

static void sqlite_close(struct store *store)
{
	struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, base);
	if (!store)
		return;
	sqlite_finalize_writer(s);
	groups_done(&s->scratch[0]);
	groups_done(&s->scratch[1]);
	(void)sqlite3_close(s->db);
	kept_cache_free(s->cache);
	for (size_t i = 0; i < SQLITE_WAY_LOCKS; i++)
		(void)pthread_mutex_destroy(&s->ways.locks[i]);
	free(s->path);
	free(s);
}

/* "sqlite:/path/file.db" → the path. Databases in memory cannot be shared with readers. */
int sqlite_path(const char *url, const char **ret, struct error *err)
{
	const char *path = url + strlen("sqlite:");
	if (!*path || *path == ':' || strncmp(path, "file:", 5) == 0)
		return error_set(err, -EINVAL, "store url '%.200s': write sqlite:/path/file.db", url);
	*ret = path;
	return 0;
}

static int sqlite_check_url(const char *url, struct error *err)
{
	const char *path;
	return sqlite_path(url, &path, err);
}

static int sqlite_open(const struct store_config *config, struct store **ret, struct error *err)
{
	const char *path = NULL;
	int r = sqlite_path(config->url, &path, err);
	if (r < 0)
		return r;
	struct sqlite_store *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "sqlite store %s: out of memory", path);
	s->base.ops = &sqlite_ops;
	memcpy(s->retention_s, config->retention_s, sizeof(s->retention_s));
	s->share_rows = config->share_rows ? config->share_rows : SHARE_ROWS;
	for (size_t i = 0; i < SQLITE_WAY_LOCKS; i++)
		(void)pthread_mutex_init(&s->ways.locks[i], NULL);
	groups_init(&s->scratch[0], 0, 0, INDEX_NONE - 1);
	groups_init(&s->scratch[1], 0, 0, INDEX_NONE - 1);
	s->path = strdup(path);
	int how = config->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	r = SQLITE_NOMEM;
	if (s->path && kept_cache_new(KEPT_CACHE_BYTES, &s->cache) == 0)
		r = sqlite3_open_v2(path, &s->db, how | SQLITE_OPEN_NOMUTEX, NULL);
	r = r != SQLITE_OK ? sqlite_error(s->db, path, r, "opening", err) : set_up(s, config->read_only, err);
	if (r < 0) {
		sqlite_close(&s->base);
		return r;
	}
	*ret = &s->base;
	return 0;
}

int sqlite_reader_open(struct store *store, struct store_reader **ret, struct error *err)
{
	struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, base);
	struct sqlite_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return error_set(err, -ENOMEM, "sqlite store %s: out of memory", s->path);
	reader->base.ops = &sqlite_ops;
	reader->path = s->path;
	kept_reader_init(&reader->kept, s->cache);
	kept_reader_init(&reader->ways, s->cache);
	reader->of_store = &s->ways;
	groups_init(&reader->by_path, 0, 0, INDEX_NONE - 1);
	int r = sqlite3_open_v2(s->path, &reader->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_busy_timeout(reader->db, BUSY_TIMEOUT_MS);
	if (r == SQLITE_OK)
		r = sqlite_run(reader->db, "PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;");
	for (int kind = 0; kind < DICT_COUNT && r == SQLITE_OK; kind++)
		r = dict_values_init(&reader->dicts[kind], reader->db, (enum sqlite_dict_kind)kind);
	if (r == SQLITE_OK)
		r = sqlite_prepare_marks(reader);
	if (r == SQLITE_OK)
		r = sqlite_make_add_row(reader);
	if (r != SQLITE_OK) {
		r = sqlite_error(reader->db, s->path, r, "opening for reading", err);
		sqlite_reader_close(&reader->base);
		return r;
	}
	*ret = &reader->base;
	return 0;
}

static void sqlite_kept(struct store *store, struct store_kept *ret)
{
	kept_cache_count(CONTAINER_OF(store, struct sqlite_store, base)->cache, ret);
}

void sqlite_reader_close(struct store_reader *base)
{
	struct sqlite_reader *reader = CONTAINER_OF(base, struct sqlite_reader, base);
	if (!base)
		return;
	for (int kind = 0; kind < DICT_COUNT; kind++)
		dict_values_done(&reader->dicts[kind]);
	kept_reader_done(&reader->kept);
	kept_reader_done(&reader->ways);
	groups_done(&reader->by_path);
	(void)sqlite3_finalize(reader->newest_bucket);
	(void)sqlite3_finalize(reader->bucket_marks);
	(void)sqlite3_close(reader->db);
	free(reader);
}

const struct store_ops sqlite_ops = {
	.scheme = "sqlite",
	.check_url = sqlite_check_url,
	.snapshots = true,
	.via = true,
	.ddl = sqlite_ddl,
	.look = sqlite_look,
	.open = sqlite_open,
	.write_batch = sqlite_write_batch,
	.last_batch = sqlite_last_batch,
	.collectors = sqlite_collectors,
	.range = sqlite_range,
	.maintain = sqlite_maintain,
	.kept = sqlite_kept,
	.close = sqlite_close,
	.reader_open = sqlite_reader_open,
	.query = sqlite_query,
	.changes = sqlite_changes,
	.reader_close = sqlite_reader_close,
};
