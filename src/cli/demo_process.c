/* SPDX-License-Identifier: BSD-2-Clause */

/* Three things end a program for sure: its own process group (nginx's workers are in it, also when their
 * master was killed), PR_SET_PDEATHSIG (the demo itself was killed), and waiting with WNOWAIT first: while
 * the leader is a zombie its id stays taken, so that signalling the group can't hit anybody else. */

#include "cli/demo_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define TAIL_BYTES  4096
#define TAIL_LINES  12
#define KILL_MS     5000
#define NOT_STARTED 127

static void log_name(const char *folder, const char *name, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s/%s.log", folder, name);
}

/* ---- starting ---- */

/* In the child: no memory is taken here, and nothing of the parent's is left but the three streams. */
static void become(const char *const argv[], const char *folder, int out, int log, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	int null = open("/dev/null", O_RDONLY);
	if (getppid() == parent && null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1 && dup2(log, 2) == 2 &&
		chdir(folder) == 0)
		(void)execv(argv[0], (char *const *)argv);
	dprintf(log, "%s: %s\n", argv[0], strerror(errno));
	_exit(NOT_STARTED);
}

int demo_process_start(struct demo_process *p, const char *name, const char *const argv[], const char *folder,
	int *ret_stdout, struct error *err)
{
	char file[4096];
	int pipe_fds[2] = {-1, -1};
	*p = (struct demo_process){.name = name};
	log_name(folder, name, file, sizeof(file));
	CLEANUP(close_p) int log = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	if (ret_stdout && pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_set(err, -errno, "no pipe to be had: %s", strerror(errno));
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become(argv, folder, ret_stdout ? pipe_fds[1] : log, log, parent);
	int r = pid < 0 ? error_set(err, -errno, "%s could not be started: %s", name, strerror(errno)) : 0;
	close_p(&pipe_fds[1]);
	if (r < 0) {
		close_p(&pipe_fds[0]);
		return r;
	}
	(void)setpgid(pid, pid); /* the child does the same: whoever comes first */
	p->pid = pid;
	p->started = true;
	if (ret_stdout)
		*ret_stdout = pipe_fds[0];
	return 0;
}

/* ---- ending ---- */

bool demo_process_running(struct demo_process *p)
{
	siginfo_t info = {0};
	if (!p->pid)
		return false;
	if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
		return true;
	(void)kill(-p->pid, SIGKILL); /* what is left of its group */
	(void)waitpid(p->pid, &p->status, 0);
	p->pid = 0;
	return false;
}

/* True when it has ended in time. */
static bool wait_for(struct demo_process *p, unsigned timeout_ms)
{
	uint64_t end = clock_mono_ns() + timeout_ms * NS_PER_MS;
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (demo_process_running(p)) {
		uint64_t now = clock_mono_ns();
		if (now >= end)
			return false;
		uint64_t left = end - now;
		struct timespec ts = {(time_t)(left / NS_PER_S), (long)(left % NS_PER_S)};
		(void)sigtimedwait(&child, NULL, &ts);
	}
	return true;
}

int demo_process_stop(struct demo_process *p, int signo, unsigned timeout_ms)
{
	if (!demo_process_running(p))
		return 0;
	(void)kill(p->pid, signo);
	if (wait_for(p, timeout_ms))
		return WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0 ? 0 : -EIO;
	(void)kill(-p->pid, SIGKILL);
	(void)wait_for(p, KILL_MS);
	return -ETIMEDOUT;
}

bool demo_process_interrupted(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) == 1 ||
		sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGHUP) == 1);
}

/* ---- telling ---- */

/* The last lines of the last bytes. */
static const char *last_lines(const char *text, size_t len)
{
	const char *p = text + len;
	for (int lines = 0; p > text; p--)
		if (p[-1] == '\n' && p < text + len && ++lines == TAIL_LINES)
			break;
	return p;
}

void demo_process_report(const struct demo_process *p, const char *folder, FILE *out)
{
	char file[4096], text[TAIL_BYTES + 1];
	if (WIFSIGNALED(p->status))
		fprintf(out, "%s was ended by signal %d (%s)", p->name, WTERMSIG(p->status),
			strsignal(WTERMSIG(p->status)));
	else
		fprintf(out, "%s ended with status %d", p->name, WEXITSTATUS(p->status));
	log_name(folder, p->name, file, sizeof(file));
	CLEANUP(close_p) int log = open(file, O_RDONLY | O_CLOEXEC);
	off_t size = log < 0 ? 0 : lseek(log, 0, SEEK_END);
	ssize_t n = size > 0 ? pread(log, text, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0) : 0;
	if (n <= 0) {
		fprintf(out, "; it wrote no log\n");
		return;
	}
	text[n] = '\0';
	fprintf(out, "; the end of its log:\n%s", last_lines(text, (size_t)n));
	if (text[n - 1] != '\n')
		fputc('\n', out);
}
