/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The programs the demo starts, each in a process group of its own: a Ctrl-C in the terminal reaches the
 * demo only, which ends them in order, by their ids; what they leave behind in their group is ended with
 * them. If the demo is killed the kernel ends them. SIGCHLD has to be blocked, and no other code may wait
 * for any child. One thread. */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"

struct demo_process {
	const char *name; /* in messages; of the log: FOLDER/NAME.log */
	pid_t pid;        /* 0: not running */
	int status;       /* as of waitpid, when it has ended */
	bool started;
};

/* argv ends with NULL; argv[0] is the file to run. The program runs in the folder, its standard error goes to
 * the log, its standard output too, or into a pipe when ret_stdout is not NULL. */
int demo_process_start(struct demo_process *p, const char *name, const char *const argv[], const char *folder,
	int *ret_stdout, struct error *err) MUST_USE;

/* Whether it runs; finds out when it doesn't any more. */
bool demo_process_running(struct demo_process *p);

/* Sends signo and waits for the end; SIGKILL when that takes longer. No-op when it doesn't run. 0 when it
 * ended by itself with status 0 (or did not run), -ETIMEDOUT when it had to be killed, -EIO otherwise. */
int demo_process_stop(struct demo_process *p, int signo, unsigned timeout_ms);

/* Prints how it ended and the end of its log. */
void demo_process_report(const struct demo_process *p, const char *folder, FILE *out);

/* Whether a blocked SIGINT, SIGTERM or SIGHUP waits to be delivered: for code that runs before the loop. */
bool demo_process_interrupted(void);
