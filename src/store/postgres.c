/* SPDX-License-Identifier: BSD-2-Clause */

/* The PostgreSQL store: a database that several collectors and many readers may share.
 *
 * Files: postgres_schema.c makes the tables, postgres_dict.c numbers names, prefixes and paths,
 * postgres_wait.c waits for the server, postgres_copy.c speaks COPY, postgres_parts.c makes and drops partitions, postgres_write.c applies batches,
 * postgres_merge.c merges them, postgres_marks.c says which buckets changed, postgres_read.c runs a reader's statement,
 * postgres_query.c (with kept.h, which keeps sums, and postgres_values.c) and postgres_changes.c answer, postgres_maintain.c drops what is too old,
 * postgres_countries.c keeps a table of country ranges for people.
 *
 * Everything is in a schema of its own, whereto, so the database may hold other things. Prefixes are ip4r's
 * iprange. Only libpq, one connection for the writer and one a reader, each used by one thread.
 *
 * A connection is made when it is needed and made again when it broke: a batch whose COMMIT got no answer
 * is sent again and found to be there. Nothing is retried within a call except the first statement of a
 * transaction, which shows whether the connection still lives.
 *
 * Errors: the server away, starting, stopping, read-only, full or in a deadlock passes, the journal holding
 * the batch meanwhile; wrong tables or corrupt data never heal and are fatal. */

#include "store/postgres.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SHARE_ROWS 2000000
#define CONNECT_S  10 /* as connect_timeout below, which is for each of the host's addresses */

/* SQLSTATEs and classes of them; the first that fits. */
static const struct {
	const char *state;
	int error;
} error_codes[] = {
	{"57014", -ETIMEDOUT}, /* statement_timeout, cancel */
	{"53100", -ENOSPC},
	{"22003", -ERANGE}, /* a number has no room */
	{"23514", -EBUSY}, /* no partition: the next merge makes it */
	{"25006", -EROFS},
	{"42501", -EACCES},
	{"08", -EBUSY},
	{"28", -EACCES},
	{"40", -EBUSY}, /* deadlock, serialization */
	{"53", -EBUSY}, /* memory, connections */
	{"55", -EBUSY}, /* locks */
	{"57", -EBUSY}, /* shutting down, starting */
	{"58", -EIO},
	{"XX001", -EBADMSG},
	{"XX002", -EBADMSG},
};

void pg_result_done(PGresult **res)
{
	PQclear(*res);
}

/* libpq's sentences are lines. */
static int first_line(const char *text)
{
	return (int)strcspn(text, "\n");
}

int pg_error(PGconn *pq, const PGresult *res, const char *name, const char *doing, struct error *err)
{
	const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
	const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	int result = PQstatus(pq) == CONNECTION_OK && state ? -EPROTO : -EBUSY;
	for (size_t i = 0; state && i < ARRAY_LEN(error_codes); i++) {
		if (strncmp(state, error_codes[i].state, strlen(error_codes[i].state)) == 0) {
			result = error_codes[i].error;
			break;
		}
	}
	if (!text)
		text = PQerrorMessage(pq);
	if (!*text)
		text = "no answer";
	return error_set(err, result, "postgresql store %s: %s: %.*s%s", name, doing, first_line(text), text,
		result == -ENOSPC ? "; free some space or shorten the retention" : "");
}

int pg_run(PGconn *pq, const char *name, const char *sql, const char *doing, struct error *err)
{
	if (!sql)
		return pg_no_memory(name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(pq, sql);
	ExecStatusType status = PQresultStatus(res);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : pg_error(pq, res, name, doing, err);
}

int pg_number(PGconn *pq, const char *name, const char *sql, const char *doing, int64_t *ret, struct error *err)
{
	if (!sql)
		return pg_no_memory(name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(pq, sql);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(pq, res, name, doing, err);
	if (PQntuples(res) && !PQgetisnull(res, 0, 0))
		*ret = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
	return 0;
}

/* ---- connecting ---- */

/* A value of the URL, or what libpq takes otherwise. */
static const char *option_of(const PQconninfoOption *options, const char *key, const char *otherwise)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, key) == 0 && options->val && *options->val)
			return options->val;
	return otherwise;
}

