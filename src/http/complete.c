/* SPDX-License-Identifier: BSD-2-Clause */

/* What somebody who types a filter may mean: values with traffic in the range, those with the most first, whose text begins
 * with what was typed, or whose name has a word that does ("exam" finds AS 64511 Example Net). What is typed whole comes
 * first: 174 before 1745. The store is asked for one measure only, of the smallest cube that has the dimension.
 *
 * Which values there are does not depend on what was typed: they are made into a list of candidates, and when that
 * is long it is kept for a moment (cache.h), for the next letter. Without a dimension the values of all are looked at that
 * people know by a name or give one; their lists are kept, however short, so that a word that is typed asks the store once. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "http/rows.h"

#define KEPT_FROM    5000 /* candidates: fewer are made anew each time */
#define KEPT_NS      (30 * NS_PER_S)
#define TEXT_MAX     UINT16_MAX

/* ---- candidates: a header, then one after the other, the largest first ---- */

struct candidate {
	struct view text, name, term; /* name: empty when there is none */
	uint64_t bytes_sent;
};

struct candidates {
	char *data;
	size_t len;
};

static void write_text(const char *text, FILE *out)
{
	size_t len = text ? strlen(text) : 0;
	uint16_t n = (uint16_t)(len < TEXT_MAX ? len : TEXT_MAX);
	(void)fwrite(&n, sizeof(n), 1, out);
	(void)fwrite(text ? text : "", 1, n, out);
}

static void write_number(uint64_t n, FILE *out)
{
	(void)fwrite(&n, sizeof(n), 1, out);
}

/* Long paths are left out: nobody types them. */
static bool write_candidate(struct http_call *call, enum dimension dim, const struct query_row *row, FILE *out)
{
	const struct dim_value *v = &row->values[0];
	if (!v->known)
		return true;
	CLEANUP(free_p) char *text = render_text(dim, v), *term = render_term(dim, v);
	CLEANUP(free_p) char *name = render_name(&call->server->backend, dim, v);
	if (!text)
		return false;
	if (strlen(text) > TEXT_MAX || (term && strlen(term) > TEXT_MAX))
		return true;
	write_text(text, out);
	write_text(name, out);
	write_text(term, out);
	write_number(row->m.v[MEASURE_bytes_sent], out);
	return true;
}

static bool make_candidates(struct http_call *call, const struct query_result *result, enum dimension dim,
	struct candidates *ret)
{
	FILE *out = open_memstream(&ret->data, &ret->len);
	bool ok = out;
	if (ok) {
		write_number(result->from_s, out);
		write_number(result->to_s, out);
	}
	for (size_t i = 0; i < result->row_count && ok; i++)
		ok = write_candidate(call, dim, &result->rows[i], out);
	if (out && (fclose(out) != 0 || !ok))
		ok = false;
	if (!ok)
		http_reply_error(call, 500, "out of memory");
	return ok;
}

/* From the store; *ret_count tells how many there are. */
static bool ask_candidates(struct http_call *call, const struct http_question *q, enum dimension dim, struct candidates *ret,
	size_t *ret_count)
{
	struct query all = q->query;
	struct query_result result;
	all.by[0] = dim;
	all.by_count = 1;
	all.limit = 0;
	if (!http_ask_once(call, &all, &result))
		return false;
	*ret_count = result.row_count;
	bool ok = make_candidates(call, &result, dim, ret);
	query_result_done(&result);
	return ok;
}

/* What the list depends on; short ones are kept for questions about all dimensions only. To be freed. */
static char *list_key(const struct http_call *call, enum dimension dim, bool of_all)
{
	static const char *const names[] = {"filter", "last", "from", "to"};
	char *key = NULL;
	size_t len;
	FILE *out = open_memstream(&key, &len);
	if (!out)
		return NULL;
	(void)fprintf(out, "candidates%s\n%s", of_all ? " of all" : "", dimension_table[dim].name);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = http_param(&call->params, names[i]);
		(void)fprintf(out, "\n%s", value ? value : "");
	}
	if (fclose(out) == 0)
		return key;
	free(key);
	return NULL;
}

