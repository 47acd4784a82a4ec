/* SPDX-License-Identifier: BSD-2-Clause */

/* Cells are kept as text until the table is printed, because widths are known only then. Fitting: as
 * long as the lines are too wide, bars are made shorter, then the widest column that may be cut gives a column of the screen at a
 * time; but before a text is cut further than FAIR_WIDTH, the column with the highest drop goes, and where all this is not enough the last one. What a column that went leaves over goes to the texts,
 * then to the bars. Widths are the C library's for UTF-8 (wcwidth under C.UTF-8), so wide and combining characters align.
 *
 * A cell's text may come from a sender or from a routing table: before it is measured, every byte that
 * is no printable UTF-8 character becomes '?', so no escape sequence reaches the terminal. */

#include "cli/table.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "cli/units.h"

#define GAP        2  /* blanks between columns */
#define FAIR_WIDTH 24 /* of a text that can still be told from others: rather than cut it further a column is dropped */

struct cell {
	char *text;
	enum table_style style;
	double share;         /* of a bar */
	unsigned bar_columns; /* 0: a text */
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	struct cell *cells; /* row by row */
	size_t cell_count, cell_cap;
	bool failed;
};

/* ---- the screen ---- */

struct screen screen_get(void)
{
	struct screen s = {0};
	struct winsize size;
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *columns = getenv("COLUMNS");
	unsigned long wanted = columns ? strtoul(columns, NULL, 10) : 0;
	if (!isatty(STDOUT_FILENO))
		return s;
	s.moves = !(term && strcmp(term, "dumb") == 0);
	s.colour = s.moves && !(no_color && *no_color);
	s.width = 80;
	s.height = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) {
		s.width = size.ws_col;
		s.height = size.ws_row;
	} else if (wanted && wanted < 10000) {
		s.width = (unsigned)wanted;
	}
	return s;
}

