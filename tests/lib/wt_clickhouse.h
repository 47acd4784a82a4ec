/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* ClickHouse servers of a test's own, started and ended by clickhouse.py, which says how they are configured and which
 * users there are. They are gone when this process is, however it ends. */

#include <curl/curl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CH_SERVERS_MAX 8

static struct {
	pid_t pid;
	FILE *to, *from;
	char password_file[200], at[CH_SERVERS_MAX][32]; /* ADDRESS:PORT of HTTP */
	size_t count;
	bool cluster;
} ch;

static inline void ch_spawn(const char *const argv[])
{
	int to[2], from[2];
	if (pipe(to) < 0 || pipe(from) < 0)
		return;
	ch.pid = fork();
	if (ch.pid == 0) {
		(void)dup2(to[0], 0);
		(void)dup2(from[1], 1);
		for (int fd = 3; fd < 64; fd++) /* its input ends with this process */
			(void)close(fd);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	ch.to = fdopen(to[1], "w");
	ch.from = fdopen(from[0], "r");
}

/* Starts a cluster of this many shards; 0: one server that is in none. *ret_missing is why there can be none on this
 * machine, if that is so. With WT_CLICKHOUSE=current or current-cluster in the environment it is a current ClickHouse
 * instead (chdb.py), which has no users; as the one shard of a cluster it has Distributed tables as well. */
static inline bool ch_create(unsigned shards, unsigned replicas, const char **ret_missing)
{
	static char line[1024];
	char s[12], r[12];
	(void)snprintf(s, sizeof(s), "%u", shards);
	(void)snprintf(r, sizeof(r), "%u", replicas);
	const char *argv[] = {"python3", WT_TESTS_LIB "/clickhouse.py", "--shards", s, "--replicas", r, NULL, NULL};
	const char *wanted = getenv("WT_CLICKHOUSE") ? getenv("WT_CLICKHOUSE") : "";
	if (strncmp(wanted, "current", 7) == 0)
		argv[6] = "--current";
	*ret_missing = NULL;
	ch.cluster = shards > 0 || strcmp(wanted, "current-cluster") == 0;
	(void)signal(SIGPIPE, SIG_IGN);
	ch_spawn(argv);
	if (!ch.from || !fgets(line, sizeof(line), ch.from))
		return false;
	line[strcspn(line, "\n")] = 0;
	if (strncmp(line, "skip ", 5) == 0) {
		*ret_missing = line + 5;
		return false;
	}
	char *word = strtok(line, " ");
	word = word ? strtok(NULL, " ") : NULL;
	(void)snprintf(ch.password_file, sizeof(ch.password_file), "%s", word ? word : "");
	while ((word = strtok(NULL, " ")) && ch.count < CH_SERVERS_MAX)
		(void)snprintf(ch.at[ch.count++], sizeof(ch.at[0]), "%s", word);
	return ch.count > 0;
}

static inline void ch_destroy(void)
{
	if (ch.to)
		(void)fclose(ch.to);
	if (ch.from)
		(void)fclose(ch.from);
	(void)waitpid(ch.pid, NULL, 0);
	memset(&ch, 0, sizeof(ch));
}

/* "kill", "stop", "start", "pause" or "resume" of a server, which has happened when this returns. */
static inline bool ch_do(const char *action, unsigned server)
{
	char line[32];
	return fprintf(ch.to, "%s %u\n", action, server) > 0 && fflush(ch.to) == 0 && fgets(line, sizeof(line), ch.from)
		&& strcmp(line, "done\n") == 0;
}

/* The store's URL of a database, with the password of this user: "writer", "reader", "stranger". */
static inline void ch_url(char *buf, size_t cap, const char *user, const char *database)
{
	(void)snprintf(buf, cap, "clickhouse://%s@%s/%s?password_file=%s%s", user, ch.at[0], database, ch.password_file,
		ch.cluster ? "&cluster=wt" : "");
}

struct ch_answer {
	char text[4096];
	size_t length;
};

static inline size_t ch_receive(char *data, size_t size, size_t count, void *ctx)
{
	struct ch_answer *answer = ctx;
	for (size_t i = 0; i < size * count && answer->length + 1 < sizeof(answer->text); i++)
		answer->text[answer->length++] = data[i];
	answer->text[answer->length] = 0;
	return size * count;
}

/* Runs a statement on a server, as one who may do everything; returns whether it went well, and the answer without its
 * last newline. */
static inline bool ch_sql(unsigned server, const char *sql, char *ret, size_t cap)
{
	char url[100];
	struct ch_answer answer = {.text = "no answer"};
	long status = 0;
	CURL *curl = curl_easy_init();
	(void)snprintf(url, sizeof(url), "http://%s/?user=lab", ch.at[server]);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sql);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ch_receive);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	bool ok = curl_easy_perform(curl) == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK
		&& status == 200;
	curl_easy_cleanup(curl);
	if (!ok)
		(void)fprintf(stderr, "%s: %s", sql, answer.text);
	else if (ret)
		(void)snprintf(ret, cap, "%.*s", (int)(answer.length ? answer.length - 1 : 0), answer.text);
	return ok;
}

/* A name for a database that is not there yet: the store makes it. */
static inline void ch_fresh(char name[static 32])
{
	static int count;
	(void)snprintf(name, 32, "d%d", count++);
}
