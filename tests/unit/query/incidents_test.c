/* SPDX-License-Identifier: BSD-2-Clause */

/* Worlds over time with something planted in them: what is named, from when to when, and what is not. A world is a list of routers'
 * paths with packets, a rate and a round-trip time in each bucket. Losses come in clusters, as they do: a connection that loses any loses
 * several. Random worlds have fixed seeds: each run is the same. */

#include <errno.h>
#include <math.h>
#include <string.h>

#include "query/incidents.h"
#include "route/path.h"
#include "wt_test.h"

#define FLOWS_MAX      64
#define POINTS         72
#define PATH_MAX_BYTES 600
#define PER_CONNECTION 100 /* packets */

static const uint8_t measures[] = {MEASURE_packets_sent};

struct flow {
	const char *router, *path;
	uint64_t packets; /* of a bucket, more or less */
	double rate;
	unsigned rtt_bucket;
};

/* What is otherwise for those from one bucket to another that have this AS or router; of all: neither. */
struct planted {
	uint32_t as;
	const char *router;
	size_t from, to;
	double rate;          /* 0: as usual */
	unsigned rtt_buckets; /* so many more */
};

struct world {
	struct flow flows[FLOWS_MAX];
	struct planted planted[4];
	size_t flow_count;
	bool rhythm; /* a day's: a tenth of the packets at night */
	bool tells_also; /* what of each shows it as well */
	bool restless; /* rates go up and down from bucket to bucket, to the half and to twice */
};

/* ---- making it ---- */

static bool path_has(const char *path, uint32_t as)
{
	uint8_t bytes[PATH_MAX_BYTES];
	uint32_t members[32];
	int len = path_parse(path, bytes, sizeof(bytes));
	assert_true(len >= 0);
	size_t n = path_members((struct view){bytes, (size_t)len}, members, ARRAY_LEN(members));
	for (size_t i = 0; i < n; i++)
		if (members[i] == as)
			return true;
	return false;
}

static bool is_planted(const struct planted *p, const struct flow *f, size_t bucket)
{
	return bucket >= p->from && bucket < p->to && (!p->as || path_has(f->path, p->as)) && (!p->router || strcmp(p->router, f->router) == 0);
}

/* About as many as expected: the sum of twelve even numbers is nearly normal. */
static double about(double expected, double spread)
{
	double sum = 0;
	for (int i = 0; i < 12; i++)
		sum += (double)wt_random_below(1000001) / 1e6;
	return fmax(0, expected + (sum - 6) * spread);
}

static struct measures made(const struct world *w, const struct flow *f, size_t bucket)
{
	struct measures m = {0};
	double rate = f->rate, size = w->rhythm ? 0.55 + 0.45 * sin((double)bucket * 6.2832 / 24) : 1;
	unsigned rtt = f->rtt_bucket;
	for (size_t i = 0; i < ARRAY_LEN(w->planted); i++)
		if (is_planted(&w->planted[i], f, bucket)) {
			rate = w->planted[i].rate > 0 ? w->planted[i].rate : rate;
			rtt += w->planted[i].rtt_buckets;
		}
	if (w->restless)
		rate *= exp((double)wt_random_below(1001) / 500 * log(2) - log(2));
	double packets = floor(about((double)f->packets * size, (double)f->packets * 0.05)), connections = floor(packets / PER_CONNECTION);
	double lossy = connections * (1 - pow(1 - rate / 3, PER_CONNECTION)), each = lossy > 0 ? packets * rate / lossy : 0; /* three at a time, or so */
	lossy = fmin(connections, floor(about(lossy, sqrt(lossy))));
	double again = fmax(lossy, floor(about(lossy * each, sqrt(lossy) * each)));
	m.v[MEASURE_packets_sent] = (uint64_t)packets;
	m.v[MEASURE_packets_retransmitted] = (uint64_t)fmin(again, packets);
	m.v[MEASURE_connections] = (uint64_t)connections;
	m.v[MEASURE_connections_with_retransmit] = (uint64_t)lossy;
	uint64_t slow = (uint64_t)about(connections * 0.2, sqrt(connections * 0.2)), fast = m.v[MEASURE_connections] - (slow < m.v[MEASURE_connections] ? slow : 0);
	m.v[MEASURE_rtt_h0 + rtt] = fast;
	m.v[MEASURE_rtt_h0 + rtt + 1] = m.v[MEASURE_connections] - fast;
	m.v[MEASURE_rtt_count] = m.v[MEASURE_connections];
	return m;
}

