/* SPDX-License-Identifier: BSD-2-Clause */

/* A row is its dimensions, then every measure up to the count of round-trip samples (their sum and
 * histogram are shown as percentiles), then the derived figures. Each list stands here once and gives
 * both formats. */

#include "http/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "place/country.h"
#include "query/rank.h"
#include "route/path.h"

/* ---- figures ---- */

#define MEASURES_SHOWN ((int)MEASURE_rtt_sum_us)

/* A negative value is null. */
static double derive_retransmit_rate(const struct render *r, const struct measures *m)
{
	return measures_retransmit_rate(m);
}

static double derive_rtt_p50_us(const struct render *r, const struct measures *m)
{
	return measures_rtt_quantile(m, 0.5);
}

static double derive_rtt_p95_us(const struct render *r, const struct measures *m)
{
	return measures_rtt_quantile(m, 0.95);
}

static double derive_goodput_rate(const struct render *r, const struct measures *m)
{
	return measures_goodput_rate(m);
}

static double derive_spurious_rate(const struct render *r, const struct measures *m)
{
	return measures_spurious_rate(m);
}

/* Of the measure sorted by; of the bytes sent when that is no sum. */
static int share_of(int sort)
{
	return sort < MEASURE_COUNT ? sort : MEASURE_bytes_sent;
}

static double derive_share(const struct render *r, const struct measures *m)
{
	int i = share_of(r->sort);
	return r->total->v[i] ? (double)m->v[i] / (double)r->total->v[i] : -1;
}

#define OF_SORT (-1)

static const struct {
	const char *name;
	double (*derive)(const struct render *r, const struct measures *m);
	int sort; /* as in struct query: looks at the same measures */
} derived[] = {
	{"retransmit_rate", derive_retransmit_rate, QUERY_SORT_RETRANSMIT_RATE},
	{"rtt_p50_us", derive_rtt_p50_us, QUERY_SORT_RTT_P50},
	{"rtt_p95_us", derive_rtt_p95_us, QUERY_SORT_RTT_P95},
	{"goodput_rate", derive_goodput_rate, QUERY_SORT_GOODPUT_RATE},
	{"spurious_rate", derive_spurious_rate, QUERY_SORT_SPURIOUS_RATE},
	{"share", derive_share, OF_SORT},
};

#define DERIVED_AT     MEASURES_SHOWN
#define APPROXIMATE_AT (MEASURES_SHOWN + (int)ARRAY_LEN(derived))
#define FIELD_COUNT    (APPROXIMATE_AT + 1)

const char *render_field_name(int field)
{
	if (field < DERIVED_AT)
		return measure_table[field].name;
	return field < APPROXIMATE_AT ? derived[field - DERIVED_AT].name : "approximate";
}

int render_next_field(uint64_t fields, int i)
{
	while (i < FIELD_COUNT && fields && !(fields >> i & 1))
		i++;
	return i < FIELD_COUNT ? i : -1;
}

/* For each field of the mask. */
#define FOR_EACH_FIELD(fields, i) for (int i = render_next_field(fields, 0); i >= 0; i = render_next_field(fields, i + 1))

const char *render_names(bool sortable, char ret[static RENDER_NAMES_MAX])
{
	size_t n = 0;
	*ret = '\0';
	for (int i = 0; i < FIELD_COUNT && n < RENDER_NAMES_MAX; i++)
		if (!sortable || i < DERIVED_AT || (i < APPROXIMATE_AT && derived[i - DERIVED_AT].sort != OF_SORT))
			n += (size_t)snprintf(ret + n, RENDER_NAMES_MAX - n, "%s%s", n ? ", " : "", render_field_name(i));
	return ret;
}

int render_fields_parse(const char *text, uint64_t *ret, struct error *err)
{
	char names[RENDER_NAMES_MAX];
	uint64_t fields = 0;
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, ",");
		int i = 0;
		while (i < FIELD_COUNT && (strncmp(render_field_name(i), p, n) != 0 || render_field_name(i)[n]))
			i++;
		if (i == FIELD_COUNT)
			return error_set(err, -EINVAL, "'%.*s' is no figure of a row; there are %s", n < 40 ? (int)n : 40, p, render_names(false, names));
		fields |= UINT64_C(1) << i;
		p += n;
		if (!*p)
			break;
	}
	*ret = fields;
	return 0;
}

uint64_t render_measures(uint64_t fields, int sort)
{
	uint64_t mask = 0;
	FOR_EACH_FIELD(fields, i) {
		if (i < DERIVED_AT)
			mask |= MEASURE_BIT(i);
		else if (i == APPROXIMATE_AT)
			mask |= MEASURE_BIT(MEASURE_records_approximate);
		else
			mask |= rank_measures(derived[i - DERIVED_AT].sort == OF_SORT ? share_of(sort) : derived[i - DERIVED_AT].sort);
	}
	return mask;
}

