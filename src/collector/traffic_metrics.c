/* SPDX-License-Identifier: BSD-2-Clause */

/* A row costs three look-ups in hash tables, about a third of a microsecond; a minute's choice costs a walk over what was
 * seen. What is seen is bounded: beyond SEEN_MAX, values without a place are forgotten that weigh nothing any more,
 * and new ones go to the others until there is room. */

#include "collector/traffic_metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/exposition.h"
#include "place/country.h"
#include "route/path.h"

#define SEEN_MAX    200000u
#define LOOK_NS     (60 * NS_PER_S)
#define KEEP_OF_1024 989 /* of the weight each minute: half of it in twenty */

static const struct {
	const char *name, *what;
} dims[BY_COUNT] = {[BY_ORIGIN] = {"origin", "last AS of the path"}, [BY_NEIGHBOUR] = {"neighbour", "first AS of the path"},
	[BY_COUNTRY] = {"country", "country of the client"}};

static const int counted[COUNTED] = {
#define X(name) [COUNTED_##name] = MEASURE_##name,
	TRAFFIC_METRICS(X)
#undef X
};

/* What is kept of a value that was seen. */
enum { WEIGHT, PLACE /* its number and one; 0: none */, SEEN_WORDS };

int traffic_metrics_new(uint32_t top, struct traffic_metrics **ret)
{
	struct traffic_metrics *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->top = top;
	(void)pthread_mutex_init(&t->lock, NULL);
	for (int by = 0; by < BY_COUNT; by++) {
		groups_init(&t->lists[by].seen, 1, SEEN_WORDS, SEEN_MAX);
		t->lists[by].places = calloc(TRAFFIC_TOP_MAX, sizeof(struct traffic_place));
		if (!t->lists[by].places) {
			traffic_metrics_free(t);
			return -ENOMEM;
		}
	}
	*ret = t;
	return 0;
}

void traffic_metrics_free(struct traffic_metrics *t)
{
	if (!t)
		return;
	for (int by = 0; by < BY_COUNT; by++) {
		groups_done(&t->lists[by].seen);
		free(t->lists[by].places);
	}
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

/* ---- counting ---- */

static void add_sums(uint64_t *sums, const struct measures *m)
{
	for (int i = 0; i < COUNTED; i++)
		sums[i] += m->v[counted[i]];
}

static void take_place(struct traffic_list *l, uint32_t place, uint32_t seen)
{
	l->places[place] = (struct traffic_place){.code = (uint32_t)*groups_key(&l->seen, seen)};
	groups_sums(&l->seen, seen)[PLACE] = place + 1;
}

static void add_row(const struct traffic_metrics *t, struct traffic_list *l, uint32_t code, const struct measures *m)
{
	uint64_t key = code;
	uint32_t at;
	if (!code) {
		add_sums(l->unknown, m);
		return;
	}
	if (groups_get(&l->seen, &key, &at) < 0) {
		add_sums(l->other, m);
		return;
	}
	uint64_t *sums = groups_sums(&l->seen, at);
	sums[WEIGHT] += m->v[MEASURE_bytes_sent];
	if (!sums[PLACE] && l->taken < t->top)
		take_place(l, l->taken++, at); /* places fill in order, and are never empty again */
	add_sums(sums[PLACE] ? l->places[sums[PLACE] - 1].sums : l->other, m);
}

/* ---- choosing ---- */

static int cmp_weights(const void *a, const void *b, void *seen)
{
	uint64_t x = groups_sums(seen, *(const uint32_t *)a)[WEIGHT], y = groups_sums(seen, *(const uint32_t *)b)[WEIGHT];
	return (x < y) - (x > y);
}

/* What was seen, the heaviest first. To be freed; NULL when memory is out. */
static uint32_t *by_weight(struct traffic_list *l)
{
	uint32_t count = l->seen.count;
	uint32_t *order = malloc(((size_t)count + 1) * sizeof(*order));
	if (!order)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), cmp_weights, &l->seen);
	return order;
}

