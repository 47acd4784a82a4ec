/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "http/incidents.h"
#include "http/say.h"

static char *finish(FILE *out, char **text)
{
	if (out && fclose(out) == 0)
		return *text;
	free(*text);
	return NULL;
}

static void put_line(const struct incidents_said *said, const struct incident_line *line, FILE *out)
{
	if (line->dim == INCIDENT_EVERYTHING)
		(void)fputs("All traffic", out);
	else
		say_value(said->backend, line->dim, &line->value, out);
}

/* " from 14:05 UTC to 15:00 UTC", " since 14:05 UTC", " from 14:05 UTC on", " until 15:00 UTC", "". */
static void put_when(const struct incidents_said *said, const struct incident *i, FILE *out)
{
	bool on = i->beyond && !said->over;
	if (!i->before) {
		(void)fputs(on ? " since " : " from ", out);
		say_time(said->start_s + i->from * said->step_s, said->to_s, out);
		(void)fputs(i->beyond && !on ? " on" : "", out);
	}
	if (!i->beyond) {
		(void)fputs(i->before ? " until " : " to ", out);
		say_time(said->start_s + i->to * said->step_s, said->to_s, out);
	}
}

/* Of all that was sent again in its time. */
static void put_share(const struct incident *i, FILE *out)
{
	double all = (double)i->all.v[MEASURE_packets_retransmitted];
	(void)fputs(i->line->dim == DIM_via ? " was on the path of " : " had ", out);
	say_percent(all > 0 ? (double)i->in.v[MEASURE_packets_retransmitted] / all : 0, out);
	(void)fputs(" of all retransmits", out);
}

static void put_loss(const struct incidents_said *said, const struct incident *i, FILE *out)
{
	bool everything = i->line->dim == INCIDENT_EVERYTHING;
	if (!everything)
		put_share(i, out);
	put_when(said, i, out);
	(void)fputs(": ", out);
	say_percent(measures_retransmit_rate(&i->in), out);
	(void)fputs(everything ? " of the packets were sent again, against " : ", against ", out);
	say_percent(measures_retransmit_rate(&i->out), out);
	(void)fputs(" at other times", out);
}

static void put_rtt(const struct incidents_said *said, const struct incident *i, FILE *out)
{
	(void)fputs(i->line->dim == DIM_via ? ": half of the round trips by it took " : ": half of the round trips took ", out);
	say_us(measures_rtt_quantile(&i->in, 0.5), out);
	(void)fputs(" or more", out);
	put_when(said, i, out);
	(void)fputs(", against ", out);
	say_us(measures_rtt_quantile(&i->out, 0.5), out);
	(void)fputs(" at other times", out);
}

char *incidents_verdict(const struct incidents_said *said, const struct incident *i)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	put_line(said, i->line, out);
	(i->kind == INCIDENT_LOSS ? put_loss : put_rtt)(said, i, out);
	return finish(out, &text);
}

/* " from 64500 A to 64510 B behind 64499 C"; " by 64500 A". */
static void put_ways(const struct incidents_said *said, const struct incident_move *m, FILE *out)
{
	if (m->before_as && !m->won) {
		(void)fputs(m->lost ? " by " : " from ", out);
		say_as(said->backend, m->before_as, out);
	}
	if (m->after_as && !m->lost) {
		(void)fputs(m->won ? " by " : " to ", out);
		say_as(said->backend, m->after_as, out);
	}
	if (m->hop) {
		(void)fputs(" behind ", out);
		say_as(said->backend, m->hop, out);
	}
}

/* "edge1: 37 paths", "edge1: the route to 192.0.2.0/24". */
static void put_subject(const struct incidents_said *said, const struct incident_move *m, FILE *out)
{
	bool is_route = m->lost || m->won;
	say_value(said->backend, DIM_router, &m->router, out);
	if (m->networks > 1) {
		(void)fprintf(out, ": %u %s", m->networks, is_route ? "routes" : "paths");
		return;
	}
	(void)fputs(is_route ? ": the route to " : ": ", out);
	say_value(said->backend, DIM_prefix, &m->prefix, out);
}

static void put_move(const struct incidents_said *said, const struct incident_move *m, FILE *out)
{
	bool one = m->networks == 1;
	if (m->lost || m->won) {
		put_ways(said, m, out);
		(void)fprintf(out, " %s %s", one ? "was" : "were", m->lost ? "lost" : "learnt");
	} else if (!m->before_as && !m->after_as) {
		(void)fprintf(out, " kept %s ASes and changed in prepending", one ? "its" : "their");
	} else {
		(void)fputs(" moved", out);
		put_ways(said, m, out);
	}
	if (m->changes > m->networks)
		(void)fprintf(out, one ? ", %u times" : " (%u changes)", m->changes);
}

/* " at 14:05 UTC"; " between 14:05 UTC and 15:40 UTC". */
static void put_moment(const struct incidents_said *said, const struct incident_move *m, FILE *out)
{
	bool at_once = m->to_ms - m->from_ms <= INCIDENT_MOVE_S * 1000;
	(void)fputs(at_once ? " at " : " between ", out);
	say_time(m->from_ms / 1000, said->to_s, out);
	if (at_once)
		return;
	(void)fputs(" and ", out);
	say_time(m->to_ms / 1000, said->to_s, out);
}

char *incidents_move_verdict(const struct incidents_said *said, const struct incident_move *m)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	put_subject(said, m, out);
	put_move(said, m, out);
	put_moment(said, m, out);
	return finish(out, &text);
}