static void add_group(struct groups *groups, struct value_set sets[static 2], const struct flow *f, const struct measures *m)
{
	uint8_t bytes[PATH_MAX_BYTES];
	int len = path_parse(f->path, bytes, sizeof(bytes));
	assert_true(len >= 0);
	struct dim_value values[] = {{.known = f->router, .bytes = {(const uint8_t *)f->router, f->router ? strlen(f->router) : 0}},
		{.known = true, .bytes = {bytes, (size_t)len}}};
	uint64_t key[2];
	uint32_t row;
	for (int i = 0; i < 2; i++)
		assert_int_equal(value_set_code(&sets[i], &values[i], &key[i]), 0);
	assert_int_equal(groups_get(groups, key, &row), 0);
	for (size_t i = 0; i < ARRAY_LEN(measures); i++)
		groups_sums(groups, row)[i] += m->v[measures[i]];
}

static bool is_of(const struct incident_line *l, const struct flow *f)
{
	if (l->dim == DIM_via)
		return path_has(f->path, (uint32_t)l->value.number);
	return l->dim != DIM_router || (strlen(f->router) == l->value.bytes.len && memcmp(f->router, l->value.bytes.data, l->value.bytes.len) == 0);
}

/* Every value once, as rows. */
struct values {
	struct dim_value values[FLOWS_MAX];
	struct query_row rows[FLOWS_MAX];
	struct query_result result;
};

static void add_value(struct values *v, enum dimension dim, const struct dim_value *value)
{
	size_t i = 0;
	while (i < v->result.row_count && value_cmp(dimension_table[dim].kind, &v->values[i], value) != 0)
		i++;
	if (i < v->result.row_count || i == FLOWS_MAX)
		return;
	v->values[i] = *value;
	v->rows[i] = (struct query_row){.values = &v->values[i]};
	v->result.rows = v->rows;
	v->result.row_count++;
}

static void lines_of(const struct world *w, struct incident_lines *ret)
{
	static struct values routers, vias;
	routers.result.row_count = vias.result.row_count = 0;
	add_value(&vias, DIM_via, &(struct dim_value){0}); /* those without a path: not looked at */
	for (size_t i = 0; i < w->flow_count; i++) {
		uint8_t bytes[PATH_MAX_BYTES];
		uint32_t members[32];
		const char *router = w->flows[i].router;
		int len = path_parse(w->flows[i].path, bytes, sizeof(bytes));
		size_t n = path_members((struct view){bytes, (size_t)len}, members, ARRAY_LEN(members));
		add_value(&routers, DIM_router, &(struct dim_value){.known = true, .bytes = {(const uint8_t *)router, strlen(router)}});
		for (size_t k = 0; k < n; k++)
			add_value(&vias, DIM_via, &(struct dim_value){.known = true, .number = members[k]});
	}
	assert_int_equal(incident_lines_make(&routers.result, &vias.result, POINTS, ret), 0);
}

