/* SPDX-License-Identifier: BSD-2-Clause */

/* What the data plane gives out comes as JSON. As CSV its rows are walked by a list of columns, so that a table has
 * the same ones whatever stands in it. */

#include "http/table.h"

#include <stdlib.h>
#include <string.h>

#include "http/render.h"
#include "route/path.h"

#define HOPS_MAX 64

void table_csv_header(const char *const *columns, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		(void)fprintf(out, "%s%s", i ? "," : "", columns[i]);
	(void)fputs("\r\n", out);
}

static const json_t *member(const json_t *row, const char *column)
{
	const char *dot = strchr(column, '.');
	char first[32];
	if (!dot)
		return json_object_get(row, column);
	(void)snprintf(first, sizeof(first), "%.*s", (int)(dot - column), column);
	return json_object_get(json_object_get(row, first), dot + 1);
}

void table_csv_row(const json_t *row, const char *const *columns, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *v = member(row, columns[i]);
		if (i)
			(void)fputc(',', out);
		if (json_is_string(v))
			render_csv_cell(json_string_value(v), json_string_length(v), out);
		else if (json_is_integer(v))
			(void)fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		else if (json_is_real(v))
			(void)fprintf(out, "%.17g", json_real_value(v));
		else if (json_is_boolean(v))
			(void)fputs(json_is_true(v) ? "true" : "false", out);
	}
	(void)fputs("\r\n", out);
}

bool table_format(struct http_call *call, bool *ret_csv)
{
	const char *value = http_param(&call->params, "format");
	*ret_csv = value ? strcmp(value, "csv") == 0 : call->accept_csv;
	if (!value || *ret_csv || strcmp(value, "json") == 0)
		return true;
	http_reply_error(call, 400, "parameter 'format': '%.60s' is neither json nor csv", value);
	return false;
}

void table_reply(struct http_call *call, json_t *take_answer, bool csv, const char *const *columns, size_t count)
{
	if (!csv || !take_answer) {
		http_reply_json(call, 200, take_answer);
		return;
	}
	FILE *out = http_reply_begin(call, 200, HTTP_TYPE_CSV);
	if (out) {
		size_t i;
		const json_t *row;
		table_csv_header(columns, count, out);
		json_array_foreach(json_object_get(take_answer, "rows"), i, row)
			table_csv_row(row, columns, count, out);
		http_reply_end(call, out);
	}
	json_decref(take_answer);
}

/* ---- names ---- */

static char *name_of(struct http_call *call, uint32_t as)
{
	struct dim_value v = {.known = true, .number = as};
	return render_name(&call->server->backend, DIM_origin, &v);
}

json_t *table_hops(struct http_call *call, const struct dim_value *path)
{
	uint32_t members[HOPS_MAX];
	if (!path->known)
		return json_null();
	size_t count = path_members(path->bytes, members, HOPS_MAX);
	json_t *list = json_array();
	for (size_t i = 0; i < count && i < HOPS_MAX; i++) {
		CLEANUP(free_p) char *name = name_of(call, members[i]);
		(void)json_array_append_new(list, json_pack("{s:I, s:s?}", "as", (json_int_t)members[i], "name", name));
	}
	return list;
}

static void add_name(struct http_call *call, json_t *row, const char *of, const char *key)
{
	const json_t *as = json_object_get(row, of);
	CLEANUP(free_p) char *name = json_is_integer(as) ? name_of(call, (uint32_t)json_integer_value(as)) : NULL;
	if (name)
		(void)json_object_set_new(row, key, json_string(name));
}

void table_add_names(struct http_call *call, json_t *row, bool hops)
{
	add_name(call, row, "origin", "origin_name");
	add_name(call, row, "neighbour", "neighbour_name");
	const char *text = json_string_value(json_object_get(row, "path"));
	if (!hops)
		return;
	CLEANUP(free_p) uint8_t *bytes = malloc(PATH_BYTES_MAX);
	int n = text && bytes ? path_parse(text, bytes, PATH_BYTES_MAX) : -1;
	struct dim_value path = {.known = n >= 0, .bytes = {bytes, n < 0 ? 0 : (size_t)n}};
	(void)json_object_set_new(row, "hops", table_hops(call, &path));
}
