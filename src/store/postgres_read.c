/* SPDX-License-Identifier: BSD-2-Clause */

/* A reader's statement: rows come one by one, in binary, so an answer takes no memory here however long it
 * is. The deadline is kept twice: the server gives up by its statement_timeout, and a server that does not
 * answer at all is left by closing the connection (so nothing here waits in libpq). A caller who has seen
 * enough cancels. */

#include "store/postgres.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/deadline.h"

#define GRACE_MS     2000 /* for the server to say itself that it took too long */
#define CANCELS_MAX  16   /* under way */
#define ROWS_A_CLOCK 1024
#define WATCH_MS     50   /* between looks whether somebody still waits */
#define SLACK_MS     100  /* that the server may give up later, which saves telling it the time before each statement */

/* ---- values ---- */

int pg_param(struct pg_params *p, struct view v)
{
	if (p->count == PG_PARAMS_MAX)
		return 0;
	p->values[p->count] = v.len ? (const char *)v.data : "";
	p->lengths[p->count] = (int)v.len;
	return ++p->count;
}

struct view pg_column_view(const PGresult *res, int column)
{
	return (struct view){(const uint8_t *)PQgetvalue(res, 0, column), (size_t)PQgetlength(res, 0, column)};
}

uint64_t pg_column_number(const PGresult *res, int column)
{
	struct rd r = rd_view(pg_column_view(res, column));
	switch (rd_left(&r)) {
	case 8:
		return rd_u64(&r);
	case 4:
		return rd_u32(&r);
	case 2:
		return rd_u16(&r);
	default:
		return 0;
	}
}

int pg_column_value(const PGresult *res, int column, enum dimension dim, struct dim_value *ret)
{
	char text[PREFIX_TEXT_MAX];
	*ret = (struct dim_value){.known = !pg_column_null(res, column)};
	if (!ret->known)
		return 0;
	if (kind_is_number(dimension_table[dim].kind)) {
		ret->number = pg_column_number(res, column);
		/* "none" is a match like the others; of everything else 0 says unknown. */
		ret->known = ret->number || dim == DIM_match;
		return 0;
	}
	ret->bytes = pg_column_view(res, column);
	if (dimension_table[dim].kind != KIND_PREFIX)
		return 0;
	if (ret->bytes.len >= sizeof(text))
		return -EBADMSG;
	memcpy(text, ret->bytes.data, ret->bytes.len);
	text[ret->bytes.len] = 0;
	return prefix_parse(text, &ret->prefix, NULL) < 0 ? -EBADMSG : 0;
}

void pg_value_join(struct sql *s, const char *column, enum dimension dim)
{
	enum pg_dict dict = pg_dict_of(dim);
	if (dict < PG_DICT_COUNT)
		sql_add(s, " LEFT JOIN %s d_%s ON d_%s.id = t.%s", pg_dicts[dict].table, column, column, column);
}

void pg_value_expression(struct sql *s, const char *column, enum dimension dim)
{
	enum pg_dict dict = pg_dict_of(dim);
	if (dict < PG_DICT_COUNT)
		sql_add(s, "d_%s.%s", column, pg_dicts[dict].read);
	else
		sql_add(s, "t.%s", column);
}

/* ---- running ---- */

static bool past(uint64_t deadline_ns)
{
	return deadline_past(deadline_ns);
}

/* Until the server has said the next thing. watch: -ECANCELED when nobody waits for it any more. */
static int wait_for_result(PGconn *pq, uint64_t deadline_ns, bool watch)
{
	while (PQisBusy(pq)) {
		int timeout_ms = watch ? WATCH_MS : -1;
		if (watch && deadline_past(0))
			return -ECANCELED;
		if (deadline_ns) {
			uint64_t end = deadline_ns + GRACE_MS * NS_PER_MS, now = clock_mono_ns();
			if (now >= end)
				return -ETIMEDOUT;
			uint64_t left_ms = (end - now) / NS_PER_MS + 1;
			uint64_t most_ms = watch ? WATCH_MS : 3600000;
			timeout_ms = (int)(left_ms > most_ms ? most_ms : left_ms);
		}
		struct pollfd fd = {.fd = PQsocket(pq), .events = POLLIN};
		int n = poll(&fd, 1, timeout_ms);
		if (n > 0 && !PQconsumeInput(pq))
			return 0; /* broken: the next result says so */
	}
	return 0;
}

static void give_up(struct postgres_reader *r)
{
	PQfinish(r->pq);
	r->pq = NULL;
	r->in_snapshot = false;
}

/* Takes what is still to come of a statement, up to an end of its own. */
static void drain(struct postgres_reader *r)
{
	uint64_t deadline_ns = clock_mono_ns();
	for (;;) {
		if (wait_for_result(r->pq, deadline_ns, false) < 0) {
			give_up(r);
			return;
		}
		PGresult *res = PQgetResult(r->pq);
		if (!res)
			return;
		PQclear(res);
	}
}

static atomic_int cancels;

static void *send_cancel(void *handle)
{
	char why[256];
	(void)PQcancel(handle, why, sizeof(why));
	PQfreeCancel(handle);
	atomic_fetch_sub(&cancels, 1);
	return NULL;
}

static bool start_cancel(PGconn *pq, pthread_t *ret)
{
	PGcancel *handle = atomic_fetch_add(&cancels, 1) < CANCELS_MAX ? PQgetCancel(pq) : NULL;
	if (handle && pthread_create(ret, NULL, send_cancel, handle) == 0)
		return true;
	PQfreeCancel(handle);
	atomic_fetch_sub(&cancels, 1);
	return false;
}

