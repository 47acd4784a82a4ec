/* SPDX-License-Identifier: BSD-2-Clause */

/* Worlds of paths with something planted in them: who is named, and who is not. A world is a list of routers' paths with
 * packets and a rate; what was sent again is made of it, evenly or at random. Random worlds have fixed seeds: each run is the same. */

#include <math.h>
#include <string.h>

#include "query/suspects.h"
#include "route/path.h"
#include "wt_test.h"

#define PATH_MAX_BYTES 600
#define PER_CONNECTION 100 /* packets of a connection, where nothing else is said */

static const uint8_t measures[] = {MEASURE_bytes_sent, MEASURE_packets_sent, MEASURE_packets_retransmitted, MEASURE_connections,
	MEASURE_connections_with_retransmit};

struct world {
	struct groups groups;
	struct value_set sets[2];
	struct query_row countries[8];
	struct dim_value values[8];
	size_t country_count;
};

static void world_init(struct world *w)
{
	*w = (struct world){0};
	groups_init(&w->groups, 2, ARRAY_LEN(measures), 0);
	groups_limit(&w->groups, 64u << 20);
	value_set_init(&w->sets[0], KIND_TEXT);
	value_set_init(&w->sets[1], KIND_PATH);
}

static void world_done(struct world *w)
{
	groups_done(&w->groups);
	value_set_done(&w->sets[0]);
	value_set_done(&w->sets[1]);
}

static void add_sums(struct world *w, const char *router, const char *path, const uint64_t sums[static ARRAY_LEN(measures)])
{
	uint8_t bytes[PATH_MAX_BYTES];
	int len = path ? path_parse(path, bytes, sizeof(bytes)) : 0;
	assert_true(len >= 0);
	struct dim_value values[] = {
		{.known = router, .bytes = {(const uint8_t *)router, router ? strlen(router) : 0}},
		{.known = path, .bytes = {bytes, (size_t)len}},
	};
	uint64_t key[2];
	uint32_t row;
	for (int i = 0; i < 2; i++)
		assert_int_equal(value_set_code(&w->sets[i], &values[i], &key[i]), 0);
	assert_int_equal(groups_get(&w->groups, key, &row), 0);
	for (size_t i = 0; i < ARRAY_LEN(measures); i++)
		groups_sums(&w->groups, row)[i] += sums[i];
}

/* Connections that lost any of their packets, where each is lost by itself. */
static uint64_t lossy_of(uint64_t connections, double rate)
{
	return (uint64_t)((double)connections * (1 - pow(1 - rate, PER_CONNECTION)));
}

static void add(struct world *w, const char *router, const char *path, uint64_t packets, double rate)
{
	uint64_t connections = packets / PER_CONNECTION;
	uint64_t again = (uint64_t)((double)packets * rate + 0.5);
	add_sums(w, router, path, (const uint64_t[]){packets * 1400, packets, again, connections, lossy_of(connections, rate)});
}

static void add_country(struct world *w, const char *code, uint64_t packets, double rate)
{
	size_t i = w->country_count++;
	w->values[i] = (struct dim_value){.known = code, .number = code ? country_parse(code) : 0};
	w->countries[i] = (struct query_row){&w->values[i], {.v = {[MEASURE_packets_sent] = packets,
		[MEASURE_packets_retransmitted] = (uint64_t)((double)packets * rate), [MEASURE_connections] = packets / PER_CONNECTION,
		[MEASURE_connections_with_retransmit] = lossy_of(packets / PER_CONNECTION, rate)}}};
}

static struct suspects find(const struct world *w, uint32_t limit)
{
	const struct query_groups all = {&w->groups, w->sets, measures, ARRAY_LEN(measures)};
	struct suspects s;
	assert_int_equal(suspects_find(&all, w->countries, w->country_count, limit, &s), 0);
	return s;
}

