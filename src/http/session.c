/* SPDX-License-Identifier: BSD-2-Clause */

/* A browser's way in: it shows the token once, as a bearer token, and gets a cookie that its scripts cannot read and
 * that no other site can make it send. No body is read, nothing is kept. */

#include <string.h>

#include "base/clock.h"
#include "http/call.h"

static void set_cookie(struct http_call *call, const char *value, unsigned seconds)
{
	char name[HTTP_COOKIE_NAME_MAX];
	(void)snprintf(call->text, sizeof(call->text), "%s=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Strict%s",
		http_access_cookie_name(call->listener, name), value, seconds, call->server->has_tls ? "; Secure" : "");
	http_reply_header(call, "Set-Cookie", call->text);
}

static void begin(struct http_call *call)
{
	char value[HTTP_COOKIE_VALUE_MAX];
	struct http_token token = http_rules_token(&call->server->rules);
	if (!token.needed) {
		http_reply_json(call, 200, json_pack("{s:b, s:b}", "token_needed", 0, "authorized", 1));
	} else if (!http_access_token(call)) {
		http_access_refuse(call, "the token is missing or wrong: Authorization: Bearer TOKEN");
	} else if (http_access_cookie_make(&token, clock_wall_ms() / 1000, value) < 0) {
		http_reply_error(call, 500, "no cookie could be made");
	} else {
		http_reply_json(call, 200, json_pack("{s:b, s:b}", "token_needed", 1, "authorized", 1));
		set_cookie(call, value, HTTP_SESSION_SECONDS);
	}
}

static void end(struct http_call *call)
{
	bool needed = http_rules_token(&call->server->rules).needed;
	http_reply_json(call, 200, json_pack("{s:b, s:b}", "token_needed", needed, "authorized", !needed));
	set_cookie(call, "", 0);
}

void http_session(struct http_call *call)
{
	if (call->method == HTTP_POST)
		begin(call);
	else if (call->method == HTTP_DELETE)
		end(call);
	else
		http_reply_json(call, 200, json_pack("{s:b, s:b}", "token_needed", http_rules_token(&call->server->rules).needed,
			"authorized", http_access_authorized(call)));
}