/* What happened, in one text: "loss 9 20-30 (1 21); rtt r1 5-". */
static const char *happened(const struct world *w)
{
	static struct measures cells[FLOWS_MAX][POINTS];
	struct groups groups = {0};
	struct value_set sets[2];
	struct incident_lines lines;
	groups_init(&groups, 2, ARRAY_LEN(measures), 0);
	groups_limit(&groups, 64u << 20);
	value_set_init(&sets[0], KIND_TEXT);
	value_set_init(&sets[1], KIND_PATH);
	lines_of(w, &lines);
	for (size_t i = 0; i < w->flow_count; i++)
		for (size_t b = 0; b < POINTS; b++) {
			cells[i][b] = made(w, &w->flows[i], b);
			add_group(&groups, sets, &w->flows[i], &cells[i][b]);
		}
	for (size_t l = 0; l < lines.count; l++)
		for (size_t i = 0; i < w->flow_count; i++)
			for (size_t b = 0; b < POINTS && is_of(&lines.list[l], &w->flows[i]); b++)
				measures_add(&lines.list[l].buckets[b], &cells[i][b]);
	assert_int_equal(incident_lines_share(&lines, &(struct query_groups){&groups, sets, measures, ARRAY_LEN(measures)}), 0);
	groups_done(&groups);
	value_set_done(&sets[0]);
	value_set_done(&sets[1]);
	static char text[1000];
	struct incidents found;
	assert_int_equal(incidents_find(&lines, &found), 0);
	assert_int_equal(incidents_settle(&lines, &found), 0);
	assert_int_equal(found.more, 0);
	*text = '\0';
	FILE *out = fmemopen(text, sizeof(text), "w");
	for (size_t i = 0; i < found.count; i++) {
		const struct incident *x = &found.list[i];
		(void)fprintf(out, "%s%s ", i ? "; " : "", x->kind == INCIDENT_LOSS ? "loss" : "rtt");
		if (x->line->dim == DIM_via)
			(void)fprintf(out, "%u", (unsigned)x->line->value.number);
		else if (x->line->dim == DIM_router)
			(void)fprintf(out, "%.*s", (int)x->line->value.bytes.len, (const char *)x->line->value.bytes.data);
		else
			(void)fprintf(out, "all");
		(void)fprintf(out, " ");
		if (!x->before)
			(void)fprintf(out, "%zu", x->from);
		(void)fprintf(out, "-");
		if (!x->beyond)
			(void)fprintf(out, "%zu", x->to);
		for (size_t k = 0; w->tells_also && k < x->also_count; k++)
			(void)fprintf(out, " %s", x->also[k]->dim == DIM_via ? "as" : x->also[k]->dim == DIM_router ? "router" : "all");
	}
	(void)fclose(out);
	incidents_done(&found);
	incident_lines_done(&lines);
	return text;
}

/* ---- planted by hand ---- */

#define USUAL {"r1", "1 10", 400000, 0.003, 2}, {"r1", "2 11", 300000, 0.003, 3}, {"r2", "1 12", 200000, 0.002, 3}, {"r2", "2 13", 100000, 0.004, 4}, \
	{"r1", "1 9 20", 50000, 0.003, 4}, {"r2", "2 9 21", 50000, 0.003, 4}, {"r1", "1 22", 50000, 0.02, 5}