static void put_value(char *text, size_t cap, enum dimension dim, const struct dim_value *v)
{
	size_t n = strlen(text);
	if (dim == DIM_router)
		(void)snprintf(text + n, cap - n, "%.*s", (int)v->bytes.len, (const char *)v->bytes.data);
	else if (dim == DIM_country)
		(void)country_format((country_code)v->number, text + n);
	else
		(void)snprintf(text + n, cap - n, "%llu", (unsigned long long)v->number);
}

/* "9; pair 3-4; 7=8": those named, with what cannot be told apart. */
static const char *named(const struct suspects *s)
{
	static char text[400];
	*text = '\0';
	for (size_t i = 0; i < s->count; i++) {
		const struct suspect *x = &s->list[i];
		const struct suspect_kind_info *info = &suspect_kinds[x->kind];
		size_t n = strlen(text);
		(void)snprintf(text + n, sizeof(text) - n, "%s%s", i ? "; " : "", x->kind == SUSPECT_VIA ? "" : info->name);
		for (unsigned v = 0; v < info->dim_count; v++) {
			(void)strcat(text, v ? "-" : x->kind == SUSPECT_VIA ? "" : " ");
			put_value(text, sizeof(text), info->dims[v], &x->values[v]);
		}
		for (size_t t = 0; t < x->twins.count; t++) {
			n = strlen(text);
			(void)snprintf(text + n, sizeof(text) - n, "=%u", x->twins.list[t].as);
		}
	}
	return text;
}

/* ---- planted by hand ---- */

struct line {
	const char *router, *path;
	uint64_t packets;
	double rate;
};

#define CLEAN {"r1", "1 10", 400000, 0.003}, {"r1", "2 11", 300000, 0.003}, {"r2", "1 12", 200000, 0.002}, {"r2", "2 13", 100000, 0.004}

