/* SPDX-License-Identifier: BSD-2-Clause */

/* The routers' sessions over real sockets: the loop runs on a thread of its own, as in the collector, and
 * routers are connections of the test. What they send comes from the fuzz targets' corpora: whole, in pieces
 * of any size, cut off anywhere, and with bytes changed. */

#include "wt_test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/bgp_speaker.h"
#include "collector/bmp_station.h"
#include "collector/glass.h"
#include "unit/collector/source_root.h"

#define WAIT_MS     20000
#define STREAMS_MAX 128
#define STREAM_MAX  16384
#define ROUNDS      150

static const char config_text[] =
	"telemetry: {listen: [\"127.0.0.1:0\"], keys: [{id: 1, file: k}]}\n"
	"routers:\n"
	"- {name: inner, serves: [192.0.2.0/25], stale: 0, sources: [{bgp: {from: 127.0.0.1, as: 64500}}]}\n"
	"- {name: outer, serves: [192.0.2.128/26], stale: 1h, sources: [{bgp: {from: 127.0.0.2, as: 64501}}]}\n"
	"- {name: watched, serves: [192.0.2.192/27], stale: 0, sources: [{bmp: {from: 127.0.0.3}}]}\n"
	"- {name: vrf, serves: [192.0.2.224/27], stale: 1h, sources: [{bmp: {from: 127.0.0.3, vrf: \"64500:1\"}}]}\n"
	"bmp: {listen: [\"127.0.0.1:0\"]}\n"
	"bgp: {listen: [\"127.0.0.1:0\"], as: 64500, router_id: 10.0.0.1}\n";

enum { INNER, OUTER, WATCHED, VRF };

struct collector {
	struct loop *loop;
	struct tables *tables;
	struct peers *peers;
	struct world world;
	struct bgp_speaker *bgp;
	struct bmp_station *bmp;
	pthread_t thread;
};

static void *run(void *arg)
{
	struct collector *c = arg;
	assert_int_equal(loop_run(c->loop), 0);
	return NULL;
}

static void start(struct collector *c)
{
	struct error err = {0};
	*c = (struct collector){0};
	assert_int_equal(config_parse("t.yaml", config_text, sizeof(config_text) - 1, &c->world.config, &err), 0);
	c->world.sources = calloc(4, sizeof(*c->world.sources));
	c->world.first_view = calloc(5, sizeof(*c->world.first_view));
	for (unsigned i = 0; i < 5; i++)
		c->world.first_view[i] = i;
	assert_int_equal(countries_new(&c->world.countries), 0);
	assert_int_equal(loop_new(&c->loop), 0);
	assert_int_equal(tables_new(c->loop, &c->tables), 0);
	assert_int_equal(tables_configure(c->tables, c->world.config, NULL, NULL), 0);
	assert_int_equal(peers_new(c->loop, c->tables, &c->peers), 0);
	assert_int_equal(bgp_speaker_new(c->peers, &c->world, &c->bgp, &err), 0);
	assert_int_equal(bmp_station_new(c->peers, &c->world, &c->bmp, &err), 0);
	assert_int_equal(bgp_speaker_start(c->bgp, &err), 0);
	assert_int_equal(bmp_station_start(c->bmp, &err), 0);
	assert_int_equal(pthread_create(&c->thread, NULL, run, c), 0);
}

static void stop(struct collector *c)
{
	loop_stop(c->loop);
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	bgp_speaker_free(c->bgp);
	bmp_station_free(c->bmp);
	tables_free(c->tables);
	peers_free(c->peers);
	loop_free(c->loop);
	countries_free(c->world.countries);
	config_free(c->world.config);
	free(c->world.sources);
	free(c->world.first_view);
}

/* ---- what is known of a source, asked on the loop's thread ---- */