/* False: the reply says why not. *ret is to be freed, also then. */
static bool get_candidates(struct http_call *call, const struct http_question *q, enum dimension dim, struct candidates *ret)
{
	struct http_cache *cache = &call->server->cache;
	CLEANUP(free_p) char *key = list_key(call, dim, !q->query.by_count);
	struct cache_hit hit;
	size_t count = 0, kept_from = q->query.by_count ? KEPT_FROM : 0;
	if (!key) {
		http_reply_error(call, 500, "out of memory");
		return false;
	}
	if (http_cache_get(cache, key, KEPT_NS, &hit)) {
		*ret = (struct candidates){hit.body, hit.len};
		return true;
	}
	bool ok = ask_candidates(call, q, dim, ret, &count);
	http_cache_put(cache, key, "", ok && count >= kept_from ? ret->data : NULL, ret->len);
	return ok;
}

static uint64_t read_number(struct rd *r)
{
	uint64_t n = 0;
	rd_copy(r, (uint8_t *)&n, sizeof(n));
	return n;
}

static struct view read_text(struct rd *r)
{
	uint16_t n = 0;
	rd_copy(r, (uint8_t *)&n, sizeof(n));
	return rd_bytes(r, n);
}

static struct candidate read_candidate(struct rd *r)
{
	struct candidate c;
	c.text = read_text(r);
	c.name = read_text(r);
	c.term = read_text(r);
	c.bytes_sent = read_number(r);
	return c;
}

/* ---- what fits ---- */

/* Worse than the ones before it. */
enum fit { FIT_WHOLE, FIT_BEGIN, FIT_NAME, FIT_NONE };

/* One dimension's. */
struct completing {
	const struct http_question *q;
	enum dimension dim;
	const char *typed; /* of an AS number without the AS */
	size_t typed_len;
	struct candidates candidates;
	struct rd list; /* of them */
	uint32_t count; /* found */
};

struct answering {
	FILE *out;
	uint32_t rows;
	bool more;
};

static bool word_byte(uint8_t c)
{
	return isalnum(c) || (c & 0x80);
}

static bool begins_with(struct view text, const char *typed, size_t len)
{
	return text.len >= len && strncasecmp((const char *)text.data, typed, len) == 0;
}

/* Whether a word of the name begins so, any case. */
static bool name_fits(struct view name, const char *typed, size_t len)
{
	for (size_t i = 0; i < name.len; i++)
		if ((i == 0 || !word_byte(name.data[i - 1])) &&
			begins_with((struct view){name.data + i, name.len - i}, typed, len))
			return true;
	return false;
}

static enum fit fit_of(const struct completing *c, const struct candidate *candidate)
{
	if (begins_with(candidate->text, c->typed, c->typed_len))
		return candidate->text.len == c->typed_len ? FIT_WHOLE : FIT_BEGIN;
	return name_fits(candidate->name, c->q->typed, strlen(c->q->typed)) ? FIT_NAME : FIT_NONE;
}

/* ---- the answer ---- */

/* A text of any bytes as JSON. */
static json_t *json_of(struct view text)
{
	struct dim_value v = {.known = true, .bytes = text};
	return render_value(DIM_type, &v);
}

static json_t *json_or_null(struct view text)
{
	return text.len ? json_of(text) : json_null();
}

static json_t *value_of(const struct completing *c, struct view text)
{
	char digits[16];
	if (dimension_table[c->dim].kind != KIND_ASN || text.len >= sizeof(digits))
		return json_of(text);
	memcpy(digits, text.data, text.len);
	digits[text.len] = '\0';
	return json_integer((json_int_t)strtoul(digits, NULL, 10));
}

