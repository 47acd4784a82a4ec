/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/compiler.h"
#include "cli/command.h"
#include "cli/options.h"
#include "wt_test.h"

static char last_why[512];

/* main.c's, with a memory. */
int command_usage(const char *name, const char *why)
{
	(void)snprintf(last_why, sizeof(last_why), "%s: %s", name, why ? why : "");
	return EXIT_USAGE;
}

/* Parses words separated by blanks; they stay valid until the next call. */
static int parse(const char *line, enum option_commands command, const char *wants, struct options *o)
{
	static char copy[512];
	static char *argv[32];
	int argc = 0;
	(void)snprintf(copy, sizeof(copy), "%s", line);
	char *rest = copy;
	for (char *word; (word = strsep(&rest, " "));)
		argv[argc++] = word;
	argv[argc] = NULL;
	last_why[0] = '\0';
	return options_parse(argc, argv, command, wants, o);
}

static void good(void **state)
{
	struct options o;
	assert_int_equal(parse("top --last 2h --by=origin,type --from -2h --json", OPTIONS_top, NULL, &o), OPTIONS_GO_ON);
	assert_string_equal(o.command, "top");
	assert_string_equal(o.values[OPTION_last], "2h");
	assert_string_equal(o.values[OPTION_by], "origin,type");
	assert_string_equal(o.values[OPTION_from], "-2h");
	assert_string_equal(o.values[OPTION_json], "");
	assert_null(o.values[OPTION_csv]);
	assert_null(o.arguments[0]);
	assert_string_equal(option_parameter(OPTION_last), "last");
	assert_null(option_parameter(OPTION_json));

	assert_int_equal(parse("lookup --json 2001:db8::1 --router edge1", OPTIONS_lookup, "ADDRESS", &o), OPTIONS_GO_ON);
	assert_string_equal(o.arguments[0], "2001:db8::1");
	assert_string_equal(o.values[OPTION_router], "edge1");

	assert_int_equal(parse("changes --last 2h --router edge1 --within=::/0 --limit 5 --csv", OPTIONS_changes, NULL, &o),
		OPTIONS_GO_ON);
	assert_string_equal(o.values[OPTION_router], "edge1");
	assert_string_equal(o.values[OPTION_within], "::/0");
	assert_string_equal(option_parameter(OPTION_within), "within");
	assert_string_equal(option_parameter(OPTION_prefix), "prefix");
}

static void watch(void **state)
{
	static const struct {
		const char *line, *seconds;
	} cases[] = {{"top --watch", ""}, {"top --watch 5", "5"}, {"top --watch=7", "7"}, {"top --watch --limit 3", ""},
		{"top --limit 3 --watch 12", "12"}, {"top --watch x", "x"}};
	struct options o;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].line, OPTIONS_top, NULL, &o), OPTIONS_GO_ON);
		assert_string_equal(o.values[OPTION_watch], cases[i].seconds);
	}
}

static void compare(void **state)
{
	static const struct {
		const char *line, *ago;
	} cases[] = {{"top --compare", ""}, {"top --compare 1d", "1d"}, {"top --compare=previous --limit 3", "previous"}, {"top --compare --limit 3", ""}};
	struct options o;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].line, OPTIONS_top, NULL, &o), OPTIONS_GO_ON);
		assert_string_equal(o.values[OPTION_compare], cases[i].ago);
	}
	assert_string_equal(option_parameter(OPTION_compare), "compare");
}

