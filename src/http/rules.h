/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Who may ask, as the configuration says: the token, and the names that browsers may come by. They change at a reload while
 * requests look at them. Any thread may call. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

#define HTTP_DIGEST_BYTES 32 /* SHA-256 */

struct http_token {
	bool needed;
	uint8_t digest[HTTP_DIGEST_BYTES];
};

struct http_rules {
	pthread_mutex_t lock;
	struct http_token token;
	char **hosts; /* names beside localhost */
	size_t host_count;
};

/* No token is needed, no name is known. */
void http_rules_init(struct http_rules *r);
void http_rules_done(struct http_rules *r);
/* From now on. token NULL: none is needed. On error (an empty token, no memory) what was there stays. */
int http_rules_set(struct http_rules *r, const char *token, const char *const *hosts, size_t host_count, struct error *err) MUST_USE;

struct http_token http_rules_token(struct http_rules *r);
/* In any case of letters. */
bool http_rules_has_host(struct http_rules *r, const char *name);
