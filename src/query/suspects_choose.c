/* SPDX-License-Identifier: BSD-2-Clause */

/* Who is named, of those that stand out: told in suspects.c. */

#include "query/suspects_parts.h"

#define NEAR    0.5  /* of the largest excess: those below explain too little to be asked how well they part lossy from clean */
#define DECIDED 8    /* likelihood, as a logarithm, that is clearly larger: three thousand to one */

static bool weigh(const struct suspects_finding *f, enum suspect_kind kind, uint32_t row, const struct evidence *own, struct suspects_candidate *ret)
{
	if ((double)own->retransmits < suspects_needed(f)) /* most */
		return false;
	struct evidence left = suspects_evidence(f, f->left), rest = evidence_rest(&left, own);
	struct suspects_candidate c = {kind, row, *own, rest, evidence_excess(own, &rest), 0};
	if (c.excess <= 0 || c.excess < suspects_needed(f) || !evidence_apart(own, &rest))
		return false;
	c.likelihood = evidence_likelihood(own, &rest);
	*ret = c;
	return true;
}

static bool weigh_row(const struct suspects_finding *f, enum suspect_kind kind, uint32_t row, struct suspects_candidate *ret)
{
	struct evidence own = suspects_evidence(f, groups_sums(&f->sums[kind], row));
	return weigh(f, kind, row, &own, ret);
}

/* What has this in its key carries something beside the link, which is apart from it, and not from everything else. */
static bool clean_beside(const struct suspects_finding *f, enum suspect_kind kind, uint64_t key, const struct suspects_candidate *link)
{
	uint32_t row = groups_find(&f->sums[kind], &key);
	if (row == SUSPECTS_NOWHERE)
		return false;
	struct evidence end = suspects_evidence(f, groups_sums(&f->sums[kind], row)), beside = evidence_rest(&end, &link->own);
	return evidence_apart(&link->own, &beside) && !evidence_apart(&beside, &link->rest);
}

/* Of a link whether both its ends are clean otherwise. */
static bool clean_ends(const struct suspects_finding *f, const struct suspects_candidate *c)
{
	if (c->kind == SUSPECT_VIA || c->kind == SUSPECT_ROUTER)
		return true;
	uint64_t key = suspects_key(f, c->kind, c->row);
	enum suspect_kind first = c->kind == SUSPECT_EXIT ? SUSPECT_ROUTER : SUSPECT_VIA;
	return clean_beside(f, first, key >> 32, c) && clean_beside(f, SUSPECT_VIA, key & UINT32_MAX, c);
}

/* Equals are told apart by their keys, so that the order of the rows does not matter. */
static bool is_better(const struct suspects_finding *f, const struct suspects_candidate *c, const struct suspects_candidate *best)
{
	if (best->row == SUSPECTS_NOWHERE || c->likelihood != best->likelihood)
		return best->row == SUSPECTS_NOWHERE || c->likelihood > best->likelihood;
	return c->kind < best->kind || (c->kind == best->kind && suspects_key(f, c->kind, c->row) < suspects_key(f, best->kind, best->row));
}

static double largest_excess(const struct suspects_finding *f, enum suspect_kind kind)
{
	struct suspects_candidate c;
	double most = 0;
	for (uint32_t row = 0; row < f->sums[kind].count; row++)
		if (weigh_row(f, kind, row, &c) && c.excess > most)
			most = c.excess;
	return most;
}

/* Of this kind, the one that parts best among those that explain so much. Its row is SUSPECTS_NOWHERE: there is none. */
static struct suspects_candidate best_of(const struct suspects_finding *f, enum suspect_kind kind, double excess_min)
{
	struct suspects_candidate best = {.row = SUSPECTS_NOWHERE}, c;
	for (uint32_t row = 0; row < f->sums[kind].count; row++)
		if (weigh_row(f, kind, row, &c) && c.excess >= excess_min && is_better(f, &c, &best) && clean_ends(f, &c))
			best = c;
	return best;
}

struct suspects_candidate suspects_choose(const struct suspects_finding *f)
{
	double most = largest_excess(f, SUSPECT_VIA);
	struct suspects_candidate best = best_of(f, SUSPECT_VIA, NEAR * most), closer = {.row = SUSPECTS_NOWHERE};
	for (int kind = SUSPECT_VIA + 1; kind < SUSPECTS_PATH_KINDS; kind++) {
		struct suspects_candidate c = best_of(f, (enum suspect_kind)kind, NEAR * most);
		if (c.row != SUSPECTS_NOWHERE && is_better(f, &c, &closer))
			closer = c;
	}
	bool decided = closer.row != SUSPECTS_NOWHERE && (best.row == SUSPECTS_NOWHERE || closer.likelihood >= best.likelihood + DECIDED);
	return decided ? closer : best;
}

struct suspects_candidate suspects_choose_country(const struct suspects_finding *f, const struct query_row *countries, size_t count)
{
	struct suspects_candidate best = {.row = SUSPECTS_NOWHERE}, c;
	for (size_t i = 0; i < count; i++) {
		struct evidence own = evidence_of_loss(&countries[i].m);
		if (countries[i].values[0].known && weigh(f, SUSPECT_COUNTRY, (uint32_t)i, &own, &c) &&
			(best.row == SUSPECTS_NOWHERE || c.likelihood > best.likelihood))
			best = c;
	}
	return best;
}

/* ---- where nobody is chosen ---- */

static bool is_comparable(const struct suspects_finding *f, const struct evidence *own)
{
	struct evidence left = suspects_evidence(f, f->left), rest = evidence_rest(&left, own);
	return own->packets >= EVIDENCE_PACKETS_MIN && rest.packets >= EVIDENCE_PACKETS_MIN;
}

bool suspects_can_compare(const struct suspects_finding *f, const struct query_row *countries, size_t count)
{
	bool can = false;
	for (int kind = 0; kind < SUSPECTS_PATH_KINDS; kind++)
		for (uint32_t row = 0; row < f->sums[kind].count && !can; row++) {
			struct evidence own = suspects_evidence(f, groups_sums(&f->sums[kind], row));
			can = is_comparable(f, &own);
		}
	for (size_t i = 0; i < count && !can; i++) {
		struct evidence own = evidence_of_loss(&countries[i].m);
		can = countries[i].values[0].known && is_comparable(f, &own);
	}
	return can;
}

struct suspect_as suspects_unsure(const struct suspects_finding *f)
{
	struct suspect_as unsure = {0};
	struct evidence left = suspects_evidence(f, f->left);
	double most = 0;
	for (uint32_t row = 0; row < f->sums[SUSPECT_VIA].count; row++) {
		struct measures m = suspects_sums(f, SUSPECT_VIA, row);
		struct evidence own = evidence_of_loss(&m), rest = evidence_rest(&left, &own);
		double likelihood = evidence_high(&own, &rest) && evidence_excess(&own, &rest) >= suspects_needed(f) ? evidence_likelihood(&own, &rest) : 0;
		uint32_t as = (uint32_t)suspects_key(f, SUSPECT_VIA, row);
		if (likelihood > most || (likelihood == most && likelihood > 0 && as < unsure.as))
			unsure = (struct suspect_as){as, m};
		most = likelihood > most ? likelihood : most;
	}
	return unsure;
}