static int write_one(struct answering *a, const struct completing *c, const struct candidate *candidate)
{
	if (!c->q->csv) {
		if (a->rows++)
			(void)fputc(',', a->out);
		return render_object_write(json_pack("{s:o, s:o, s:o, s:I}", "value", value_of(c, candidate->text), "name",
			json_or_null(candidate->name), "term", json_or_null(candidate->term), "bytes_sent",
			(json_int_t)candidate->bytes_sent), a->out);
	}
	const struct view cells[] = {candidate->text, candidate->name, candidate->term};
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		render_csv_cell((const char *)cells[i].data, cells[i].len, a->out);
		(void)fputc(',', a->out);
	}
	(void)fprintf(a->out, "%llu\r\n", (unsigned long long)candidate->bytes_sent);
	return 0;
}

/* The candidates that fit so well, in their order, up to the limit. */
static int write_fitting(struct answering *a, struct completing *c, enum fit fit)
{
	struct rd list = c->list;
	while (rd_left(&list)) {
		struct candidate candidate = read_candidate(&list);
		if (fit_of(c, &candidate) != fit)
			continue;
		if (c->count == c->q->query.limit) {
			a->more = true;
			return 0;
		}
		int rc = write_one(a, c, &candidate);
		if (rc < 0)
			return rc;
		c->count++;
	}
	return 0;
}

static void write_head(FILE *out, const struct http_question *q, uint64_t from_s, uint64_t to_s)
{
	if (q->csv) {
		(void)fputs("value,name,term,bytes_sent\r\n", out);
		return;
	}
	http_rows_write_range(from_s, to_s, out);
	if (q->query.by_count)
		(void)fprintf(out, ",\"dim\":\"%s\",\"rows\":[", dimension_table[q->query.by[0]].name);
	else
		(void)fputs(",\"dim\":null,\"rows\":[", out);
}

static void answer(struct http_call *call, const struct http_question *q, struct completing *all, size_t count)
{
	struct answering a = {.out = http_reply_begin(call, 200, q->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON)};
	uint64_t from_s = 0, to_s = 0;
	int rc = 0;
	if (!a.out)
		return;
	for (size_t i = count; i-- > 0;) {
		all[i].list = rd_make((const uint8_t *)all[i].candidates.data, all[i].candidates.len);
		from_s = read_number(&all[i].list);
		to_s = read_number(&all[i].list);
	}
	write_head(a.out, q, from_s, to_s);
	for (int fit = FIT_WHOLE; fit < FIT_NONE; fit++)
		for (size_t i = 0; i < count && rc == 0; i++)
			rc = write_fitting(&a, &all[i], (enum fit)fit);
	if (!q->csv)
		(void)fprintf(a.out, "],\"more\":%s}", a.more ? "true" : "false");
	http_reply_end(call, a.out);
	if (rc < 0)
		http_reply_error(call, 500, "out of memory");
}

static struct completing completing_of(const struct http_question *q, enum dimension dim)
{
	struct completing c = {.q = q, .dim = dim, .typed = q->typed};
	if (dimension_table[dim].kind == KIND_ASN && strncasecmp(c.typed, "as", 2) == 0 && isdigit((unsigned char)c.typed[2]))
		c.typed += 2;
	c.typed_len = strlen(c.typed);
	return c;
}

void http_complete(struct http_call *call)
{
	static const enum dimension named[] = {DIM_country, DIM_origin, DIM_neighbour, DIM_via, DIM_router, DIM_type};
	struct http_question q;
	struct completing all[ARRAY_LEN(named)];
	size_t count = 0;
	bool ok = true;
	if (!http_rows_question(call, QUESTION_COMPLETE, &q))
		return;
	const enum dimension *dims = q.query.by_count ? q.query.by : named;
	for (size_t n = q.query.by_count ? 1 : ARRAY_LEN(named); count < n && ok; count++) {
		all[count] = completing_of(&q, dims[count]);
		ok = get_candidates(call, &q, dims[count], &all[count].candidates);
	}
	if (ok)
		answer(call, &q, all, count);
	for (size_t i = 0; i < count; i++)
		free(all[i].candidates.data);
	question_done(&q);
}
