/* SPDX-License-Identifier: BSD-2-Clause */

/* Who may ask what.
 *
 * With a token: who sends it (Authorization: Bearer), or a cookie that was given for it (session.c). A cookie is
 * "TIME.MAC": until when it is good, and an HMAC-SHA-256 of that under the token's digest, so that nothing is kept
 * here, and another token makes all of them void. It is no way back to the token.
 *
 * Without one only addresses of this machine are listened on, and whoever is on it may ask. What is on it is also a
 * browser, and a page from elsewhere in it: the name that page came by may have been pointed at 127.0.0.1 since (DNS
 * rebinding), and then its scripts could read answers. So a name in Host must be one that is ours. A number is always fine:
 * no page comes from there that we did not give.
 *
 * Other sites' pages can make a browser ask with the reader's cookie or from his machine, though not read the answer; modern
 * ones say so (Sec-Fetch-Site), and are refused, lest they make work. Following a link is allowed.
 *
 * Who guesses tokens is soon not listened to any more (strikes.h); a cookie is too long to be guessed and is looked at first.
 *
 * Secrets are compared in constant time, by digests of equal length. */

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/call.h"

#define MAC_BYTES 32

/* ---- the token and the cookie ---- */

static bool token_is_right(const struct http_token *right, const char *token)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	token += strspn(token, " ");
	if (!EVP_Digest(token, strlen(token), digest, NULL, EVP_sha256(), NULL))
		return false;
	return CRYPTO_memcmp(digest, right->digest, sizeof(right->digest)) == 0;
}

bool http_access_token(struct http_call *call)
{
	struct http_server *s = call->server;
	struct http_token right = http_rules_token(&s->rules);
	const char *token = strchr(call->authorization, ' ');
	if (!right.needed || !token || strncasecmp(call->authorization, "Bearer ", 7) != 0)
		return false;
	call->out = http_strikes_out(&s->strikes, &call->client, clock_mono_ns());
	if (call->out)
		return false;
	if (token_is_right(&right, token))
		return true;
	http_strikes_add(&s->strikes, &call->client, clock_mono_ns());
	return false;
}

void http_access_refuse(struct http_call *call, const char *text)
{
	if (call->out)
		http_reply_error(call, 429, "too many wrong tokens came from this address: none is looked at for a minute");
	else
		http_reply_error(call, 401, "%s", text);
}

const char *http_access_cookie_name(const struct http_listener *l, char buf[static HTTP_COOKIE_NAME_MAX])
{
	/* Browsers don't tell ports apart: two collectors on one machine have two names. */
	(void)snprintf(buf, HTTP_COOKIE_NAME_MAX, "whereto_%u", l->bound.port);
	return buf;
}

static int cookie_at(const struct http_token *token, uint64_t until_s, char ret[static HTTP_COOKIE_VALUE_MAX])
{
	char text[64];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;
	int n = snprintf(text, sizeof(text), "whereto session %" PRIu64, until_s);
	if (!HMAC(EVP_sha256(), token->digest, sizeof(token->digest), (const uint8_t *)text, (size_t)n, mac, &mac_len))
		return -EIO;
	n = snprintf(ret, HTTP_COOKIE_VALUE_MAX, "%" PRIu64 ".", until_s);
	for (unsigned i = 0; i < MAC_BYTES; i++)
		n += snprintf(ret + n, HTTP_COOKIE_VALUE_MAX - (size_t)n, "%02x", mac[i]);
	return 0;
}

int http_access_cookie_make(const struct http_token *token, uint64_t now_s, char ret[static HTTP_COOKIE_VALUE_MAX])
{
	return cookie_at(token, now_s + HTTP_SESSION_SECONDS, ret);
}

static bool cookie_is_good(const struct http_call *call, const struct http_token *token)
{
	char want[HTTP_COOKIE_VALUE_MAX];
	uint64_t until_s = strtoull(call->cookie, NULL, 10), now_s = clock_wall_ms() / 1000;
	if (until_s <= now_s || until_s > now_s + HTTP_SESSION_SECONDS)
		return false;
	if (cookie_at(token, until_s, want) < 0 || strlen(call->cookie) != strlen(want))
		return false;
	return CRYPTO_memcmp(call->cookie, want, strlen(want)) == 0;
}

bool http_access_authorized(struct http_call *call)
{
	struct http_token token = http_rules_token(&call->server->rules);
	return !token.needed || cookie_is_good(call, &token) || http_access_token(call);
}

/* ---- where the request comes from ---- */

/* The name or address in Host, without the port and brackets. False when it is too long to be one of ours. */
static bool host_name(const char *host, char *ret, size_t cap)
{
	size_t n = *host == '[' ? strcspn(++host, "]") : strcspn(host, ":");
	if (n >= cap)
		return false;
	memcpy(ret, host, n);
	ret[n] = '\0';
	if (n && ret[n - 1] == '.')
		ret[n - 1] = '\0';
	return true;
}

static bool host_is_ours(struct http_rules *rules, const char *host)
{
	static const char local[] = "localhost";
	char name[256];
	struct addr addr;
	if (!host_name(host, name, sizeof(name)))
		return false;
	size_t len = strlen(name), local_len = sizeof(local) - 1;
	if (!len || addr_parse(name, &addr) == 0)
		return true;
	if (len >= local_len && strcasecmp(name + len - local_len, local) == 0 &&
		(len == local_len || name[len - local_len - 1] == '.'))
		return true;
	return http_rules_has_host(rules, name);
}

bool http_access_check(struct http_call *call, const char *host, const char *fetch_site, const char *fetch_mode)
{
	struct http_rules *rules = &call->server->rules;
	if (!http_rules_token(rules).needed && !host_is_ours(rules, host)) {
		http_reply_error(call, 421, "'%.100s' is not a name of this collector: ask by address or localhost, or add it to"
			" http.hosts in its configuration", host);
		return false;
	}
	if (strcmp(fetch_site, "cross-site") == 0 && strcmp(fetch_mode, "navigate") != 0) {
		http_reply_error(call, 403, "pages of other sites may not ask");
		return false;
	}
	if (http_access_authorized(call))
		return true;
	http_access_refuse(call, "a token is needed: Authorization: Bearer TOKEN");
	return false;
}
