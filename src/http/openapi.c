/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/call.h"

/* openapi.json, which the build puts in. */
extern const char http_openapi_json[];
extern const size_t http_openapi_json_len;

void http_openapi(struct http_call *call)
{
	FILE *out = http_reply_begin(call, 200, HTTP_TYPE_JSON);
	if (!out)
		return;
	(void)fwrite(http_openapi_json, 1, http_openapi_json_len, out);
	http_reply_end(call, out);
}
