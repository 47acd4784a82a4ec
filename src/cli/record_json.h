/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A record as one JSON object, the form that `whereto send` reads:
 * {"time":"2026-11-23T10:00:00Z","client":"203.0.113.9","server":"192.0.2.10","type":"video",
 *  "bytes_sent":1048576,...,"rtt_us":[18250]}
 * client, server and at least one figure are needed; time defaults to now. Unknown members, wrong
 * types, negative and fractional figures are errors. */

#include <jansson.h>

#include "wire/record.h"

/* type_buf holds the type's bytes, which ret->type views. err says what is wrong, without the line. */
int record_json_parse(const char *line, size_t len, uint64_t now_ms, char type_buf[static RECORD_TYPE_MAX],
	struct record *ret, struct error *err) MUST_USE;
/* The other way; figures that are 0 are left out. NULL when memory is out. */
json_t *record_json_make(const struct record *rec) MUST_USE;
