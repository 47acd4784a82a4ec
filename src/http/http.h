/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The HTTP side: the dashboard, /api/v1/..., /healthz, /metrics (endpoints.def). libmicrohttpd has the connections, on a thread a
 * listener; a few threads of our own answer what asks the store or the data plane. What only the data plane
 * knows comes through the backend: its functions are called on those threads and must be safe there. */

#include <jansson.h>
#include <stdio.h>

#include "query/query.h"

/* A listing of routers' tables. */
enum http_routes_select {
	ROUTES_EXACT,   /* the prefix itself */
	ROUTES_LONGER,  /* it and all more specific ones */
	ROUTES_SHORTER, /* it and all less specific ones */
};
struct http_routes_question {
	struct prefix prefix;  /* its address of no family: all */
	enum http_routes_select select;
	const char *router;    /* NULL: all */
	struct filter *filter; /* of what a route has: router, prefix, origin, neighbour, via, path, match */
	uint32_t limit;
};
/* Where a listing is, between two pieces. at: the last prefix that was looked at, or behind which to begin;
 * its address of no family: none. */
struct http_routes_cursor {
	struct prefix at;
	uint32_t rows; /* given so far */
	bool ended;
	bool cut;      /* ended because of the limit: there may be more behind `at` */
};

struct http_backend {
	void *ctx;

	/* Brings the store up to what was acknowledged when the call began, as far as that is cheap.
	 * Called before a query. */
	void (*settle)(void *ctx);
	/* Each returns a new object, or NULL when memory is out or the collector is stopping. */
	json_t *(*senders)(void *ctx);
	json_t *(*routers)(void *ctx);
	/* router NULL: every router's answer. -ENOENT (no such router) sets err. */
	int (*lookup)(void *ctx, const struct addr *addr, const char *router, json_t **ret, struct error *err);
	/* The next rows of a listing, a few at a time until cursor->ended; those of one prefix come together.
	 * -ENOENT (no such router). */
	int (*routes)(void *ctx, const struct http_routes_question *q, struct http_routes_cursor *cursor, json_t **ret_rows,
		struct error *err);
	/* The collector's own metrics in the OpenMetrics text format, without the final # EOF. */
	void (*metrics)(void *ctx, FILE *out);
	/* NULL when healthy, else a sentence that says what is wrong (static text). */
	const char *(*health)(void *ctx);
	/* A copy of the name, the caller's to free; NULL when unknown. */
	char *(*as_name)(void *ctx, uint32_t asn);

	const char *name, *notice; /* of this collector; a sentence for people, or NULL. Copied by http_new. */
	struct store *store;
	uint64_t retention_s[LEVEL_COUNT];
};

struct hostport {
	struct addr addr;
	uint16_t port;
};

struct http_server;

struct http_config {
	const struct hostport *listen; /* port 0: chosen by the kernel */
	size_t listen_count;
	const char *token;            /* NULL: none is asked for */
	const char *certificate, *key; /* PEM: TLS; NULL: none */
	const char *const *hosts;     /* names that browsers may come by beside localhost, when no token is asked for */
	size_t host_count;
	unsigned threads;             /* that ask the store */
};

/* Listens on every address and serves until http_free. Keeps nothing of the configuration. */
int http_new(const struct http_config *config, const struct http_backend *backend, struct http_server **ret,
	struct error *err) MUST_USE;
void http_free(struct http_server *s);
/* Another token and other names (config->token, ->hosts, ->host_count) from now on. Cookies for another token are void. */
int http_reconfigure(struct http_server *s, const struct http_config *config, struct error *err) MUST_USE;
/* Serves another certificate from now on; connections that are open keep theirs. On error the old one stays. */
int http_renew(struct http_server *s, const char *certificate, const char *key, struct error *err) MUST_USE;

/* The address really bound for the i-th listener. */
struct hostport http_bound(const struct http_server *s, size_t i);
