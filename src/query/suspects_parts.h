/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the parts of the search for suspects (suspects.h) share, and nobody else uses: the tables of sums in which each path has its places
 * (suspects_paths.c), who is chosen from them (suspects_choose.c), and what else is said of who is named (suspects_describe.c). */

#include "query/suspects.h"

#define SUSPECTS_MEMORY_BYTES (256u << 20)    /* of a table */
#define SUSPECTS_MEMBERS_MAX  256             /* of a path that are looked at */
#define SUSPECTS_NOWHERE      UINT32_MAX
#define SUSPECTS_PATH_KINDS   SUSPECT_COUNTRY /* those before it: of a country paths are not known */

/* Where the ASes and links of a path are in their tables. */
struct suspects_way {
	uint32_t at, links_at; /* in stops; SUSPECTS_NOWHERE: not read yet */
	uint16_t members, links;
};

/* Where a router and a path are in the tables of what has a router. */
struct suspects_place {
	uint32_t exit, router;
};

struct suspects_finding {
	const struct query_groups *all;
	struct groups sums[SUSPECTS_PATH_KINDS]; /* one word a key: an AS; two of them; a router's code, and with an AS */
	struct suspects_way *ways;               /* by the path's code */
	uint32_t *stops;
	size_t stop_count, stop_cap;
	struct suspects_place *places;           /* by group */
	bool *explained;                         /* by group: by a suspect that is named */
	uint64_t left[MEASURE_COUNT];            /* sums of all that are not */
	struct suspects found;
};

struct suspects_candidate {
	enum suspect_kind kind;
	uint32_t row; /* in the kind's table; of a country, in the list */
	struct evidence own, rest;
	double excess, likelihood;
};

/* Sums by column as measures; and as evidence, which is all that the search looks at. */
static inline struct measures suspects_measures(const struct suspects_finding *f, const uint64_t *sums)
{
	struct measures m = {0};
	for (unsigned i = 0; i < f->all->measure_count; i++)
		m.v[f->all->measures[i]] = sums[i];
	return m;
}

static inline struct evidence suspects_evidence(const struct suspects_finding *f, const uint64_t *sums)
{
	struct measures m = suspects_measures(f, sums);
	return evidence_of_loss(&m);
}

static inline struct measures suspects_sums(const struct suspects_finding *f, enum suspect_kind kind, uint32_t row)
{
	return suspects_measures(f, groups_sums(&f->sums[kind], row));
}

static inline uint64_t suspects_key(const struct suspects_finding *f, enum suspect_kind kind, uint32_t row)
{
	return *groups_key(&f->sums[kind], row);
}

static inline const struct suspects_way *suspects_way(const struct suspects_finding *f, uint32_t group)
{
	return &f->ways[groups_key(f->all->groups, group)[1]];
}

/* to: columns of the measures. */
static inline void suspects_add(const struct suspects_finding *f, uint64_t *to, const uint64_t *sums)
{
	for (unsigned i = 0; i < f->all->measure_count; i++)
		to[i] += sums[i];
}

/* ---- suspects_paths.c ---- */

/* Tables without sums; all outlives them. */
void suspects_finding_init(struct suspects_finding *f, const struct query_groups *all);
/* With what was found, unless that was taken. */
void suspects_finding_done(struct suspects_finding *f);
/* Where the ASes of each path are, and its router; -ENOMEM. Then, once the sums of ASes are there, where its links are. */
int suspects_read_paths(struct suspects_finding *f) MUST_USE;
int suspects_read_links(struct suspects_finding *f) MUST_USE;
/* The sums of all that is not explained, anew. */
void suspects_add_up(struct suspects_finding *f);
/* Of all that was sent again, what is needed to be named. */
double suspects_needed(const struct suspects_finding *f);
/* The links of the path with this code. */
size_t suspects_links(const struct suspects_finding *f, uint64_t path_code, uint32_t links[static SUSPECTS_MEMBERS_MAX][2]);

/* ---- suspects_choose.c ---- */

/* Who explains most of what is left; its row is SUSPECTS_NOWHERE: nobody. */
struct suspects_candidate suspects_choose(const struct suspects_finding *f);
struct suspects_candidate suspects_choose_country(const struct suspects_finding *f, const struct query_row *countries, size_t count);
/* Whether anybody has packets enough, and leaves enough to others, to be compared with them. */
bool suspects_can_compare(const struct suspects_finding *f, const struct query_row *countries, size_t count);
/* The AS that would be named if all packets were witnesses; as is 0: none. */
struct suspect_as suspects_unsure(const struct suspects_finding *f);

/* ---- suspects_describe.c ---- */

/* Whether the group is one of the suspect's, and how many ASes its path has up to where the suspect ends. */
bool suspects_has(const struct suspects_finding *f, const struct suspects_candidate *c, uint32_t group, unsigned *ret_until);
/* Its sums and values, role, twins, and who is before and behind it. -ENOMEM. */
int suspects_describe(struct suspects_finding *f, const struct suspects_candidate *c, struct suspect *s) MUST_USE;
