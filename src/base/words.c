/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/words.h"

#include <string.h>

bool words_have(const char *list, char separator, const char *word)
{
	size_t len = strlen(word);
	if (!len || strchr(word, separator))
		return false;
	for (const char *p = list; (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == separator) && (p[len] == separator || p[len] == '\0'))
			return true;
	return false;
}

bool words_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}