static void style_begin(const struct screen *screen, enum table_style style, FILE *out)
{
	static const char *const codes[] = {
		[STYLE_PLAIN] = "", [STYLE_TITLE] = "\033[1m", [STYLE_FAINT] = "\033[2m", [STYLE_BAR] = "\033[36m",
		[STYLE_GOOD] = "\033[32m", [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[31m",
	};
	if (screen->colour)
		(void)fputs(codes[style], out);
}

static void style_end(const struct screen *screen, enum table_style style, FILE *out)
{
	if (screen->colour && style != STYLE_PLAIN)
		(void)fputs("\033[0m", out);
}

void style_print(const struct screen *screen, enum table_style style, const char *text, FILE *out)
{
	if (!*text)
		return;
	style_begin(screen, style, out);
	(void)fputs(text, out);
	style_end(screen, style, out);
}

/* ---- text ---- */

struct character {
	size_t len;     /* bytes; 0 at the end of the text */
	unsigned width; /* columns */
	bool printable;
};

static struct character read_character(const char *p)
{
	static locale_t utf8;
	struct character c = {.len = 1, .width = 1};
	mbstate_t state = {0};
	wchar_t wide = 0;
	if (!*p)
		return (struct character){0};
	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t old = utf8 ? uselocale(utf8) : (locale_t)0;
	size_t n = mbrtowc(&wide, p, strlen(p), &state);
	int width = n <= 4 && iswprint((wint_t)wide) ? wcwidth(wide) : -1;
	if (utf8)
		(void)uselocale(old);
	if (width >= 0)
		c = (struct character){n, (unsigned)width, true};
	return c;
}

unsigned text_width(const char *text)
{
	unsigned width = 0;
	for (struct character c; (c = read_character(text)).len; text += c.len)
		width += c.width;
	return width;
}

void text_clean(char *text)
{
	for (struct character c; (c = read_character(text)).len; text += c.len)
		if (!c.printable)
			*text = '?';
}

unsigned text_cut(const char *text, unsigned width, FILE *out)
{
	unsigned used = 0, whole = text_width(text);
	unsigned room = whole <= width ? width : width ? width - 1 : 0;
	for (struct character c; (c = read_character(text)).len && used + c.width <= room; text += c.len) {
		(void)fwrite(text, 1, c.len, out);
		used += c.width;
	}
	if (whole > width && width) {
		(void)fputs("…", out);
		used++;
	}
	return used;
}

/* ---- the table ---- */

int table_new(const struct table_column *columns, size_t count, struct table **ret)
{
	struct table *t = calloc(1, sizeof(*t));
	if (!t || count > TABLE_COLUMNS_MAX) {
		free(t);
		return -ENOMEM;
	}
	t->columns = columns;
	t->column_count = count;
	*ret = t;
	return 0;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->cell_count; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

static void add_cell(struct table *t, struct cell take)
{
	if (t->cell_count == t->cell_cap) {
		size_t cap = t->cell_cap ? t->cell_cap * 2 : 256;
		struct cell *cells = reallocarray(t->cells, cap, sizeof(*cells));
		if (!cells) {
			free(take.text);
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->cell_cap = cap;
	}
	t->cells[t->cell_count++] = take;
}

void table_row(struct table *t)
{
	while (t->cell_count % t->column_count && !t->failed)
		add_cell(t, (struct cell){0});
}

void table_bar(struct table *t, double share, unsigned columns)
{
	add_cell(t, (struct cell){.style = STYLE_BAR, .share = share, .bar_columns = columns});
}

void table_cell(struct table *t, enum table_style style, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		t->failed = true;
		return;
	}
	text_clean(text);
	add_cell(t, (struct cell){.text = text, .style = style});
}

static const char *cell_text(const struct cell *cell)
{
	return cell->text ? cell->text : "";
}

/* ---- fitting and printing ---- */

struct layout {
	unsigned widths[TABLE_COLUMNS_MAX], natural[TABLE_COLUMNS_MAX];
	bool shown[TABLE_COLUMNS_MAX], bars[TABLE_COLUMNS_MAX];
};

static unsigned line_width(const struct table *t, const struct layout *l)
{
	unsigned width = 0;
	for (size_t i = 0; i < t->column_count; i++)
		if (l->shown[i])
			width += l->widths[i] + (width ? GAP : 0);
	return width;
}

static bool drop_column(const struct table *t, struct layout *l)
{
	size_t worst = t->column_count;
	for (size_t i = 0; i < t->column_count; i++)
		if (l->shown[i] && t->columns[i].drop &&
			(worst == t->column_count || t->columns[i].drop > t->columns[worst].drop))
			worst = i;
	if (worst == t->column_count)
		return false;
	l->shown[worst] = false;
	return true;
}

/* How far a column may be cut; a text down to `fair` at most. */
static unsigned least(const struct table *t, const struct layout *l, size_t i, unsigned fair)
{
	unsigned min = t->columns[i].min_width;
	return !min ? l->widths[i] : l->bars[i] || min > fair ? min : fair;
}

/* Bars before texts, then the widest. */
static bool cut_column(const struct table *t, struct layout *l, unsigned fair)
{
	size_t best = t->column_count;
	for (size_t i = 0; i < t->column_count; i++) {
		if (!l->shown[i] || l->widths[i] <= least(t, l, i, fair))
			continue;
		bool better = best == t->column_count || l->bars[i] > l->bars[best] ||
			(l->bars[i] == l->bars[best] && l->widths[i] > l->widths[best]);
		best = better ? i : best;
	}
	if (best == t->column_count)
		return false;
	l->widths[best]--;
	return true;
}

/* Gives what is left of the screen to the columns of one kind that have been cut. */
static void grow(const struct table *t, struct layout *l, unsigned screen_width, bool bars)
{
	for (size_t i = 0; i < t->column_count; i++) {
		unsigned used = line_width(t, l), left = screen_width > used ? screen_width - used : 0;
		unsigned wants = l->shown[i] && l->bars[i] == bars ? l->natural[i] - l->widths[i] : 0;
		l->widths[i] += wants < left ? wants : left;
	}
}

/* When nothing can be dropped or cut as it should: the last column goes, and the first one alone is cut to the screen. */
static bool give_up_column(const struct table *t, struct layout *l, unsigned screen_width)
{
	for (size_t i = t->column_count; i-- > 1;)
		if (l->shown[i]) {
			l->shown[i] = false;
			return true;
		}
	l->widths[0] = screen_width;
	return false;
}

/* As wide as titles and cells are. */
static struct layout measure(const struct table *t)
{
	struct layout l = {0};
	for (size_t i = 0; i < t->column_count; i++) {
		l.shown[i] = true;
		l.widths[i] = text_width(t->columns[i].title);
	}
	for (size_t i = 0; i < t->cell_count; i++) {
		const struct cell *cell = &t->cells[i];
		size_t column = i % t->column_count;
		unsigned width = cell->bar_columns ? cell->bar_columns : text_width(cell_text(cell));
		l.bars[column] |= cell->bar_columns != 0;
		if (width > l.widths[column])
			l.widths[column] = width;
	}
	memcpy(l.natural, l.widths, sizeof(l.natural));
	return l;
}

static struct layout fit(const struct table *t, unsigned screen_width)
{
	struct layout l = measure(t);
	if (!screen_width)
		return l;
	while (line_width(t, &l) > screen_width)
		if (!cut_column(t, &l, FAIR_WIDTH) && !drop_column(t, &l) && !cut_column(t, &l, 0) && !give_up_column(t, &l, screen_width))
			break;
	grow(t, &l, screen_width, false);
	grow(t, &l, screen_width, true);
	return l;
}

static void blanks(unsigned n, FILE *out)
{
	(void)fprintf(out, "%*s", (int)n, "");
}

static void print_line(const struct table *t, const struct layout *l, const struct cell *row,
	const struct screen *screen, FILE *out)
{
	unsigned owed = 0; /* blanks, written only when something follows */
	for (size_t i = 0; i < t->column_count; i++) {
		if (!l->shown[i])
			continue;
		char bar[UNITS_BAR_MAX];
		unsigned room = l->widths[i];
		const char *text = row[i].bar_columns ? units_bar(row[i].share, room, bar) : cell_text(&row[i]);
		unsigned width = text_width(text);
		unsigned pad = width < room ? room - width : 0;
		if (*text) {
			blanks(owed + (t->columns[i].right ? pad : 0), out);
			style_begin(screen, row[i].style, out);
			unsigned used = text_cut(text, room, out);
			style_end(screen, row[i].style, out);
			owed = (t->columns[i].right ? 0 : room - used) + GAP;
		} else {
			owed += room + GAP;
		}
	}
	(void)fputc('\n', out);
}

int table_print(const struct table *t, const struct screen *screen, FILE *out)
{
	struct cell titles[TABLE_COLUMNS_MAX];
	if (t->failed || t->cell_count % t->column_count)
		return -ENOMEM;
	struct layout l = fit(t, screen->width);
	for (size_t i = 0; i < t->column_count; i++) {
		/* Titles are never written to; the cast only fits the cell. */
		union {
			const char *in;
			char *out;
		} title = {t->columns[i].title};
		titles[i] = (struct cell){.text = title.out, .style = STYLE_TITLE};
	}
	print_line(t, &l, titles, screen, out);
	for (size_t i = 0; i < t->cell_count; i += t->column_count)
		print_line(t, &l, t->cells + i, screen, out);
	return ferror(out) ? -EIO : 0;
}
