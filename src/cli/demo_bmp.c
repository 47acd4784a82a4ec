/* SPDX-License-Identifier: BSD-2-Clause */

/* RFC 7854. A connection begins with an Initiation; each neighbour is a peer that comes up with both OPENs, has its routes
 * in Route Monitoring messages of post-policy routes, one prefix each, and then an End-of-RIB (RFC 4724).
 *
 *     version (1) = 3 | length (4) | type (1) | for all but the Initiation the peer:
 *     type (1) | flags (1) | distinguisher (8) | address (16) | AS (4) | BGP id (4) | seconds (4) | microseconds (4)
 */

#include "cli/demo_bmp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "bgp/bmp.h"
#include "cli/demo_data.h"

#define VERSION         3
#define POST_POLICY     0x40
#define ROUTER_AS       64538u /* private use (RFC 6996) */
#define HOLD_S          90
#define BGP_PORT        179
#define PEER_PORT       40000
#define TLV_DESCRIPTION 1
#define TLV_NAME        2
#define MESSAGE_MAX     512

/* ---- messages ---- */

static size_t begin(struct wr *w, enum bmp_type type)
{
	size_t at = wr_len(w);
	wr_u8(w, VERSION);
	wr_u32(w, 0);
	wr_u8(w, (uint8_t)type);
	return at;
}

static void end(struct buffer *out, struct wr *w, size_t at)
{
	if (wr_ok(w)) {
		struct wr length = wr_make(w->start + at + 1, 4);
		wr_u32(&length, (uint32_t)(wr_len(w) - at));
	}
	buffer_commit(out, w);
}

static void put_address(struct wr *w, const struct addr *a)
{
	wr_bytes(w, (uint8_t[12]){0}, 12);
	wr_bytes(w, a->bytes, 4);
}

static void put_peer(struct wr *w, const struct demo_neighbour *from, uint8_t flags)
{
	wr_u8(w, BMP_PEER_GLOBAL);
	wr_u8(w, flags);
	wr_u64(w, 0);
	put_address(w, &from->addr);
	wr_u32(w, from->asn);
	wr_bytes(w, from->addr.bytes, 4);
	wr_u32(w, (uint32_t)(clock_wall_ms() / 1000));
	wr_u32(w, 0);
}

static void put_open(struct wr *w, uint32_t as, const struct addr *id)
{
	struct bgp_open open = {.as = as,
		.hold_s = HOLD_S,
		.can = {.multiprotocol = true, .as4 = true, .as4_number = as, .families = 1u << BGP_IPV4_UNICAST}};
	memcpy(open.id, id->bytes, sizeof(open.id));
	bgp_open_encode(w, &open);
}

static void put_tlv(struct wr *w, uint16_t type, const char *text)
{
	wr_u16(w, type);
	wr_u16(w, (uint16_t)strlen(text));
	wr_bytes(w, text, strlen(text));
}

static void add_initiation(struct buffer *out, unsigned router)
{
	struct wr w = buffer_reserve(out, MESSAGE_MAX);
	size_t at = begin(&w, BMP_INITIATION);
	put_tlv(&w, TLV_DESCRIPTION, "a sample router of whereto demo");
	put_tlv(&w, TLV_NAME, demo_data_router(router));
	end(out, &w, at);
}

static void add_peer_up(struct buffer *out, unsigned router, const struct demo_neighbour *peer)
{
	struct wr w = buffer_reserve(out, MESSAGE_MAX);
	struct addr own = demo_bmp_from(router);
	size_t at = begin(&w, BMP_PEER_UP);
	put_peer(&w, peer, 0);
	put_address(&w, &own);
	wr_u16(&w, BGP_PORT);
	wr_u16(&w, PEER_PORT);
	put_open(&w, ROUTER_AS, &own);
	put_open(&w, peer->asn, &peer->addr);
	end(out, &w, at);
}

static void put_prefix(struct wr *w, const struct prefix *p)
{
	wr_u8(w, p->len);
	wr_bytes(w, p->addr.bytes, (p->len + 7u) / 8);
}