/* Forgets what weighs nothing and has no place, when there is much of it. */
static void forget(struct traffic_list *l)
{
	struct groups kept;
	if (l->seen.count < SEEN_MAX / 2)
		return;
	groups_init(&kept, 1, SEEN_WORDS, SEEN_MAX);
	for (uint32_t i = 0; i < l->seen.count; i++) {
		const uint64_t *sums = groups_sums(&l->seen, i);
		uint32_t at;
		if ((!sums[PLACE] && !sums[WEIGHT]) || groups_get(&kept, groups_key(&l->seen, i), &at) < 0)
			continue;
		memcpy(groups_sums(&kept, at), sums, SEEN_WORDS * sizeof(*sums));
	}
	groups_done(&l->seen);
	l->seen = kept;
}

/* Those of the first `top` of the order without a place get those of the last that have one. */
static void choose(const struct traffic_metrics *t, struct traffic_list *l)
{
	uint32_t count = l->seen.count, last = count;
	CLEANUP(free_p) uint32_t *order = by_weight(l);
	if (!order)
		return; /* another minute */
	for (uint32_t i = 0; i < count && i < t->top; i++) {
		if (groups_sums(&l->seen, order[i])[PLACE])
			continue;
		/* All places are taken, or it would have one; so one of the others behind has it. */
		uint64_t *sums;
		do
			sums = groups_sums(&l->seen, order[--last]);
		while (!sums[PLACE]);
		uint32_t place = (uint32_t)sums[PLACE] - 1;
		sums[PLACE] = 0;
		take_place(l, place, order[i]);
	}
}

static void look(struct traffic_metrics *t)
{
	for (int by = 0; by < BY_COUNT; by++) {
		struct traffic_list *l = &t->lists[by];
		choose(t, l);
		for (uint32_t i = 0; i < l->seen.count; i++) {
			uint64_t *weight = &groups_sums(&l->seen, i)[WEIGHT];
			*weight = *weight / 1024 * KEEP_OF_1024 + *weight % 1024 * KEEP_OF_1024 / 1024;
		}
		forget(l);
	}
}

/* ---- other places ---- */

/* The heaviest have places. Who had one before keeps its sums. */
static void refit(struct traffic_list *l, uint32_t top, const uint32_t *order)
{
	struct traffic_place kept[TRAFFIC_TOP_MAX] = {{0}};
	l->taken = 0;
	for (uint32_t i = 0; i < l->seen.count; i++) {
		uint64_t *sums = groups_sums(&l->seen, order[i]);
		uint64_t before = sums[PLACE];
		sums[PLACE] = 0;
		if (l->taken == top)
			continue;
		kept[l->taken] = before ? l->places[before - 1] : (struct traffic_place){.code = (uint32_t)*groups_key(&l->seen, order[i])};
		sums[PLACE] = ++l->taken;
	}
	memcpy(l->places, kept, sizeof(kept));
}

int traffic_metrics_resize(struct traffic_metrics *t, uint32_t top)
{
	uint32_t *orders[BY_COUNT];
	bool all = true;
	(void)pthread_mutex_lock(&t->lock);
	for (int by = 0; by < BY_COUNT; by++) {
		orders[by] = by_weight(&t->lists[by]);
		all &= orders[by] != NULL;
	}
	for (int by = 0; by < BY_COUNT; by++) {
		if (all)
			refit(&t->lists[by], top, orders[by]);
		free(orders[by]);
	}
	if (all)
		t->top = top;
	(void)pthread_mutex_unlock(&t->lock);
	return all ? 0 : -ENOMEM;
}

void traffic_metrics_add(struct traffic_metrics *t, const struct flow_table *flows, uint64_t now_ns)
{
	if (!t->top)
		return;
	(void)pthread_mutex_lock(&t->lock);
	/* Before the rows: what is counted now can be seen before a place is lost. */
	if (now_ns - t->looked_ns > LOOK_NS) {
		look(t);
		t->looked_ns = now_ns;
	}
	for (uint32_t i = 0; i < flows->row_count; i++) {
		const struct flow_row *row = &flows->rows[i];
		struct view path = row->key.path ? flows->paths[row->key.path] : (struct view){0};
		add_row(t, &t->lists[BY_ORIGIN], path_origin(path), &row->m);
		add_row(t, &t->lists[BY_NEIGHBOUR], path_neighbour(path), &row->m);
		add_row(t, &t->lists[BY_COUNTRY], row->key.country, &row->m);
	}
	(void)pthread_mutex_unlock(&t->lock);
}