int pg_name(const char *url, char ret[static PG_NAME_MAX], struct error *err)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	if (!options) /* libpq's message might quote a password */
		return error_set(err, -EINVAL, "the store's url cannot be read, or has a parameter that libpq does not know; write"
			" postgresql://USER@HOST:PORT/DATABASE");
	PQconninfoOption *defaults = PQconndefaults(); /* of the environment */
	const char *user = option_of(options, "user", ""), *service = option_of(options, "service", "");
	const char *host = option_of(options, "host", *service ? "" : option_of(defaults, "host", "local"));
	const char *database = option_of(options, "dbname", *service ? "" : option_of(defaults, "dbname", user));
	bool v6 = strchr(host, ':') && !strchr(host, ',');
	if (*host)
		(void)snprintf(ret, PG_NAME_MAX, "%.60s%s%s%.80s%s:%.10s/%.60s", user, *user ? "@" : "", v6 ? "[" : "", host, v6 ? "]" : "",
			option_of(options, "port", option_of(defaults, "port", "5432")), database);
	else
		(void)snprintf(ret, PG_NAME_MAX, "%.60s%sservice %.80s/%.60s", user, *user ? "@" : "", service, database);
	PQconninfoFree(options);
	PQconninfoFree(defaults);
	return 0;
}

/* What the URL says goes over what stands before it; what stands behind it is not for the URL to say. A
 * server that does not answer is given up after half a minute. */
static const char *const keywords[] = {"connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
	"tcp_user_timeout", "fallback_application_name", "dbname", "client_encoding", NULL};

/* Whatever the role or the database has for others: statements mean and read the same, and a merge may take its time. A peer
 * that is gone does not hold its locks for long; where ip4r is, it is found. */
static const char session[] =
	"SET statement_timeout = 0; SET standard_conforming_strings = on; SET default_transaction_isolation = 'read committed';"
	"SET synchronous_commit = on; SET jit = off; SET lock_timeout = '60s'; SET client_min_messages = warning;"
	"SET idle_in_transaction_session_timeout = '2min'; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
	"SET tcp_keepalives_count = 3;"
	"SELECT set_config('search_path', 'whereto, public' || coalesce((SELECT ', ' || quote_ident(n.nspname)"
	" FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'ip4r'), ''), false)";

/* libpq does not tell the SQLSTATE of a connection that was refused; in another language than English these end a start. */
static bool is_crowded(const char *text)
{
	return strstr(text, "too many clients") || strstr(text, "too many connections") || strstr(text, "connection slots");
}

/* By a server that is well: of one that let the time run out nothing more is asked. */
static bool is_refusal(const char *const values[], const char *text, uint64_t start_ns)
{
	if (is_crowded(text) || clock_mono_ns() - start_ns >= CONNECT_S * NS_PER_S)
		return false;
	return PQpingParams(keywords, values, 1) == PQPING_OK;
}

int pg_connect(const char *url, const char *name, const atomic_bool *give_up, PGconn **ret, struct error *err)
{
	const char *values[] = {"10", "10", "5", "3", "30000", "whereto", url, "UTF8", NULL};
	if (give_up && atomic_load(give_up))
		return error_set(err, -EBUSY, "postgresql store %s: not connected, as it is not wanted any more", name);
	uint64_t start_ns = clock_mono_ns();
	PGconn *pq = PQconnectdbParams(keywords, values, 1);
	int r = 0;
	if (!pq)
		return pg_no_memory(name, err);
	if (PQstatus(pq) != CONNECTION_OK) {
		const char *text = PQerrorMessage(pq);
		r = error_set(err, is_refusal(values, text, start_ns) ? -EACCES : -EBUSY, "postgresql store %s: connecting: %.*s", name,
			first_line(text), text);
	}
	if (r == 0 && pg_watch(pq, give_up) < 0)
		r = pg_no_memory(name, err);
	if (r == 0)
		r = pg_run(pq, name, session, "connecting", err);
	if (r < 0) {
		PQfinish(pq);
		return r;
	}
	*ret = pq;
	return 0;
}

/* ---- the writer's side ---- */

void postgres_writer_give_up(struct postgres_store *s)
{
	struct error ignored;
	if (!s->pq || (!s->in_doubt && PQstatus(s->pq) == CONNECTION_OK &&
			      pg_run(s->pq, s->name, "ROLLBACK", "rolling back", &ignored) == 0))
		return;
	PQfinish(s->pq);
	s->pq = NULL;
	s->in_doubt = false;
}

/* Also after the server's tables went away under it (a restored backup): they are looked at each time. */
static int connect_writer(struct postgres_store *s, struct error *err)
{
	PGconn *pq;
	int r = pg_connect(s->url, s->name, s->give_up, &pq, err);
	if (r < 0)
		return r;
	r = s->read_only ? pg_run(pq, s->name, "SET default_transaction_read_only = on", "connecting", err)
			 : pg_migrate(pq, s->name, err);
	if (r == 0 && !s->read_only) /* ip4r may have come just now */
		r = pg_run(pq, s->name, session, "connecting", err);
	if (r == 0 && !s->read_only)
		r = pg_make_stages(pq, s->name, err);
	if (r < 0) {
		PQfinish(pq);
		return r;
	}
	s->pq = pq;
	pg_forget_ids(s);
	return 0;
}

