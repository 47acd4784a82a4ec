/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Rows that come as JSON objects, as CSV; and names of ASes put into rows of routes. */

#include <jansson.h>
#include <stdio.h>

#include "http/call.h"

/* A column's name is its member's, or "rejected.past" of a member's member. The line ends are written, too. */
void table_csv_header(const char *const *columns, size_t count, FILE *out);
void table_csv_row(const json_t *row, const char *const *columns, size_t count, FILE *out);
/* The parameter `format`, or what the client accepts. False: the reply says why not. */
bool table_format(struct http_call *call, bool *ret_csv) MUST_USE;
/* The whole answer: answer["rows"] as CSV, or the answer as it is. Takes it; NULL gives a 503. */
void table_reply(struct http_call *call, json_t *take_answer, bool csv, const char *const *columns, size_t count);

/* Adds origin_name and neighbour_name to a row where they are known, and with hops, the path's ASes each with its name. */
void table_add_names(struct http_call *call, json_t *row, bool hops);
/* The ASes of a path, each once, 64 at most: [{"as":…,"name":…}]; null when it is unknown. */
json_t *table_hops(struct http_call *call, const struct dim_value *path);

#define ROUTE_COLUMNS                                                                                         \
	"router", "prefix", "path", "origin", "neighbour", "next_hop", "communities", "ext_communities",          \
		"large_communities", "med", "local_pref", "origin_code", "atomic_aggregate", "aggregator", "originator_id", \
		"source", "peer", "match", "age_s"
