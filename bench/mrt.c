/* SPDX-License-Identifier: BSD-2-Clause */

/* MRT: entries per second of CPU time, ours beside `bgpdump -m` on the same generated file: walking the
 * records, loading one peer's routes and the best of all into a view, and printing bgpdump's lines. The
 * file has BENCH_PREFIXES prefixes (50,000) of 20 peers; about one attribute block in five is new, as in
 * collectors' tables (lab measurements: 5.1 to 5.5 entries a block). Runs the program named by WHERETO. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bgp/mrt_file.h"
#include "mrt_build.h"
#include "route/load.h"

#define PEERS 20
#define BLOCK_MAX 128

static char path[] = "/tmp/whereto-bench-mrt-XXXXXX";

static uint32_t random_state = 1;
static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static size_t make_block(uint8_t *buf)
{
	struct wr w = wr_make(buf, BLOCK_MAX);
	uint32_t as[8];
	size_t n = 2 + next_random() % 5;
	for (size_t i = 0; i < n; i++)
		as[i] = 1 + next_random() % 400000;
	build_attr(&w, 0x40, BGP_ATTR_ORIGIN, BYTES(0));
	build_path(&w, 4, as, n);
	build_attr(&w, 0x40, BGP_ATTR_NEXT_HOP, BYTES(192, 0, 2, (uint8_t)next_random()));
	if (next_random() % 3 == 0)
		build_attr_u32(&w, 0x80, BGP_ATTR_MED, next_random() % 1000);
	if (next_random() % 2)
		build_attr(&w, 0xc0, BGP_ATTR_COMMUNITIES,
			BYTES(0, 174, (uint8_t)next_random(), 1, 13, 28, 0, (uint8_t)next_random()));
	return wr_len(&w);
}

/* Prefixes from 1.0.0.0/24 upwards; every fifth prefix has new blocks, the four after it the same. */
static void generate(FILE *f, unsigned prefixes)
{
	static uint8_t blocks[PEERS][BLOCK_MAX], buf[PEERS * (BLOCK_MAX + 16) + 64];
	struct build_entry entries[PEERS];
	struct wr w = wr_make(buf, sizeof(buf));
	build_peers(&w, PEERS);
	(void)fwrite(buf, 1, wr_len(&w), f);
	for (unsigned p = 0; p < prefixes; p++) {
		for (unsigned i = 0; p % 5 == 0 && i < PEERS; i++)
			entries[i] = (struct build_entry){i, 0, {blocks[i], make_block(blocks[i])}};
		uint32_t number = 0x010000 + p;
		const uint8_t addr[] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
		w = wr_make(buf, sizeof(buf));
		build_rib(&w, false, false, addr, 24, entries, PEERS);
		(void)fwrite(buf, 1, wr_len(&w), f);
	}
}

static double cpu_seconds(int who)
{
	struct rusage u;
	(void)getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void print_rate(const char *what, uint64_t entries, double seconds)
{
	printf("%-34s %8.3f s  %9.3f M entries/s\n", what, seconds, (double)entries / seconds * 1e-6);
}

static void bench_walk(uint64_t entries)
{
	struct error err = {0};
	struct mrt_file *f;
	struct mrt_record record;
	struct mrt_rib rib;
	struct mrt_entry entry;
	uint64_t n = 0;
	double start = cpu_seconds(RUSAGE_SELF);
	if (mrt_file_open(path, &f, &err) < 0)
		return;
	while (mrt_file_next(f, &record, &err) > 0)
		if (mrt_kind(&record) == MRT_RIB && mrt_rib_begin(&record, &rib) == 0)
			while (mrt_rib_next(&rib, &entry) > 0)
				n++;
	mrt_file_close(f);
	print_rate(n == entries ? "walk" : "walk (went wrong)", n, cpu_seconds(RUSAGE_SELF) - start);
}

static void bench_load(const char *what, const char *peer)
{
	struct route_table *t;
	struct route_load_stats stats;
	struct error err = {0};
	struct addr addr;
	if (route_table_new(1, &t) < 0 || (peer && addr_parse(peer, &addr) < 0))
		return;
	double start = cpu_seconds(RUSAGE_SELF);
	if (route_load_mrt(t, 0, path, peer ? &addr : NULL, &stats, &err) < 0)
		puts(err.text);
	else
		print_rate(what, stats.entries, cpu_seconds(RUSAGE_SELF) - start);
	route_table_free(t);
}

/* Runs a program with its output thrown away. */
static void bench_program(const char *what, const char *const *argv, uint64_t entries)
{
	double start = cpu_seconds(RUSAGE_CHILDREN);
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		printf("%-34s %s\n", what, pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "not installed" : "failed");
	else
		print_rate(what, entries, cpu_seconds(RUSAGE_CHILDREN) - start);
}

int main(void)
{
	const char *env = getenv("BENCH_PREFIXES"), *whereto = getenv("WHERETO");
	unsigned prefixes = env ? (unsigned)strtoul(env, NULL, 10) : 50000;
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		perror(path);
		return 1;
	}
	generate(f, prefixes);
	bool ok = fclose(f) == 0;
	uint64_t entries = (uint64_t)prefixes * PEERS;
	printf("%u prefixes of %u peers; CPU time\n", prefixes, PEERS);
	if (ok) {
		bench_walk(entries);
		bench_load("load one peer", "192.0.2.7");
		bench_load("load the best of all", NULL);
		fflush(stdout);
		if (whereto) {
			bench_program("whereto mrt", (const char *[]){whereto, "mrt", path, NULL}, entries);
			bench_program("whereto mrt --format json",
				(const char *[]){whereto, "mrt", path, "--format", "json", NULL}, entries);
		}
		bench_program("bgpdump -m", (const char *[]){"bgpdump", "-m", path, NULL}, entries);
	}
	(void)unlink(path);
	return ok ? 0 : 1;
}
