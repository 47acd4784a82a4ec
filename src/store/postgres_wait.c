/* SPDX-License-Identifier: BSD-2-Clause */

/* Waiting for a server, as PQexec does it, but not for ever: a server that has a statement and says nothing (its disk hangs, somebody holds
 * a lock, it is stopped) is left when the store is given up (store_config.give_up). The connection stands within something then, so that
 * the next statement fails, and whoever rolls back makes a new one.
 *
 * Readers have deadlines of their own (postgres_read.c). */

#include "store/postgres.h"

#include <libpq-events.h>
#include <poll.h>

#define WATCH_MS 50 /* between looks whether somebody still waits */

static int on_event(PGEventId id, void *info, void *ctx)
{
	(void)id;
	(void)info;
	(void)ctx;
	return 1;
}

/* NULL: as long as it takes. */
static const atomic_bool *give_up_of(const PGconn *pq)
{
	return PQinstanceData(pq, on_event);
}

int pg_watch(PGconn *pq, const atomic_bool *give_up)
{
	if (!give_up)
		return 0;
	bool ok = PQregisterEventProc(pq, on_event, "give up", NULL) && PQsetInstanceData(pq, on_event, (void *)give_up) &&
		PQsetnonblocking(pq, 1) == 0;
	return ok ? 0 : -ENOMEM;
}

/* 0: something came, or went; -ECANCELED; -EIO: broken, of which libpq tells. */
static int wait_once(PGconn *pq, bool to_send)
{
	const atomic_bool *give_up = give_up_of(pq);
	struct pollfd fd = {.fd = PQsocket(pq), .events = (short)(to_send ? POLLIN | POLLOUT : POLLIN)};
	if (give_up && atomic_load_explicit(give_up, memory_order_relaxed))
		return -ECANCELED;
	if (fd.fd < 0)
		return -EIO;
	int n = poll(&fd, 1, give_up ? WATCH_MS : -1);
	return n > 0 && fd.revents & ~POLLOUT && !PQconsumeInput(pq) ? -EIO : 0;
}

int pg_flush(PGconn *pq)
{
	int r = 0, left = 0;
	while (r == 0 && (left = PQflush(pq)) > 0)
		r = wait_once(pq, true);
	return left < 0 ? -EIO : r;
}

PGresult *pg_next_result(PGconn *pq)
{
	int r = pg_flush(pq);
	while (r == 0 && PQisBusy(pq))
		r = wait_once(pq, false);
	return r == -ECANCELED ? NULL : PQgetResult(pq);
}

/* The last of a string's statements, or the one that failed; one that wants data is not over. */
static PGresult *last_result(PGconn *pq)
{
	PGresult *last = NULL, *res;
	while ((res = pg_next_result(pq))) {
		PQclear(last);
		last = res;
		if (PQresultStatus(res) == PGRES_COPY_IN || PQstatus(pq) != CONNECTION_OK)
			return last;
	}
	if (PQtransactionStatus(pq) == PQTRANS_ACTIVE) { /* it is not over: given up */
		PQclear(last);
		last = NULL;
	}
	return last;
}

PGresult *pg_exec(PGconn *pq, const char *sql)
{
	return PQsendQuery(pq, sql) ? last_result(pq) : NULL;
}

PGresult *pg_exec_with(PGconn *pq, const char *sql, const char *value)
{
	return PQsendQueryParams(pq, sql, 1, NULL, &value, NULL, NULL, 0) ? last_result(pq) : NULL;
}
