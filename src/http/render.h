/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Rows as JSON and CSV, the same for every endpoint. What is not known is null, or an empty cell. */

#include "http/http.h"
#include "query/query.h"

/* The figures of a row by number: the measures that are shown, those computed from them, and whether the row
 * is approximate. */
#define RENDER_FIELDS_ALL UINT64_MAX

struct render {
	const enum dimension *by;
	size_t by_count;
	int sort;                     /* as in struct query: what share is of */
	const struct measures *total;
	const struct http_backend *backend; /* for names of ASes; NULL: none */
	uint64_t fields;              /* a mask of the figures; 0: all of them */
};

/* Names with commas between as a mask. -EINVAL. */
int render_fields_parse(const char *text, uint64_t *ret, struct error *err) MUST_USE;
#define RENDER_NAMES_MAX 440
/* The names of all figures, or of those that can be sorted by, for people: "bytes_sent, ...". Returns ret. */
const char *render_names(bool sortable, char ret[static RENDER_NAMES_MAX]);
/* A mask of the measures that these figures are made of; sort as in struct render. */
uint64_t render_measures(uint64_t fields, int sort);
/* The number of the next figure of the mask from i on; -1 behind the last. */
int render_next_field(uint64_t fields, int i);
const char *render_field_name(int field);
/* One figure alone: null, a number, true or false. A new reference; NULL when memory is out. */
json_t *render_field(const struct render *r, int field, const struct measures *m);
void render_csv_field(const struct render *r, int field, const struct measures *m, FILE *out);

/* A row, or with row->values NULL just its measures (total, other). A new object; NULL when memory is
 * out. */
json_t *render_json(const struct render *r, const struct query_row *row);
/* The same as text. -ENOMEM. */
int render_json_write(const struct render *r, const struct query_row *row, FILE *out) MUST_USE;

/* Only the row's dimensions, into an object. Not 0: memory is out. */
int render_json_dimensions(const struct render *r, const struct query_row *row, json_t *obj) MUST_USE;

/* One value alone. A new reference; NULL when memory is out. */
json_t *render_value(enum dimension dim, const struct dim_value *v);
/* The same as text, "" when unknown; and the value's name for people: of an AS, of a country. To be freed. NULL: memory is
 * out, or there is no name. */
char *render_text(enum dimension dim, const struct dim_value *v);
char *render_name(const struct http_backend *backend, enum dimension dim, const struct dim_value *v);
/* A text of any bytes, NULL: null; the name of a value; an AS by its number, 0: null; a moment, 0: null. New references;
 * NULL when memory is out. */
json_t *render_string(const char *text);
json_t *render_name_json(const struct http_backend *backend, enum dimension dim, const struct dim_value *v);
json_t *render_as(uint32_t as);
json_t *render_time(uint64_t ms);
/* `origin:64511`, to be put into a filter. To be freed. NULL: it cannot be written, or memory is out. */
char *render_term(enum dimension dim, const struct dim_value *v);
/* Writes an object without blanks and lets it go. NULL (memory was out when it was made) and failures are
 * -ENOMEM. */
int render_object_write(json_t *take_obj, FILE *out) MUST_USE;
/* A cell of CSV, without the comma. */
int render_csv_value(enum dimension dim, const struct dim_value *v, FILE *out) MUST_USE;
/* A cell, quoted where it has to be. */
void render_csv_cell(const char *p, size_t len, FILE *out);

/* The header line and a row (RFC 4180), without the end of the line: more columns may follow. Errors are those
 * of the stream, and -ENOMEM. prefix stands before the names of figures. */
void render_csv_dimensions_header(const struct render *r, FILE *out);
void render_csv_figures_header(const struct render *r, const char *prefix, FILE *out);
int render_csv_dimensions(const struct render *r, const struct query_row *row, FILE *out) MUST_USE;
void render_csv_figures(const struct render *r, const struct measures *m, FILE *out);
