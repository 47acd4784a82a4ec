/* SPDX-License-Identifier: BSD-2-Clause */

/* All figures are the API's. Nothing is known here that `whereto top` and `whereto senders` don't know.
 * The ledger is asked for first: what it calls stored is on its way to the tables that the other answers
 * are made of, so those are never behind by more than what is not yet durable. */

#include "cli/demo_picture.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"
#include "http/web.h"

#define BAR_COLUMNS 12
#define SPLIT_LIMIT 4

/* ---- asking ---- */

static int ask_top(const struct demo_source *source, const char *by, unsigned limit, struct client_answer *ret)
{
	char text[16], from[32], to[32];
	struct options o = {.command = "demo"};
	(void)snprintf(text, sizeof(text), "%u", limit);
	(void)snprintf(from, sizeof(from), "%" PRIu64, source->since_s);
	/* The end is not included: up to now would leave out the minute that begins this very second. */
	(void)snprintf(to, sizeof(to), "%" PRIu64, clock_wall_ms() / 1000 + 60);
	o.values[OPTION_api] = source->api;
	o.values[OPTION_by] = by;
	o.values[OPTION_filter] = "router:edge1,edge2"; /* nginx's */
	o.values[OPTION_limit] = text;
	o.values[OPTION_from] = from;
	o.values[OPTION_to] = to;
	return client_get(&o, "/api/v1/top", NULL, NULL, ret);
}

static uint64_t count_of(const json_t *row, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(row, key));
	return n > 0 ? (uint64_t)n : 0;
}

static void sum_senders(const json_t *rows, struct demo_totals *t)
{
	const json_t *row, *n;
	const char *reason;
	size_t i;
	json_array_foreach(rows, i, row) {
		t->sent += count_of(row, "sent");
		t->stored += count_of(row, "stored");
		t->dropped += count_of(row, "dropped");
		t->lost += count_of(row, "lost");
		t->in_flight += count_of(row, "in_flight");
		json_object_foreach(json_object_get(row, "rejected"), reason, n)
			t->rejected += (uint64_t)json_integer_value(n);
	}
}

void demo_look_done(struct demo_look *l)
{
	client_answer_done(&l->networks);
	client_answer_done(&l->split);
	client_answer_done(&l->senders);
}

int demo_look_make(const struct demo_source *source, unsigned limit, struct demo_look *ret)
{
	struct options o = {.command = "demo"};
	o.values[OPTION_api] = source->api;
	*ret = (struct demo_look){.rate = -1};
	int r = client_get(&o, "/api/v1/senders", NULL, NULL, &ret->senders);
	if (r == EXIT_DONE)
		r = ask_top(source, "origin", limit, &ret->networks);
	if (r == EXIT_DONE)
		r = ask_top(source, "router,type", SPLIT_LIMIT, &ret->split);
	if (r != EXIT_DONE) {
		demo_look_done(ret);
		return r;
	}
	const json_t *total = json_object_get(ret->networks.json, "total");
	sum_senders(json_object_get(ret->senders.json, "rows"), &ret->totals);
	ret->totals.requests = count_of(total, "requests");
	ret->totals.bytes_sent = count_of(total, "bytes_sent");
	ret->screen = screen_get();
	return EXIT_DONE;
}

/* ---- the parts of a picture ---- */

static void print_ledger(const struct demo_look *l, FILE *out)
{
	const struct demo_totals *t = &l->totals;
	fprintf(out, "ledger: sent %" PRIu64 " = stored %" PRIu64 " + in flight %" PRIu64, t->sent, t->stored,
		t->in_flight);
	if (t->rejected || t->lost)
		fprintf(out, " + rejected %" PRIu64 " + lost %" PRIu64, t->rejected, t->lost);
	if (t->dropped)
		fprintf(out, "; dropped before %" PRIu64, t->dropped);
	fputc('\n', out);
}

static void print_pace(const struct demo_look *l, FILE *out)
{
	char age[UNITS_TEXT_MAX], bytes[UNITS_TEXT_MAX];
	fprintf(out, "%s   %" PRIu64 " records", units_age(l->elapsed_s, age), l->totals.stored);
	if (l->rate >= 0)
		fprintf(out, ", %.0f/s", l->rate);
	fprintf(out, "   %s\n", units_bytes((double)l->totals.bytes_sent, bytes));
	print_ledger(l, out);
}