static const struct {
	const char *what, *named;
	struct line lines[16];
} worlds[] = {
	{"ordinary rates", "", {CLEAN}},
	{"nothing", "", {{"r1", "1", 0, 0}}},
	{"a transit that loses, not those before and behind it", "9",
		{CLEAN, {"r1", "1 9 20", 150000, 0.036}, {"r2", "2 9 21", 150000, 0.036}, {"r1", "1 9 22", 60000, 0.03}}},
	{"few packets, however bad", "", {CLEAN, {"r1", "2 30", 900, 0.9}}},
	{"a small part of all that is lost", "", {CLEAN, {"r1", "2 30", 20000, 0.012}}},
	{"a small network that loses very much", "30", {CLEAN, {"r1", "2 30", 20000, 0.15}}},
	{"a second one elsewhere", "9; 31",
		{CLEAN, {"r1", "1 9 20", 150000, 0.036}, {"r2", "2 9 21", 150000, 0.036}, {"r1", "2 31", 50000, 0.05}}},
	{"one behind the first that loses on other paths too", "9; 21",
		{CLEAN, {"r1", "1 9 20", 150000, 0.036}, {"r2", "2 9 21", 150000, 0.036}, {"r1", "2 21", 60000, 0.04}}},
	{"who has a little of everything", "20; 31",
		{CLEAN, {"r1", "1 9 20", 150000, 0.036}, {"r2", "2 9 21", 150000, 0.006}, {"r1", "2 31", 50000, 0.05}}},
	{"two that are always together", "8=9", {CLEAN, {"r1", "1 9 8 20", 150000, 0.036}, {"r2", "2 9 8 21", 150000, 0.036}}},
	{"the wider of two has clean paths as well", "8",
		{CLEAN, {"r1", "1 9 8 20", 150000, 0.036}, {"r2", "2 9 8 21", 150000, 0.036}, {"r1", "2 9 23", 150000, 0.003}}},
	{"a neighbour", "2", {{"r1", "1 10", 400000, 0.003}, {"r1", "1 11", 300000, 0.003}, {"r2", "2 12", 200000, 0.03}, {"r1", "2 13", 100000, 0.03}}},
	{"an origin with two ways to it", "30", {CLEAN, {"r1", "1 30", 80000, 0.03}, {"r2", "2 30", 80000, 0.03}}},
	{"a link between clean ASes", "pair 4-5",
		{CLEAN, {"r1", "4 5 50", 90000, 0.03}, {"r2", "4 5 51", 90000, 0.03}, {"r1", "4 52", 200000, 0.003}, {"r2", "5 53", 200000, 0.003}}},
	{"a link whose one end has little else", "pair 4-5",
		{CLEAN, {"r1", "4 5 50", 90000, 0.03}, {"r2", "4 5 51", 90000, 0.03}, {"r1", "4 52", 30000, 0.003}, {"r2", "5 53", 200000, 0.003}}},
	{"a link whose one end has nothing else is that end", "5",
		{CLEAN, {"r1", "4 5 50", 90000, 0.03}, {"r2", "4 5 51", 90000, 0.03}, {"r1", "4 52", 200000, 0.003}}},
	{"the link's one end loses elsewhere too", "5",
		{CLEAN, {"r1", "4 5 50", 90000, 0.03}, {"r2", "4 5 51", 90000, 0.03}, {"r1", "4 52", 200000, 0.003}, {"r2", "6 5 53", 200000, 0.03}}},
	{"a link, and an AS elsewhere", "9; pair 4-5",
		{CLEAN, {"r1", "4 5 50", 60000, 0.03}, {"r2", "4 5 51", 60000, 0.03}, {"r1", "4 52", 200000, 0.003}, {"r2", "5 53", 200000, 0.003},
			{"r1", "1 9 20", 150000, 0.036}, {"r2", "2 9 21", 150000, 0.036}}},
	{"the members of a set have no order", "70=71", {CLEAN, {"r1", "4 {70,71}", 90000, 0.03}, {"r2", "5 {71,70}", 90000, 0.03}}},
	{"a prepended path", "9", {CLEAN, {"r1", "1 1 9 9 9 20", 150000, 0.036}, {"r2", "2 9 9 21", 150000, 0.036}}},
	{"a router", "router r3", {CLEAN, {"r3", "1 10", 90000, 0.03}, {"r3", "2 11", 90000, 0.03}, {"r3", "7 70", 40000, 0.03}}},
	{"a neighbour at one router", "router,neighbour r2-1",
		{CLEAN, {"r2", "1 14", 200000, 0.03}, {"r2", "1 12", 200000, 0.04}, {"r1", "1 14", 200000, 0.003}, {"r2", "2 14", 300000, 0.003}}},
	{"paths that are not known name nobody", "", {CLEAN, {"r1", NULL, 200000, 0.05}, {"r2", NULL, 200000, 0.05}}},
	{"traffic of one's own network names nobody", "", {CLEAN, {"r1", "", 200000, 0.05}, {"r2", "", 200000, 0.05}}},
};

static struct world world_of(const struct line *lines, size_t count)
{
	struct world w;
	world_init(&w);
	for (size_t i = 0; i < count && (lines[i].packets || !i); i++)
		add(&w, lines[i].router, lines[i].path, lines[i].packets, lines[i].rate);
	return w;
}

static void planted_faults_are_named(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		struct world w = world_of(worlds[i].lines, ARRAY_LEN(worlds[i].lines));
		struct suspects s = find(&w, 3);
		if (strcmp(named(&s), worlds[i].named) != 0)
			fail_msg("%s: '%s' is named, not '%s'", worlds[i].what, named(&s), worlds[i].named);
		suspects_done(&s);
		world_done(&w);
	}
}

/* ---- planted in random worlds ---- */

#define ROUTERS    4
#define NEIGHBOURS 6  /* 100 and so on; each router has three of them */
#define TRANSITS   15 /* 200 and so on, behind the neighbours */
#define ORIGINS    250 /* 1000 and so on */
#define BURSTS     3

enum fault { NO_FAULT, FAULT_TRANSIT, FAULT_NEIGHBOUR, FAULT_LINK };

/* What is planted: an AS, or two next to each other. */
struct planted {
	uint32_t first, second;
	double times; /* the rate of others */
};

