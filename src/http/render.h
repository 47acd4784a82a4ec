/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Rows as JSON and CSV, the same for every endpoint. What is not known is null, or an empty cell. */

#include "http/http.h"
#include "query/query.h"

struct render {
	const enum dimension *by;
	size_t by_count;
	int sort;                     /* as in struct query: what share is of */
	const struct measures *total;
	const struct http_backend *backend; /* for names of ASes; NULL: none */
};

/* A row, or with row->values NULL just its measures (total, other). A new object; NULL when memory is
 * out. */
json_t *render_json(const struct render *r, const struct query_row *row);
/* The same as text. -ENOMEM. */
int render_json_write(const struct render *r, const struct query_row *row, FILE *out) MUST_USE;

/* One value alone. A new reference; NULL when memory is out. */
json_t *render_value(enum dimension dim, const struct dim_value *v);
/* Writes an object without blanks and lets it go. NULL (memory was out when it was made) and failures are
 * -ENOMEM. */
int render_object_write(json_t *take_obj, FILE *out) MUST_USE;
/* A cell of CSV, without the comma. */
int render_csv_value(enum dimension dim, const struct dim_value *v, FILE *out) MUST_USE;
/* A cell, quoted where it has to be. */
void render_csv_cell(const char *p, size_t len, FILE *out);

/* The header line and a row (RFC 4180). Errors are those of the stream, and -ENOMEM. */
void render_csv_header(const struct render *r, FILE *out);
int render_csv(const struct render *r, const struct query_row *row, FILE *out) MUST_USE;