static const struct {
	const char *what, *happened;
	struct planted planted[4];
	bool rhythm;
} worlds[] = {
	{"nothing, though one loses much all the time", "", {{0}}, false},
	{"nothing, by day and by night", "", {{0}}, true},
	{"a transit, not those before and behind it", "loss 9 20-30", {{.as = 9, .from = 20, .to = 30, .rate = 0.03}}, false},
	{"the same by day and by night", "loss 9 20-30", {{.as = 9, .from = 20, .to = 30, .rate = 0.03}}, true},
	{"one that goes on", "loss 9 60-", {{.as = 9, .from = 60, .to = POINTS, .rate = 0.03}}, false},
	{"one that had begun before", "loss 9 -8", {{.as = 9, .from = 0, .to = 8, .rate = 0.03}}, false},
	{"a network", "loss 21 40-44", {{.as = 21, .from = 40, .to = 44, .rate = 0.05}}, false},
	{"who loses much gets worse", "loss 22 40-50", {{.as = 22, .from = 40, .to = 50, .rate = 0.08}}, false},
	{"two at different times", "loss 21 50-56; loss 12 20-30", {{.as = 21, .from = 50, .to = 56, .rate = 0.05}, {.as = 12, .from = 20, .to = 30, .rate = 0.02}}, false},
	{"two at once", "loss 12 20-30; loss 9 20-30", {{.as = 9, .from = 20, .to = 30, .rate = 0.04}, {.as = 12, .from = 20, .to = 30, .rate = 0.02}}, false},
	{"the same one twice", "loss 9 50-60; loss 9 20-30", {{.as = 9, .from = 20, .to = 30, .rate = 0.03}, {.as = 9, .from = 50, .to = 60, .rate = 0.03}}, false},
	{"a router", "loss r2 30-40", {{.router = "r2", .from = 30, .to = 40, .rate = 0.03}}, false},
	{"all of it", "loss all 30-40", {{.from = 30, .to = 40, .rate = 0.03}}, false},
	{"a longer way", "rtt 9 30-60", {{.as = 9, .from = 30, .to = 60, .rtt_buckets = 2}}, false},
	{"a longer way on which packets are lost", "loss 9 30-50; rtt 9 30-50", {{.as = 9, .from = 30, .to = 50, .rtt_buckets = 2, .rate = 0.03}}, false},
	{"half of the time", "loss 9 36-", {{.as = 9, .from = 36, .to = POINTS, .rate = 0.03}}, false},
	{"one, and everything at another time", "loss 10 50-60; loss all 20-30", {{.from = 20, .to = 30, .rate = 0.02}, {.as = 10, .from = 50, .to = 60, .rate = 0.2}}, false},
	{"most of the time", "loss 9 30-", {{.as = 9, .from = 30, .to = POINTS, .rate = 0.03}}, false},
};

static void test_planted(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		struct world w = {.flows = {USUAL}, .flow_count = 7, .rhythm = worlds[i].rhythm};
		wt_random_state = i;
		(void)memcpy(w.planted, worlds[i].planted, sizeof(w.planted));
		const char *is = happened(&w);
		if (strcmp(is, worlds[i].happened) != 0)
			(void)fprintf(stderr, "# %s: '%s', not '%s'\n", worlds[i].what, is, worlds[i].happened);
		assert_string_equal(is, worlds[i].happened);
	}
}

/* ---- at random ---- */

/* Some dozens of networks behind a few transits, of all sizes, each with a rate of its own. */
static void random_world(struct world *w, char paths[static FLOWS_MAX][40])
{
	*w = (struct world){.flow_count = FLOWS_MAX, .rhythm = wt_random_below(2)};
	for (size_t i = 0; i < FLOWS_MAX; i++) {
		unsigned neighbour = 1 + (unsigned)wt_random_below(3), transit = 50 + (unsigned)wt_random_below(6), origin = 1000 + (unsigned)wt_random_below(40);
		(void)snprintf(paths[i], 40, "%u %u %u", neighbour, transit, origin);
		w->flows[i] = (struct flow){neighbour == 3 ? "r2" : "r1", paths[i], 200 + (uint64_t)(exp((double)wt_random_below(1000) / 150) * 20),
			0.001 + (double)wt_random_below(1000) / 50000, (unsigned)wt_random_below(8)};
	}
}

static void test_random(void **state)
{
	static struct world w;
	static char paths[FLOWS_MAX][40];
	size_t false_ones = 0, found = 0;
	for (unsigned seed = 1; seed <= 60; seed++) {
		wt_random_state = seed;
		random_world(&w, paths);
		const char *is = happened(&w);
		if (*is)
			(void)fprintf(stderr, "# seed %u: %s, out of nothing\n", seed, is);
		false_ones += *is != '\0';
		uint32_t as = 50 + seed % 6;
		size_t from = 10 + seed % 40;
		w.planted[0] = (struct planted){.as = as, .from = from, .to = from + 6, .rate = 0.1};
		char wanted[40];
		(void)snprintf(wanted, sizeof(wanted), "loss %u %zu-%zu", as, from, from + 6);
		is = happened(&w);
		found += strcmp(is, wanted) == 0;
		if (strcmp(is, wanted) != 0)
			(void)fprintf(stderr, "# seed %u: '%s', not '%s'\n", seed, is, wanted);
	}
	(void)fprintf(stderr, "# %zu of 60 found, %zu without one\n", found, false_ones);
	assert_int_equal(false_ones, 0);
	assert_true(found >= 55);
}

