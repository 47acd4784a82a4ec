/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/source_metrics.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/exposition.h"

static void collect(const struct table_source *s, struct source_numbers *ret)
{
	char from[ADDR_TEXT_MAX], peer[ADDR_TEXT_MAX];
	ret->labels[0] = '\0';
	exposition_label(ret->labels, sizeof(ret->labels), "router", s->router);
	exposition_label(ret->labels, sizeof(ret->labels), "source", source_kind_names[s->kind]);
	exposition_label(ret->labels, sizeof(ret->labels), "from",
		s->file ? s->file : addr_format(&s->from, from));
	if (s->peer.family != ADDR_NONE)
		exposition_label(ret->labels, sizeof(ret->labels), "peer", addr_format(&s->peer, peer));
	if (s->vrf)
		exposition_label(ret->labels, sizeof(ret->labels), "vrf", s->vrf);
	ret->state = s->state;
	ret->sums = table_source_sums(s);
	ret->changed_ms = s->changed_ms;
	memcpy(ret->counters, s->counters, sizeof(ret->counters));
}

struct source_numbers *source_metrics_collect(const struct config *config, const struct tables *t, size_t *ret_count)
{
	size_t count = 0, n = 0;
	struct table_source *const *sources;
	for (uint32_t i = 0; i < config->router_count; i++)
		count += tables_sources(t, i, &sources);
	struct source_numbers *list = calloc(count + 1, sizeof(*list));
	if (!list)
		return NULL;
	for (uint32_t i = 0; i < config->router_count; i++) {
		size_t of_router = tables_sources(t, i, &sources);
		for (size_t j = 0; j < of_router; j++)
			collect(sources[j], &list[n++]);
	}
	*ret_count = count;
	return list;
}

static double up(const struct source_numbers *n)
{
	return n->state == TABLE_UP;
}

static double prefixes(const struct source_numbers *n)
{
	return (double)n->sums.prefixes;
}

static double routes(const struct source_numbers *n)
{
	return (double)n->sums.routes;
}

static double peers(const struct source_numbers *n)
{
	return (double)n->sums.peers;
}

static double peers_lost(const struct source_numbers *n)
{
	return (double)n->sums.lost;
}

static double changed(const struct source_numbers *n)
{
	return (double)n->changed_ms / 1000;
}

static const struct {
	const char *name, *help;
	double (*value)(const struct source_numbers *n);
} gauges[] = {
	{"up", "1: the source is up, its file loaded", up},
	{"prefixes", "prefixes that the source has a route for", prefixes},
	{"routes", "routes of all its peers", routes},
	{"peers", "peers that it has routes of", peers},
	{"peers_lost", "peers of these whose routes are stale", peers_lost},
	{"last_change_timestamp_seconds", "when a route was last announced or withdrawn", changed},
};

void source_metrics_write(const struct source_numbers *list, size_t count, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(gauges); i++) {
		exposition_family(out, "whereto_source_", gauges[i].name, "gauge", gauges[i].help);
		for (size_t k = 0; k < count; k++)
			fprintf(out, "whereto_source_%s{%s} %.14g\n", gauges[i].name, list[k].labels, gauges[i].value(&list[k]));
	}
	for (int i = 0; i < SOURCE_COUNTERS; i++) {
		const struct source_counter_info *c = &source_counter_table[i];
		exposition_family(out, "whereto_source_", c->name, "counter", c->help);
		for (size_t k = 0; k < count; k++)
			fprintf(out, "whereto_source_%s_total{%s} %" PRIu64 "\n", c->name, list[k].labels, list[k].counters[i]);
	}
}
