/* SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
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

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* A command that has no --help of its own finds it wrong and comes to command_usage, which ends there. */
static bool asked_help;

static void print_usage(const char *name, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			fprintf(out, "usage: whereto %s%s%s\n%s%s%s", name, *commands[i].args ? " " : "", commands[i].args,
				asked_help ? "\n" : "", asked_help ? commands[i].help : "", asked_help ? "\n" : "");
}

int command_usage(const char *name, const char *why)
{
	if (why && !asked_help)
		fprintf(stderr, "whereto %s: %s\n", name, why);
	print_usage(name, asked_help ? stdout : stderr);
	if (asked_help)
		exit(EXIT_DONE);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 || is_help(argv[1])) {
		help(stdout);
		return EXIT_DONE;
	}
	asked_help = argc >= 3 && is_help(argv[2]);
	opterr = !asked_help; /* getopt would say that it is no option */
	static char version[] = "version";
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = version;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "whereto: no command '%s'; `whereto help` lists them\n", argv[1]);
	return EXIT_USAGE;
}
