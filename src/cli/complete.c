/* SPDX-License-Identifier: BSD-2-Clause */

/* The words before the one that is typed say what is wanted: the value of the option right before, or behind "--name="; a
 * command's argument; else an option. What a value is stands in the tables: "a|b" are all there are, FILE is a file, DIM a dimension and so
 * on. Values of dimensions are asked of the collector, with the range and the terms of the filter that are there already, so that
 * only those are offered that have traffic; without an answer there are none. What is wrong is said on standard error,
 * which the shells' scripts pass over. */

#include "cli/complete.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "cli/client.h"
#include "cli/figure.h"
#include "cli/options.h"
#include "cli/probe_options.h"
#include "http/render.h"
#include "query/query.h"

#define ANSWER_NS    (2 * NS_PER_S)
#define VALUES_MAX   "50"
#define VALUES_LAST  "24h" /* when the line names no range */
#define TEXT_MAX     256

struct completing {
	struct complete_list *list;
	const char *typed;
	size_t head;         /* so much of what is typed stands before what is completed: "--by=origin," */
	unsigned command;    /* of enum option_command; OPTION_COMMAND_COUNT: none */
	struct options given; /* for the collector's address and the range */
	bool seen[OPTION_COUNT];
	int failed;
};

/* ---- the list ---- */

/* The word made of the head and of text, when it begins with what is typed. */
static void offer(struct completing *c, const char *text, const char *help)
{
	struct complete_list *l = c->list;
	char *word = NULL;
	if (strncmp(text, c->typed + c->head, strlen(c->typed) - c->head) != 0)
		return;
	struct complete_word *words = reallocarray(l->words, l->count + 1, sizeof(*words));
	l->words = words ? words : l->words;
	char *why = words ? strdup(help ? help : "") : NULL;
	if (!why || asprintf(&word, "%.*s%s", (int)c->head, c->typed, text) < 0) {
		free(why);
		c->failed = -ENOMEM;
		return;
	}
	l->words[l->count++] = (struct complete_word){word, why};
}

/* The words of "a|b|C" but those that stand for something else. Whether FILE is among them. */
static bool offer_alternatives(struct completing *c, const char *values)
{
	char word[TEXT_MAX];
	bool file = false;
	for (const char *p = values; *p;) {
		int len = (int)strcspn(p, "| ");
		(void)snprintf(word, sizeof(word), "%.*s", len, p);
		file |= strcmp(word, "FILE") == 0;
		if (*word != '-' && !(*word >= 'A' && *word <= 'Z'))
			offer(c, word, NULL);
		p += len;
		if (*p != '|')
			break;
		p++;
	}
	return file;
}

static void offer_commands(struct completing *c)
{
	for (unsigned i = 0; i < OPTION_COMMAND_COUNT; i++)
		offer(c, option_command_row(i).name, option_command_row(i).help);
	offer(c, "help", "list the commands, or tell of one");
}

/* In place of a command. */
static void offer_global(struct completing *c)
{
	if (*c->typed == '-') {
		offer(c, "--help", "list the commands");
		offer(c, "--version", "print the version");
	}
}

static void offer_option(struct completing *c, struct option_row row)
{
	char text[TEXT_MAX];
	(void)snprintf(text, sizeof(text), "%s%s", row.name[1] ? "--" : "-", row.name);
	offer(c, text, row.help);
}

static void offer_options(struct completing *c)
{
	for (int i = 0; i < OPTION_COUNT && c->command != OPTION_OF_probe; i++)
		if ((option_row(i).commands & 1u << c->command) && !c->seen[i])
			offer_option(c, option_row(i));
	for (size_t i = 0; c->command == OPTION_OF_probe && probe_option(i).name; i++)
		offer_option(c, probe_option(i));
}

/* ---- values from the collector ---- */

static uint64_t deadline_ns;

static bool is_late(void)
{
	return clock_mono_ns() >= deadline_ns;
}

/* ~ as the shell would have put it. On the heap. */
static char *expand(const char *file)
{
	const char *home = getenv("HOME");
	char *whole = NULL;
	if (!home || strncmp(file, "~/", 2) != 0)
		return strdup(file);
	return asprintf(&whole, "%s%s", home, file + 1) < 0 ? NULL : whole;
}

