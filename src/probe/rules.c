/* SPDX-License-Identifier: BSD-2-Clause */

/* A cgroup is known to an event by its id only, and units come and go. So each rule with a cgroup has the ids of
 * its folder and what is in it, read again whenever an event comes from a cgroup not met before. Ids are never used
 * again, so what was once read stays true when the folder is gone. */

#include "probe/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/index.h"
#include "probe/cgroup.h"
#include "wire/tag.h"

#define IDS_MAX 65536 /* of a set; then it is begun anew */

struct ids {
	struct index index;
	uint64_t *ids;
	uint32_t count, cap;
};

struct rules {
	const struct config_probe *config;
	struct ids met;   /* cgroups of events */
	struct ids *rules; /* one each rule of config */
	bool cgroups;      /* a rule asks for one */
	uint64_t unknown_names;
};

/* ---- sets of ids ---- */

static bool ids_have(const struct ids *s, uint64_t id)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH(&s->index, hash_bytes(&id, sizeof(id)), slot, pos)
		if (s->ids[pos] == id)
			return true;
	return false;
}

static void ids_add(void *ctx, uint64_t id)
{
	struct ids *s = ctx;
	if (ids_have(s, id))
		return;
	if (s->count == IDS_MAX) {
		index_clear(&s->index);
		s->count = 0;
	}
	if (s->count == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 16;
		uint64_t *ids = reallocarray(s->ids, cap, sizeof(*ids));
		if (!ids)
			return; /* at the next event */
		s->ids = ids;
		s->cap = cap;
	}
	if (index_add(&s->index, hash_bytes(&id, sizeof(id)), s->count) == 0)
		s->ids[s->count++] = id;
}

static void ids_done(struct ids *s)
{
	index_done(&s->index);
	free(s->ids);
}

/* ---- rules ---- */

int rules_new(const struct config_probe *config, struct rules **ret)
{
	struct rules *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->config = config;
	r->rules = calloc(config->rule_count + 1, sizeof(*r->rules));
	if (!r->rules) {
		free(r);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->rule_count; i++)
		r->cgroups |= config->rules[i].cgroup != NULL;
	*ret = r;
	return 0;
}

void rules_free(struct rules *r)
{
	for (size_t i = 0; r && i < r->config->rule_count; i++)
		ids_done(&r->rules[i]);
	if (r) {
		ids_done(&r->met);
		free(r->rules);
	}
	free(r);
}

static void meet_cgroup(struct rules *r, uint64_t id)
{
	if (!r->cgroups || !id || ids_have(&r->met, id))
		return;
	for (size_t i = 0; i < r->config->rule_count; i++)
		if (r->config->rules[i].cgroup)
			cgroup_walk(r->config->rules[i].cgroup, ids_add, &r->rules[i]);
	ids_add(&r->met, id);
}

static bool fits(const struct rules *r, size_t i, const struct probe_event *e, const struct addr *local)
{
	const struct config_type_rule *t = &r->config->rules[i];
	if (t->port && t->port != e->local_port)
		return false;
	if (t->address.addr.family != ADDR_NONE && !prefix_contains(&t->address, local))
		return false;
	if ((t->mark && t->mark != e->mark) || (t->tag && t->tag != e->tag))
		return false;
	return !t->cgroup || (e->cgroup && ids_have(&r->rules[i], e->cgroup));
}

/* The type that the server has named, or NULL. */
static const char *named_type(const struct config_probe *c, uint32_t tag)
{
	for (size_t i = 0; tag & TAG_OF_NAME && i < c->type_count; i++)
		if (tag_of_type(c->types[i], strlen(c->types[i])) == tag)
			return c->types[i];
	return NULL;
}

struct view rules_type(struct rules *r, const struct probe_event *e, const struct addr *local)
{
	const char *type = named_type(r->config, e->tag);
	if (!type && e->tag & TAG_OF_NAME)
		r->unknown_names++;
	meet_cgroup(r, e->cgroup);
	for (size_t i = 0; i < r->config->rule_count && !type; i++)
		if (fits(r, i, e, local))
			type = r->config->rules[i].type;
	return type ? (struct view){(const uint8_t *)type, strlen(type)} : (struct view){0};
}

uint64_t rules_unknown_names(const struct rules *r)
{
	return r->unknown_names;
}
