/* SPDX-License-Identifier: BSD-2-Clause */

/* The file is kept as it was read, with a NUL behind each name, beside an array of (number, where
 * its name begins) sorted by number. Where a number comes twice the later line wins. Names must be
 * UTF-8 without control characters, because they end up in terminals and JSON. */

#include "place/asnames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "place/slurp.h"

#define FILE_BYTES_MAX ((size_t)256 << 20)

struct name {
	uint32_t asn;
	uint32_t offset; /* in text */
};

struct asnames {
	struct slurp text;
	struct name *names;
	size_t count, cap;
};

static int add_name(struct asnames *n, uint32_t asn, size_t offset)
{
	if (n->count == n->cap) {
		size_t cap = n->cap ? n->cap * 2 : 1024;
		struct name *names = reallocarray(n->names, cap, sizeof(*names));
		if (!names)
			return -ENOMEM;
		n->names = names;
		n->cap = cap;
	}
	n->names[n->count++] = (struct name){asn, (uint32_t)offset};
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks and a comment off the end: # begins one at the line's start and behind a blank, so
 * that a name like "C#" can be written. */
static void trim_end(char *line)
{
	for (char *p = line; *p; p++)
		if (*p == '#' && (p == line || is_blank(p[-1])))
			*p = '\0';
	size_t len = strlen(line);
	while (len && is_blank(line[len - 1]))
		line[--len] = '\0';
}

/* "AS64500", "64500"; *p is left behind it. */
static bool parse_asn(char **p, uint32_t *ret)
{
	char *s = *p;
	if ((s[0] == 'A' || s[0] == 'a') && (s[1] == 'S' || s[1] == 's'))
		s += 2;
	uint64_t asn = 0;
	char *digits = s;
	for (; *s >= '0' && *s <= '9' && asn <= UINT32_MAX; s++)
		asn = asn * 10 + (uint64_t)(*s - '0');
	*p = s;
	*ret = (uint32_t)asn;
	return s > digits && asn <= UINT32_MAX;
}

/* Blanks around at most one comma or bar. False when there is nothing between number and name. */
static bool skip_separator(char **p)
{
	char *s = *p;
	while (is_blank(*s))
		s++;
	if (*s == ',' || *s == '|')
		s++;
	while (is_blank(*s))
		s++;
	bool moved = s > *p;
	*p = s;
	return moved;
}

static int parse_line(struct asnames *n, const char *file, unsigned line, char *text, size_t len, struct error *err)
{
	if (memchr(text, '\0', len))
		return error_set(err, -EINVAL, "%s:%u: has a NUL byte in it", file, line);
	trim_end(text);
	char *p = text;
	while (is_blank(*p))
		p++;
	if (!*p)
		return 0;
	uint32_t asn;
	if (!parse_asn(&p, &asn) || (*p && !skip_separator(&p)))
		return error_set(err, -EINVAL, "%s:%u: does not begin with an AS number (0 to 4294967295)", file, line);
	if (!*p)
		return error_set(err, -EINVAL, "%s:%u: AS%u has no name", file, line, asn);
	if (!utf8_printable(p, strlen(p)))
		return error_set(err, -EINVAL, "%s:%u: the name of AS%u is not printable UTF-8", file, line, asn);
	if (add_name(n, asn, (size_t)(p - n->text.data)) < 0)
		return error_set(err, -ENOMEM, "%s:%u: out of memory", file, line);
	return 0;
}

/* By number; of equal ones the later line first, which is the one that stays. */
static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	if (x->asn != y->asn)
		return x->asn < y->asn ? -1 : 1;
	return (x->offset < y->offset) - (x->offset > y->offset);
}

static void sort_names(struct asnames *n)
{
	if (n->count)
		qsort(n->names, n->count, sizeof(*n->names), compare_names);
	size_t kept = 0;
	for (size_t i = 0; i < n->count; i++)
		if (kept == 0 || n->names[kept - 1].asn != n->names[i].asn)
			n->names[kept++] = n->names[i];
	n->count = kept;
}

static int parse_all(struct asnames *n, const char *file, struct error *err)
{
	char *p = n->text.data, *end = p + n->text.len;
	for (unsigned line = 1; p < end; line++) {
		char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline ? newline : end) - p);
		p[len] = '\0';
		int r = parse_line(n, file, line, p, len, err);
		if (r < 0)
			return r;
		p += len + 1;
	}
	sort_names(n);
	return 0;
}

int asnames_load(const char *file, struct asnames **ret, struct error *err)
{
	struct asnames *n = calloc(1, sizeof(*n));
	if (!n)
		return error_set(err, -ENOMEM, "%s: out of memory", file);
	int r = slurp_file(file, FILE_BYTES_MAX, &n->text, err);
	if (r == 0)
		r = parse_all(n, file, err);
	if (r < 0) {
		asnames_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void asnames_free(struct asnames *names)
{
	if (!names)
		return;
	slurp_done(&names->text);
	free(names->names);
	free(names);
}

const char *asnames_get(const struct asnames *names, uint32_t asn)
{
	size_t low = 0, high = names ? names->count : 0;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (names->names[mid].asn == asn)
			return names->text.data + names->names[mid].offset;
		if (names->names[mid].asn < asn)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

size_t asnames_count(const struct asnames *names)
{
	return names ? names->count : 0;
}