/* ---- telling ---- */

/* A list as it was at one moment. */
static struct traffic_place *copy_places(struct traffic_metrics *t, int by, struct traffic_list *ret_rest)
{
	struct traffic_place *places = malloc(TRAFFIC_TOP_MAX * sizeof(*places));
	(void)pthread_mutex_lock(&t->lock);
	if (places)
		memcpy(places, t->lists[by].places, TRAFFIC_TOP_MAX * sizeof(*places));
	memcpy(ret_rest->unknown, t->lists[by].unknown, sizeof(ret_rest->unknown));
	memcpy(ret_rest->other, t->lists[by].other, sizeof(ret_rest->other));
	(void)pthread_mutex_unlock(&t->lock);
	return places;
}

static const char *code_text(int by, uint32_t code, char buf[static 16])
{
	if (by == BY_COUNTRY)
		return country_format((country_code)code, buf);
	(void)snprintf(buf, 16, "%" PRIu32, code);
	return buf;
}

static void write_list(struct traffic_metrics *t, int by, FILE *out)
{
	struct traffic_list rest;
	char text[16], family[64], help[160];
	CLEANUP(free_p) struct traffic_place *places = copy_places(t, by, &rest);
	for (int m = 0; m < COUNTED && places; m++) {
		const struct measure_info *info = &measure_table[counted[m]];
		(void)snprintf(family, sizeof(family), "whereto_%s_%s", dims[by].name, info->name);
		(void)snprintf(help, sizeof(help), "%s, by %s: the largest, unknown, and all others", info->help, dims[by].what);
		exposition_family(out, "", family, "counter", help);
		for (uint32_t i = 0; i < TRAFFIC_TOP_MAX; i++)
			if (places[i].code)
				(void)fprintf(out, "%s_total{%s=\"%s\"} %" PRIu64 "\n", family, dims[by].name,
					code_text(by, places[i].code, text), places[i].sums[m]);
		(void)fprintf(out, "%s_total{%s=\"unknown\"} %" PRIu64 "\n", family, dims[by].name, rest.unknown[m]);
		(void)fprintf(out, "%s_total{%s=\"other\"} %" PRIu64 "\n", family, dims[by].name, rest.other[m]);
	}
}

static void write_name(uint32_t as, char *(*as_name)(void *ctx, uint32_t asn), void *ctx, FILE *out)
{
	char label[300] = "";
	CLEANUP(free_p) char *name = as_name(ctx, as);
	if (!name)
		return;
	exposition_label(label, sizeof(label), "name", name);
	(void)fprintf(out, "whereto_as_info{as=\"%" PRIu32 "\",%s} 1\n", as, label);
}

/* Each AS once, though it is an origin and a neighbour. */
static void write_names(struct traffic_metrics *t, char *(*as_name)(void *ctx, uint32_t asn), void *ctx, FILE *out)
{
	struct traffic_list rest;
	CLEANUP(free_p) struct traffic_place *origins = copy_places(t, BY_ORIGIN, &rest);
	CLEANUP(free_p) struct traffic_place *neighbours = copy_places(t, BY_NEIGHBOUR, &rest);
	exposition_family(out, "", "whereto_as_info", "gauge", "names of the ASes that have figures of their own");
	for (uint32_t i = 0; i < TRAFFIC_TOP_MAX && origins; i++)
		if (origins[i].code)
			write_name(origins[i].code, as_name, ctx, out);
	for (uint32_t i = 0; i < TRAFFIC_TOP_MAX && origins && neighbours; i++) {
		bool told = !neighbours[i].code;
		for (uint32_t k = 0; k < TRAFFIC_TOP_MAX && !told; k++)
			told = origins[k].code == neighbours[i].code;
		if (!told)
			write_name(neighbours[i].code, as_name, ctx, out);
	}
}

void traffic_metrics_write(struct traffic_metrics *t, char *(*as_name)(void *ctx, uint32_t asn), void *ctx, FILE *out)
{
	if (!t->top)
		return;
	for (int by = 0; by < BY_COUNT; by++)
		write_list(t, by, out);
	write_names(t, as_name, ctx, out);
}
