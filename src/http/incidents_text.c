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

/* " from 14:05 UTC to 15:00 UTC", " since 14:05 UTC", " until 15:00 UTC", "". */
static void put_when(const struct incidents_said *said, const struct incident *i, FILE *out)
{
	if (!i->before) {
		(void)fputs(i->beyond ? " since " : " from ", out);
		say_time(said->start_s + i->from * said->step_s, said->to_s, out);
	}
	if (!i->beyond) {
		(void)fputs(i->before ? " until " : " to ", out);
		say_time(said->start_s + i->to * said->step_s, said->to_s, out);
	}
}

static void put_loss(const struct incidents_said *said, const struct incident *i, FILE *out)
{
	(void)fputs(i->line->dim == DIM_via ? " was on the path of " : " had ", out);
	say_percent(i->all.v[MEASURE_packets_retransmitted] ? (double)i->in.v[MEASURE_packets_retransmitted] / (double)i->all.v[MEASURE_packets_retransmitted] : 0, out);
	(void)fputs(" of all retransmits", out);
	put_when(said, i, out);
	(void)fputs(": ", out);
	say_percent(measures_retransmit_rate(&i->in), out);
	(void)fputs(", against ", out);
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

/* "from 64500 A to 64510 B behind 64499 C". */
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

char *incidents_move_verdict(const struct incidents_said *said, const struct incident_move *m)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	say_value(said->backend, DIM_router, &m->router, out);
	if (m->changes == 1) {
		(void)fputs(": ", out);
		say_value(said->backend, DIM_prefix, &m->prefix, out);
	} else {
		(void)fprintf(out, ": %u paths", m->changes);
	}
	(void)fputs(m->lost ? " lost" : m->won ? " found" : " moved", out);
	put_ways(said, m, out);
	(void)fputs(" at ", out);
	say_time(m->from_ms / 1000, said->to_s, out);
	return finish(out, &text);
}
