/* SPDX-License-Identifier: BSD-2-Clause */

/* The options of the command line are the keys of the section `probe` in a configuration, under names of their own. So
 * they are made one (in JSON, which is YAML) and read by what reads a file: the same checks, ranges and defaults. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/probe_options.h"
#include "cli/record_json.h"
#include "probe/daemon.h"
#include "probe/pins.h"
#include "probe/status.h"

#define FIRST_OPTION 256 /* above every character */

struct probe_options {
	const char *file; /* -c */
	json_t *section;  /* of the other options; empty: none */
	bool dry_run, status, json, forget, help;
};

/* What --NAME VALUE sets: `key` of the section, or of the map `map` in it; list: it may come again. */
static const struct {
	const char *name, *value, *map, *key;
	bool list;
} keys[] = {
	{"to", "HOST:PORT", NULL, "collectors", true},
	{"key", "FILE", "key", "file", false},
	{"key-id", "N", "key", "id", false},
	{"name", "NAME", NULL, "name", false},
	{"interval", "DURATION", NULL, "interval", false},
	{"backend", "auto|ebpf|sockdiag", NULL, "backend", false},
	{"tagging", "auto|on|off", NULL, "tagging", false},
	{"type", "NAME", NULL, "types", true},
	{"type-rule", "KEY=VALUE,...", NULL, "type_rules", true},
	{"ignore", "NETWORK", NULL, "ignore", true},
	{"namespace", "FILE", NULL, "namespaces", true},
	{"pin", "DIR", NULL, "pin", false},
	{"user", "USER", NULL, "user", false},
	{"status-socket", "FILE", NULL, "status", false},
	{"spool", "DIR", "spool", "dir", false},
	{"spool-size", "SIZE", "spool", "max_size", false},
};

/* The others. */
static const struct {
	const char *name, *help;
	int code;
} switches[] = {
	{"dry-run", "print records as JSON lines instead of sending them, and leave nothing behind", 'd'},
	{"status", "say how the running probe is", 's'},
	{"json", "with --status: as JSON", 'j'},
	{"forget", "take out of the kernel what a probe that has ended left there", 'f'},
	{"help", "print this help", 'h'},
};

/* ---- options ---- */

struct option_row probe_option(size_t i)
{
	static const struct option_row letters[] = {{"c", "FILE", "the configuration", OPTIONS_probe}, {"v", NULL, "log more", OPTIONS_probe}};
	const size_t others = ARRAY_LEN(keys) + ARRAY_LEN(switches);
	if (i < ARRAY_LEN(keys)) {
		char section[32];
		(void)snprintf(section, sizeof(section), "probe%s%s", keys[i].map ? "." : "", keys[i].map ? keys[i].map : "");
		return (struct option_row){keys[i].name, keys[i].value, config_option_doc(section, keys[i].key), OPTIONS_probe};
	}
	if (i < others)
		return (struct option_row){switches[i - ARRAY_LEN(keys)].name, NULL, switches[i - ARRAY_LEN(keys)].help, OPTIONS_probe};
	return i - others < ARRAY_LEN(letters) ? letters[i - others] : (struct option_row){0};
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 18;
}

/* A number where one is wanted, which YAML tells from a text. */
static json_t *make_value(const char *key, const char *text)
{
	static const char *const numbers[] = {"id", "port", "mark", "tag"};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(key, numbers[i]) == 0 && is_number(text))
			return json_integer((json_int_t)strtoull(text, NULL, 10));
	return json_string(text);
}

/* "type=video,port=8080" */
static json_t *make_rule(const char *text)
{
	json_t *rule = json_object();
	CLEANUP(free_p) char *copy = strdup(text);
	char *rest = NULL;
	for (char *part = copy ? strtok_r(copy, ",", &rest) : NULL; part; part = strtok_r(NULL, ",", &rest)) {
		char *value = strchr(part, '=');
		if (!value || json_object_get(rule, part)) {
			json_decref(rule);
			return NULL;
		}
		*value++ = '\0';
		(void)json_object_set_new(rule, part, make_value(part, value));
	}
	return rule;
}

static json_t *get_map(json_t *section, const char *name, json_t *(*make)(void))
{
	if (!json_object_get(section, name))
		(void)json_object_set_new(section, name, make());
	return json_object_get(section, name);
}

static bool set_key(json_t *section, size_t i, const char *text)
{
	json_t *map = keys[i].map ? get_map(section, keys[i].map, json_object) : section;
	if (!keys[i].list)
		return json_object_set_new(map, keys[i].key, make_value(keys[i].key, text)) == 0;
	json_t *value = strcmp(keys[i].key, "type_rules") == 0 ? make_rule(text) : json_string(text);
	return json_array_append_new(get_map(section, keys[i].key, json_array), value) == 0;
}