static void refusals(void **state)
{
	static const struct {
		const char *line;
		enum option_commands command;
		const char *wants, *why;
	} cases[] = {
		{"top --nonsense", OPTIONS_top, NULL, "top: no option '--nonsense'; --help lists them"},
		{"top --limit 3 --nonsense=5 --by x", OPTIONS_top, NULL, "top: no option '--nonsense=5'; --help lists them"},
		{"top -x", OPTIONS_top, NULL, "top: no option '-x'; --help lists them"},
		{"top --limit", OPTIONS_top, NULL, "top: option '--limit' needs a value"},
		{"top --by x --limit", OPTIONS_top, NULL, "top: option '--limit' needs a value"},
		{"top extra", OPTIONS_top, NULL, "top: 'extra' is not expected here"},
		{"top --json --csv", OPTIONS_top, NULL, "top: --json and --csv exclude each other"},
		{"senders --limit 3", OPTIONS_senders, NULL, "senders: no option '--limit'; --help lists them"},
		{"series --watch", OPTIONS_series, NULL, "series: no option '--watch'; --help lists them"},
		{"changes --by origin", OPTIONS_changes, NULL, "changes: no option '--by'; --help lists them"},
		{"top --router edge1", OPTIONS_top, NULL, "top: no option '--router'; --help lists them"},
		{"top --prefix ::/0", OPTIONS_top, NULL, "top: no option '--prefix'; --help lists them"},
		{"paths --compare", OPTIONS_paths, NULL, "paths: no option '--compare'; --help lists them"},
		{"paths --by origin", OPTIONS_paths, NULL, "paths: no option '--by'; --help lists them"},
		{"top --fields bytes_sent", OPTIONS_top, NULL, "top: --fields goes with --json or --csv"},
		{"top --order up", OPTIONS_top, NULL, "top: --order is asc|desc, not 'up'"},
		{"mrt --format x y", OPTIONS_mrt, "FILE", "mrt: --format is bgpdump|json, not 'x'"},
		{"collector -c", OPTIONS_collector, NULL, "collector: option '-c' needs a value"},
		{"keygen --x", OPTIONS_keygen, "FILE", "keygen: no option '--x'; --help lists them"},
		{"store check a b", OPTIONS_store, "ACTION [URL]", "store: 'b' is not expected here"},
		{"store", OPTIONS_store, "ACTION [URL]", "store: ACTION is missing"},
		{"lookup", OPTIONS_lookup, "ADDRESS", "lookup: ADDRESS is missing"},
		{"lookup a b", OPTIONS_lookup, "ADDRESS", "lookup: 'b' is not expected here"},
	};
	struct options o;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].line, cases[i].command, cases[i].wants, &o), EXIT_USAGE);
		assert_string_equal(last_why, cases[i].why);
	}
}

static void others(void **state)
{
	struct options o;
	assert_int_equal(parse("send --to a:1 --key k --to b:2 --wait", OPTIONS_send, NULL, &o), OPTIONS_GO_ON);
	assert_int_equal(o.list_count, 2);
	assert_string_equal(o.list[0], "a:1");
	assert_string_equal(o.list[1], "b:2");
	assert_null(o.values[OPTION_to]); /* of questions: another option of that name */
	assert_int_equal(parse("store check -c x", OPTIONS_store, "ACTION [URL]", &o), OPTIONS_GO_ON);
	assert_string_equal(o.arguments[0], "check");
	assert_null(o.arguments[1]);
	assert_string_equal(o.values[OPTION_config], "x");
	assert_int_equal(parse("collector -vcx", OPTIONS_collector, NULL, &o), OPTIONS_GO_ON);
	assert_string_equal(o.values[OPTION_config], "x");
	assert_string_equal(o.values[OPTION_verbose], "");
	assert_int_equal(parse("schema --store clickhouse://h/d", OPTIONS_schema, NULL, &o), OPTIONS_GO_ON);
	assert_int_equal(parse("mrt x -h", OPTIONS_mrt, "FILE", &o), EXIT_DONE);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		assert_int_equal((option_row((enum option_id)i).commands & OPTIONS_probe) != 0, i == OPTION_help);
}

static void bound(void **state)
{
	static char name[] = "send", to[] = "--to", value[] = "x:1";
	struct options o;
	char *argv[2 * OPTIONS_LIST_MAX + 4] = {name};
	int argc = 1;
	for (int i = 0; i <= OPTIONS_LIST_MAX; i++) {
		argv[argc++] = to;
		argv[argc++] = value;
	}
	assert_int_equal(options_parse(argc, argv, OPTIONS_send, NULL, &o), EXIT_USAGE);
	assert_string_equal(last_why, "send: too many collectors");
	assert_int_equal(options_parse(argc - 2, argv, OPTIONS_send, NULL, &o), OPTIONS_GO_ON);
	assert_int_equal(o.list_count, OPTIONS_LIST_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(watch), cmocka_unit_test(compare), cmocka_unit_test(refusals), cmocka_unit_test(others), cmocka_unit_test(bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