/* Of a statement that nobody wants any more. By a thread, for libpq waits until the server has closed the connection that it makes for
 * this, and one that hangs never does. What comes too late would end another statement. */
static void cancel(struct postgres_reader *r)
{
	pthread_t thread;
	struct timespec end;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += GRACE_MS / 1000;
	if (!start_cancel(r->pq, &thread)) {
		give_up(r);
	} else if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &end) != 0) {
		(void)pthread_detach(thread);
		give_up(r);
	} else {
		drain(r);
	}
}

static int run_statement(struct postgres_reader *r, const char *sql, uint64_t deadline_ns, bool watch, struct error *err)
{
	if (!sql)
		return pg_no_memory(r->store->name, err);
	if (!PQsendQuery(r->pq, sql))
		return pg_error(r->pq, NULL, r->store->name, "reading", err);
	if (wait_for_result(r->pq, deadline_ns, watch) < 0) {
		give_up(r);
		return kept_too_late(err);
	}
	CLEANUP(pg_result_done) PGresult *res = PQgetResult(r->pq);
	int result = PQresultStatus(res) == PGRES_COMMAND_OK ? 0 : pg_error(r->pq, res, r->store->name, "reading", err);
	drain(r);
	return result;
}

int pg_reader_run(struct postgres_reader *r, const char *sql, uint64_t deadline_ns, struct error *err)
{
	return run_statement(r, sql, deadline_ns, true, err);
}

static int read_rows(struct postgres_reader *r, uint64_t deadline_ns, pg_row_fn *fn, void *ctx, struct error *err)
{
	for (unsigned rows = 0;; rows++) {
		int waited = wait_for_result(r->pq, deadline_ns, true);
		if (waited < 0) {
			(waited == -ECANCELED ? cancel : give_up)(r);
			return kept_too_late(err);
		}
		CLEANUP(pg_result_done) PGresult *res = PQgetResult(r->pq);
		if (!res)
			return 0;
		ExecStatusType status = PQresultStatus(res);
		if (status == PGRES_TUPLES_OK)
			continue; /* the end; NULL comes next */
		int result;
		if (status != PGRES_SINGLE_TUPLE) {
			result = pg_error(r->pq, res, r->store->name, "reading", err);
			drain(r); /* the statement is over */
			return result == -ETIMEDOUT ? kept_too_late(err) : result;
		} else if (rows % ROWS_A_CLOCK == 0 && past(deadline_ns)) {
			result = kept_too_late(err);
		} else {
			result = fn(ctx, res, err);
		}
		if (result < 0) {
			cancel(r);
			return result;
		}
	}
}

static int set_timeout(struct postgres_reader *r, uint64_t deadline_ns, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	uint64_t now = clock_mono_ns(), left_ms = 0;
	if (deadline_ns) {
		if (now >= deadline_ns)
			return kept_too_late(err);
		left_ms = (deadline_ns - now) / NS_PER_MS + 1;
	}
	int64_t ms = left_ms > INT32_MAX ? 0 : (int64_t)left_ms;
	if (r->timeout_ms == ms || (ms && r->timeout_ms > ms && r->timeout_ms <= ms + SLACK_MS))
		return 0;
	sql_add(&sql, "SET LOCAL statement_timeout = %d", (int)ms);
	int result = pg_reader_run(r, sql_text(&sql), deadline_ns, err);
	r->timeout_ms = result == 0 ? ms : -1;
	return result;
}

int pg_select(struct postgres_reader *r, const struct sql *sql, const struct pg_params *params, uint64_t deadline_ns,
	pg_row_fn *fn, void *ctx, struct error *err)
{
	int formats[PG_PARAMS_MAX];
	Oid types[PG_PARAMS_MAX];
	const char *text = sql_text(sql);
	if (!text)
		return pg_no_memory(r->store->name, err);
	int result = set_timeout(r, deadline_ns, err);
	if (result < 0)
		return result;
	for (int i = 0; i < params->count; i++) {
		formats[i] = 1;
		types[i] = 17; /* bytea */
	}
	if (!PQsendQueryParams(r->pq, text, params->count, types, params->values, params->lengths, formats, 1))
		return pg_error(r->pq, NULL, r->store->name, "reading", err);
	(void)PQsetSingleRowMode(r->pq);
	return read_rows(r, deadline_ns, fn, ctx, err);
}

/* Compiling a statement over a month's partition takes longer than reading it; and the planner, who cannot see how many
 * groups there will be, plans for few, so they had better have room. */
static int begin(struct postgres_reader *r, uint64_t deadline_ns, struct error *err)
{
	r->timeout_ms = -1;
	return pg_reader_run(r, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'",
		deadline_ns, err);
}

int pg_reader_begin(struct postgres_reader *r, uint64_t deadline_ns, struct error *err)
{
	if (r->in_snapshot)
		return 0;
	if (past(deadline_ns))
		return kept_too_late(err);
	int result = r->pq ? begin(r, deadline_ns, err) : -EBUSY;
	if (result < 0 && result != -ETIMEDOUT) {
		give_up(r);
		for (int dict = 0; dict < PG_DICT_COUNT; dict++)
			pg_values_clear(&r->values[dict]);
		result = pg_connect(r->store->url, r->store->name, NULL, &r->pq, err);
		if (result == 0)
			result = begin(r, deadline_ns, err);
	}
	r->in_snapshot = result == 0;
	return result;
}

void pg_reader_end(struct postgres_reader *r)
{
	struct error ignored;
	if (r->in_snapshot && run_statement(r, "ROLLBACK", clock_mono_ns(), false, &ignored) < 0)
		give_up(r);
	r->in_snapshot = false;
}