static double uniform(void)
{
	return ((double)(wt_random() >> 11) + 0.5) * 0x1p-53;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static uint64_t poisson(double mean)
{
	if (mean > 200) {
		double v = mean + sqrt(mean) * normal();
		return v > 0 ? (uint64_t)v : 0;
	}
	uint64_t n = 0;
	for (double p = uniform(); p > exp(-mean); p *= uniform())
		n++;
	return n;
}

/* What one connection sends again once it loses something: three packets on average, some many more. */
static uint64_t loss_of_connection(void)
{
	return 1 + (uint64_t)(-2 * log(uniform()));
}

/* Packets at a rate, lost by connections. */
static void add_noisy(struct world *w, const char *router, const char *path, uint64_t packets, double rate)
{
	uint64_t connections = packets / PER_CONNECTION + 1, again = 0, events = poisson((double)packets * rate / 3);
	for (uint64_t i = 0; i < events; i++)
		again += loss_of_connection();
	add_sums(w, router, path, (const uint64_t[]){packets * 1400, packets, again < packets ? again : packets, connections,
		events < connections ? events : connections});
}

static bool on_path(const uint32_t *ases, unsigned count, const struct planted *p)
{
	for (unsigned i = 0; i < count; i++)
		if (ases[i] == p->first && (!p->second || (i + 1 < count && ases[i + 1] == p->second)))
			return true;
	return false;
}

/* Some networks are large and most are small; the rates of all differ by so much (the deviation of their logarithm), and so do those
 * of one's paths. Also the part of all that is sent again that would not be without the fault. */
static struct world random_world(const struct planted *planted, double spread, double *ret_share)
{
	struct world w;
	double all = 0, by_fault = 0;
	world_init(&w);
	for (uint32_t origin = 0; origin < ORIGINS; origin++) {
		double base = 0.003 * exp(spread * normal()), size = 3e6 * pow(1 + origin, -0.9);
		uint32_t transit = (uint32_t)wt_random_below(TRANSITS);
		for (uint32_t r = 0; r < ROUTERS; r++) {
			char router[8], path[64];
			uint32_t ases[] = {100 + (r + (uint32_t)wt_random_below(3)) % NEIGHBOURS,
				200 + (transit + (uint32_t)wt_random_below(2)) % TRANSITS, 1000 + origin};
			bool direct = wt_random_below(4) == 0;
			unsigned count = direct ? 2 : 3;
			ases[1] = direct ? ases[2] : ases[1];
			bool faulty = on_path(ases, count, planted);
			double rate = base * exp(spread / 2 * normal()) * (faulty ? planted->times : 1);
			(void)snprintf(router, sizeof(router), "r%u", r);
			(void)snprintf(path, sizeof(path), direct ? "%u %u" : "%u %u %u", ases[0], ases[1], ases[2]);
			uint64_t packets = (uint64_t)(size * uniform());
			all += (double)packets * rate;
			by_fault += faulty ? (double)packets * rate * (1 - 1 / planted->times) : 0;
			add_noisy(&w, router, path, packets, rate < 0.5 ? rate : 0.5);
			if (wt_random_below(ORIGINS * ROUTERS) < BURSTS) /* one connection that loses very much */
				add_sums(&w, router, path, (const uint64_t[]){0, 40000, 12000, 1, 1});
		}
	}
	*ret_share = by_fault / all;
	return w;
}

#define SHARE_MIN 0.18 /* a fault that is less of all retransmits may be passed over: the bound is a tenth of what is measured */

struct score {
	unsigned worlds, found, nobody;
};

static void try_world(uint64_t seed, const struct planted *planted, double spread, struct score *score)
{
	char want[40];
	double share;
	wt_random_state = seed;
	struct world w = random_world(planted, spread, &share);
	struct suspects s = find(&w, 3);
	(void)snprintf(want, sizeof(want), planted->second ? "pair %u-%u" : "%u", planted->first, planted->second);
	size_t n = strlen(want);
	const char *got = named(&s);
	if (!planted->first || share >= SHARE_MIN) {
		score->worlds++;
		score->nobody += !*got;
		score->found += strncmp(got, want, n) == 0 && (!got[n] || got[n] == ';');
	}
	suspects_done(&s);
	world_done(&w);
}

static struct planted planted_of(enum fault fault, unsigned seed)
{
	uint32_t neighbour = 100 + seed % NEIGHBOURS, transit = 200 + seed % TRANSITS;
	switch (fault) {
	case FAULT_TRANSIT:
		return (struct planted){transit, 0, 6};
	case FAULT_NEIGHBOUR:
		return (struct planted){neighbour, 0, 6};
	case FAULT_LINK:
		return (struct planted){neighbour, transit, 30};
	default:
		return (struct planted){0, 0, 1};
	}
}

/* Of so many worlds that are the same in each run; worlds_min of them have a fault that is large enough. */
static void faults_are_found_in_noise(void **state)
{
	static const struct {
		enum fault fault;
		double spread;
		unsigned worlds_min, of_hundred;
	} cases[] = {
		{FAULT_TRANSIT, 0.3, 40, 98}, {FAULT_TRANSIT, 0.5, 40, 95}, {FAULT_NEIGHBOUR, 0.3, 95, 98}, {FAULT_NEIGHBOUR, 0.5, 95, 98},
		{FAULT_LINK, 0.3, 30, 95}, {FAULT_LINK, 0.5, 30, 95},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct score score = {0};
		for (unsigned seed = 1; seed <= 100; seed++) {
			struct planted planted = planted_of(cases[i].fault, seed);
			try_world(seed, &planted, cases[i].spread, &score);
		}
		if (score.worlds < cases[i].worlds_min || score.found * 100 < score.worlds * cases[i].of_hundred)
			fail_msg("fault %d, spread %.1f: found in %u of %u", (int)cases[i].fault, cases[i].spread, score.found, score.worlds);
	}
}

/* Though three connections or so in each of them send thousands of packets again, which is a tenth of all. */
static void nobody_is_named_for_noise(void **state)
{
	const struct planted none = planted_of(NO_FAULT, 0);
	struct score score = {0};
	for (unsigned seed = 1; seed <= 200; seed++)
		try_world(seed, &none, 0.3, &score);
	if (score.nobody < 195)
		fail_msg("nobody is named in %u of %u worlds without a fault", score.nobody, score.worlds);
}

/* ---- what is said ---- */

static void near(double got, double want)
{
	if (fabs(got - want) > 1e-6 * fabs(want) + 1e-9)
		fail_msg("%.9g, not %.9g", got, want);
}

static const char *ases(const struct suspect_list *list)
{
	static char text[200];
	*text = '\0';
	for (size_t i = 0; i < list->count; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "", list->list[i].as);
	return text;
}

static void figures_are_of_all_paths(void **state)
{
	static const struct line lines[] = {CLEAN, {"r1", "1 9 20", 150000, 0.036}, {"r2", "2 9 21", 160000, 0.036}, {"r1", "1 9 22", 60000, 0.03},
		{"r3", NULL, 100000, 0.003}, {"r1", "2 31", 100000, 0.06}};
	struct world w = world_of(lines, ARRAY_LEN(lines));
	struct suspects s = find(&w, 3);
	assert_string_equal(named(&s), "9; 31");
	const struct suspect *x = &s.list[0];
	double own = 150000 * 0.036 + 160000 * 0.036 + 60000 * 0.03, rest = 2900 + 300 + 6000, packets = 370000;
	assert_int_equal(x->m.v[MEASURE_packets_sent], packets);
	assert_int_equal(x->m.v[MEASURE_packets_retransmitted], own);
	assert_int_equal(x->m.v[MEASURE_bytes_sent], packets * 1400);
	near(evidence_rate(&x->own), own / packets);
	near(evidence_rate(&x->elsewhere), rest / 1200000);
	near(x->excess, own - packets * rest / 1200000);
	struct stats_interval i = evidence_interval(&x->own);
	assert_true(i.low < own / packets && own / packets < i.high && i.low > 0.9 * own / packets);
	assert_int_equal(x->role, SUSPECT_TRANSIT);
	assert_string_equal(ases(&x->before), "1 2");
	assert_int_equal(x->before.list[0].m.v[MEASURE_packets_sent], 210000);
	assert_string_equal(ases(&x->behind), "21 20 22");
	/* The second is told of what the first leaves. */
	near(evidence_rate(&s.list[1].elsewhere), 3200.0 / 1100000);
	assert_int_equal(s.list[1].role, SUSPECT_ORIGIN);
	/* All in the list and other are the total. */
	for (size_t m = 0; m < ARRAY_LEN(measures); m++)
		assert_int_equal(s.list[0].m.v[measures[m]] + s.list[1].m.v[measures[m]] + s.other.v[measures[m]], s.total.v[measures[m]]);
	assert_int_equal(s.total.v[MEASURE_packets_sent], 1570000);
	suspects_done(&s);
	s = find(&w, 1);
	assert_string_equal(named(&s), "9");
	suspects_done(&s);
	world_done(&w);
}

static void roles_are_of_nearly_all_paths(void **state)
{
	static const struct line neighbour[] = {{"r1", "1 10", 900000, 0.003}, {"r1", "2 12", 200000, 0.03}, {"r2", "2 13", 200000, 0.03},
		{"r2", "3 2 13", 15000, 0.03}};
	struct world w = world_of(neighbour, ARRAY_LEN(neighbour));
	struct suspects s = find(&w, 3);
	assert_string_equal(named(&s), "2");
	assert_int_equal(s.list[0].role, SUSPECT_NEIGHBOUR);
	assert_string_equal(ases(&s.list[0].before), "3");
	suspects_done(&s);
	world_done(&w);
}

static void countries_explain_clearly_more(void **state)
{
	static const struct line spread[] = {CLEAN, {"r1", "1 41", 60000, 0.03}, {"r2", "2 42", 60000, 0.03}, {"r1", "1 43", 60000, 0.03},
		{"r2", "2 44", 60000, 0.03}, {"r1", "1 45", 60000, 0.03}}, one[] = {CLEAN, {"r1", "1 9", 300000, 0.03}};
	static const struct {
		const struct line *lines;
		size_t count;
		const char *country, *named;
	} cases[] = {{spread, ARRAY_LEN(spread), "BR", "country BR"}, {one, ARRAY_LEN(one), "BR", "9"}, {one, ARRAY_LEN(one), NULL, "9"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w = world_of(cases[i].lines, cases[i].count);
		add_country(&w, cases[i].country, 300000, 0.03);
		add_country(&w, "US", 1000000, 0.003);
		struct suspects s = find(&w, 3);
		assert_string_equal(named(&s), cases[i].named);
		assert_int_equal(s.list[0].m.v[MEASURE_packets_sent] + s.other.v[MEASURE_packets_sent], s.total.v[MEASURE_packets_sent]);
		suspects_done(&s);
		world_done(&w);
	}
}

/* A million packets sent again are little evidence when few connections sent them. */
static void connections_are_the_witnesses(void **state)
{
	static const struct {
		uint64_t connections, lossy;
		const char *named;
	} cases[] = {{2000, 1900, "30"}, {2000, 500, ""}, {3, 3, ""}, {2000, 1, ""}, {0, 0, ""}, {2000, 0, "30"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const struct line lines[] = {CLEAN};
		struct world w = world_of(lines, ARRAY_LEN(lines));
		add_sums(&w, "r1", "2 30", (const uint64_t[]){0, 200000, 20000, cases[i].connections, cases[i].lossy});
		struct suspects s = find(&w, 3);
		if (strcmp(named(&s), cases[i].named) != 0)
			fail_msg("case %zu: '%s'", i, named(&s));
		assert_int_equal(s.unsure.as, s.count ? 0 : 30); /* it is told who is not named */
		suspects_done(&s);
		world_done(&w);
	}
}

/* Rows come from stores in any order. */
static void order_does_not_matter(void **state)
{
	static const struct line lines[] = {CLEAN, {"r1", "1 9 8 20", 150000, 0.036}, {"r2", "2 9 8 21", 150000, 0.036}, {"r1", "2 31", 50000, 0.05}};
	struct line mixed[ARRAY_LEN(lines)];
	memcpy(mixed, lines, sizeof(lines));
	wt_random_state = 1;
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = ARRAY_LEN(lines); i > 1; i--) {
			size_t k = wt_random_below(i);
			struct line line = mixed[k];
			mixed[k] = mixed[i - 1];
			mixed[i - 1] = line;
		}
		struct world w = world_of(mixed, ARRAY_LEN(mixed));
		struct suspects s = find(&w, 3);
		assert_string_equal(named(&s), "8=9; 31");
		suspects_done(&s);
		world_done(&w);
	}
}

/* Where all goes one way, or paths are not known, nobody is cleared either. */
static void nobody_to_compare_with(void **state)
{
	static const struct {
		struct line lines[3];
		bool compared;
	} cases[] = {
		{{{"r1", "1 10", 40000, 0.04}}, false},
		{{{NULL, NULL, 40000, 0.04}}, false},
		{{{"r1", "1 10", 40000, 0.04}, {"r1", "1 11", 900, 0.003}}, false},
		{{{"r1", "1 10", 40000, 0.003}, {"r1", "1 11", 1000, 0.003}}, true},
		{{{"r1", "1", 40000, 0.003}, {"r2", "1", 40000, 0.003}}, true},
		{{{"r1", "1", 0, 0}}, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		world_init(&w);
		for (const struct line *l = cases[i].lines; l < cases[i].lines + 3 && l->packets; l++)
			add(&w, l->router, l->path, l->packets, l->rate);
		struct suspects s = find(&w, 3);
		if (s.compared != cases[i].compared || s.count)
			fail_msg("case %zu", i);
		suspects_done(&s);
		world_done(&w);
	}
}

/* ---- since when ---- */

struct step {
	size_t count;
	double rate;
};

static void stretches(void **state)
{
	static const struct {
		struct step steps[3];
		double elsewhere;
		struct suspects_stretch want;
	} cases[] = {
		{{{40, 0.003}, {20, 0.04}}, 0.003, {true, false, 40, 60}},
		{{{10, 0.003}, {20, 0.04}, {30, 0.003}}, 0.003, {true, false, 10, 30}},
		{{{20, 0.04}, {40, 0.003}}, 0.003, {true, false, 0, 20}},
		{{{60, 0.04}}, 0.003, {false, true, 0, 60}},
		{{{60, 0.004}}, 0.003, {false, false, 0, 60}},
		{{{30, 0.003}, {30, 0.005}}, 0.003, {false, false, 0, 60}},
		{{{0, 0}}, 0.003, {false, false, 0, 0}},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct evidence of[SUSPECTS_BUCKETS_MAX];
		size_t n = 0;
		for (size_t k = 0; k < 3; k++)
			for (size_t b = 0; b < cases[i].steps[k].count; b++)
				of[n++] = (struct evidence){10000, (uint64_t)(10000 * cases[i].steps[k].rate), 100, lossy_of(100, cases[i].steps[k].rate)};
		struct suspects_stretch got = suspects_since(of, n, cases[i].elsewhere);
		const struct suspects_stretch *want = &cases[i].want;
		if (got.found != want->found || got.earlier != want->earlier || got.from != want->from || got.to != want->to)
			fail_msg("case %zu: %d %d %zu %zu", i, got.found, got.earlier, got.from, got.to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_faults_are_named),
		cmocka_unit_test(faults_are_found_in_noise),
		cmocka_unit_test(nobody_is_named_for_noise),
		cmocka_unit_test(figures_are_of_all_paths),
		cmocka_unit_test(roles_are_of_nearly_all_paths),
		cmocka_unit_test(countries_explain_clearly_more),
		cmocka_unit_test(connections_are_the_witnesses),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(nobody_to_compare_with),
		cmocka_unit_test(stretches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
