/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A subcommand: one file each, one row in commands.def. run gets the arguments behind the
 * subcommand's name (argv[0] is the name) and returns the exit status: 0 done, 1 failed, 2 wrong
 * usage. */

#define EXIT_DONE   0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

#define COMMAND(name, args, help) int command_##name(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND

/* The usage line of a command on standard error, with a sentence before it when why is not NULL;
 * returns EXIT_USAGE. */
int command_usage(const char *name, const char *why);
