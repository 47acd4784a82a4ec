/* SPDX-License-Identifier: BSD-2-Clause */

/* Reading MRT files: entries a second, from the page cache.
 *
 *     walk                 records and entries, attributes not looked at
 *     one peer             a view of one peer's routes
 *     every peer interned  each entry's attributes as an id in the table
 *     best of all          a view of the best of all peers' routes
 *     gzip, ...            one peer from a compressed file, beside the format's own decompressor
 *     bgpdump -m           what others do
 *
 * The file is made here: BENCH_PREFIXES prefixes (50,000), each with a route of every peer. One in five
 * blocks of attributes is new, as in tables of Route Views and RIS (5.1 to 5.5 entries a block were
 * counted there). BENCH_FILE: another file, uncompressed. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bgp/mrt_file.h"
#include "mrt_build.h"
#include "route/blocks.h"
#include "route/load.h"

#define PEERS_MAX 40
#define BLOCK_MAX 128
#define NETWORKS  16
#define RUNS      3 /* of compressed files, the shortest counts */

static char folder[] = "/tmp/whereto-bench-mrt-XXXXXX";

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
	uint8_t communities[7 * 4];
	size_t count = next_random() % 8;
	for (size_t i = 0; i < sizeof(communities); i++)
		communities[i] = (uint8_t)next_random();
	if (count)
		build_attr(&w, 0xc0, BGP_ATTR_COMMUNITIES, communities, count * 4);
	return wr_len(&w);
}

/* Prefixes from 1.0.0.0/24 upwards, each of one of the last NETWORKS networks: one in five is of a new one. */
static void generate(FILE *f, unsigned prefixes, unsigned peers)
{
	static uint8_t blocks[NETWORKS][PEERS_MAX][BLOCK_MAX], buf[PEERS_MAX * (BLOCK_MAX + 16) + 64];
	static size_t lens[NETWORKS][PEERS_MAX];
	struct build_entry entries[PEERS_MAX];
	struct wr w = wr_make(buf, sizeof(buf));
	build_peers(&w, peers);
	(void)fwrite(buf, 1, wr_len(&w), f);
	for (unsigned p = 0; p < prefixes; p++) {
		unsigned network = p < NETWORKS ? p : next_random() % NETWORKS;
		bool is_new = p < NETWORKS || next_random() % 5 == 0;
		for (unsigned i = 0; i < peers; i++) {
			if (is_new)
				lens[network][i] = make_block(blocks[network][i]);
			entries[i] = (struct build_entry){i, 0, {blocks[network][i], lens[network][i]}};
		}
		uint32_t number = 0x010000 + p;
		const uint8_t addr[] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
		w = wr_make(buf, sizeof(buf));
		build_rib(&w, false, false, addr, 24, entries, peers);
		(void)fwrite(buf, 1, wr_len(&w), f);
	}
}

struct spent {
	double cpu, wall;
};

static struct spent now(int who)
{
	struct rusage u;
	struct timespec t;
	(void)getrusage(who, &u);
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct spent){
		(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6,
		(double)t.tv_sec + (double)t.tv_nsec * 1e-9,
	};
}

static struct spent since(int who, struct spent start)
{
	struct spent end = now(who);
	return (struct spent){end.cpu - start.cpu, end.wall - start.wall};
}

static void print_rate(const char *what, uint64_t entries, struct spent s)
{
	printf("%-30s %7.3f s CPU %7.3f s wall %9.3f M entries/s of CPU\n", what, s.cpu, s.wall,
		(double)entries / s.cpu * 1e-6);
	fflush(stdout);
}

/* Walks over every entry, and interns its attributes if there are blocks. */
static uint64_t bench_entries(const char *what, const char *file, struct blocks *b)
{
	struct error err = {0};
	struct mrt_file *f;
	struct mrt_record record;
	struct mrt_rib rib;
	struct mrt_entry entry;
	uint64_t n = 0, good = 0;
	uint32_t id;
	struct spent start = now(RUSAGE_SELF);
	if (mrt_file_open(file, &f, &err) < 0)
		return 0;
	while (mrt_file_next(f, &record, &err) > 0)
		if (mrt_kind(&record) == MRT_RIB && mrt_rib_begin(&record, &rib) == 0)
			for (; mrt_rib_next(&rib, &entry) > 0; n++)
				good += b && blocks_attrs(b, entry.attrs, 4, &id) > 0;
	mrt_file_close(f);
	print_rate(!b || good == n ? what : "interned, some left out", n, since(RUSAGE_SELF, start));
	return n;
}

static void bench_interned(const char *file)
{
	struct route_table *t;
	struct blocks b;
	if (route_table_new(1, &t) < 0)
		return;
	if (blocks_init(&b, t) == 0) {
		(void)bench_entries("every peer interned", file, &b);
		printf("%-30s %zu different sets of attributes\n", "", (size_t)route_attrs_end(t));
		blocks_done(&b);
	}
	route_table_free(t);
}

