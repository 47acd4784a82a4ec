/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What may stand where somebody types a command line: commands, options, their values. It all comes from the tables that parse
 * them (commands.def, options.def, the probe's), and values with traffic from the collector that the line names. One thread. */

#include <stdbool.h>
#include <stddef.h>

enum complete_kind {
	COMPLETE_WORDS,
	COMPLETE_PARTS, /* words that go on: no blank behind them */
	COMPLETE_FILES, /* any file, */
	COMPLETE_DIRS,  /*   or folder: shells know them best */
};

struct complete_word {
	char *text, *help; /* the whole word; "" when there is nothing to say */
};

struct complete_list {
	enum complete_kind kind;
	struct complete_word *words; /* each begins with what was typed */
	size_t count;
};

/* words: those behind the program's name, as the program would get them; the last is being typed, may be empty. The collector has
 * two seconds; what it does not answer is left out. -ENOMEM. */
int complete(char *const *words, size_t count, struct complete_list *ret);
void complete_list_done(struct complete_list *list);