/* Rates that vary by much more than chance make no incident of each of their heights, and hide none that is out of line. */
static void test_restless(void **state)
{
	static struct world w;
	static char paths[FLOWS_MAX][40];
	size_t false_ones = 0, found = 0;
	for (unsigned seed = 1; seed <= 40; seed++) {
		wt_random_state = seed;
		random_world(&w, paths);
		w.restless = true;
		false_ones += *happened(&w) != '\0';
		uint32_t as = 50 + seed % 6;
		w.planted[0] = (struct planted){.as = as, .from = 30, .to = 36, .rate = 0.15};
		char wanted[40];
		(void)snprintf(wanted, sizeof(wanted), "loss %u 30-36", as);
		found += strstr(happened(&w), wanted) != NULL;
	}
	(void)fprintf(stderr, "# %zu of 40 found, %zu without one\n", found, false_ones);
	assert_true(false_ones <= 2);
	assert_true(found >= 36);
}

/* One download of a hundred thousand packets that loses a fifth of them is nobody's incident. */
static void test_one_connection(void **state)
{
	struct world w = {.flows = {USUAL, {"r1", "2 30", 3000, 0.003, 2}}, .flow_count = 8};
	assert_string_equal(happened(&w), "");
	w.flows[7].packets = 90; /* less than a connection in most buckets */
	w.planted[0] = (struct planted){.as = 30, .from = 20, .to = 30, .rate = 0.2};
	assert_string_equal(happened(&w), "");
}

/* Where all goes one way it may be the AS, the router or the servers. */
static void test_one_way(void **state)
{
	struct world w = {.flows = {{"r1", "1 10", 400000, 0.003, 2}}, .flow_count = 1, .planted = {{.from = 20, .to = 30, .rate = 0.03}}, .tells_also = true};
	wt_random_state = 5;
	assert_string_equal(happened(&w), "loss 1 20-30 as router all");
}

static void test_no_points(void **state)
{
	struct incident_lines lines = {.list = &(struct incident_line){.dim = INCIDENT_EVERYTHING}, .count = 1, .shared = &(uint64_t){0}};
	struct incidents found;
	assert_int_equal(incidents_find(&lines, &found), 0);
	assert_int_equal(incidents_settle(&lines, &found), 0);
	assert_int_equal(found.count, 0);
	incidents_done(&found);
}

/* ---- moves ---- */

static uint8_t path_bytes[32][PATH_MAX_BYTES];
static size_t path_count;

static struct dim_value path_value(const char *text)
{
	uint8_t *bytes = path_bytes[path_count++ % ARRAY_LEN(path_bytes)];
	int len = text ? path_parse(text, bytes, PATH_MAX_BYTES) : 0;
	assert_true(len >= 0);
	return (struct dim_value){.known = text, .bytes = {bytes, (size_t)len}};
}

static void move(struct incident_moves *moves, uint64_t time_s, const char *router, const char *prefix, const char *before, const char *after)
{
	struct store_change c = {.time_ms = time_s * 1000, .router = {.known = true, .bytes = {(const uint8_t *)router, strlen(router)}},
		.prefix = {.known = true}, .before = path_value(before), .after = path_value(after)};
	assert_int_equal(prefix_parse(prefix, &c.prefix.prefix, NULL), 0);
	assert_int_equal(incident_moves_add(moves, &c), 0);
}

