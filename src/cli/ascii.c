/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/ascii.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

#define CHARACTER 3 /* bytes of each of those below */
#define PIECE     4096

/* What this program draws with. */
static const struct {
	const char *from;
	char to;
} glyphs[] = {
	{"▁", '_'}, {"▂", '.'}, {"▃", '-'}, {"▄", '-'}, {"▅", '='}, {"▆", '+'}, {"▇", '*'}, {"█", '#'},
	{"▏", '.'}, {"▎", ':'}, {"▍", ':'}, {"▌", '='}, {"▋", '='}, {"▊", '+'}, {"▉", '*'},
	{"─", '-'}, {"│", '|'}, {"┤", '+'}, {"└", '+'}, {"┬", '+'}, {"…", '.'}, {"›", '>'}, {"→", '>'}, {"↔", '='},
};

/* Of the three bytes; 0: none of them. */
static char glyph(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(glyphs); i++)
		if (memcmp(text, glyphs[i].from, CHARACTER) == 0)
			return glyphs[i].to;
	return '\0';
}

size_t ascii_translate(struct ascii *a, const char *text, size_t len, char *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		a->kept[a->kept_len++] = text[i];
		if ((a->kept[0] & 0xf0) == 0xe0 && a->kept_len < CHARACTER && (a->kept_len == 1 || (text[i] & 0xc0) == 0x80))
			continue;
		char c = a->kept_len == CHARACTER ? glyph(a->kept) : '\0';
		for (size_t k = 0; k < a->kept_len && !c; k++)
			ret[n++] = a->kept[k];
		if (c)
			ret[n++] = c;
		a->kept_len = 0;
	}
	return n;
}

static int write_all(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Of fopencookie: 0 is a failure. */
static ssize_t on_write(void *cookie, const char *text, size_t len)
{
	char out[PIECE + ASCII_KEPT_MAX];
	for (size_t at = 0; at < len; at += PIECE) {
		size_t n = ascii_translate(cookie, text + at, len - at < PIECE ? len - at : PIECE, out);
		if (write_all(out, n) < 0)
			return 0;
	}
	return (ssize_t)len;
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);
	return value && *value;
}

static bool is_other_than_utf8(void)
{
	if (!is_set("LC_ALL") && !is_set("LC_CTYPE") && !is_set("LANG"))
		return false;
	locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool other = own && strcmp(nl_langinfo_l(CODESET, own), "UTF-8") != 0;
	if (own)
		freelocale(own);
	return other;
}

void ascii_begin(void)
{
	static struct ascii state;
	if (!isatty(STDOUT_FILENO) || !is_other_than_utf8())
		return;
	FILE *out = fopencookie(&state, "w", (cookie_io_functions_t){.write = on_write});
	if (!out)
		return;
	(void)setvbuf(out, NULL, _IOLBF, 0);
	stdout = out;
}