int postgres_writer_begin(struct postgres_store *s, const char *begin, struct error *err)
{
	if (s->pq && pg_run(s->pq, s->name, begin, "beginning", err) == 0)
		return 0;
	PQfinish(s->pq);
	s->pq = NULL;
	int r = connect_writer(s, err);
	return r < 0 ? r : pg_run(s->pq, s->name, begin, "beginning", err);
}

static void postgres_close(struct store *store)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	if (!store)
		return;
	PQfinish(s->pq);
	pg_parts_done(&s->parts);
	groups_done(&s->scratch[0]);
	groups_done(&s->scratch[1]);
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		value_ids_done(&s->ids[dict]);
	groups_done(&s->marks);
	kept_cache_free(s->cache);
	free(s->url);
	free(s);
}

static int postgres_open(const struct store_config *config, struct store **ret, struct error *err)
{
	struct postgres_store *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "postgresql store: out of memory");
	s->base.ops = &postgres_ops;
	s->give_up = config->give_up;
	s->read_only = config->read_only;
	memcpy(s->retention_s, config->retention_s, sizeof(s->retention_s));
	s->share_rows = config->share_rows ? config->share_rows : SHARE_ROWS;
	groups_init(&s->scratch[0], 0, 0, INDEX_NONE - 1);
	groups_init(&s->scratch[1], 0, 0, INDEX_NONE - 1);
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		value_ids_init(&s->ids[dict]);
	groups_init(&s->marks, 2, 0, INDEX_NONE - 1);
	int r = pg_name(config->url, s->name, err);
	s->url = strdup(config->url);
	if (r == 0 && (!s->url || kept_cache_new(KEPT_CACHE_BYTES, &s->cache) < 0))
		r = pg_no_memory(s->name, err);
	if (r == 0)
		r = connect_writer(s, err);
	if (r < 0) {
		postgres_close(&s->base);
		return r;
	}
	*ret = &s->base;
	return 0;
}

/* ---- a reader ---- */

static void postgres_reader_close(struct store_reader *base)
{
	struct postgres_reader *r = CONTAINER_OF(base, struct postgres_reader, base);
	if (!base)
		return;
	PQfinish(r->pq);
	kept_reader_done(&r->kept);
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		pg_values_done(&r->values[dict]);
	free(r);
}

static int postgres_reader_open(struct store *store, struct store_reader **ret, struct error *err)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	struct postgres_reader *r = calloc(1, sizeof(*r));
	if (!r)
		return pg_no_memory(s->name, err);
	r->base.ops = &postgres_ops;
	r->store = s;
	kept_reader_init(&r->kept, s->cache);
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		pg_values_init(&r->values[dict]);
	int result = pg_connect(s->url, s->name, NULL, &r->pq, err);
	if (result == 0) /* a copy may be long at the other store between two questions */
		result = pg_run(r->pq, s->name, "SET idle_in_transaction_session_timeout = 0", "connecting", err);
	if (result < 0) {
		postgres_reader_close(&r->base);
		return result;
	}
	*ret = &r->base;
	return 0;
}

static void postgres_kept(struct store *store, struct store_kept *ret)
{
	kept_cache_count(CONTAINER_OF(store, struct postgres_store, base)->cache, ret);
}

static const struct store_url_file url_files[] = {{"passfile", STORE_FILE_PASSWORDS}, {"sslkey", STORE_FILE_PLAIN},
	{"sslcert", STORE_FILE_PLAIN}, {"sslrootcert", STORE_FILE_PLAIN}, {"sslcrl", STORE_FILE_PLAIN}, {0}};

static int postgres_check_url(const char *url, struct error *err)
{
	char name[PG_NAME_MAX];
	return pg_name(url, name, err);
}

const struct store_ops postgres_ops = {
	.scheme = "postgresql",
	.url_files = url_files,
	.check_url = postgres_check_url,
	.snapshots = true,
	.via = true,
	.ddl = postgres_ddl,
	.look = postgres_look,
	.open = postgres_open,
	.write_batch = postgres_write_batch,
	.last_batch = postgres_last_batch,
	.collectors = postgres_collectors,
	.range = postgres_range,
	.maintain = postgres_maintain,
	.countries = postgres_countries,
	.kept = postgres_kept,
	.close = postgres_close,
	.reader_open = postgres_reader_open,
	.query = postgres_query,
	.changes = postgres_changes,
	.reader_close = postgres_reader_close,
};