/* Values of a dimension; `what` of a row is offered without the `skip` characters in front. */
static void offer_rows(struct completing *c, const json_t *rows, const char *what, size_t skip)
{
	char text[TEXT_MAX];
	const json_t *row;
	size_t i;
	json_array_foreach(rows, i, row) {
		const json_t *value = json_object_get(row, what);
		const char *name = json_string_value(json_object_get(row, "name")), *string = json_string_value(value);
		if (json_is_integer(value))
			(void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		if ((string && strlen(string) >= skip) || json_is_integer(value))
			offer(c, string ? string + skip : text, name);
	}
}

/* Of /api/v1/complete: what begins with what is typed behind the head. filter: what else holds. */
static void ask_values(struct completing *c, const char *dim, const char *filter, const char *what, size_t skip)
{
	static const enum option_id kept[] = {OPTION_api, OPTION_ca_file, OPTION_last, OPTION_from, OPTION_to};
	struct options o = {.command = "completion"};
	struct client_answer a;
	const char *file = c->given.values[OPTION_token_file], *typed = c->typed + c->head;
	CLEANUP(free_p) char *token = file ? expand(file) : NULL;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		o.values[kept[i]] = c->given.values[kept[i]];
	if (!o.values[OPTION_last] && !o.values[OPTION_from])
		o.values[OPTION_last] = VALUES_LAST;
	o.values[OPTION_token_file] = token;
	o.values[OPTION_limit] = VALUES_MAX;
	o.values[OPTION_filter] = *filter ? filter : NULL;
	typed += *typed == '"';
	o.values[OPTION_prefix] = *typed ? typed : NULL; /* the parameter of that name */
	deadline_ns = clock_mono_ns() + ANSWER_NS;
	client_give_up_when(is_late);
	if (client_get(&o, "/api/v1/complete", "dim", dim, &a) == 0) {
		offer_rows(c, json_object_get(a.json, "rows"), what, skip);
		client_answer_done(&a);
	}
	client_give_up_when(NULL);
}

/* ---- a filter ---- */

static const char *const dimensions[] = {
#define DIMENSION(name, kind, help) #name,
#include "traffic/dimensions.def"
#undef DIMENSION
};
static const char *const dimension_helps[] = {
#define DIMENSION(name, kind, help) help,
#include "traffic/dimensions.def"
#undef DIMENSION
};

static void offer_dimensions(struct completing *c, bool with_time, const char *behind)
{
	char text[TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(dimensions); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", dimensions[i], behind);
		if (with_time || strcmp(dimensions[i], "time") != 0)
			offer(c, text, dimension_helps[i]);
	}
}

/* Where the last piece begins, of those that this separator parts outside of "...". */
static size_t last_piece(const char *text, char separator)
{
	size_t begin = 0;
	bool quoted = false;
	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '\\' && quoted && text[i + 1])
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (text[i] == separator && !quoted)
			begin = i + 1;
	}
	return begin;
}

static void offer_filter(struct completing *c)
{
	const char *text = c->typed + c->head;
	size_t begin = last_piece(text, ' ');
	CLEANUP(free_p) char *before = strndup(text, begin);
	c->head += begin + (text[begin] == '-');
	const char *term = c->typed + c->head;
	size_t len = strcspn(term, ":");
	if (!term[len]) {
		c->list->kind = COMPLETE_PARTS;
		offer_dimensions(c, false, ":");
		return;
	}
	CLEANUP(free_p) char *dim = strndup(term, len);
	c->head += len + 1;
	c->head += last_piece(c->typed + c->head, ',');
	if (dim && before)
		ask_values(c, dim, before, "term", len + 1);
}

/* ---- values ---- */

/* Lists with commas: what is completed is the last. */
static void skip_listed(struct completing *c)
{
	c->head += last_piece(c->typed + c->head, ',');
}

static void offer_fields(struct completing *c)
{
	skip_listed(c);
	for (int i = render_next_field(0, 0); i >= 0; i = render_next_field(0, i + 1))
		offer(c, render_field_name(i), NULL);
}

static void offer_sorts(struct completing *c)
{
	for (int i = render_next_field(0, 0); i >= 0; i = render_next_field(0, i + 1))
		if (query_sort_by_name(render_field_name(i)) >= 0)
			offer(c, render_field_name(i), NULL);
}

static void offer_figures(struct completing *c)
{
	for (size_t i = 0; figure_name(i); i++)
		offer(c, figure_name(i), NULL);
}

static void offer_dimension_list(struct completing *c)
{
	skip_listed(c);
	offer_dimensions(c, c->command == OPTION_OF_top, "");
}

static void offer_prefixes(struct completing *c)
{
	ask_values(c, "prefix", "", "value", 0);
}

static void offer_files(struct completing *c)
{
	c->list->kind = COMPLETE_FILES;
}

static void offer_dirs(struct completing *c)
{
	c->list->kind = COMPLETE_DIRS;
}

static void offer_durations(struct completing *c)
{
	(void)offer_alternatives(c, "5m|15m|1h|6h|24h|7d|30d");
}

static void offer_agos(struct completing *c)
{
	(void)offer_alternatives(c, "previous|1d|1w");
}

/* What stands for a value in the tables, without brackets. */
static const struct {
	const char *value;
	void (*offer)(struct completing *c);
} kinds[] = {{"FILE", offer_files}, {"DIR", offer_dirs}, {"DIM[,DIM]", offer_dimension_list}, {"MEASURE", offer_sorts}, {"FIGURE", offer_figures},
	{"FIGURE[,FIGURE]", offer_fields}, {"EXPR", offer_filter}, {"PREFIX", offer_prefixes}, {"DURATION", offer_durations}, {"AGO", offer_agos}};