/* RFC 4271 section 4.3: withdrawn (2 and these) | attributes (2 and these) | prefixes. prefix NULL: End-of-RIB. */
static void add_route(
	struct buffer *out, unsigned network, unsigned neighbour, const struct prefix *prefix, bool withdrawn)
{
	struct demo_neighbour peer = demo_data_neighbour(neighbour);
	uint8_t room[2][256];
	struct wr gone = wr_make(room[0], sizeof(room[0])), attributes = wr_make(room[1], sizeof(room[1]));
	struct wr w = buffer_reserve(out, MESSAGE_MAX);
	if (prefix && withdrawn)
		put_prefix(&gone, prefix);
	else if (prefix)
		demo_data_put_attributes(&attributes, network, neighbour);
	size_t at = begin(&w, BMP_ROUTE);
	put_peer(&w, &peer, POST_POLICY);
	size_t update = bgp_message_begin(&w, BGP_MESSAGE_UPDATE);
	wr_u16(&w, (uint16_t)wr_len(&gone));
	wr_bytes(&w, gone.start, wr_len(&gone));
	wr_u16(&w, (uint16_t)wr_len(&attributes));
	wr_bytes(&w, attributes.start, wr_len(&attributes));
	if (prefix && !withdrawn)
		put_prefix(&w, prefix);
	bgp_message_end(&w, update);
	end(out, &w, at);
}

/* What the router hears of a network from a neighbour. */
static void add_network(struct buffer *out, unsigned router, unsigned network, unsigned neighbour, bool withdrawn)
{
	for (unsigned part = 0; part <= DEMO_WHOLE; part++) {
		struct prefix p = demo_data_prefix(network, part);
		if (demo_data_offers(router, network, part, neighbour))
			add_route(out, network, neighbour, &p, withdrawn);
	}
}

static void add_table(struct buffer *out, unsigned router, unsigned moves)
{
	bool away[DEMO_NETWORKS_MAX];
	demo_data_away(router, moves, away);
	add_initiation(out, router);
	for (unsigned n = 0; n < demo_data_neighbours(); n++) {
		struct demo_neighbour peer = demo_data_neighbour(n);
		add_peer_up(out, router, &peer);
		for (unsigned network = 0; network < demo_data_networks(); network++)
			if (!away[network] || !demo_data_is_best(router, network, n))
				add_network(out, router, network, n, false);
		add_route(out, 0, n, NULL, false);
	}
}

/* ---- the connection ---- */

struct addr demo_bmp_from(unsigned router)
{
	struct addr a = demo_data_server(router);
	a.bytes[3] = 254;
	return a;
}

/* Empties the buffer too. */
static int send_all(int fd, struct buffer *b)
{
	size_t sent = 0;
	int r = b->failed ? -ENOMEM : 0;
	while (r == 0 && sent < b->len) {
		ssize_t n = send(fd, b->data + sent, b->len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			r = -errno;
		sent += n > 0 ? (size_t)n : 0;
	}
	buffer_done(b);
	return r;
}

static int connect_from(unsigned router, const struct addr *to, uint16_t port)
{
	struct sockaddr_storage from_sa, to_sa;
	struct addr from = demo_bmp_from(router);
	struct timeval patience = {.tv_sec = 1};
	socklen_t from_len = addr_to_sockaddr(&from, 0, &from_sa), to_len = addr_to_sockaddr(to, port, &to_sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
		bind(fd, (struct sockaddr *)&from_sa, from_len) < 0 ||
		connect(fd, (struct sockaddr *)&to_sa, to_len) < 0) {
		int r = -errno;
		close_p(&fd);
		return r;
	}
	return fd;
}

int demo_bmp_connect(unsigned router, unsigned moves, const char *to, struct error *err)
{
	struct addr addr;
	uint16_t port;
	struct buffer b;
	int r = hostport_parse(to, &addr, &port, err);
	if (r < 0)
		return r;
	int fd = connect_from(router, &addr, port);
	if (fd < 0)
		return error_set(err, fd, "%s cannot connect to %s: %s", demo_data_router(router), to, strerror(-fd));
	buffer_init(&b);
	add_table(&b, router, moves);
	r = send_all(fd, &b);
	if (r < 0) {
		close_p(&fd);
		return error_set(err, r, "%s cannot send its table: %s", demo_data_router(router), strerror(-r));
	}
	return fd;
}

int demo_bmp_move(int fd, unsigned router, unsigned n)
{
	struct buffer b;
	struct demo_move move = demo_data_nth_move(n);
	buffer_init(&b);
	for (unsigned i = 0; i < demo_data_neighbours() && move.router == router; i++)
		if (demo_data_is_best(router, move.network, i))
			add_network(&b, router, move.network, i, move.away);
	return send_all(fd, &b);
}
