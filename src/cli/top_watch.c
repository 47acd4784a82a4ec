/* SPDX-License-Identifier: BSD-2-Clause */

/* top --watch: as top(1), a picture that is drawn anew every few seconds and by each key. Keys change the
 * options that the question is made of, so the view can show nothing that the command line could not ask.
 * A collector that restarts comes back: what went wrong stands under the picture until it is mended; only
 * the first question's failure ends the command. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/live.h"
#include "cli/rows.h"
#include "cli/top.h"

#define NARROW       76 /* columns that the line of keys needs */
#define LINES_AROUND 8 /* of the screen that are not groups: range, blanks, titles, other, total, notes, keys */

/* The default range is the shortest that always has something in it: the store keeps minutes, and this is the one that runs and
 * the whole one before it. An hour, which top has without --watch, would hardly move. */
#define WATCH_LAST "1m"

/* What a key goes through; the first is where it starts when the command line said something else. */
static const char *const groupings[] = {"origin", "country", "prefix", "path", "neighbour", "via", "router", "type", NULL};
static const char *const sorts[] = {"bytes_sent", "retransmit_rate", "packets_retransmitted", "rtt_p95_us", "goodput_rate", "spurious_rate",
	"connections", "requests", NULL};
static const char *const ranges[] = {WATCH_LAST, "5m", "15m", "1h", "6h", "24h", "7d", NULL};

struct view {
	struct options o;
	struct screen screen;
	unsigned seconds;
	bool paused, help;
	char limit[16];
	char *table, *trouble; /* the last good answer; what went wrong since */
};

/* The next of the list in this direction, around its ends. */
static const char *turn(const char *const *list, const char *now, int by)
{
	int n = 0, at = -1;
	for (; list[n]; n++)
		if (now && strcmp(list[n], now) == 0)
			at = n;
	return list[at < 0 ? 0 : (at + n + by) % n];
}

/* The next longer or shorter range. */
static void zoom(struct options *o, int by)
{
	const char *now = o->values[OPTION_last] ? o->values[OPTION_last] : "1h"; /* with --from */
	int at = 0;
	while (ranges[at] && strcmp(ranges[at], now) != 0)
		at++;
	if (!ranges[at])
		at = by > 0 ? -1 : 1;
	o->values[OPTION_from] = o->values[OPTION_to] = NULL;
	if (at + by >= 0 && ranges[at + by])
		o->values[OPTION_last] = ranges[at + by];
}

/* Asks; a picture, or words about what is wrong, both the caller's to free. Messages are written to standard
 * error by whoever finds the fault: here they are caught. */
static int ask(const struct options *o, const struct screen *screen, char **ret_picture, char **ret_trouble)
{
	size_t picture_len, trouble_len;
	FILE *picture = open_memstream(ret_picture, &picture_len), *trouble = open_memstream(ret_trouble, &trouble_len);
	FILE *own = stderr;
	int r = EXIT_FAILED;
	if (picture && trouble) {
		stderr = trouble;
		r = top_print(o, screen, picture);
		stderr = own;
	}
	if ((picture && fclose(picture) != 0) | (trouble && fclose(trouble) != 0))
		r = EXIT_FAILED;
	return r;
}

static int refresh(struct view *v)
{
	char *picture = NULL, *trouble = NULL;
	struct options o = v->o;
	v->screen = screen_get();
	if (!o.values[OPTION_limit]) {
		unsigned rows = v->screen.height > LINES_AROUND ? v->screen.height - LINES_AROUND : 1;
		(void)snprintf(v->limit, sizeof(v->limit), "%u", rows);
		o.values[OPTION_limit] = v->limit;
	}
	int r = ask(&o, &v->screen, &picture, &trouble);
	if (r == EXIT_DONE) {
		free(v->table);
		v->table = picture;
		picture = NULL;
	}
	free(v->trouble);
	v->trouble = r == EXIT_DONE ? NULL : trouble;
	free(r == EXIT_DONE ? trouble : picture);
	return r;
}