json_t *render_field(const struct render *r, int field, const struct measures *m)
{
	if (field < DERIVED_AT)
		return json_integer((json_int_t)m->v[field]);
	if (field == APPROXIMATE_AT)
		return json_boolean(m->v[MEASURE_records_approximate]);
	double v = derived[field - DERIVED_AT].derive(r, m);
	return v < 0 ? json_null() : json_real(v);
}

void render_csv_field(const struct render *r, int field, const struct measures *m, FILE *out)
{
	if (field < DERIVED_AT) {
		(void)fprintf(out, "%llu", (unsigned long long)m->v[field]);
	} else if (field == APPROXIMATE_AT) {
		(void)fputs(m->v[MEASURE_records_approximate] ? "true" : "false", out);
	} else {
		double v = derived[field - DERIVED_AT].derive(r, m);
		if (v >= 0)
			(void)fprintf(out, "%.17g", v);
	}
}

/* ---- dimensions ---- */

/* The text of a value; fixed serves all but long paths. */
struct text {
	char fixed[256];
	char *heap;
	const char *p;
	size_t len;
};

static void text_done(struct text *t)
{
	free(t->heap);
}

static int text_path(struct view path, struct text *ret)
{
	size_t need = path_format(path, ret->fixed, sizeof(ret->fixed)) + 1;
	if (need > sizeof(ret->fixed)) {
		ret->heap = malloc(need);
		if (!ret->heap)
			return -ENOMEM;
		ret->p = ret->heap;
		(void)path_format(path, ret->heap, need);
	}
	ret->len = need - 1;
	return 0;
}

/* A known value as text. *ret is to be ended by text_done, also on failure. */
static int text_make(enum dimension dim, const struct dim_value *v, struct text *ret)
{
	ret->p = ret->fixed;
	ret->heap = NULL;
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
		ret->p = (const char *)v->bytes.data;
		ret->len = v->bytes.len;
		return 0;
	case KIND_PATH:
		return text_path(v->bytes, ret);
	case KIND_TIME:
		(void)time_format(v->number * 1000, ret->fixed);
		break;
	case KIND_PREFIX:
		(void)prefix_format(&v->prefix, ret->fixed);
		break;
	case KIND_COUNTRY:
		(void)country_format((country_code)v->number, ret->fixed);
		break;
	case KIND_MATCH:
		(void)snprintf(ret->fixed, sizeof(ret->fixed), "%s",
			v->number < MATCH_COUNT ? route_match_names[v->number] : "");
		break;
	case KIND_ASN:
		(void)snprintf(ret->fixed, sizeof(ret->fixed), "%llu", (unsigned long long)v->number);
		break;
	}
	ret->len = strlen(ret->p);
	return 0;
}

char *render_text(enum dimension dim, const struct dim_value *v)
{
	CLEANUP(text_done) struct text t = {.heap = NULL};
	if (!v->known)
		return strdup("");
	return text_make(dim, v, &t) < 0 ? NULL : strndup(t.p, t.len);
}

char *render_name(const struct http_backend *backend, enum dimension dim, const struct dim_value *v)
{
	enum dimension_kind kind = dimension_table[dim].kind;
	const char *country = v->known && kind == KIND_COUNTRY ? country_name((country_code)v->number) : NULL;
	if (country)
		return strdup(country);
	if (kind != KIND_ASN || !v->known || !backend || !backend->as_name)
		return NULL;
	return backend->as_name(backend->ctx, (uint32_t)v->number);
}

/* ---- JSON ---- */

/* Bytes that are no UTF-8 become '?': a sender's mistake must not cost the whole answer. */
static json_t *json_text(const char *p, size_t len)
{
	json_t *s = json_stringn(p, len);
	if (s || !len)
		return s;
	char *copy = malloc(len);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < len; i++)
		copy[i] = (char)(p[i] & 0x80 ? '?' : p[i]);
	s = json_stringn(copy, len);
	free(copy);
	return s;
}

json_t *render_value(enum dimension dim, const struct dim_value *v)
{
	CLEANUP(text_done) struct text t = {.heap = NULL};
	if (!v->known)
		return json_null();
	if (dimension_table[dim].kind == KIND_ASN)
		return json_integer((json_int_t)v->number);
	if (text_make(dim, v, &t) < 0)
		return NULL;
	return json_text(t.p, t.len);
}

int render_json_dimensions(const struct render *r, const struct query_row *row, json_t *obj)
{
	int rc = 0;
	for (size_t i = 0; i < r->by_count; i++) {
		enum dimension dim = r->by[i];
		CLEANUP(free_p) char *name = render_name(r->backend, dim, &row->values[i]);
		rc |= json_object_set_new_nocheck(obj, dimension_table[dim].name, render_value(dim, &row->values[i]));
		if (name) {
			char key[64];
			(void)snprintf(key, sizeof(key), "%s_name", dimension_table[dim].name);
			rc |= json_object_set_new_nocheck(obj, key, json_text(name, strlen(name)));
		}
	}
	return rc;
}

