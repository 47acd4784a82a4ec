/* SPDX-License-Identifier: BSD-2-Clause */

/* What somebody who types a filter may mean: values with traffic in the range, those with the most first, whose text begins
 * with what was typed, or whose name has a word that does ("exam" finds AS 64511 Example Net). What is typed whole comes
 * first: 174 before 1745. The store is asked for one measure only, of the smallest cube that has the dimension. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/rows.h"

/* Worse than the ones before it. */
enum fit { FIT_WHOLE, FIT_BEGIN, FIT_NAME, FIT_NONE };

struct completing {
	struct http_call *call;
	const struct http_question *q;
	enum dimension dim;
	const char *typed; /* of an AS number without the AS */
	size_t typed_len;
	FILE *out;
	uint32_t count;
	bool more;
};

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || (c & 0x80);
}

/* Whether a word of the name begins so, any case. */
static bool name_fits(const char *name, const char *typed, size_t len)
{
	for (const char *p = name; *p; p++)
		if ((p == name || !word_char(p[-1])) && strncasecmp(p, typed, len) == 0)
			return true;
	return false;
}

static enum fit fit_of(const struct completing *c, const char *text, const char *name)
{
	if (strncasecmp(text, c->typed, c->typed_len) == 0)
		return text[c->typed_len] ? FIT_BEGIN : FIT_WHOLE;
	return name && name_fits(name, c->q->typed, strlen(c->q->typed)) ? FIT_NAME : FIT_NONE;
}

/* `origin:64511`, to be put into a filter. To be freed. */
static char *term_of(enum dimension dim, const struct dim_value *v)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	(void)fprintf(out, "%s:", dimension_table[dim].name);
	bool ok = filter_write_value(dim, v, out);
	if (fclose(out) == 0 && ok)
		return text;
	free(text);
	return NULL;
}

static json_t *string_or_null(const char *text)
{
	json_t *s = text ? json_string(text) : NULL;
	return s ? s : json_null();
}

static int write_one(struct completing *c, const struct query_row *row, const char *name)
{
	CLEANUP(free_p) char *term = term_of(c->dim, &row->values[0]);
	unsigned long long bytes = row->m.v[MEASURE_bytes_sent];
	if (!c->q->csv) {
		if (c->count)
			(void)fputc(',', c->out);
		return render_object_write(json_pack("{s:o, s:o, s:o, s:I}", "value", render_value(c->dim, &row->values[0]), "name",
			string_or_null(name), "term", string_or_null(term), "bytes_sent", (json_int_t)bytes), c->out);
	}
	int rc = render_csv_value(c->dim, &row->values[0], c->out);
	(void)fputc(',', c->out);
	render_csv_cell(name, name ? strlen(name) : 0, c->out);
	(void)fputc(',', c->out);
	render_csv_cell(term, term ? strlen(term) : 0, c->out);
	(void)fprintf(c->out, ",%llu\r\n", bytes);
	return rc;
}

/* The values that fit so well, in their order, up to the limit. */
static int write_fitting(struct completing *c, const struct query_result *result, const uint8_t *fits, enum fit fit)
{
	for (size_t i = 0; i < result->row_count; i++) {
		if (fits[i] != fit)
			continue;
		if (c->count == c->q->query.limit) {
			c->more = true;
			return 0;
		}
		CLEANUP(free_p) char *name = render_name(&c->call->server->backend, c->dim, &result->rows[i].values[0]);
		int rc = write_one(c, &result->rows[i], name);
		if (rc < 0)
			return rc;
		c->count++;
	}
	return 0;
}

static int judge(const struct completing *c, const struct query_result *result, uint8_t *fits)
{
	for (size_t i = 0; i < result->row_count; i++) {
		const struct dim_value *v = &result->rows[i].values[0];
		fits[i] = FIT_NONE;
		if (!v->known)
			continue;
		CLEANUP(free_p) char *text = render_text(c->dim, v);
		if (!text)
			return -1;
		fits[i] = (uint8_t)fit_of(c, text, NULL);
		if (fits[i] == FIT_NONE) {
			CLEANUP(free_p) char *name = render_name(&c->call->server->backend, c->dim, v);
			fits[i] = (uint8_t)fit_of(c, text, name);
		}
	}
	return 0;
}

static int write_answer(struct completing *c, const struct query_result *result, const uint8_t *fits)
{
	int rc = 0;
	if (c->q->csv) {
		(void)fputs("value,name,term,bytes_sent\r\n", c->out);
	} else {
		http_rows_write_range(result->from_s, result->to_s, c->out);
		(void)fprintf(c->out, ",\"dim\":\"%s\",\"rows\":[", dimension_table[c->dim].name);
	}
	for (int fit = FIT_WHOLE; fit < FIT_NONE && rc == 0; fit++)
		rc = write_fitting(c, result, fits, (enum fit)fit);
	if (!c->q->csv)
		(void)fprintf(c->out, "],\"more\":%s}", c->more ? "true" : "false");
	return rc;
}

static void answer(struct completing *c, const struct query_result *result)
{
	CLEANUP(free_p) uint8_t *fits = malloc(result->row_count + 1);
	if (!fits || judge(c, result, fits) < 0) {
		http_reply_error(c->call, 500, "out of memory");
		return;
	}
	c->out = http_reply_begin(c->call, 200, c->q->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON);
	if (!c->out)
		return;
	int rc = write_answer(c, result, fits);
	http_reply_end(c->call, c->out);
	if (rc < 0)
		http_reply_error(c->call, 500, "out of memory");
}

void http_complete(struct http_call *call)
{
	struct http_question question;
	struct query_result result;
	if (!http_rows_question(call, QUESTION_COMPLETE, &question))
		return;
	struct completing c = {.call = call, .q = &question, .dim = question.query.by[0], .typed = question.typed};
	if (dimension_table[c.dim].kind == KIND_ASN && strncasecmp(c.typed, "as", 2) == 0 && isdigit((unsigned char)c.typed[2]))
		c.typed += 2;
	c.typed_len = strlen(c.typed);
	struct query all = question.query;
	all.limit = 0;
	if (http_ask_once(call, &all, &result)) {
		answer(&c, &result);
		query_result_done(&result);
	}
	question_done(&question);
}
