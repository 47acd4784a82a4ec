/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

/* "3 past, 1 invalid": the members that are not zero. On the heap; NULL when memory is out. */
static char *list_counts(const json_t *counts)
{
	char *text = NULL;
	size_t len;
	const char *key, *gap = "";
	json_t *v;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	json_object_foreach((json_t *)(uintptr_t)counts, key, v) {
		if (!json_integer_value(v))
			continue;
		(void)fprintf(out, "%s%lld ", gap, (long long)json_integer_value(v));
		for (const char *p = key; *p; p++)
			(void)fputc(*p == '_' ? ' ' : *p, out);
		gap = ", ";
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void add_count(struct table *t, const json_t *row, const char *key, enum table_style style)
{
	long long n = (long long)json_integer_value(json_object_get(row, key));
	table_cell(t, n ? style : STYLE_PLAIN, "%lld", n);
}

static void add_sender(struct table *t, const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "sender"));
	char *rejected = list_counts(json_object_get(row, "rejected")), text[UNITS_TEXT_MAX];
	const char *age = units_since(json_string_value(json_object_get(row, "last_seen")), text);
	table_cell(t, STYLE_PLAIN, "%s", name && *name ? name : "(no name)");
	add_count(t, row, "sessions", STYLE_PLAIN);
	add_count(t, row, "sent", STYLE_PLAIN);
	add_count(t, row, "stored", STYLE_PLAIN);
	table_cell(t, STYLE_BAD, "%s", rejected && *rejected ? rejected : "-");
	add_count(t, row, "dropped", STYLE_BAD);
	add_count(t, row, "lost", STYLE_BAD);
	add_count(t, row, "in_flight", STYLE_PLAIN);
	if (age)
		table_cell(t, STYLE_PLAIN, "%s ago", age);
	table_row(t);
	free(rejected);
}

static void print_age(const char *text, const json_t *time)
{
	char buf[UNITS_TEXT_MAX];
	const char *age = units_since(json_string_value(time), buf);
	if (age)
		printf("%s %s", text, age);
}

/* Only when something waits for the store, or is wrong. */
static void print_backlog(const json_t *backlog)
{
	const char *store = json_string_value(json_object_get(backlog, "store_error"));
	const char *housekeeping = json_string_value(json_object_get(backlog, "housekeeping_error"));
	const char *journal = json_string_value(json_object_get(backlog, "journal_error"));
	long long batches = (long long)json_integer_value(json_object_get(backlog, "batches"));
	char bytes[UNITS_TEXT_MAX];
	if (batches) {
		printf("\nnot yet in the store: %lld batches, %s", batches,
			units_bytes((uint64_t)json_integer_value(json_object_get(backlog, "bytes")), bytes));
		print_age(", the oldest made", json_object_get(backlog, "since"));
		printf(" ago\n");
	}
	if (store) {
		print_age("\nthe store has been away for", json_object_get(backlog, "store_away_since"));
		printf(": %s\n", store);
	}
	if (housekeeping) {
		print_age("\nthe store's housekeeping has failed for", json_object_get(backlog, "housekeeping_failed_since"));
		printf(", so nothing is merged or dropped: %s\n", housekeeping);
	}
	if (journal)
		printf("\nnothing is acknowledged, the journal cannot be written: %s\n", journal);
}

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *answer = a->json;
	static const struct table_column columns[] = {
		{"SENDER", false, 0, 8}, {"SESSIONS", true, 4, 0}, {"SENT", true, 0, 0}, {"STORED", true, 1, 0},
		{"REJECTED", false, 0, 6}, {"DROPPED", true, 0, 0}, {"LOST", true, 2, 0}, {"IN FLIGHT", true, 0, 0},
		{"LAST SEEN", true, 3, 0},
	};
	struct screen screen = screen_get();
	struct table *t;
	const json_t *row, *rows = json_object_get(answer, "rows");
	size_t i;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(rows, i, row)
		add_sender(t, row);
	int r = 0;
	if (json_array_size(rows))
		r = table_print(t, &screen, stdout);
	else
		(void)puts("no sender has been heard yet");
	table_free(t);
	char *refused = list_counts(json_object_get(answer, "refused"));
	if (refused && *refused)
		printf("\nrefused datagrams: %s\n", refused);
	free(refused);
	print_backlog(json_object_get(answer, "backlog"));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_senders(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_senders, .path = "/api/v1/senders", .print = print_answer};
	return client_command(argc, argv, &question);
}