static void print_keys(const struct view *v, FILE *out)
{
	const char *by = v->o.values[OPTION_by], *sort = v->o.values[OPTION_sort], *last = v->o.values[OPTION_last];
	const bool narrow = v->screen.width < NARROW;
	char line[200];
	if (v->help)
		(void)snprintf(line, sizeof(line), "%s", narrow ? "g by  s sort  r order  +- time  h  q" : "g G group by   s S sort by   r order   + - time   "
			"space pause   h less   q quit");
	else if (narrow)
		(void)snprintf(line, sizeof(line), "%s  h help  q quit  by %.60s", v->paused ? "PAUSED" : "live", by ? by : "origin");
	else
		(void)snprintf(line, sizeof(line), "by %.60s, sorted by %.40s, %s%.30s, %s   h help   q quit", by ? by : "origin",
			sort ? sort : "bytes_sent", last ? "last " : "", last ? last : "--from",
			v->paused ? "PAUSED" : "live");
	style_print(&v->screen, STYLE_FAINT, line, out);
}

/* The table cut to the screen's height, with the keys in its last line and trouble above them. */
static void draw(const struct view *v)
{
	char *picture = NULL;
	size_t len;
	unsigned lines = 0, room = v->screen.height > 1 ? v->screen.height - 1 - (v->trouble ? 1 : 0) : 1;
	FILE *out = open_memstream(&picture, &len);
	if (!out)
		return;
	for (const char *p = v->table ? v->table : "", *end; *p && lines < room; p = *end ? end + 1 : end, lines++) {
		end = strchrnul(p, '\n');
		(void)fprintf(out, "%.*s\n", (int)(end - p), p);
	}
	for (; lines < room; lines++)
		(void)fputc('\n', out);
	if (v->trouble) {
		v->trouble[strcspn(v->trouble, "\n")] = '\0';
		text_clean(v->trouble);
		style_print(&v->screen, STYLE_BAD, v->trouble, out);
		(void)fputc('\n', out);
	}
	print_keys(v, out);
	if (fclose(out) == 0)
		live_draw(picture, v->screen.height);
	free(picture);
}

/* True when the question changed, or shall be asked again. */
static bool take_key(struct view *v, int key)
{
	const char **values = v->o.values;
	switch (key) {
	case 'g': case LIVE_RIGHT: values[OPTION_by] = turn(groupings, values[OPTION_by] ? values[OPTION_by] : "origin", 1); break;
	case 'G': case LIVE_LEFT: values[OPTION_by] = turn(groupings, values[OPTION_by] ? values[OPTION_by] : "origin", -1); break;
	case 's': values[OPTION_sort] = turn(sorts, values[OPTION_sort] ? values[OPTION_sort] : "bytes_sent", 1); break;
	case 'S': values[OPTION_sort] = turn(sorts, values[OPTION_sort] ? values[OPTION_sort] : "bytes_sent", -1); break;
	case 'r': values[OPTION_order] = values[OPTION_order] && strcmp(values[OPTION_order], "asc") == 0 ? NULL : "asc"; break;
	case '+': case LIVE_UP: zoom(&v->o, 1); break;
	case '-': case LIVE_DOWN: zoom(&v->o, -1); break;
	case ' ': v->paused = !v->paused; return !v->paused;
	case 'h': case '?': v->help = !v->help; return false;
	case LIVE_TIME: return !v->paused;
	default: break;
	}
	return true;
}

static int watch_terminal(struct view *v)
{
	for (;;) {
		draw(v);
		int key = live_wait(v->seconds * 1000);
		if (key == LIVE_END || key == 'q' || key == 'Q' || ferror(stdout))
			return EXIT_DONE;
		if (take_key(v, key))
			(void)refresh(v);
	}
}

/* For a file or a pipe. */
static int watch_plain(struct view *v)
{
	struct timespec pause = {.tv_sec = (time_t)v->seconds};
	for (;;) {
		if (!v->trouble)
			(void)puts(v->table);
		if (fflush(stdout) != 0)
			return EXIT_FAILED;
		(void)nanosleep(&pause, NULL);
		if (refresh(v) != EXIT_DONE && v->trouble)
			fputs(v->trouble, stderr);
	}
}

int top_watch(const struct options *o, unsigned seconds)
{
	struct view v = {.o = *o, .seconds = seconds};
	if (!v.o.values[OPTION_last] && !v.o.values[OPTION_from])
		v.o.values[OPTION_last] = WATCH_LAST;
	int r = refresh(&v);
	if (r != EXIT_DONE) {
		fputs(v.trouble ? v.trouble : "whereto top: out of memory\n", stderr);
	} else if (live_open() == 0) {
		client_give_up_when(live_wants_end);
		r = watch_terminal(&v);
		client_give_up_when(NULL);
		live_close();
	} else {
		r = watch_plain(&v);
	}
	free(v.table);
	free(v.trouble);
	return r;
}