/* "edge1 web 31 %, edge1 video 25 %, ..." */
static void print_split(const json_t *answer, FILE *out)
{
	const json_t *row;
	size_t i;
	json_array_foreach(json_object_get(answer, "rows"), i, row) {
		CLEANUP(free_p) char *router = rows_dimension_text(row, "router");
		CLEANUP(free_p) char *type = rows_dimension_text(row, "type");
		char share[UNITS_TEXT_MAX];
		fprintf(out, "%s%s %s %s", i ? ", " : "", router ? router : "?", type ? type : "?",
			units_percent(rows_number(row, "share"), share));
	}
	fputc('\n', out);
}

static void add_row(struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX], bar[UNITS_BAR_MAX];
	double share = rows_number(row, "share");
	rows_amount_cell(t, row, "bytes_sent");
	table_cell(t, STYLE_PLAIN, "%s", units_percent(share, text));
	table_cell(t, STYLE_BAR, "%s", units_bar(share, BAR_COLUMNS, bar));
	rows_retransmit_cell(t, row);
	rows_rtt_cell(t, row, "rtt_p50_us");
	rows_amount_cell(t, row, "requests");
	table_row(t);
}

static void print_networks(const json_t *answer, const struct screen *screen, FILE *out)
{
	static const struct table_column columns[] = {
		{"NETWORK (SAMPLE DATA)", false, 0, 12}, {"BYTES", true, 0, 0}, {"SHARE", true, 2, 0},
		{"", false, 4, 0}, {"RETRANS", true, 1, 0}, {"RTT P50", true, 3, 0}, {"REQUESTS", true, 5, 0},
	};
	static const char *const sums[] = {"other", "total"};
	struct table *t;
	const json_t *row;
	size_t i;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return;
	json_array_foreach(json_object_get(answer, "rows"), i, row) {
		rows_dimension_cell(t, row, "origin");
		add_row(t, row);
	}
	for (i = 0; i < ARRAY_LEN(sums); i++) {
		row = json_object_get(answer, sums[i]);
		if (!json_is_object(row))
			continue;
		table_cell(t, STYLE_FAINT, "%s", sums[i]);
		add_row(t, row);
	}
	if (table_print(t, screen, out) < 0)
		fputs("out of memory\n", out);
	table_free(t);
}

/* Within 79 columns, as everything here but the table, which fits itself. */
void demo_picture_about(const struct demo_source *source, FILE *out)
{
	fprintf(out, "SAMPLE DATA: the %u networks are invented and live on 127.0.0.0/8.\n"
		"nginx (edge1, edge2), the module, the collector and every connection are real.\n"
		"Loopback loses nothing and has no distance: the odd retransmit is TCP probing\n"
		"in vain while this machine is busy, and a round trip takes microseconds.\n"
		"ams, nyc and sin are made up, and on the dashboard only.\n", source->networks);
}

void demo_picture_hints(const struct demo_source *source, FILE *out)
{
	if (web_file_count)
		fprintf(out, "Dashboard: %s/   open it in a browser\n", source->api);
	else
		fprintf(out, "Dashboard: left out of this build; %s/ says why\n", source->api);
	fprintf(out, "API: %s/api   to ask it yourself, in another terminal:\n"
		"  %s top --by country --api %s\n"
		"Your own networks instead: README.md, \"Set it up\".\n"
		"Ctrl-C stops and removes everything.\n", source->api, program_invocation_name, source->api);
}

/* ---- pictures ---- */

void demo_picture_screen(const struct demo_source *source, const struct demo_look *l, FILE *out)
{
	style_print(&l->screen, STYLE_TITLE, "whereto demo: where does the traffic of this nginx go?\n", out);
	demo_picture_about(source, out);
	fputc('\n', out);
	print_pace(l, out);
	print_split(l->split.json, out);
	fputc('\n', out);
	print_networks(l->networks.json, &l->screen, out);
	rows_print_notes(l->networks.json, &l->screen, out);
	fputc('\n', out);
	demo_picture_hints(source, out);
}

void demo_picture_snapshot(const struct demo_look *l, FILE *out)
{
	const json_t *row;
	size_t i;
	print_pace(l, out);
	json_array_foreach(json_object_get(l->networks.json, "rows"), i, row) {
		CLEANUP(free_p) char *name = rows_dimension_text(row, "origin");
		char share[UNITS_TEXT_MAX];
		fprintf(out, "%s%s %s", i ? ", " : "    ", name ? name : "?",
			units_percent(rows_number(row, "share"), share));
	}
	fputs("\n", out);
}

void demo_picture_final(const struct demo_look *l, FILE *out)
{
	print_networks(l->networks.json, &l->screen, out);
	rows_print_notes(l->networks.json, &l->screen, out);
	print_split(l->split.json, out);
	print_ledger(l, out);
}
