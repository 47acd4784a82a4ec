/* SPDX-License-Identifier: BSD-2-Clause */

#include <stdlib.h>
#include <string.h>

#include "http/say.h"
#include "http/suspects.h"

#define TWINS_SAID 2

/* "X is on the path of", and behind the share "all retransmits". */
static const struct {
	const char *before, *behind;
} roles[] = {
	[SUSPECT_TRANSIT] = {" is on the path of ", ""},
	[SUSPECT_NEIGHBOUR] = {" is the neighbour by which ", " leave"},
	[SUSPECT_ORIGIN] = {" is where ", " go"},
};

static void put_share(const struct suspects_said *said, const struct suspect *s, const char *before, const char *behind, FILE *out)
{
	double all = (double)said->found->total.v[MEASURE_packets_retransmitted];
	(void)fputs(before, out);
	say_percent(all > 0 ? (double)s->own.retransmits / all : 0, out);
	(void)fprintf(out, " of all retransmits%s", behind);
}

static void put_as(const struct suspects_said *said, const struct suspect *s, FILE *out)
{
	say_value(said->backend, DIM_via, &s->values[0], out);
	for (size_t i = 0; i < s->twins.count && i < TWINS_SAID; i++) {
		(void)fputs(i + 1 < s->twins.count && i + 1 < TWINS_SAID ? ", " : " and ", out);
		say_as(said->backend, s->twins.list[i].as, out);
	}
	if (s->twins.count)
		put_share(said, s, ", always on the same paths, have ", " on them", out);
	else
		put_share(said, s, roles[s->role].before, roles[s->role].behind, out);
}

static void put_what(const struct suspects_said *said, const struct suspect *s, FILE *out)
{
	const struct suspect_kind_info *info = &suspect_kinds[s->kind];
	switch (s->kind) {
	case SUSPECT_VIA:
		put_as(said, s, out);
		return;
	case SUSPECT_PAIR:
	case SUSPECT_EXIT:
		(void)fputs("The way from ", out);
		say_value(said->backend, info->dims[0], &s->values[0], out);
		(void)fputs(s->kind == SUSPECT_EXIT ? " to its neighbour " : " to ", out);
		say_value(said->backend, info->dims[1], &s->values[1], out);
		put_share(said, s, " is that of ", "", out);
		return;
	default:
		say_value(said->backend, info->dims[0], &s->values[0], out);
		put_share(said, s, s->kind == SUSPECT_ROUTER ? " is the router of " : " is where ", s->kind == SUSPECT_ROUTER ? "" : " go", out);
	}
}

static void put_since(const struct suspects_said *said, const struct suspect_time *t, FILE *out)
{
	if (t->before_s)
		(void)fputs(", since before ", out);
	else if (t->since_s)
		(void)fputs(t->until_s ? ", from " : ", since ", out);
	if (t->before_s || t->since_s)
		say_time(t->before_s ? t->before_s : t->since_s, said->to_s, out);
	if (t->until_s) {
		(void)fputs(t->since_s ? " to " : ", until ", out);
		say_time(t->until_s, said->to_s, out);
	}
}

static void put_one(const struct suspects_said *said, size_t i, FILE *out)
{
	const struct suspect *s = &said->found->list[i];
	put_what(said, s, out);
	(void)fputs(i ? ", on other paths: " : ": ", out);
	say_percent(evidence_rate(&s->own), out);
	(void)fputs(", against ", out);
	say_percent(evidence_rate(&s->elsewhere), out);
	(void)fputs(" elsewhere", out);
	put_since(said, &said->times[i], out);
}

static double sent_again(const struct measures *m)
{
	return (double)m->v[MEASURE_packets_retransmitted];
}

/* What is lost, and why nobody is named for it. */
static void put_nobody(const struct suspects_said *said, FILE *out)
{
	const struct suspects *found = said->found;
	uint64_t packets = found->total.v[MEASURE_packets_sent];
	if (packets < EVIDENCE_PACKETS_MIN) {
		(void)fprintf(out, "Too few packets to say: %llu", (unsigned long long)packets);
		return;
	}
	(void)fputs(found->compared ? "Nothing stands out: " : "Nothing to tell apart: ", out);
	say_percent(sent_again(&found->total) / (double)packets, out);
	(void)fputs(" of the packets were sent again", out);
	if (found->unsure.as) {
		(void)fputs("; ", out);
		say_as(said->backend, found->unsure.as, out);
		(void)fputs(" is on the path of ", out);
		say_percent(sent_again(&found->unsure.m) / sent_again(&found->total), out);
		(void)fputs(" of them, but a few connections lost most of it: not clearly more connections are affected than elsewhere", out);
	} else {
		(void)fputs(found->compared ? ", and no AS, way between two, router or country has clearly more than its share"
			: ", and no AS, router or country is known that has packets enough and leaves enough to others", out);
	}
}

char *suspects_verdict(const struct suspects_said *said, size_t i)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	if (said->found->count)
		put_one(said, i, out);
	else
		put_nobody(said, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