struct glimpse {
	struct collector *c;
	uint32_t router;
	const char *address; /* NULL: no lookup */
	enum table_state state;
	struct table_sums sums;
	uint64_t counters[SOURCE_COUNTERS], refused;
	bool found;
	enum route_match match;
	char prefix[PREFIX_TEXT_MAX];
};

static void look(void *arg)
{
	struct glimpse *g = arg;
	struct table_source *const *sources;
	struct table_answer answer;
	struct addr addr;
	(void)tables_sources(g->c->tables, g->router, &sources);
	g->state = sources[0]->state;
	g->sums = table_source_sums(sources[0]);
	memcpy(g->counters, sources[0]->counters, sizeof(g->counters));
	g->refused = bgp_speaker_refused(g->c->bgp) + bmp_station_refused(g->c->bmp);
	g->found = false;
	if (!g->address)
		return;
	assert_int_equal(addr_parse(g->address, &addr), 0);
	g->found = tables_lookup(g->c->tables, g->router, &addr, &answer);
	if (!g->found)
		return;
	struct prefix prefix = route_prefix(tables_routes(g->c->tables), answer.hit.prefix);
	g->match = answer.match;
	(void)prefix_format(&prefix, g->prefix);
}

static struct glimpse glimpse(struct collector *c, uint32_t router, const char *address)
{
	struct glimpse g = {.c = c, .router = router, .address = address};
	assert_int_equal(loop_ask(c->loop, look, &g), 0);
	return g;
}

static bool is_up(const struct glimpse *g)
{
	return g->state == TABLE_UP;
}

static bool is_down(const struct glimpse *g)
{
	return g->state != TABLE_UP;
}

static bool is_absent_and_empty(const struct glimpse *g)
{
	return g->state == TABLE_ABSENT && !g->sums.routes;
}

static bool is_found(const struct glimpse *g)
{
	return g->found;
}

static struct glimpse wait_for(struct collector *c, uint32_t router, const char *address,
	bool (*condition)(const struct glimpse *g))
{
	for (int i = 0; i < WAIT_MS; i++) {
		struct glimpse g = glimpse(c, router, address);
		if (condition(&g))
			return g;
		(void)poll(NULL, 0, 1);
	}
	fail_msg("waited too long");
	return (struct glimpse){0};
}

/* ---- routers ---- */

static int dial(const struct listener *l, const char *from)
{
	struct sockaddr_storage to;
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = addr_to_sockaddr(&l->sockets[0].addr, l->sockets[0].port, &to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, from, &at.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	return fd;
}

/* In pieces; a collector that has hung up meanwhile is none of our business. */
static void say(int fd, const uint8_t *bytes, size_t len, size_t piece)
{
	while (len) {
		size_t n = len < piece ? len : piece;
		if (send(fd, bytes, n, MSG_NOSIGNAL) < 0)
			return;
		bytes += n;
		len -= n;
	}
}

/* Until the collector hangs up, or for the time of one answer. */
static bool hung_up(int fd)
{
	uint8_t bytes[512];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (poll(&p, 1, WAIT_MS) > 0)
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
			return true;
	return false;
}

struct stream_file {
	char name[64];
	uint8_t bytes[STREAM_MAX];
	size_t len;
};

/* The corpus of a target, without the first `skip` bytes of each input, which are the target's own. */
static size_t read_corpus(const char *target, size_t skip, struct stream_file *ret)
{
	char path[512];
	size_t n = 0;
	(void)snprintf(path, sizeof(path), WT_SOURCE_ROOT "/fuzz/corpus/%s", target);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir)) && n < STREAMS_MAX;) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), WT_SOURCE_ROOT "/fuzz/corpus/%s/%s", target, e->d_name);
		FILE *f = fopen(path, "rb");
		assert_non_null(f);
		(void)snprintf(ret[n].name, sizeof(ret[n].name), "%.63s", e->d_name);
		assert_int_equal(fseek(f, (long)skip, SEEK_SET), 0);
		ret[n].len = fread(ret[n].bytes, 1, sizeof(ret[n].bytes), f);
		(void)fclose(f);
		n++;
	}
	(void)closedir(dir);
	assert_true(n > 3);
	return n;
}

