/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A PostgreSQL server of a test's own: a cluster in a temporary folder, reached by a socket in it, run by an
 * unprivileged user (root's tests: by postgres), ended with the test. */

#include <ftw.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	char folder[64], bin[200];
	pid_t pid; /* 0: not running */
	uid_t uid;
	gid_t gid;
} pg;

/* Why there can be none on this machine; NULL: there can. */
static inline const char *pg_missing(void)
{
	glob_t g;
	const char *why = "PostgreSQL's server is missing (postgresql-15)";
	if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &g) != 0)
		return why;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char control[200];
		int version = 0;
		(void)sscanf(g.gl_pathv[i], "/usr/lib/postgresql/%d/", &version);
		(void)snprintf(control, sizeof(control), "/usr/share/postgresql/%d/extension/ip4r.control", version);
		if (access(control, R_OK) == 0)
			(void)snprintf(pg.bin, sizeof(pg.bin), "/usr/lib/postgresql/%d/bin", version);
	}
	globfree(&g);
	const struct passwd *user = getuid() ? NULL : getpwnam("postgres");
	if (!*pg.bin)
		why = "ip4r is missing (postgresql-15-ip4r)";
	else if (!getuid() && !user)
		why = "there is no user postgres, and the server does not run as root";
	else
		why = NULL;
	pg.uid = user ? user->pw_uid : getuid();
	pg.gid = user ? user->pw_gid : getgid();
	return why;
}

/* Runs a program of the server as its user, what it says going to a file in the folder. */
static inline pid_t pg_spawn(const char *program, const char *const argv[])
{
	char path[300], log[100];
	(void)snprintf(path, sizeof(path), "%s/%s", pg.bin, program);
	(void)snprintf(log, sizeof(log), "%.63s/log", pg.folder);
	pid_t parent = getpid(), pid = fork();
	if (pid)
		return pid;
	bool ok = getuid() || (setgid(pg.gid) == 0 && setuid(pg.uid) == 0);
	ok = ok && chdir("/") == 0 && freopen(log, "a", stderr) && dup2(2, 1) == 1;
	if (ok && prctl(PR_SET_PDEATHSIG, SIGQUIT) == 0 && getppid() == parent)
		execv(path, (char *const *)argv);
	_exit(127);
}

/* The URL of one of its databases. */
static inline void pg_url(char *buf, size_t cap, const char *user, const char *database)
{
	(void)snprintf(buf, cap, "postgresql://%s@%%2Ftmp%%2F%.40s/%s", user, pg.folder + strlen("/tmp/"), database);
}

static inline bool pg_start(void)
{
	char data[100], url[200];
	(void)snprintf(data, sizeof(data), "%.63s/data", pg.folder);
	const char *argv[] = {"postgres", "-D", data, "-k", pg.folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c",
		"full_page_writes=off", "-c", "max_connections=40", NULL};
	pg.pid = pg_spawn("postgres", argv);
	pg_url(url, sizeof(url), "wt", "postgres");
	while (pg.pid > 0 && waitpid(pg.pid, NULL, WNOHANG) == 0) {
		if (PQping(url) == PQPING_OK)
			return true;
		usleep(10000);
	}
	pg.pid = 0;
	return false;
}

/* As after "pg_ctl stop -m fast". */
static inline void pg_stop(void)
{
	if (!pg.pid)
		return;
	(void)kill(pg.pid, SIGINT);
	(void)waitpid(pg.pid, NULL, 0);
	pg.pid = 0;
}

static inline bool pg_create(void)
{
	char data[100];
	int status = -1;
	(void)snprintf(pg.folder, sizeof(pg.folder), "/tmp/wt_pg_XXXXXX");
	if (!mkdtemp(pg.folder) || (!getuid() && chown(pg.folder, pg.uid, pg.gid) < 0))
		return false;
	(void)snprintf(data, sizeof(data), "%.63s/data", pg.folder);
	const char *argv[] = {"initdb", "-D", data, "-U", "wt", "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync",
		"--no-instructions", NULL};
	pid_t pid = pg_spawn("initdb", argv);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && pg_start();
}

static inline int pg_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void pg_destroy(void)
{
	pg_stop();
	(void)nftw(pg.folder, pg_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Runs a statement as the superuser; returns whether it went well, and the first value of its answer. */
static inline bool pg_sql(const char *database, const char *sql, char *ret, size_t cap)
{
	char url[200];
	pg_url(url, sizeof(url), "wt", database);
	PGconn *pq = PQconnectdb(url);
	PGresult *res = PQexec(pq, sql);
	bool ok = PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK;
	if (!ok)
		(void)fprintf(stderr, "%s: %s", sql, PQerrorMessage(pq));
	if (ok && ret)
		(void)snprintf(ret, cap, "%s", PQntuples(res) ? PQgetvalue(res, 0, 0) : "");
	PQclear(res);
	PQfinish(pq);
	return ok;
}

/* A new database; its name. */
static inline void pg_fresh(char name[static 32])
{
	static int count;
	char sql[100];
	(void)snprintf(name, 32, "d%d", count++);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
	(void)pg_sql("postgres", sql, NULL, 0);
}
