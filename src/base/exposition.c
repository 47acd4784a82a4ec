/* SPDX-License-Identifier: BSD-2-Clause */

#include "base/exposition.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

void exposition_family(FILE *out, const char *prefix, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# TYPE %s%s %s\n# HELP %s%s %c%s.\n", prefix, name, type, prefix, name, toupper((unsigned char)*help),
		help + 1);
}

void exposition_label(char *buf, size_t cap, const char *name, const char *value)
{
	size_t len = strlen(buf);
	len += (size_t)snprintf(buf + len, cap - len, "%s%s=\"", len ? "," : "", name);
	for (; *value && len + 4 < cap; value++) {
		if (*value == '"' || *value == '\\')
			buf[len++] = '\\';
		buf[len++] = *value == '\n' ? ' ' : *value;
	}
	(void)snprintf(buf + len, cap - len, "\"");
}

void exposition_histogram(FILE *out, const char *name, const char *labels, const struct exposition_histogram *h)
{
	uint64_t count = 0;
	for (size_t i = 0; i <= h->bound_count; i++) {
		count += h->counts[i];
		(void)fprintf(out, "%s_bucket{%s,le=\"%s\"} %llu\n", name, labels, i < h->bound_count ? h->bounds[i] : "+Inf",
			(unsigned long long)count);
	}
	(void)fprintf(out, "%s_sum{%s} %.9f\n%s_count{%s} %llu\n", name, labels, h->sum, name, labels, (unsigned long long)count);
}

static bool ends_with(const char *line, size_t len, const char *end)
{
	size_t n = strlen(end);
	return len >= n && memcmp(line + len - n, end, n) == 0;
}

/* "# TYPE " and "# HELP " are of one length, then comes the name. */
static void write_renamed(FILE *out, const char *line, size_t len)
{
	static const size_t before = sizeof("# TYPE ") - 1;
	const char *end = memchr(line + before, ' ', len - before);
	size_t named = end ? (size_t)(end - line) : len;
	(void)fprintf(out, "%.*s_total%.*s\n", (int)named, line, (int)(len - named), line + named);
}

void exposition_older(const char *text, FILE *out)
{
	bool counter = false;
	while (*text) {
		size_t len = strcspn(text, "\n");
		bool type = strncmp(text, "# TYPE ", 7) == 0, help = strncmp(text, "# HELP ", 7) == 0;
		if (type)
			counter = ends_with(text, len, " counter");
		if ((type || help) && counter)
			write_renamed(out, text, len);
		else
			(void)fprintf(out, "%.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}