json_t *render_json(const struct render *r, const struct query_row *row)
{
	json_t *obj = json_object();
	int rc = !obj;
	if (row->values)
		rc |= render_json_dimensions(r, row, obj);
	FOR_EACH_FIELD(r->fields, i)
		rc |= json_object_set_new_nocheck(obj, render_field_name(i), render_field(r, i, &row->m));
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

/* The library writes a stream token by token; a row that fits the buffer goes out at once. */
json_t *render_string(const char *text)
{
	return text ? json_text(text, strlen(text)) : json_null();
}

json_t *render_name_json(const struct http_backend *backend, enum dimension dim, const struct dim_value *v)
{
	CLEANUP(free_p) char *name = render_name(backend, dim, v);
	return render_string(name);
}

json_t *render_as(uint32_t as)
{
	return as ? json_integer(as) : json_null();
}

json_t *render_time(uint64_t ms)
{
	char text[TIME_TEXT_MAX];
	return ms ? json_string(time_format(ms, text)) : json_null();
}

char *render_term(enum dimension dim, const struct dim_value *v)
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

int render_object_write(json_t *take_obj, FILE *out)
{
	char buf[4096];
	if (!take_obj)
		return -ENOMEM;
	size_t len = json_dumpb(take_obj, buf, sizeof(buf), JSON_COMPACT);
	int rc = len > 0 ? 0 : -ENOMEM;
	if (len > 0 && len <= sizeof(buf))
		(void)fwrite(buf, 1, len, out);
	else if (len > 0)
		rc = json_dumpf(take_obj, out, JSON_COMPACT) < 0 ? -ENOMEM : 0;
	json_decref(take_obj);
	return rc;
}

int render_json_write(const struct render *r, const struct query_row *row, FILE *out)
{
	return render_object_write(render_json(r, row), out);
}

/* ---- CSV ---- */

void render_csv_cell(const char *p, size_t len, FILE *out)
{
	bool quote = false;
	if (!len)
		return;
	for (size_t i = 0; i < len; i++)
		quote |= p[i] == '"' || p[i] == ',' || p[i] == '\r' || p[i] == '\n';
	if (!quote) {
		(void)fwrite(p, 1, len, out);
		return;
	}
	(void)fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '"')
			(void)fputc('"', out);
		(void)fputc(p[i], out);
	}
	(void)fputc('"', out);
}

int render_csv_value(enum dimension dim, const struct dim_value *v, FILE *out)
{
	CLEANUP(text_done) struct text t = {.heap = NULL};
	if (!v->known)
		return 0;
	if (text_make(dim, v, &t) < 0)
		return -ENOMEM;
	render_csv_cell(t.p, t.len, out);
	return 0;
}

static bool has_names(const struct render *r, enum dimension dim)
{
	enum dimension_kind kind = dimension_table[dim].kind;
	return kind == KIND_COUNTRY || (kind == KIND_ASN && r->backend && r->backend->as_name);
}

void render_csv_dimensions_header(const struct render *r, FILE *out)
{
	for (size_t i = 0; i < r->by_count; i++) {
		const char *name = dimension_table[r->by[i]].name;
		(void)fprintf(out, "%s,", name);
		if (has_names(r, r->by[i]))
			(void)fprintf(out, "%s_name,", name);
	}
}

void render_csv_figures_header(const struct render *r, const char *prefix, FILE *out)
{
	const char *comma = "";
	FOR_EACH_FIELD(r->fields, i) {
		(void)fprintf(out, "%s%s%s", comma, prefix, render_field_name(i));
		comma = ",";
	}
}

int render_csv_dimensions(const struct render *r, const struct query_row *row, FILE *out)
{
	for (size_t i = 0; i < r->by_count; i++) {
		const struct dim_value *v = &row->values[i];
		if (render_csv_value(r->by[i], v, out) < 0)
			return -ENOMEM;
		(void)fputc(',', out);
		if (has_names(r, r->by[i])) {
			CLEANUP(free_p) char *name = render_name(r->backend, r->by[i], v);
			render_csv_cell(name, name ? strlen(name) : 0, out);
			(void)fputc(',', out);
		}
	}
	return 0;
}

void render_csv_figures(const struct render *r, const struct measures *m, FILE *out)
{
	bool first = true;
	FOR_EACH_FIELD(r->fields, i) {
		if (!first)
			(void)fputc(',', out);
		first = false;
		render_csv_field(r, i, m, out);
	}
}
