/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A YAML document as a tree that knows its line numbers. It lives in an arena; texts end in NUL.
 *
 * One document of maps, lists and scalars. Anchors, aliases and tags are refused, so a tree is never
 * larger than its text; depth, text and number of nodes are bounded. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree {
	enum tree_kind kind;
	unsigned line;
	unsigned count;     /* of list entries, or of pairs */
	bool quoted;        /* scalar: it is text, whatever it looks like */
	const char *text;   /* scalar; has no NUL inside */
	struct tree *first; /* entries; of a map: key, value, key, value; keys are scalars */
	struct tree *next;
};

#define TREE_TEXT_MAX ((size_t)1 << 20)

/* first_line is the number of the text's first line, 1 for a file. Errors name file and line. */
int tree_parse(const char *file, unsigned first_line, const char *text, size_t len, struct arena *arena,
	const struct tree **ret, struct error *err) MUST_USE;