static struct spent bench_load(const char *what, const char *file, const char *peer)
{
	struct route_table *t;
	struct route_load_stats stats;
	struct error err = {0};
	struct addr addr;
	struct spent s = {0};
	if (route_table_new(1, &t) < 0 || (peer && addr_parse(peer, &addr) < 0))
		return s;
	struct spent start = now(RUSAGE_SELF);
	int r = route_load_mrt(t, 0, file, peer ? &addr : NULL, &stats, &err);
	s = since(RUSAGE_SELF, start);
	if (r < 0)
		puts(err.text);
	else
		print_rate(what, stats.entries, s);
	route_table_free(t);
	return s;
}

/* Runs a program with its output thrown away, or written to a file. */
static struct spent bench_program(const char *what, const char *const *argv, const char *output, uint64_t entries)
{
	struct spent start = now(RUSAGE_CHILDREN), s = {0};
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		int out = open(output ? output : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		int null = open("/dev/null", O_WRONLY);
		(void)dup2(out, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status) {
		printf("%-30s %s\n", what, pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "not installed" : "failed");
		return s;
	}
	s = since(RUSAGE_CHILDREN, start);
	if (entries)
		print_rate(what, entries, s);
	return s;
}

static double shorter(double a, double b)
{
	return a > 0 && a < b ? a : b;
}

static void bench_format(const char *name, const char *const *unpack, const char *packed, uint64_t entries)
{
	char one[64], best[64];
	double plain = 1e9, ours = 1e9, all = 1e9;
	(void)snprintf(one, sizeof(one), "one peer from %s", name);
	(void)snprintf(best, sizeof(best), "best of all from %s", name);
	for (unsigned i = 0; i < RUNS; i++) {
		plain = shorter(bench_program(unpack[0], unpack, NULL, entries).wall, plain);
		ours = shorter(bench_load(one, packed, "192.0.2.7").wall, ours);
		all = shorter(bench_load(best, packed, NULL).wall, all);
	}
	printf("%-30s one peer %.2f, best of all %.2f times the wall time of %s -dc\n", "", ours / plain, all / plain, name);
}

static void bench_compressed(const char *file, uint64_t entries)
{
	static const char *const formats[][4] = {
		{"gzip", "-c", "-dc"}, {"zstd", "-qc", "-qdc"}, {"bzip2", "-c", "-dc"}, {"xz", "-1c", "-dc"}};
	char packed[128];
	(void)snprintf(packed, sizeof(packed), "%s/packed", folder);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		const char *pack[] = {formats[i][0], formats[i][1], file, NULL};
		const char *unpack[] = {formats[i][0], formats[i][2], packed, NULL};
		if (bench_program(formats[i][0], pack, packed, 0).wall > 0)
			bench_format(formats[i][0], unpack, packed, entries);
	}
	(void)unlink(packed);
}

static bool make_file(const char *path, unsigned prefixes, unsigned peers)
{
	FILE *f = fopen(path, "w");
	if (!f)
		return false;
	generate(f, prefixes, peers);
	return fclose(f) == 0;
}

static void bench_file(const char *file)
{
	uint64_t entries = bench_entries("walk", file, NULL);
	bench_interned(file);
	struct spent best = bench_load("best of all", file, NULL);
	const char *whereto = getenv("WHERETO");
	struct spent text = {0};
	if (whereto) {
		text = bench_program("whereto mrt", (const char *[]){whereto, "mrt", file, NULL}, NULL, entries);
		(void)bench_program("whereto mrt --format json",
			(const char *[]){whereto, "mrt", file, "--format", "json", NULL}, NULL, entries);
	}
	struct spent dump = bench_program("bgpdump -m", (const char *[]){"bgpdump", "-m", file, NULL}, NULL, entries);
	if (dump.cpu > 0 && text.cpu > 0)
		printf("%-30s bgpdump takes %.1f times whereto mrt, %.0f times best of all\n", "", dump.cpu / text.cpu,
			dump.cpu / best.cpu);
}

int main(void)
{
	const char *env = getenv("BENCH_PREFIXES"), *file = getenv("BENCH_FILE");
	unsigned prefixes = env ? (unsigned)strtoul(env, NULL, 10) : 50000;
	char path[64];
	if (file) {
		bench_file(file);
		return 0;
	}
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	(void)snprintf(path, sizeof(path), "%s/rib", folder);
	bool ok = make_file(path, prefixes, 40);
	printf("%u prefixes of 40 peers\n", prefixes);
	if (ok)
		(void)bench_load("one peer", path, "192.0.2.7");
	ok = ok && make_file(path, prefixes, 20);
	printf("%u prefixes of 20 peers\n", prefixes);
	if (ok) {
		(void)bench_load("one peer", path, "192.0.2.7");
		bench_file(path);
		bench_compressed(path, (uint64_t)prefixes * 20);
	}
	(void)unlink(path);
	(void)rmdir(folder);
	return ok ? 0 : 1;
}
