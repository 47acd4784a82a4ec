/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sql_done(struct sql *s)
{
	free(s->text);
	*s = (struct sql){0};
}

void sql_clear(struct sql *s)
{
	s->len = 0;
	s->failed = false;
}

static bool reserve(struct sql *s, size_t more)
{
	size_t cap = s->cap ? s->cap : 1024;
	while (cap < s->len + more)
		cap *= 2;
	if (cap == s->cap)
		return true;
	char *text = realloc(s->text, cap);
	if (!text)
		return false;
	s->text = text;
	s->cap = cap;
	return true;
}

void sql_add(struct sql *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || s->failed || !reserve(s, (size_t)n + 1)) {
		s->failed = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(s->text + s->len, s->cap - s->len, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

const char *sql_text(const struct sql *s)
{
	if (s->failed)
		return NULL;
	return s->len ? s->text : "";
}
