/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/ascii.h"
#include "cli/command.h"

static const struct {
	const char *name, *args, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, args, help) {#name, args, help, command_##name},
#include "cli/commands.def"
#undef COMMAND
};

static void help(FILE *out)
{
	fputs("whereto: where does your web traffic go, and how well does it arrive?\n\nusage:\n", out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  whereto %s%s%s\n        %s\n", commands[i].name, *commands[i].args ? " " : "",
			commands[i].args, commands[i].help);
}

int command_usage(const char *name, const char *why)
{
	if (why)
		fprintf(stderr, "whereto %s: %s\n", name, why);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			fprintf(stderr, "usage: whereto %s%s%s\n", name, *commands[i].args ? " " : "", commands[i].args);
	return EXIT_USAGE;
}

/* What could not be written is no success, but for a reader that has gone away, who wants no words. */
static int written(int status)
{
	errno = 0;
	bool failed = fflush(stdout) != 0 || ferror(stdout);
	if (failed && errno != EPIPE)
		fprintf(stderr, "whereto: standard output: %s\n", errno ? strerror(errno) : "could not be written");
	return failed && status == EXIT_DONE ? EXIT_FAILED : status;
}

static int run(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return written(commands[i].run(argc, argv));
	fprintf(stderr, "whereto: no command '%s'; `whereto help` lists them\n", argv[0]);
	return EXIT_USAGE;
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "help") == 0 || strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

int main(int argc, char **argv)
{
	ascii_begin();
	static char version[] = "version", help_option[] = "--help";
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (is_help(argv[1]) && argc > 2) { /* help COMMAND */
		char *command[] = {argv[2], help_option, NULL};
		return run(2, command);
	}
	if (is_help(argv[1])) {
		help(stdout);
		return written(EXIT_DONE);
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = version;
	return run(argc - 1, argv + 1);
}