static int parse_options(int argc, char **argv, struct probe_options *o)
{
	struct option options[ARRAY_LEN(keys) + ARRAY_LEN(switches) + 1] = {0};
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		options[i] = (struct option){keys[i].name, required_argument, NULL, FIRST_OPTION + i};
	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		options[ARRAY_LEN(keys) + i] = (struct option){switches[i].name, no_argument, NULL, switches[i].code};
	int opt, at = 1;
	opterr = 0;
	for (; (opt = getopt_long(argc, argv, ":hc:v", options, NULL)) != -1; at = optind) {
		if (opt == 'c')
			o->file = optarg;
		else if (opt == 'v')
			log_set_level(LOG_LEVEL_DEBUG);
		else if (opt == 'd')
			o->dry_run = true;
		else if (opt == 's')
			o->status = true;
		else if (opt == 'j')
			o->json = true;
		else if (opt == 'f')
			o->forget = true;
		else if (opt == 'h')
			o->help = true;
		else if (opt < FIRST_OPTION)
			return options_refuse(argc, argv, opt, optind > at ? optind - 1 : at);
		else if (!set_key(o->section, (size_t)opt - FIRST_OPTION, optarg))
			return command_usage(argv[0], "--type-rule must be like 'type=video,port=8080,address=192.0.2.0/24'");
	}
	if (optind != argc)
		return command_usage(argv[0], "arguments are not expected");
	if (o->file && json_object_size(o->section))
		return command_usage(argv[0], "with -c all other options stand in the file");
	if (!o->file && !o->dry_run && !o->status && !o->forget && !o->help && (!json_object_get(o->section, "collectors") ||
		!json_object_get(o->section, "key")))
		return command_usage(argv[0], "-c, or --to and --key, or --dry-run, --status or --forget is needed");
	return EXIT_DONE;
}

static void print_help(void)
{
	puts("usage: whereto probe -c FILE [-v]\n       whereto probe OPTIONS\n");
	printf("%s\n\noptions:\n", option_command_row(OPTION_OF_probe).help);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char left[64];
		(void)snprintf(left, sizeof(left), "--%s %s", keys[i].name, keys[i].value);
		printf("  %-26s  %s%s\n", left, probe_option(i).help, keys[i].list ? " (may come again)" : "");
	}
	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		printf("  --%-24s  %s\n", switches[i].name, switches[i].help);
	puts("\nKeys of --type-rule are those of an entry of type_rules: type=video,port=8080,address=192.0.2.0/24,cgroup=...,"
		"mark=...,tag=...");
}

static int load(const struct probe_options *o, struct config **ret, struct error *err)
{
	if (o->file)
		return config_load(o->file, ret, err);
	json_t *root = json_pack("{s:O}", "probe", o->section);
	CLEANUP(free_p) char *text = root ? json_dumps(root, 0) : NULL;
	json_decref(root);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	return config_parse("command line", text, strlen(text), ret, err);
}

/* ---- what is asked ---- */

static void print_value(const char *name, const json_t *value, const char *indent)
{
	const char *key;
	size_t i;
	json_t *item;
	if (json_is_object(value)) {
		printf("%s%s\n", indent, name);
		json_object_foreach((json_t *)value, key, item)
			print_value(key, item, indent[0] ? "    " : "  ");
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item)
			print_value(name, item, indent);
	} else if (json_is_string(value)) {
		if (json_string_length(value))
			printf("%s%-18s %s\n", indent, name, json_string_value(value));
	} else if (json_is_boolean(value)) {
		printf("%s%-18s %s\n", indent, name, json_is_true(value) ? "yes" : "no");
	} else {
		printf("%s%-18s %" PRId64 "\n", indent, name, (int64_t)json_integer_value(value));
	}
}

static int print_status(const struct config_probe *config, bool as_json)
{
	struct error err = {0};
	json_t *told, *value;
	const char *name;
	if (status_ask(config->status, &told, &err) < 0) {
		fprintf(stderr, "whereto probe: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (as_json) {
		(void)json_dumpf(told, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		json_object_foreach(told, name, value)
			print_value(name, value, "");
	}
	json_decref(told);
	return EXIT_DONE;
}

static void print_record(void *ctx, const struct record *rec)
{
	json_t *o = record_json_make(rec);
	if (o && json_dumpf(o, stdout, JSON_COMPACT) == 0) {
		putchar('\n');
		(void)fflush(stdout);
	}
	json_decref(o);
}

/* What is only looked at leaves nothing behind and takes no tags unless asked to. */
static int dry_run(struct config_probe *config, struct error *err)
{
	const struct probe_dry dry = {.record = print_record};
	free(config->pin_dir);
	config->pin_dir = NULL;
	if (config->tagging == PROBE_TAGGING_AUTO)
		config->tagging = PROBE_TAGGING_OFF;
	return probe_run(config, NULL, &dry, err);
}

static int run(const struct probe_options *o)
{
	struct error err = {0};
	struct config *c;
	if (load(o, &c, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILED;
	}
	int status = EXIT_DONE, r = 0;
	if (!c->probe.interval_ms) {
		fprintf(stderr, "%s: has no section `probe`\n", c->file);
		status = EXIT_FAILED;
	} else if (o->forget) {
		r = pins_forget(c->probe.pin_dir, &err);
	} else if (o->status) {
		status = print_status(&c->probe, o->json);
	} else {
		r = o->dry_run ? dry_run(&c->probe, &err) : probe_run(&c->probe, o->file, NULL, &err);
	}
	if (r < 0)
		log_error("%s", err.text);
	config_free(c);
	return r < 0 ? EXIT_FAILED : status;
}

int command_probe(int argc, char **argv)
{
	struct probe_options options = {.section = json_object()};
	int status = parse_options(argc, argv, &options);
	if (status == EXIT_DONE && options.help)
		print_help();
	else if (status == EXIT_DONE)
		status = run(&options);
	json_decref(options.section);
	return status;
}
