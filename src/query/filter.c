/* SPDX-License-Identifier: BSD-2-Clause */

/* The filter language: terms separated by blanks, each DIMENSION:VALUE[,VALUE...] with an optional '-'.
 *
 *     filter = { blank } [ term { blank { blank } term } { blank } ]
 *     term   = [ "-" ] name ":" value { "," value }
 *     value  = '"' { any but " and \ | \" | \\ } '"'  |  one or more of any but blank , "
 *
 * One pass, no backtracking; every value is checked against its dimension's kind here, so that what
 * reaches a store is already a number, a prefix, a path or plain text. Each error names the character
 * at which the offending part begins, counting code points from 1. */

#include "query/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "place/country.h"
#include "route/path.h"

#define TEXT_MAX 65536 /* bytes of a filter */

struct parser {
	const char *text, *p;
	struct filter *filter;
	struct error *err;
	enum dimension dim; /* of filter_parse_values */
};

/* A value as it stands in the text, unquoted. */
struct token {
	const char *at; /* where it begins */
	char *text;
	size_t len;
	bool quoted;
};

static int fail_at(const struct parser *ps, const char *at, const char *fmt, ...) PRINTF(3, 4);
static int fail_at(const struct parser *ps, const char *at, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX - 64];
	size_t character = 1;
	for (const char *c = ps->text; c < at; c++)
		character += ((uint8_t)*c & 0xc0) != 0x80;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	int r = error_set(ps->err, -EINVAL, "character %zu: %s", character, text);
	if (ps->err)
		ps->err->at = character;
	return r;
}

