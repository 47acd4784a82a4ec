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
#include "route/path.h"

#define MEASURES_SHOWN ((int)MEASURE_rtt_sum_us)

/* ---- derived figures; a negative value is null ---- */

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

/* Of the measure sorted by; of the bytes sent when that is no sum. */
static double derive_share(const struct render *r, const struct measures *m)
{
	int i = r->sort < MEASURE_COUNT ? r->sort : MEASURE_bytes_sent;
	return r->total->v[i] ? (double)m->v[i] / (double)r->total->v[i] : -1;
}

static const struct {
	const char *name;
	double (*derive)(const struct render *r, const struct measures *m);
} derived[] = {
	{"retransmit_rate", derive_retransmit_rate},
	{"rtt_p50_us", derive_rtt_p50_us},
	{"rtt_p95_us", derive_rtt_p95_us},
	{"share", derive_share},
};

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

/* To be freed; NULL when the dimension has no names, or this value has none. */
static char *name_of(const struct render *r, enum dimension dim, const struct dim_value *v)
{
	if (dimension_table[dim].kind != KIND_ASN || !v->known || !r->backend || !r->backend->as_name)
		return NULL;
	return r->backend->as_name(r->backend->ctx, (uint32_t)v->number);
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

static int json_dimensions(const struct render *r, const struct query_row *row, json_t *obj)
{
	int rc = 0;
	for (size_t i = 0; i < r->by_count; i++) {
		enum dimension dim = r->by[i];
		CLEANUP(free_p) char *name = name_of(r, dim, &row->values[i]);
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
		rc |= json_dimensions(r, row, obj);
	for (int i = 0; i < MEASURES_SHOWN; i++)
		rc |= json_object_set_new_nocheck(obj, measure_table[i].name, json_integer((json_int_t)row->m.v[i]));
	for (size_t i = 0; i < ARRAY_LEN(derived); i++) {
		double v = derived[i].derive(r, &row->m);
		rc |= json_object_set_new_nocheck(obj, derived[i].name, v < 0 ? json_null() : json_real(v));
	}
	rc |= json_object_set_new_nocheck(obj, "approximate", json_boolean(row->m.v[MEASURE_records_approximate]));
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

/* The library writes a stream token by token; a row that fits the buffer goes out at once. */
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
	return dimension_table[dim].kind == KIND_ASN && r->backend && r->backend->as_name;
}

void render_csv_header(const struct render *r, FILE *out)
{
	for (size_t i = 0; i < r->by_count; i++) {
		const char *name = dimension_table[r->by[i]].name;
		(void)fprintf(out, "%s,", name);
		if (has_names(r, r->by[i]))
			(void)fprintf(out, "%s_name,", name);
	}
	for (int i = 0; i < MEASURES_SHOWN; i++)
		(void)fprintf(out, "%s,", measure_table[i].name);
	for (size_t i = 0; i < ARRAY_LEN(derived); i++)
		(void)fprintf(out, "%s,", derived[i].name);
	(void)fputs("approximate\r\n", out);
}

int render_csv(const struct render *r, const struct query_row *row, FILE *out)
{
	for (size_t i = 0; i < r->by_count; i++) {
		const struct dim_value *v = &row->values[i];
		if (render_csv_value(r->by[i], v, out) < 0)
			return -ENOMEM;
		(void)fputc(',', out);
		if (has_names(r, r->by[i])) {
			CLEANUP(free_p) char *name = name_of(r, r->by[i], v);
			render_csv_cell(name, name ? strlen(name) : 0, out);
			(void)fputc(',', out);
		}
	}
	for (int i = 0; i < MEASURES_SHOWN; i++)
		(void)fprintf(out, "%llu,", (unsigned long long)row->m.v[i]);
	for (size_t i = 0; i < ARRAY_LEN(derived); i++) {
		double v = derived[i].derive(r, &row->m);
		if (v >= 0)
			(void)fprintf(out, "%.17g", v);
		(void)fputc(',', out);
	}
	(void)fputs(row->m.v[MEASURE_records_approximate] ? "true\r\n" : "false\r\n", out);
	return 0;
}
