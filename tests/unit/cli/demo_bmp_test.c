/* SPDX-License-Identifier: BSD-2-Clause */

/* What a sample router sends, read by the room that reads real routers: every neighbour comes up with OPENs that can be read, every
 * route can, and they are those that the sample data has. */

#include "cli/demo_bmp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "bgp/bmp.h"
#include "cli/demo_data.h"
#include "wt_test.h"

#define ROUTER     2
#define FIRST_MOVE 0 /* Sample Fibre Paris, at this router */

struct seen {
	unsigned initiations, peers, announced, withdrawn, ends;
};

static int listener(char at[static HOSTPORT_TEXT_MAX])
{
	struct addr loopback = addr_from_v4((uint8_t[4]){127, 0, 0, 1});
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&loopback, 0, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port;
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	(void)addr_from_sockaddr((struct sockaddr *)&sa, &port);
	(void)hostport_format(&loopback, port, at);
	return fd;
}

static void take_route(const struct bmp_message *m, struct seen *s)
{
	struct bmp_route route;
	struct bgp_changes changes;
	struct bgp_change change;
	struct bgp_notification fault;
	unsigned before = s->announced + s->withdrawn;
	assert_int_equal(bmp_route_decode(m, &route), 0);
	assert_int_equal(route.peer.rib, BMP_IN_POST);
	struct bgp_update_rules rules = bmp_update_rules(&route.peer, NULL, BGP_ALL_FAMILIES);
	assert_int_equal(bgp_update_begin(route.update, &rules, &changes, &fault), 0);
	while (bgp_update_next(&changes, &change)) {
		assert_int_equal(change.prefix.addr.bytes[0], 127);
		s->announced += !change.withdrawn;
		s->withdrawn += change.withdrawn;
	}
	s->ends += s->announced + s->withdrawn == before;
}

/* All of a connection, which is over. */
static struct seen read_all(int fd)
{
	struct seen s = {0};
	struct buffer b;
	struct bmp_message m;
	ssize_t n;
	buffer_init(&b);
	do {
		uint8_t some[4096];
		n = recv(fd, some, sizeof(some), 0);
		assert_true(n >= 0);
		struct wr w = buffer_reserve(&b, (size_t)n);
		wr_bytes(&w, some, (size_t)n);
		buffer_commit(&b, &w);
	} while (n > 0);
	struct rd r = rd_make(b.data, b.len);
	while (bmp_message_next(&r, &m) > 0) {
		struct bmp_peer_up up;
		s.initiations += m.type == BMP_INITIATION;
		if (m.type == BMP_PEER_UP) {
			assert_int_equal(bmp_peer_up_decode(&m, &up), 0);
			assert_true(up.opens_valid && up.received.as == demo_data_neighbour(s.peers).asn);
			s.peers++;
		}
		if (m.type == BMP_ROUTE)
			take_route(&m, &s);
	}
	assert_int_equal(rd_left(&r), 0);
	buffer_done(&b);
	return s;
}

/* What a router sends that connects after so many moves and then, or not, tells of the first. */
static struct seen connection(unsigned moves, bool tells)
{
	char at[HOSTPORT_TEXT_MAX];
	struct error err = {0};
	int door = listener(at), fd = demo_bmp_connect(ROUTER, moves, at, &err);
	assert_true(fd >= 0);
	if (tells) {
		assert_int_equal(demo_bmp_move(fd, ROUTER, FIRST_MOVE), 0);
		assert_int_equal(demo_bmp_move(fd, ROUTER, FIRST_MOVE + 1), 0); /* another's: nothing */
	}
	close_p(&fd);
	int taken = accept(door, NULL, NULL);
	struct seen s = read_all(taken);
	close_p(&taken);
	close_p(&door);
	return s;
}

static unsigned offered(void)
{
	unsigned n = 0;
	for (unsigned network = 0; network < demo_data_networks(); network++)
		for (unsigned part = 0; part <= DEMO_WHOLE; part++)
			for (unsigned i = 0; i < demo_data_neighbours(); i++)
				n += demo_data_offers(ROUTER, network, part, i);
	return n;
}

static void test_the_whole_table(void **state)
{
	struct seen s = connection(0, false);
	assert_int_equal(s.initiations, 1);
	assert_int_equal(s.peers, demo_data_neighbours());
	assert_int_equal(s.announced, offered());
	assert_int_equal(s.withdrawn, 0);
	assert_int_equal(s.ends, demo_data_neighbours());
}

static void test_a_network_moves(void **state)
{
	struct seen told = connection(0, true), later = connection(FIRST_MOVE + 1, false);
	assert_int_equal(told.announced, offered());
	assert_in_range(told.withdrawn, 1, DEMO_WHOLE + 1);
	assert_int_equal(later.announced, offered() - told.withdrawn);
}

static void test_nobody_listens(void **state)
{
	char at[HOSTPORT_TEXT_MAX];
	struct error err = {0};
	int door = listener(at);
	close_p(&door);
	assert_int_equal(demo_bmp_connect(ROUTER, 0, at, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "ams cannot connect to 127.0.0.1:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_whole_table),
		cmocka_unit_test(test_a_network_moves),
		cmocka_unit_test(test_nobody_listens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