static int out_of_memory(const struct parser *ps)
{
	return error_set(ps->err, -ENOMEM, "out of memory");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ---- values by kind ---- */

static int parse_asn(const struct parser *ps, const struct token *t, struct dim_value *ret)
{
	const char *digits = t->text;
	if ((digits[0] == 'A' || digits[0] == 'a') && (digits[1] == 'S' || digits[1] == 's'))
		digits += 2;
	size_t n = strspn(digits, "0123456789");
	unsigned long long v = n && n <= 10 ? strtoull(digits, NULL, 10) : 0;
	if (!n || digits[n])
		return fail_at(ps, t->at, "'%.60s' is not an AS number", t->text);
	if (n > 10 || v > UINT32_MAX)
		return fail_at(ps, t->at, "AS number '%.60s' is larger than 4294967295", t->text);
	if (v == 0)
		return fail_at(ps, t->at, "AS 0 is never seen; write null for an unknown AS");
	ret->number = v;
	return 0;
}

static int parse_country(const struct parser *ps, const struct token *t, struct dim_value *ret)
{
	ret->number = country_parse(t->text);
	if (ret->number == COUNTRY_UNKNOWN)
		return fail_at(ps, t->at, "'%.60s' is not a country code of two letters", t->text);
	return 0;
}

static int parse_match(const struct parser *ps, const struct token *t, struct dim_value *ret)
{
	for (int i = 0; i < MATCH_COUNT; i++) {
		if (strcmp(route_match_names[i], t->text) == 0) {
			ret->number = (uint64_t)i;
			return 0;
		}
	}
	return fail_at(ps, t->at, "'%.60s' is not a match; there are none, own, stale, fallback", t->text);
}

static int parse_prefix(const struct parser *ps, const struct token *t, struct dim_value *ret)
{
	struct error why;
	if (prefix_parse(t->text, &ret->prefix, &why) < 0)
		return fail_at(ps, t->at, "%s", why.text);
	return 0;
}

static int parse_path(const struct parser *ps, const struct token *t, struct dim_value *ret)
{
	/* A lone AS number takes six bytes and at least one of text; a separator follows each. */
	size_t cap = t->len * 6 + 16;
	uint8_t *buf = arena_alloc(&ps->filter->arena, cap);
	if (!buf)
		return out_of_memory(ps);
	int n = path_parse(t->text, buf, cap);
	if (n < 0)
		return fail_at(ps, t->at, "'%.60s' is not an AS path", t->text);
	ret->bytes = (struct view){buf, (size_t)n};
	return 0;
}

static int parse_text(const struct parser *ps, const struct token *t, struct dim_value *ret)
{
	if (!t->len)
		return fail_at(ps, t->at, "an empty name never occurs; write null for none");
	ret->bytes = (struct view){(const uint8_t *)t->text, t->len};
	return 0;
}

static int parse_value(const struct parser *ps, enum dimension dim, const struct token *t, struct dim_value *ret)
{
	*ret = (struct dim_value){.known = true};
	enum dimension_kind kind = dimension_table[dim].kind;
	if (!t->quoted && strcmp(t->text, "null") == 0) {
		if (kind == KIND_MATCH)
			return fail_at(ps, t->at, "a match is never null; write none");
		ret->known = false;
		return 0;
	}
	switch (kind) {
	case KIND_TEXT:
		return parse_text(ps, t, ret);
	case KIND_PREFIX:
		return parse_prefix(ps, t, ret);
	case KIND_ASN:
		return parse_asn(ps, t, ret);
	case KIND_PATH:
		return parse_path(ps, t, ret);
	case KIND_COUNTRY:
		return parse_country(ps, t, ret);
	case KIND_MATCH:
		return parse_match(ps, t, ret);
	case KIND_TIME:
		break;
	}
	abort(); /* times are refused by name */
}

/* ---- tokens ---- */

static int read_quoted(struct parser *ps, struct token *t)
{
	char *out = t->text;
	for (ps->p++; *ps->p != '"'; ps->p++) {
		if (*ps->p == '\\' && (ps->p[1] == '"' || ps->p[1] == '\\'))
			ps->p++;
		else if (*ps->p == '\\')
			return fail_at(ps, ps->p, "after a backslash comes \" or another backslash");
		if (!*ps->p)
			return fail_at(ps, t->at, "the quoted value has no end");
		*out++ = *ps->p;
	}
	ps->p++;
	t->len = (size_t)(out - t->text);
	if (*ps->p && *ps->p != ',' && !is_blank(*ps->p))
		return fail_at(ps, ps->p, "after a quoted value comes a comma, a blank or the end");
	return 0;
}

/* As it stands there: up to the quote that ends it, or the end of the text. */
static size_t quoted_len(const char *text)
{
	size_t n = 1;
	while (text[n] && text[n] != '"')
		n += text[n] == '\\' && text[n + 1] ? 2 : 1;
	return n;
}

static int read_token(struct parser *ps, struct token *t)
{
	*t = (struct token){.at = ps->p, .quoted = *ps->p == '"'};
	size_t n = t->quoted ? quoted_len(ps->p) : strcspn(ps->p, " \t\n\r,\"");
	t->text = arena_alloc(&ps->filter->arena, n + 1);
	if (!t->text)
		return out_of_memory(ps);
	if (t->quoted) {
		int r = read_quoted(ps, t);
		if (r < 0)
			return r;
	} else {
		if (ps->p[n] == '"')
			return fail_at(ps, ps->p + n, "a quote may only begin a value");
		if (!n)
			return fail_at(ps, ps->p, "a value is missing");
		memcpy(t->text, ps->p, n);
		ps->p += n;
		t->len = n;
	}
	t->text[t->len] = '\0';
	return 0;
}

static int read_values(struct parser *ps, struct store_filter *item)
{
	size_t cap = 0;
	struct dim_value *values = NULL;
	for (;;) {
		struct token t;
		int r = read_token(ps, &t);
		if (r < 0)
			return r;
		if (item->value_count == cap) {
			cap = cap ? cap * 2 : 4;
			struct dim_value *more = arena_alloc(&ps->filter->arena, cap * sizeof(*more));
			if (!more)
				return out_of_memory(ps);
			if (item->value_count)
				memcpy(more, values, item->value_count * sizeof(*more));
			values = more;
			item->values = values;
		}
		r = parse_value(ps, item->dim, &t, &values[item->value_count]);
		if (r < 0)
			return r;
		item->value_count++;
		if (*ps->p != ',')
			return 0;
		ps->p++;
	}
}

static int unknown_dimension(const struct parser *ps, const char *at, const char *name)
{
	char known[DIMENSION_NAMES_MAX];
	return fail_at(ps, at, "there is no dimension '%s'; there are %s", name, dimension_names(DIM_BIT(DIM_time), known));
}

static int read_name(struct parser *ps, enum dimension *ret)
{
	char name[32];
	const char *at = ps->p;
	size_t n = strcspn(at, ": \t\n\r,\"");
	if (at[n] != ':' || !n)
		return fail_at(ps, at, "a term is DIMENSION:VALUE");
	(void)snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : (int)sizeof(name) - 1, at);
	int dim = n < sizeof(name) ? dimension_by_name(name) : -ENOENT;
	if (dim == DIM_time)
		return fail_at(ps, at, "time is not filtered on; give the range instead");
	if (dim < 0)
		return unknown_dimension(ps, at, name);
	ps->p += n + 1;
	*ret = (enum dimension)dim;
	return 0;
}

static int read_term(struct parser *ps)
{
	struct filter *f = ps->filter;
	if (f->count == QUERY_FILTERS_MAX)
		return fail_at(ps, ps->p, "more than %d terms", QUERY_FILTERS_MAX);
	struct store_filter *item = &f->items[f->count];
	*item = (struct store_filter){.negate = *ps->p == '-'};
	ps->p += item->negate;
	int r = read_name(ps, &item->dim);
	if (r < 0)
		return r;
	r = read_values(ps, item);
	if (r < 0)
		return r;
	f->count++;
	return 0;
}

static int read_filter(struct parser *ps)
{
	for (;;) {
		while (is_blank(*ps->p))
			ps->p++;
		if (!*ps->p)
			return 0;
		int r = read_term(ps);
		if (r < 0)
			return r;
	}
}

