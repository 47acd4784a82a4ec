/* SPDX-License-Identifier: BSD-2-Clause */

/* One parser a parameter, in one table. Parsers put what they read into struct reading; what depends
 * on several parameters (the range, the step) is decided when all are read, so their order does not
 * matter. */

#include "http/question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/render.h"
#include "query/filter.h"

#define YEAR_10000_MS 253402300800000ull
#define DEADLINE_S    30
#define STEP_UNIT_S   60

/* What the kinds of questions differ in. */
struct kind {
	uint32_t limit;       /* when none is given */
	size_t dims_max;      /* in `by`, without the time that a series has anyway */
	bool by_time;         /* answers are by time; else it may be named */
	int by;               /* the dimension when `by` is not given; -1: none */
	uint32_t points;      /* buckets at most when nothing is given; 0: by range */
	const char *fields;   /* when not given; NULL: all */
	uint32_t dims;        /* a mask of DIM_BIT: these only; 0: any */
	int between;          /* the dimension whose values are compared, behind those of `by`, when `between` is not given; 0: none */
};

/* Of both questions about all paths, so that what a store has kept for the one is there for the other. */
#define OF_PATHS \
	"bytes_sent,packets_sent,packets_retransmitted,connections,connections_with_retransmit,retransmit_rate,share,approximate"
#define QUALITY "bytes_sent,packets_sent,packets_retransmitted,connections,rtt_count,retransmit_rate,rtt_p50_us,share,approximate"

static const struct kind kinds[] = {
	[QUESTION_TOP] = {QUESTION_LIMIT_TOP, QUERY_DIMS_MAX, false, DIM_origin, 0, NULL},
	[QUESTION_SERIES] = {QUESTION_LIMIT_SERIES, QUERY_DIMS_MAX - 1, true, -1, 0, NULL},
	[QUESTION_CHANGES] = {.limit = QUESTION_LIMIT_CHANGES, .by = -1},
	[QUESTION_TYPES] = {1000, 0, false, DIM_type, 0, NULL},
	[QUESTION_COUNTRIES] = {1000, 0, false, DIM_country, 0, NULL},
	[QUESTION_COMPLETE] = {10, 1, false, -1, 0, "bytes_sent"},
	[QUESTION_PATHS] = {20, 0, false, -1, 0, OF_PATHS},
	[QUESTION_SPARKLINES] = {20, 1, true, DIM_origin, 60, "bytes_sent,retransmit_rate"},
	[QUESTION_SUSPECTS] = {3, 0, false, -1, 0, OF_PATHS},
	[QUESTION_INCIDENTS] = {50, 0, false, -1, 0,
		"bytes_sent,packets_sent,packets_retransmitted,connections,connections_with_retransmit,rtt_count,retransmit_rate,rtt_p50_us,rtt_p95_us,approximate"},
	[QUESTION_COMPARE] = {20, 1, false, DIM_prefix, 0, "connections_with_retransmit," QUALITY,
		DIM_BIT(DIM_prefix) | DIM_BIT(DIM_origin) | DIM_BIT(DIM_country), DIM_router},
	[QUESTION_PEERING] = {20, 0, false, -1, 0, QUALITY},
};

struct reading {
	struct http_question *q;
	enum question_kind kind;
	uint64_t now_s;
	uint64_t from_ms, to_ms, last_ms;
	bool has_from, has_to, to_now, has_last, has_by;
	const char *keys;
	enum dimension between; /* 0, which is DIM_time: not given */
};

typedef int parse_fn(struct reading *r, const char *value, struct error *err);

/* "2026-11-23T11:00:00 01:00": the + of the zone was not percent-encoded, and came as a blank. */
static int parse_written_time(const char *text, uint64_t *ret_ms)
{
	char copy[40];
	const char *blank = strrchr(text, ' ');
	if (!blank || blank < text + strlen("2026-11-23T11:00") || strlen(text) >= sizeof(copy))
		return time_parse(text, ret_ms);
	(void)stpcpy(copy, text);
	copy[blank - text] = '+';
	return time_parse(copy, ret_ms);
}

