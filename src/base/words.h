/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* Whether a list, in which one separator stands between two words, has this word as a whole. */
bool words_have(const char *list, char separator, const char *word);
/* Whether both are the same text, or NULL. */
bool words_same(const char *a, const char *b);
