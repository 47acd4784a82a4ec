/* SPDX-License-Identifier: BSD-2-Clause */

/* whereto store copy: how far it is, on a terminal as a bar that is drawn over, else a line a table; at the end
 * the sums of both stores side by side. Everything else is in store/copy.c. */

#include "cli/store_copy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/units.h"
#include "store/copy.h"
#include "store/schema.h"

#define BAR_COLUMNS  30
#define DRAW_NS      (100 * NS_PER_MS)
#define LEFT_AFTER_S 3 /* before that nobody can say how long it will take */

struct view_state {
	struct screen screen;
	uint64_t start_ns, drawn_ns;
	double start_share; /* what had been there already */
	bool started;
};

static void draw_bar(struct view_state *v, const struct copy_progress *p)
{
	char bar[UNITS_BAR_MAX], rows[UNITS_TEXT_MAX], left[UNITS_TEXT_MAX] = "";
	uint64_t now = clock_mono_ns();
	double s = (double)(now - v->start_ns) / 1e9, done = p->share - v->start_share;
	if (!p->table_done && now - v->drawn_ns < DRAW_NS)
		return;
	v->drawn_ns = now;
	if (s > LEFT_AFTER_S && done > 0)
		(void)units_age((uint64_t)(s * (1 - p->share) / done), left);
	(void)units_bar(p->share, BAR_COLUMNS, bar);
	printf("\r\033[K%-16s ", p->table);
	style_print(&v->screen, STYLE_BAR, bar, stdout);
	printf("%*s %3.0f %%  %s rows%s%s", (int)(BAR_COLUMNS - text_width(bar)), "", p->share * 100,
		units_count((double)p->rows, rows), *left ? "  left: " : "", left);
	(void)fflush(stdout);
}

static void on_progress(void *ctx, const struct copy_progress *p)
{
	struct view_state *v = ctx;
	if (!v->started) {
		v->started = true;
		v->start_share = p->share;
	}
	if (v->screen.moves) {
		draw_bar(v, p);
	} else if (p->table_done) {
		printf("%s: %" PRIu64 " rows\n", p->table, p->rows);
		(void)fflush(stdout);
	}
}

static const struct table_column columns[] = {
	{.title = "table"},
	{.title = "oldest", .drop = 2},
	{.title = "newest", .drop = 1},
	{.title = "bytes sent there", .right = true},
	{.title = "and here", .right = true},
	{.title = "all measures"},
};

static void add_table(struct table *out, struct store_table at, const struct copy_table *t)
{
	char oldest[TIME_TEXT_MAX], newest[TIME_TEXT_MAX];
	bool equal = memcmp(&t->sums[COPY_FROM], &t->sums[COPY_TO], sizeof(t->sums[0])) == 0;
	table_cell(out, STYLE_PLAIN, "%s_%s", cube_names[at.cube], level_names[at.level]);
	table_cell(out, STYLE_FAINT, "%s", t->any ? time_format(t->range[0] * 1000, oldest) : "empty");
	table_cell(out, STYLE_FAINT, "%s", t->any ? time_format(t->range[1] * 1000, newest) : "");
	for (int side = COPY_FROM; side <= COPY_TO; side++)
		table_cell(out, STYLE_PLAIN, "%" PRIu64, t->sums[side].v[MEASURE_bytes_sent]);
	table_cell(out, equal ? STYLE_GOOD : STYLE_BAD, "%s", equal ? "equal" : "differ");
	table_row(out);
}

static void print_differences(const struct copy_report *report)
{
	for (int i = 0; i < TABLE_COUNT; i++) {
		struct store_table at = table_at(i);
		const struct measures *sums = report->tables[at.cube][at.level].sums;
		for (int m = 0; m < MEASURE_COUNT; m++)
			if (sums[COPY_FROM].v[m] != sums[COPY_TO].v[m])
				printf("%s_%s: %s: %" PRIu64 ", here %" PRIu64 "\n", cube_names[at.cube], level_names[at.level],
					measure_table[m].name, sums[COPY_FROM].v[m], sums[COPY_TO].v[m]);
	}
	if (report->changes[COPY_FROM] != report->changes[COPY_TO])
		printf("path_change: %" PRIu64 ", here %" PRIu64 "\n", report->changes[COPY_FROM], report->changes[COPY_TO]);
}

static int print_report(const struct copy_report *report, const struct screen *screen)
{
	struct table *out;
	int r = table_new(columns, ARRAY_LEN(columns), &out);
	if (r < 0)
		return r;
	for (int i = 0; i < TABLE_COUNT; i++)
		add_table(out, table_at(i), &report->tables[table_at(i).cube][table_at(i).level]);
	printf("\nfrom %s\nto   %s\n\n", report->names[COPY_FROM], report->names[COPY_TO]);
	r = table_print(out, screen, stdout);
	table_free(out);
	printf("path changes: %" PRIu64 "\n\n", report->changes[COPY_FROM]);
	print_differences(report);
	puts(report->equal ? "Every sum is the same." : "The sums differ: no collector should go on here.");
	return r;
}

int store_copy_command(const char *from, const char *to)
{
	static struct copy_report report;
	struct error err;
	struct view_state v = {.screen = screen_get(), .start_ns = clock_mono_ns()};
	struct copy_config config = {.urls = {[COPY_FROM] = from, [COPY_TO] = to}, .progress = on_progress, .ctx = &v};
	int r = store_copy(&config, &report, &err);
	if (v.screen.moves && v.started)
		printf("\r\033[K");
	if (r == 0 && print_report(&report, &v.screen) < 0)
		r = error_set(&err, -ENOMEM, "out of memory");
	(void)fflush(stdout);
	if (r < 0)
		fprintf(stderr, "whereto store: %s\n%s", err.text, v.started && r != -EEXIST ? "The same command again goes on from here.\n" : "");
	return r == 0 && report.equal ? EXIT_DONE : EXIT_FAILED;
}