int question_time_parse(const char *text, uint64_t now_s, uint64_t *ret_ms)
{
	uint64_t back_ms = 0, ms = now_s * 1000;
	const char *rest = strncmp(text, "now", 3) == 0 ? text + 3 : text;
	if (*rest == '-') {
		if (duration_parse(rest + 1, &back_ms) < 0)
			return -EINVAL;
		ms = back_ms > ms ? 0 : ms - back_ms;
	} else if (rest == text) {
		if (parse_written_time(text, &ms) < 0)
			return -EINVAL;
	} else if (*rest) {
		return -EINVAL;
	}
	if (ms >= YEAR_10000_MS)
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}

static int parse_time(struct reading *r, const char *value, uint64_t *ret_ms, struct error *err)
{
	if (question_time_parse(value, r->now_s, ret_ms) < 0)
		return error_set(err, -EINVAL,
			"'%.60s' is no time: write 2026-11-23T10:00:00Z, 2026-11-23, seconds since 1970, now or -2h", value);
	return 0;
}

static int parse_from(struct reading *r, const char *value, struct error *err)
{
	r->has_from = true;
	return parse_time(r, value, &r->from_ms, err);
}

static int parse_to(struct reading *r, const char *value, struct error *err)
{
	r->has_to = true;
	r->to_now = strcmp(value, "now") == 0;
	return parse_time(r, value, &r->to_ms, err);
}

static int parse_duration(const char *value, uint64_t *ret_ms, struct error *err)
{
	if (duration_parse(value, ret_ms) < 0 || !*ret_ms)
		return error_set(err, -EINVAL, "'%.60s' is no duration: write 90s, 15m, 36h, 7d or 2w", value);
	return 0;
}

static int parse_last(struct reading *r, const char *value, struct error *err)
{
	r->has_last = true;
	return parse_duration(value, &r->last_ms, err);
}

static int parse_step(struct reading *r, const char *value, struct error *err)
{
	uint64_t ms;
	int rc = parse_duration(value, &ms, err);
	if (rc < 0)
		return rc;
	if (ms % (STEP_UNIT_S * 1000) || ms / 1000 > UINT32_MAX)
		return error_set(err, -EINVAL, "'%.60s' is no whole number of minutes", value);
	r->q->query.step_s = (uint32_t)(ms / 1000);
	return 0;
}

/* One name of the comma list. */
static int add_dimension(struct reading *r, const char *name, struct error *err)
{
	char known[DIMENSION_NAMES_MAX];
	struct query *q = &r->q->query;
	size_t max = kinds[r->kind].dims_max;
	int dim = dimension_by_name(name);
	if (dim < 0)
		return error_set(err, -EINVAL, "'%.60s' is no dimension; there are %s", name,
			dimension_names(r->kind == QUESTION_COMPLETE ? DIM_BIT(DIM_time) : 0, known));
	if (kinds[r->kind].by_time && dim == DIM_time)
		return 0; /* it has it anyway */
	if (kinds[r->kind].dims && !(kinds[r->kind].dims & DIM_BIT(dim)))
		return error_set(err, -EINVAL, "not by '%s'; there are %s", name, dimension_names(~kinds[r->kind].dims, known));
	for (size_t i = 0; i < q->by_count; i++)
		if (q->by[i] == (enum dimension)dim)
			return error_set(err, -EINVAL, "'%s' stands there twice", name);
	if (q->by_count == max)
		return error_set(err, -EINVAL, max == 1 ? "one dimension only" : "at most %zu dimensions", max);
	q->by[q->by_count++] = (enum dimension)dim;
	return 0;
}