static void offer_value(struct completing *c, const char *value)
{
	char kind[TEXT_MAX];
	(void)snprintf(kind, sizeof(kind), "%s", *value == '[' ? value + 1 : value);
	if (*value == '[')
		kind[strcspn(kind, "]")] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i].value) == 0) {
			kinds[i].offer(c);
			return;
		}
	if (strchr(kind, '|') && offer_alternatives(c, kind))
		offer_files(c);
}

static void offer_option_value(struct completing *c, const struct option_row *row)
{
	if (strcmp(row->name, option_name(OPTION_router)) == 0)
		ask_values(c, "router", "", "value", 0);
	else
		offer_value(c, row->value);
}

/* ---- the line ---- */

/* The command's option of this name, which ends with `=` or the text; false when there is none. */
static bool find_option(const struct completing *c, const char *word, struct option_row *ret, int *ret_id)
{
	size_t dashes = strspn(word, "-"), len = strcspn(word, "=") - dashes;
	if (!dashes || dashes > 2 || !len)
		return false;
	for (int i = 0; i < OPTION_COUNT || c->command == OPTION_OF_probe; i++) {
		*ret = c->command == OPTION_OF_probe ? probe_option((size_t)i) : option_row(i);
		*ret_id = c->command == OPTION_OF_probe ? OPTION_COUNT : i;
		if (!ret->name)
			return false;
		if ((ret->commands & 1u << c->command) && strlen(ret->name) == len && strncmp(ret->name, word + dashes, len) == 0)
			return true;
	}
	return false;
}

/* Reads the words before the one that is typed. ret_wants: whose value comes next; no name: none's. Returns the arguments there are. */
static size_t read_words(struct completing *c, char *const *words, size_t count, struct option_row *ret_wants)
{
	size_t arguments = 0;
	for (size_t i = 0; i < count; i++) {
		struct option_row row;
		int id;
		const char *value = strchr(words[i], '=');
		bool wanted = ret_wants->name && !(*ret_wants->value == '[' && words[i][0] == '-');
		*ret_wants = (struct option_row){0};
		if (wanted)
			continue;
		if (!find_option(c, words[i], &row, &id)) {
			arguments += words[i][0] != '-';
			continue;
		}
		c->seen[id < OPTION_COUNT ? id : 0] |= id < OPTION_COUNT && id != OPTION_to_collector;
		if (!value && row.value)
			*ret_wants = row;
		if (id < OPTION_COUNT && row.value)
			c->given.values[id] = value ? value + 1 : i + 1 < count ? words[i + 1] : NULL;
	}
	return arguments;
}

/* What is no option: the command's first argument, as the first word of its usage tells. */
static void offer_argument(struct completing *c, size_t arguments)
{
	const char *args = option_command_row(c->command).args;
	char first[TEXT_MAX];
	(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(args, " "), args);
	if (arguments == 0 && *args != '-' && strncmp(args, "[-", 2) != 0)
		offer_value(c, first);
	else
		offer_options(c);
}

static void read_line(struct completing *c, char *const *words, size_t count)
{
	struct option_row wants = {0}, row;
	int id;
	for (c->command = 0; c->command < OPTION_COMMAND_COUNT; c->command++)
		if (strcmp(option_command_row(c->command).name, words[0]) == 0)
			break;
	if (c->command == OPTION_COMMAND_COUNT)
		return;
	size_t arguments = read_words(c, words + 1, count - 2, &wants);
	const char *value = strchr(c->typed, '=');
	if (wants.name && !(*wants.value == '[' && *c->typed == '-')) {
		offer_option_value(c, &wants);
	} else if (*c->typed == '-' && value && find_option(c, c->typed, &row, &id) && row.value) {
		c->head = (size_t)(value + 1 - c->typed);
		offer_option_value(c, &row);
	} else if (*c->typed == '-') {
		offer_options(c);
	} else {
		offer_argument(c, arguments);
	}
}

int complete(char *const *words, size_t count, struct complete_list *ret)
{
	*ret = (struct complete_list){0};
	struct completing c = {.list = ret, .typed = words[count - 1]};
	bool help = count == 2 && (strcmp(words[0], "help") == 0 || strcmp(words[0], "--help") == 0);
	if (count == 1 || help) {
		offer_commands(&c);
		offer_global(&c);
	} else {
		read_line(&c, words, count);
	}
	if (c.failed)
		complete_list_done(ret);
	return c.failed;
}

void complete_list_done(struct complete_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->words[i].text);
		free(list->words[i].help);
	}
	free(list->words);
	*list = (struct complete_list){0};
}
