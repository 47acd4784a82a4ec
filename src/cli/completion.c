/* SPDX-License-Identifier: BSD-2-Clause */

/* whereto completion: a shell's script, and what the script asks each time: `whereto completion SHELL -- ...`, which prints how the
 * words go on (words, parts, files, dirs) and then a line each: the word, a tab, what it is. What can be completed is complete.c's.
 *
 * zsh and fish give the words, and take whole words. bash gives the line up to the cursor and its COMP_WORDBREAKS, and
 * replaces only what is behind the last of these characters outside of quotes, or behind a quote that is open: so the line is read here as bash would, and of each word
 * is printed what bash will put there, quoted as the line began it. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/command.h"
#include "cli/complete.h"
#include "cli/options.h"

#define WORDS_MAX 256

extern const char completion_bash[], completion_zsh[], completion_fish[];

static const struct {
	const char *name, *script;
} shells[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};

/* ---- a line as bash reads it ---- */

struct line {
	char *words[WORDS_MAX]; /* without quotes; the last is being typed, and there is one at least. In `text` */
	size_t count;
	char *text;
	char quote;  /* in the last word, open or closed; 0: none */
	bool open;
	size_t kept; /* so much of the last word bash does not replace */
};

/* One word, from *p on, which is behind it afterwards. Returns the end of what was written. */
static char *read_word(const char **p, const char *breaks, char *out, struct line *l)
{
	const char *in = *p;
	const char *begin = out;
	size_t quoted_at = 0;
	l->quote = 0;
	l->open = false;
	l->kept = 0;
	for (; *in && (l->open || (*in != ' ' && *in != '\t')); in++) {
		if (l->open && *in == l->quote) {
			l->open = false;
		} else if (!l->open && (*in == '\'' || *in == '"')) {
			l->open = true;
			l->quote = *in;
			quoted_at = (size_t)(out - begin);
		} else if (*in == '\\' && in[1] && (!l->open || (l->quote == '"' && strchr("\"\\$`", in[1])))) {
			*out++ = *++in;
		} else {
			*out++ = *in;
			if (!l->open && strchr(breaks, *in)) {
				l->kept = (size_t)(out - begin);
				l->quote = 0;
			}
		}
	}
	if (l->open)
		l->kept = quoted_at;
	*out++ = '\0';
	*p = in;
	return out;
}

/* VARIABLE=value in front of the command. */
static bool is_assignment(const char *word)
{
	size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
	return n && word[n] == '=';
}

/* Without the command itself. */
static int read_line(const char *text, const char *breaks, struct line *ret)
{
	struct line l = {.text = malloc(strlen(text) + 2)};
	char *out = l.text;
	if (!out)
		return -ENOMEM;
	for (bool command = false; l.count < WORDS_MAX;) {
		text += strspn(text, " \t");
		char *word = out;
		out = read_word(&text, breaks, out, &l);
		if (command)
			l.words[l.count++] = word;
		command |= !is_assignment(word);
		if (!*text)
			break;
	}
	*ret = l;
	return l.count ? 0 : -EINVAL;
}

/* ---- what is printed ---- */

/* As it is within this quote; without one, where the shell would read it otherwise, with a backslash. */
static void print_quoted(const char *text, char quote)
{
	for (; *text; text++) {
		if (quote == '\'' && *text == '\'')
			(void)fputs("'\\'", stdout);
		else if (quote == '"' ? strchr("\"\\$`", *text) != NULL : !quote && strchr(" \t\"'\\$`&|;<>()*?[]#~!{}", *text))
			(void)putchar('\\');
		(void)putchar(*text);
	}
}

/* An open quote stands and is closed by bash; one that has been closed is replaced with the word. */
static void print_for_bash(const char *text, const struct line *l)
{
	const char closed[] = {l->open ? '\0' : l->quote, '\0'};
	(void)fputs(closed, stdout);
	print_quoted(text, l->quote);
	(void)fputs(closed, stdout);
}

/* One line, whatever is in it. */
static void print_help(const char *help)
{
	for (; *help; help++)
		(void)putchar((unsigned char)*help < ' ' || *help == 127 ? ' ' : *help);
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return false;
	return true;
}

/* bash: NULL for other shells. */
static int print_list(const struct complete_list *list, const struct line *bash)
{
	static const char *const names[] = {[COMPLETE_WORDS] = "words", [COMPLETE_PARTS] = "parts", [COMPLETE_FILES] = "files", [COMPLETE_DIRS] = "dirs"};
	(void)puts(names[list->kind]);
	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->words[i].text;
		if (!is_plain(text))
			continue;
		if (bash)
			print_for_bash(text + bash->kept, bash);
		else
			(void)fputs(text, stdout);
		(void)putchar('\t');
		print_help(list->words[i].help);
		(void)putchar('\n');
	}
	return EXIT_DONE;
}

static int print_words(char *const *words, size_t count, const struct line *bash)
{
	struct complete_list list;
	if (complete(words, count, &list) < 0)
		return EXIT_FAILED;
	int r = print_list(&list, bash);
	complete_list_done(&list);
	return r;
}

static int answer_bash(int argc, char **argv)
{
	struct line line;
	if (argc != 2 || read_line(argv[0], argv[1], &line) < 0)
		return EXIT_USAGE;
	int r = print_words(line.words, line.count, &line);
	free(line.text);
	return r;
}

int command_completion(int argc, char **argv)
{
	struct options o;
	bool asked = argc > 3 && strcmp(argv[2], "--") == 0;
	if (asked && strcmp(argv[1], "bash") == 0)
		return answer_bash(argc - 3, argv + 3);
	if (asked)
		return print_words(argv + 3, (size_t)argc - 3, NULL);
	int r = options_parse(argc, argv, OPTIONS_completion, "SHELL", &o);
	if (r != OPTIONS_GO_ON)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(o.arguments[0], shells[i].name) == 0) {
			(void)fputs(shells[i].script, stdout);
			return EXIT_DONE;
		}
	return command_usage(argv[0], "SHELL is bash, zsh or fish");
}