static int parse_by(struct reading *r, const char *value, struct error *err)
{
	CLEANUP(free_p) char *copy = strdup(value);
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	r->has_by = true;
	char *rest = copy;
	for (char *name; *value && (name = strsep(&rest, ","));) {
		int rc = add_dimension(r, name, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse_between(struct reading *r, const char *value, struct error *err)
{
	int dim = dimension_by_name(value);
	if (dim != DIM_router && dim != DIM_neighbour)
		return error_set(err, -EINVAL, "'%.60s' is neither router nor neighbour", value);
	r->between = (enum dimension)dim;
	return 0;
}

static int parse_sort(struct reading *r, const char *value, struct error *err)
{
	char known[RENDER_NAMES_MAX];
	int sort = query_sort_by_name(value);
	if (sort < 0)
		return error_set(err, -EINVAL, "'%.40s' is no measure; there are %s", value, render_names(true, known));
	r->q->query.sort = sort;
	return 0;
}

static int parse_order(struct reading *r, const char *value, struct error *err)
{
	r->q->query.ascending = strcmp(value, "asc") == 0;
	if (!r->q->query.ascending && strcmp(value, "desc") != 0)
		return error_set(err, -EINVAL, "'%.60s' is neither asc nor desc", value);
	return 0;
}

static int parse_filter(struct reading *r, const char *value, struct error *err)
{
	r->q->filter_text = value;
	int rc = filter_parse(value, &r->q->filter, err);
	return rc == -ENOMEM ? rc : rc < 0 ? -EINVAL : 0;
}

static int parse_format(struct reading *r, const char *value, struct error *err)
{
	r->q->csv = strcmp(value, "csv") == 0;
	if (!r->q->csv && strcmp(value, "json") != 0)
		return error_set(err, -EINVAL, "'%.60s' is neither json nor csv", value);
	return 0;
}

static int parse_router(struct reading *r, const char *value, struct error *err)
{
	if (!*value)
		return error_set(err, -EINVAL, "the name is empty");
	r->q->router = value;
	return 0;
}

static int parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret, struct error *err)
{
	unsigned long n = 0;
	size_t digits = strspn(text, "0123456789");
	if (digits && digits < 8 && !text[digits])
		n = strtoul(text, NULL, 10);
	if (n < min || n > max)
		return error_set(err, -EINVAL, "'%.60s' is no number from %u to %u", text, min, max);
	*ret = (uint32_t)n;
	return 0;
}

int question_limit_parse(const char *text, uint32_t *ret, struct error *err)
{
	return parse_number(text, 1, QUERY_LIMIT_MAX, ret, err);
}

static int parse_limit(struct reading *r, const char *value, struct error *err)
{
	return question_limit_parse(value, &r->q->query.limit, err);
}

static int parse_points(struct reading *r, const char *value, struct error *err)
{
	return parse_number(value, QUESTION_POINTS_MIN, QUESTION_POINTS_MAX, &r->q->query.points_max, err);
}

static int parse_nodes(struct reading *r, const char *value, struct error *err)
{
	return parse_number(value, 1, 100, &r->q->nodes, err);
}

static int parse_fields(struct reading *r, const char *value, struct error *err)
{
	return render_fields_parse(value, &r->q->fields, err);
}

static int parse_compare(struct reading *r, const char *value, struct error *err)
{
	uint64_t ms = 0;
	r->q->compare = true;
	if (strcmp(value, "previous") == 0)
		return 0;
	if (duration_parse(value, &ms) < 0 || ms < STEP_UNIT_S * 1000 || ms % (STEP_UNIT_S * 1000))
		return error_set(err, -EINVAL, "'%.60s' is neither previous nor a duration in whole minutes like 1d or 1w", value);
	r->q->compare_s = ms / 1000;
	return 0;
}

static int parse_percentile(struct reading *r, const char *value, struct error *err)
{
	return parse_number(value, 1, 99, &r->q->percentile, err);
}

static int parse_keys(struct reading *r, const char *value, struct error *err)
{
	r->keys = value;
	return 0;
}

static int parse_dim(struct reading *r, const char *value, struct error *err)
{
	char known[DIMENSION_NAMES_MAX];
	int rc = add_dimension(r, value, err);
	if (rc == 0 && r->q->query.by[0] == DIM_time)
		rc = error_set(err, -EINVAL, "times are not filtered on; there are %s", dimension_names(DIM_BIT(DIM_time), known));
	return rc;
}

static int parse_prefix(struct reading *r, const char *value, struct error *err)
{
	if (r->kind == QUESTION_COMPLETE) {
		r->q->typed = value;
		return 0;
	}
	if (r->q->prefix.addr.family != ADDR_NONE)
		return error_set(err, -EINVAL, "'prefix' and 'within' exclude each other");
	return prefix_parse(value, &r->q->prefix, err) < 0 ? -EINVAL : 0;
}

static int parse_within(struct reading *r, const char *value, struct error *err)
{
	r->q->within = true;
	return parse_prefix(r, value, err);
}

const char *question_place_format(const struct store_change_place *place, char buf[static QUESTION_PLACE_MAX])
{
	(void)snprintf(buf, QUESTION_PLACE_MAX, "%llu-%llu-%llu-%s", (unsigned long long)place->time_ms, (unsigned long long)place->batch,
		(unsigned long long)place->number, place->collector);
	return buf;
}

/* "123-": a number that a store has room for. False when it is none. */
static bool parse_place_part(const char **text, uint64_t *ret)
{
	char *end;
	size_t digits = strspn(*text, "0123456789");
	if (!digits || digits > 18 || (*text)[digits] != '-')
		return false;
	*ret = strtoull(*text, &end, 10);
	*text = end + 1;
	return true;
}

static int parse_after(struct reading *r, const char *value, struct error *err)
{
	struct store_change_place *place = &r->q->place;
	const char *rest = value;
	size_t room = sizeof(place->collector);
	r->q->behind = true;
	if (!parse_place_part(&rest, &place->time_ms) || !parse_place_part(&rest, &place->batch) || !parse_place_part(&rest, &place->number) ||
		!*rest || strlen(rest) >= room)
		return error_set(err, -EINVAL, "'%.60s' is no place: take `next` of an answer", value);
	(void)snprintf(place->collector, room, "%s", rest);
	return 0;
}

static const struct {
	const char *name;
	parse_fn *parse;
} parsers[] = {
	{"by", parse_by},
	{"between", parse_between},
	{"sort", parse_sort},
	{"order", parse_order},
	{"filter", parse_filter},
	{"last", parse_last},
	{"from", parse_from},
	{"to", parse_to},
	{"limit", parse_limit},
	{"step", parse_step},
	{"format", parse_format},
	{"router", parse_router},
	{"prefix", parse_prefix},
	{"within", parse_within},
	{"after", parse_after},
	{"points", parse_points},
	{"fields", parse_fields},
	{"compare", parse_compare},
	{"percentile", parse_percentile},
	{"dim", parse_dim},
	{"keys", parse_keys},
	{"nodes", parse_nodes},
};

/* The range, once everything is read. */
static int finish_range(struct reading *r, struct error *err)
{
	struct query *q = &r->q->query;
	if (r->has_from && r->has_last)
		return error_set(err, -EINVAL, "parameter 'last': 'from' and 'last' exclude each other");
	uint64_t base_ms = r->has_to ? r->to_ms : r->now_s * 1000;
	uint64_t last_ms = r->has_last ? r->last_ms : QUESTION_LAST_S * 1000;
	uint64_t from_ms = r->has_from ? r->from_ms : base_ms > last_ms ? base_ms - last_ms : 0;
	/* Now is up to and with the present second, whose bucket counts even when it has just begun. */
	uint64_t to_ms = r->has_to && !r->to_now ? base_ms : base_ms + 1000;
	/* A range that was named is answered to the minute; "the last day" may begin with its first hour. */
	q->exact_range = r->has_from || r->has_to;
	q->from_s = from_ms / 1000;
	q->to_s = (to_ms + 999) / 1000;
	if (q->from_s >= q->to_s)
		return error_set(err, -EINVAL, "parameter '%s': the range is empty", r->has_from ? "from" : "to");
	return 0;
}

static int finish_keys(struct reading *r, struct error *err)
{
	struct http_question *q = r->q;
	if (!r->keys)
		return 0;
	if (!q->query.by_count)
		return error_set(err, -EINVAL, "parameter 'keys' needs a dimension in 'by'");
	int rc = filter_parse_values(q->query.by[0], r->keys, &q->keys, err);
	if (rc == 0 && q->keys->items[0].value_count > QUESTION_KEYS_MAX)
		rc = error_set(err, -EINVAL, "more than %d values", QUESTION_KEYS_MAX);
	return rc == -ENOMEM ? rc : rc < 0 ? error_prefix(err, "parameter 'keys'") : 0;
}

static int finish_fields(struct reading *r, struct error *err)
{
	struct http_question *q = r->q;
	if (!q->fields && kinds[r->kind].fields && render_fields_parse(kinds[r->kind].fields, &q->fields, err) < 0)
		return -EINVAL;
	if (q->fields)
		q->query.measures = render_measures(q->fields, q->query.sort);
	return 0;
}

static int finish(struct reading *r, struct error *err)
{
	struct query *q = &r->q->query;
	const struct kind *kind = &kinds[r->kind];
	bool by_time = kind->by_time;
	if (!r->has_by && kind->by >= 0)
		q->by[q->by_count++] = (enum dimension)kind->by;
	for (size_t i = 0; i < q->by_count; i++)
		by_time |= q->by[i] == DIM_time;
	if ((q->step_s || q->points_max) && !by_time)
		return error_set(err, -EINVAL, "parameter '%s' needs 'time' among 'by'", q->step_s ? "step" : "points");
	if (q->step_s && q->points_max)
		return error_set(err, -EINVAL, "parameter 'points': 'step' and 'points' exclude each other");
	if (r->q->compare && by_time && r->kind != QUESTION_SERIES)
		return error_set(err, -EINVAL, "parameter 'compare' does not go with 'time' in 'by'");
	if ((kind->between || r->kind == QUESTION_SPARKLINES) && !q->by_count)
		return error_set(err, -EINVAL, "parameter 'by' is empty: one dimension is needed");
	if (kind->between)
		q->by[q->by_count++] = r->between ? r->between : (enum dimension)kind->between;
	if (!q->step_s && !q->points_max)
		q->points_max = kind->points;
	q->filter = r->q->filter;
	int rc = finish_keys(r, err);
	if (rc == 0)
		rc = finish_fields(r, err);
	return rc < 0 ? rc : finish_range(r, err);
}

static int parse_one(struct reading *r, const struct http_param *param, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(parsers); i++) {
		if (strcmp(parsers[i].name, param->name) != 0)
			continue;
		int rc = parsers[i].parse(r, param->value, err);
		if (rc < 0)
			(void)error_prefix(err, "parameter '%s'", param->name);
		return rc;
	}
	return error_set(err, -EINVAL, "unknown parameter '%.60s'", param->name);
}

int question_parse(const struct http_params *params, enum question_kind kind, uint64_t now_s,
	struct http_question *ret, struct error *err)
{
	struct http_question q = {
		.filter_text = "",
		.typed = "",
		.nodes = 12,
		.query = {
			.sort = MEASURE_bytes_sent,
			.limit = kinds[kind].limit,
			.deadline_ns = clock_mono_ns() + DEADLINE_S * NS_PER_S,
		},
	};
	struct reading r = {.q = &q, .kind = kind, .now_s = now_s};
	int rc = 0;
	for (size_t i = 0; i < params->count && rc == 0; i++)
		rc = parse_one(&r, &params->list[i], err);
	if (rc == 0)
		rc = finish(&r, err);
	if (rc < 0) {
		question_done(&q);
		return rc;
	}
	*ret = q;
	return 0;
}

void question_done(struct http_question *q)
{
	filter_free(q->filter);
	filter_free(q->keys);
	q->filter = q->keys = NULL;
	q->query.filter = NULL;
}