static int parse_whole(struct parser *ps, int (*read)(struct parser *ps), struct filter **ret)
{
	struct filter *f = calloc(1, sizeof(*f));
	if (!f)
		return error_set(ps->err, -ENOMEM, "out of memory");
	arena_init(&f->arena);
	ps->filter = f;
	int r = strnlen(ps->text, TEXT_MAX + 1) > TEXT_MAX ? fail_at(ps, ps->text, "longer than %d bytes", TEXT_MAX) : read(ps);
	if (r < 0) {
		filter_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

int filter_parse(const char *text, struct filter **ret, struct error *err)
{
	struct parser ps = {.text = text ? text : "", .p = text ? text : "", .err = err};
	return parse_whole(&ps, read_filter, ret);
}

static int read_values_only(struct parser *ps)
{
	struct store_filter *item = &ps->filter->items[0];
	item->dim = ps->dim;
	int r = read_values(ps, item);
	if (r == 0 && *ps->p)
		r = fail_at(ps, ps->p, "values have commas between them; one with blanks is put in quotes");
	ps->filter->count = 1;
	return r;
}

int filter_parse_values(enum dimension dim, const char *text, struct filter **ret, struct error *err)
{
	struct parser ps = {.text = text, .p = text, .err = err, .dim = dim};
	return parse_whole(&ps, read_values_only, ret);
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	arena_done(&f->arena);
	free(f);
}

/* ---- what passes ---- */

static bool has_member(struct view path, const struct dim_value *v)
{
	uint32_t members[256];
	size_t n = path_members(path, members, ARRAY_LEN(members));
	if (!v->known)
		return n == 0;
	for (size_t i = 0; i < n && i < ARRAY_LEN(members); i++)
		if (members[i] == v->number)
			return true;
	return false;
}

bool filter_same_bytes(const struct dim_value *a, const struct dim_value *b)
{
	if (a->known != b->known || a->bytes.len != b->bytes.len)
		return false;
	return !a->known || !a->bytes.len || memcmp(a->bytes.data, b->bytes.data, a->bytes.len) == 0;
}

enum dimension filter_beside(const struct filter *f, uint64_t dims)
{
	for (size_t i = 0; f && i < f->count; i++)
		if (!(DIM_BIT(f->items[i].dim) & dims))
			return f->items[i].dim;
	return DIMENSION_COUNT;
}

bool filter_path_is(const struct dim_value *path, enum dimension dim, const struct dim_value *v)
{
	struct view bytes = path->known ? path->bytes : (struct view){0};
	switch (dim) {
	case DIM_origin:
		return path_origin(bytes) == (v->known ? v->number : 0);
	case DIM_neighbour:
		return path_neighbour(bytes) == (v->known ? v->number : 0);
	case DIM_via:
		return has_member(bytes, v);
	default:
		return filter_same_bytes(path, v);
	}
}

bool filter_passes(const struct filter *f, filter_is_fn *is, const void *subject)
{
	for (size_t i = 0; f && i < f->count; i++) {
		const struct store_filter *item = &f->items[i];
		bool any = false;
		for (size_t k = 0; k < item->value_count && !any; k++)
			any = is(subject, item->dim, &item->values[k]);
		if (any == item->negate)
			return false;
	}
	return true;
}

/* ---- the other way ---- */

static bool write_quoted(struct view text, FILE *out)
{
	(void)fputc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		if (!text.data[i])
			return false;
		if (text.data[i] == '"' || text.data[i] == '\\')
			(void)fputc('\\', out);
		(void)fputc(text.data[i], out);
	}
	(void)fputc('"', out);
	return true;
}

/* Without quotes where it can do without. */
static bool write_text(struct view text, FILE *out)
{
	bool plain = text.len && !(text.len == 4 && memcmp(text.data, "null", 4) == 0);
	for (size_t i = 0; i < text.len; i++)
		plain &= text.data[i] > ' ' && text.data[i] != ',' && text.data[i] != '"';
	return plain ? fwrite(text.data, 1, text.len, out) == text.len : write_quoted(text, out);
}

static bool write_path(struct view path, FILE *out)
{
	size_t len = path_format(path, NULL, 0);
	CLEANUP(free_p) char *text = malloc(len + 1);
	if (!text)
		return false;
	(void)path_format(path, text, len + 1);
	return write_quoted((struct view){(const uint8_t *)text, len}, out);
}

bool filter_write_value(enum dimension dim, const struct dim_value *v, FILE *out)
{
	char text[PREFIX_TEXT_MAX];
	if (!v->known)
		return fputs("null", out) >= 0;
	switch (dimension_table[dim].kind) {
	case KIND_ASN:
		return fprintf(out, "%llu", (unsigned long long)v->number) > 0;
	case KIND_PREFIX:
		return fputs(prefix_format(&v->prefix, text), out) >= 0;
	case KIND_COUNTRY:
		return fputs(country_format((country_code)v->number, text), out) >= 0;
	case KIND_MATCH:
		return fputs(v->number < MATCH_COUNT ? route_match_names[v->number] : "none", out) >= 0;
	case KIND_TEXT:
		return write_text(v->bytes, out);
	case KIND_PATH:
		return write_path(v->bytes, out);
	case KIND_TIME:
		break;
	}
	return false;
}