static const struct stream_file *find(const struct stream_file *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	fail_msg("no %s in the corpus", name);
	return NULL;
}

static struct stream_file bgp_streams[STREAMS_MAX], bmp_streams[STREAMS_MAX];
static size_t bgp_count, bmp_count;

/* ---- tests ---- */

/* Up, a NOTIFICATION, and gone at once, since nothing is kept; then the same in single bytes. */
static void a_session_comes_and_goes(void **state)
{
	struct collector c;
	const struct stream_file *session = find(bgp_streams, bgp_count, "session_internal");
	start(&c);
	for (size_t piece = STREAM_MAX; piece; piece = piece == STREAM_MAX ? 1 : 0) {
		int fd = dial(bgp_speaker_listener(c.bgp), "127.0.0.1");
		say(fd, session->bytes, session->len, piece);
		assert_true(hung_up(fd)); /* it ends with a NOTIFICATION */
		(void)close(fd);
		struct glimpse g = wait_for(&c, INNER, NULL, is_absent_and_empty);
		assert_true(g.counters[SOURCE_announced] > 0 && g.counters[SOURCE_sessions] > 0);
	}
	assert_int_equal(glimpse(&c, INNER, NULL).counters[SOURCE_sessions], 2);
	stop(&c);
}

/* What a lost session told is kept for an hour, and its stranger is refused. */
static void routes_are_kept(void **state)
{
	struct collector c;
	const struct stream_file *session = find(bgp_streams, bgp_count, "session_external");
	start(&c);
	int fd = dial(bgp_speaker_listener(c.bgp), "127.0.0.2");
	say(fd, session->bytes, session->len, 100);
	assert_true(hung_up(fd));
	(void)close(fd);
	struct glimpse g = wait_for(&c, OUTER, "10.1.2.3", is_down);
	assert_true(g.found && g.match == MATCH_STALE && g.sums.lost == 1);
	assert_string_equal(g.prefix, "10.0.0.0/8");
	fd = dial(bgp_speaker_listener(c.bgp), "127.0.0.9");
	assert_true(hung_up(fd));
	(void)close(fd);
	fd = dial(bmp_station_listener(c.bmp), "127.0.0.1");
	assert_true(hung_up(fd));
	(void)close(fd);
	assert_int_equal(glimpse(&c, OUTER, NULL).refused, 2);
	stop(&c);
}

/* A second connection while the first waits for its OPEN; a third takes its place. Then one is served. */
static void connections_collide(void **state)
{
	struct collector c;
	const struct stream_file *session = find(bgp_streams, bgp_count, "session_internal");
	start(&c);
	int first = dial(bgp_speaker_listener(c.bgp), "127.0.0.1");
	int second = dial(bgp_speaker_listener(c.bgp), "127.0.0.1");
	int third = dial(bgp_speaker_listener(c.bgp), "127.0.0.1");
	assert_true(hung_up(first));
	say(third, session->bytes, session->len, 1000);
	assert_true(hung_up(third));
	struct glimpse g = wait_for(&c, INNER, NULL, is_absent_and_empty);
	assert_true(g.counters[SOURCE_announced] > 0);
	(void)close(first);
	(void)close(second);
	(void)close(third);
	stop(&c);
}