static void test_moves(void **state)
{
	struct incident_moves moves;
	incident_moves_init(&moves);
	move(&moves, 9500, "r1", "192.0.5.0/24", "1 9 20", "1 9 9 20"); /* of another length only, as is the next */
	move(&moves, 9450, "r1", "192.0.4.0/24", "2 2 2", "2");
	move(&moves, 9000, "r1", "192.0.2.0/24", "1 9 20", "1 8 20"); /* the same move again, later */
	move(&moves, 1200, "r1", "198.51.100.0/24", "1 9 20", "1 8 20");
	move(&moves, 1100, "r1", "203.0.113.0/24", "1 9 21", "1 8 7 21");
	move(&moves, 1000, "r2", "203.0.113.0/24", "1 9 21", "1 8 21"); /* another router's */
	move(&moves, 950, "r1", "203.0.114.0/24", "1 9 21", NULL);     /* no route is no way */
	move(&moves, 930, "r1", "192.0.2.0/24", "1 9 20", "1 8 20"); /* back and forth */
	move(&moves, 900, "r1", "192.0.2.0/24", "1 9 20", "1 8 20");
	move(&moves, 500, "r1", "192.0.3.0/24", "2", "1 9 2");
	incident_moves_sort(&moves);
	static const struct {
		uint64_t from_s, to_s;
		uint32_t hop, before_as, after_as, changes, networks;
		bool lost;
	} wanted[] = {{500, 500, 0, 2, 1, 1, 1, false}, {900, 1200, 1, 9, 8, 4, 3, false}, {950, 950, 0, 1, 0, 1, 1, true}, {1000, 1000, 1, 9, 8, 1, 1, false},
		{9000, 9000, 1, 9, 8, 1, 1, false}, {9450, 9500, 0, 0, 0, 2, 2, false}};
	assert_int_equal(moves.count, ARRAY_LEN(wanted));
	for (size_t i = 0; i < moves.count; i++) {
		const struct incident_move *m = &moves.list[i];
		assert_int_equal(m->from_ms, wanted[i].from_s * 1000);
		assert_int_equal(m->to_ms, wanted[i].to_s * 1000);
		assert_int_equal(m->hop, wanted[i].hop);
		assert_int_equal(m->before_as, wanted[i].before_as);
		assert_int_equal(m->after_as, wanted[i].after_as);
		assert_int_equal(m->changes, wanted[i].changes);
		assert_int_equal(m->networks, wanted[i].networks);
		assert_int_equal(m->lost, wanted[i].lost);
	}
	struct incident_line as = {.dim = DIM_via, .value = {.known = true, .number = 8}}, r2 = {.dim = DIM_router, .value = moves.list[3].router},
			     all = {.dim = INCIDENT_EVERYTHING};
	struct incident i = {.line = &as, .from = 3, .to = 10};
	assert_true(incident_goes_with(&i, &moves.list[1], 0, 300));  /* begins at 900 */
	assert_false(incident_goes_with(&i, &moves.list[0], 0, 300)); /* other ASes */
	assert_false(incident_goes_with(&i, &moves.list[4], 0, 300)); /* long after */
	i.line = &r2;
	assert_false(incident_goes_with(&i, &moves.list[1], 0, 300));
	assert_true(incident_goes_with(&i, &moves.list[3], 0, 300));
	i.line = &all;
	assert_true(incident_goes_with(&i, &moves.list[2], 0, 300));
	i.before = true;
	assert_false(incident_goes_with(&i, &moves.list[2], 0, 300));
	i.to = 3; /* at its end */
	assert_true(incident_goes_with(&i, &moves.list[2], 0, 300));
	incident_moves_done(&moves);
}

static void test_moves_limit(void **state)
{
	struct incident_moves moves;
	char path[24];
	int r = 0;
	incident_moves_init(&moves);
	for (unsigned i = 0; i <= INCIDENT_MOVES_MAX; i++) {
		(void)snprintf(path, sizeof(path), "1 %u", 100 + i);
		struct store_change c = {.time_ms = 5000, .before = path_value(path), .after = path_value("1 2")};
		assert_int_equal(r, 0);
		r = incident_moves_add(&moves, &c);
	}
	assert_int_equal(r, -E2BIG);
	assert_int_equal(moves.count, INCIDENT_MOVES_MAX);
	incident_moves_done(&moves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_planted),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_restless),
		cmocka_unit_test(test_one_connection),
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_no_points),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_moves_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