/* A neighbour that dies in the middle of a message is silent, however much of it has come. */
static void half_a_message_is_silence(void **state)
{
	struct collector c;
	uint8_t bytes[STREAM_MAX];
	const struct stream_file *session = find(bgp_streams, bgp_count, "session_internal");
	size_t open = (size_t)session->bytes[16] << 8 | session->bytes[17];
	memcpy(bytes, session->bytes, session->len);
	bytes[22] = 0; /* hold time: the shortest */
	bytes[23] = 3;
	start(&c);
	int fd = dial(bgp_speaker_listener(c.bgp), "127.0.0.1");
	say(fd, bytes, open + 19 + 10, STREAM_MAX); /* OPEN, KEEPALIVE, a part of the next */
	(void)wait_for(&c, INNER, NULL, is_up);
	assert_true(hung_up(fd));
	(void)close(fd);
	(void)wait_for(&c, INNER, NULL, is_absent_and_empty);
	stop(&c);
}

/* The global table and a VRF's over one connection; a new connection replaces it. */
static void a_station_feeds_several_routers(void **state)
{
	struct collector c;
	const struct stream_file *global = find(bmp_streams, bmp_count, "post_policy");
	const struct stream_file *vrf = find(bmp_streams, bmp_count, "vrf_ipv6");
	start(&c);
	int fd = dial(bmp_station_listener(c.bmp), "127.0.0.3");
	say(fd, global->bytes, global->len, 7);
	say(fd, vrf->bytes, vrf->len, 7);
	struct glimpse g = wait_for(&c, WATCHED, "10.1.2.3", is_found);
	assert_int_equal(g.match, MATCH_OWN);
	g = wait_for(&c, VRF, "2001:db8:1::1", is_found);
	assert_string_equal(g.prefix, "2001:db8::/32");
	int again = dial(bmp_station_listener(c.bmp), "127.0.0.3");
	assert_true(hung_up(fd));
	(void)wait_for(&c, WATCHED, NULL, is_up);
	g = glimpse(&c, VRF, "2001:db8:1::1");
	assert_true(g.found && g.match == MATCH_STALE);
	(void)close(fd);
	(void)close(again);
	(void)wait_for(&c, WATCHED, NULL, is_absent_and_empty);
	stop(&c);
}

/* Streams in pieces, cut off, and with bytes changed; the collector serves the next one all the same. */
static void any_bytes_may_come(void **state)
{
	struct collector c;
	const struct stream_file *good = find(bgp_streams, bgp_count, "session_internal");
	static uint8_t bytes[STREAM_MAX];
	start(&c);
	for (int i = 0; i < ROUNDS; i++) {
		bool bmp = wt_random_below(2);
		const struct stream_file *s = bmp ? &bmp_streams[wt_random_below(bmp_count)] :
						    &bgp_streams[wt_random_below(bgp_count)];
		const struct listener *l = bmp ? bmp_station_listener(c.bmp) : bgp_speaker_listener(c.bgp);
		const char *from = bmp ? "127.0.0.3" : wt_random_below(2) ? "127.0.0.1" : "127.0.0.2";
		size_t len = wt_random_below(3) ? s->len : wt_random_below(s->len + 1);
		memcpy(bytes, s->bytes, s->len);
		for (uint64_t k = wt_random_below(4); len && k; k--)
			bytes[wt_random_below(len)] = (uint8_t)wt_random();
		int fd = dial(l, from);
		say(fd, bytes, len, 1 + wt_random_below(2000));
		(void)close(fd);
	}
	int fd = dial(bgp_speaker_listener(c.bgp), "127.0.0.1");
	say(fd, good->bytes, good->len, STREAM_MAX);
	assert_true(hung_up(fd));
	(void)close(fd);
	(void)wait_for(&c, INNER, NULL, is_absent_and_empty);
	stop(&c);
}

int main(void)
{
	wt_random_init();
	bgp_count = read_corpus("bgp", 2, bgp_streams);
	bmp_count = read_corpus("bmp", 0, bmp_streams);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_comes_and_goes),
		cmocka_unit_test(routes_are_kept),
		cmocka_unit_test(connections_collide),
		cmocka_unit_test(half_a_message_is_silence),
		cmocka_unit_test(a_station_feeds_several_routers),
		cmocka_unit_test(any_bytes_may_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
