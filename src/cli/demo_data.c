/* SPDX-License-Identifier: BSD-2-Clause */

/* A small invented Internet. The documentation networks (RFC 5737) have 768 addresses in all and no
 * client can come from them; from 127.0.0.0/8 it can, so the sample tables put prefixes of 127.16.0.0
 * to 127.175.255.255 where a real table has the world's.
 *
 * Each network has a /14. It is announced whole by everyone who offers it, and its parts (more specific
 * prefixes) by every other one of them, counted differently at the two routers: the longest match of
 * one client is another prefix, and often another path, at edge1 than at edge2. The other routers have the neighbours of both. One network is unknown to
 * edge2, so that some traffic there has no route, as in life.
 *
 * The servers behind ams, nyc and sin serve the distant networks, whose traffic is made up; nginx's visitors come from the nearby ones.
 *
 * Countries follow the networks, but some change in the middle of a block, where no CIDR prefix ends.
 *
 * The MRT writer does what these tables need of RFC 6396 section 4.3: a PEER_INDEX_TABLE with IPv4 peers
 * and four-byte AS numbers, then a RIB_IPV4_UNICAST record a prefix, ascending. */

#include "cli/demo_data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"

#define MRT_TABLE_DUMP_V2    13
#define MRT_PEER_INDEX_TABLE 1
#define MRT_RIB_IPV4_UNICAST 2
#define MRT_HEADER_BYTES     12
#define PEER_IPV4_AS4        0x02

#define ATTR_ORIGIN            1
#define ATTR_AS_PATH           2
#define ATTR_NEXT_HOP          3
#define ATTR_LOCAL_PREF        5
#define ATTR_COMMUNITIES       8
#define ATTR_LARGE_COMMUNITIES 32
#define SEGMENT_SEQUENCE       2

#define PREPENDED       3
#define PATH_MAX_LENGTH (2 + PREPENDED)
#define RECORD_MAX      1024

#define FIRST_BLOCK     16 /* 127.16.0.0 */
#define BLOCK_OCTETS    4  /* a /14 */
#define BLOCK_LEN       14
#define BLOCK_ADDRESSES (BLOCK_OCTETS << 16)
#define PARTS_MAX       DEMO_WHOLE
#define LOOPBACK        127u
#define MOVES_PERIOD_S  3600

enum carrier_asn {
	NONE = 0,
#define CARRIER(key, asn, name) key = asn,
#include "cli/demo_networks.def"
};

/* Who a router hears routes from. */
static const struct neighbour {
	char key;
	bool adds_itself; /* to the path; a route server doesn't */
	uint32_t asn;
	const char *address;
} neighbours[] = {
#define TRANSIT(key, asn, address, name) {key, true, asn, address},
#define EXCHANGE(key, asn, address, name) {key, false, asn, address},
#include "cli/demo_networks.def"
};

static const struct network {
	uint32_t asn;
	const char *country, *second_country;
	uint32_t carrier;
	unsigned parts;
	const char *routes[DEMO_ROUTERS];
	const char *name;
} networks[] = {
#define NETWORK(asn, country, second_country, carrier, parts, edge1, edge2, name) \
	{asn, country, second_country, carrier, parts, {edge1, edge2, edge1 edge2, edge2 edge1, edge1 "3" edge2}, name},
#define NEARBY NETWORK
#include "cli/demo_networks.def"
};

enum {
#define NETWORK(...) +1
	DISTANT = 0
#include "cli/demo_networks.def"
};

static const struct {
	uint32_t asn;
	const char *name;
} names[] = {
#define TRANSIT(key, asn, address, name) {asn, name},
#define CARRIER(key, asn, name) {asn, name},
#define EXCHANGE(key, asn, address, name) {asn, name},
#define NETWORK(asn, country, second_country, carrier, parts, edge1, edge2, name) {asn, name},
#define NEARBY NETWORK
#include "cli/demo_networks.def"
};

/* Part n lies in the block's n-th /16. */
static const struct {
	uint8_t third_octet, len;
} parts[PARTS_MAX] = {{0, 16}, {16, 20}, {32, 19}, {0, 17}};

static const char *const routers[DEMO_ROUTERS] = {"edge1", "edge2", "ams", "nyc", "sin"};

/* What happens to paths, in each hour: a network is not reached any more by the way that a router used, or is again. The first one
 * comes early, to be seen; the others seldom, as in life, and one of them stays. */
static const struct demo_move moves[] = {
	{12, 2, 2, true}, {200, 3, 9, true}, {520, 4, 6, true}, {900, 3, 9, false}, {1400, 2, 11, true}, {2100, 3, 4, true},
	{2300, 3, 4, false}, {3000, 4, 6, false}, {3300, 2, 2, false},
};

_Static_assert(ARRAY_LEN(networks) <= DEMO_NETWORKS_MAX, "more networks");
_Static_assert(FIRST_BLOCK + ARRAY_LEN(networks) * BLOCK_OCTETS <= 256, "127.0.0.0/8 is full");

/* ---- addresses ---- */

static struct prefix block_of(unsigned network)
{
	uint8_t second = (uint8_t)(FIRST_BLOCK + network * BLOCK_OCTETS);
	struct addr a = addr_from_v4((uint8_t[4]){LOOPBACK, second, 0, 0});
	return prefix_make(&a, BLOCK_LEN);
}

static struct prefix part_of(unsigned network, unsigned part)
{
	struct addr a = block_of(network).addr;
	a.bytes[1] = (uint8_t)(a.bytes[1] + part);
	a.bytes[2] = parts[part].third_octet;
	return prefix_make(&a, parts[part].len);
}

struct addr demo_data_server(unsigned router)
{
	return addr_from_v4((uint8_t[4]){LOOPBACK, 0, (uint8_t)(router + 1), 1});
}

const char *demo_data_router(unsigned router)
{
	return routers[router];
}

bool demo_data_live(unsigned router)
{
	return router >= DEMO_EDGES;
}

enum demo_region demo_data_region(unsigned network)
{
	const struct network *n = &networks[network];
	bool north_america = strcmp(n->country, "US") == 0 || strcmp(n->country, "CA") == 0;
	return n->carrier == ASIA ? DEMO_ASIA : n->carrier == AFRICA ? DEMO_AFRICA
		: n->carrier == AMERICAS || north_america            ? DEMO_AMERICAS
								     : DEMO_EUROPE;
}

bool demo_data_lossy(unsigned network)
{
	const struct network *n = &networks[network];
	return n->carrier == ASIA && !strchr(n->routes[0], 'P') && !strchr(n->routes[1], 'P');
}

uint64_t demo_data_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

unsigned demo_data_networks(void)
{
	return ARRAY_LEN(networks);
}

unsigned demo_data_distant(void)
{
	return DISTANT;
}

uint32_t demo_data_asn(unsigned network)
{
	return networks[network].asn;
}

const char *demo_data_name(unsigned network)
{
	return networks[network].name;
}

struct addr demo_data_client(unsigned network, uint64_t random)
{
	unsigned part = (unsigned)(random % (networks[network].parts + 1));
	uint32_t host = (uint32_t)(random >> 32);
	struct prefix p = part < networks[network].parts ? part_of(network, part) : block_of(network);
	uint32_t mask = UINT32_MAX >> p.len;
	for (int i = 0; i < 4; i++)
		p.addr.bytes[i] |= (uint8_t)((host & mask) >> (24 - 8 * i));
	return p.addr;
}

/* ---- routes ---- */

static void put_address(struct wr *w, const char *text)
{
	struct addr a;
	if (addr_parse(text, &a) < 0)
		abort(); /* the table above is wrong */
	wr_bytes(w, a.bytes, 4);
}

/* The path as the neighbour tells it; returns its length. */
static unsigned make_path(const struct network *n, const struct neighbour *from,
	uint32_t path[static PATH_MAX_LENGTH])
{
	unsigned length = 0, times = from->key == '3' ? PREPENDED : 1;
	if (from->adds_itself) {
		path[length++] = from->asn;
		if (n->carrier != NONE)
			path[length++] = n->carrier;
	}
	while (times--)
		path[length++] = n->asn;
	return length;
}

/* Where the neighbour has heard the route, and whether from a customer (10) or a peer (20): RFC 1997, or RFC 8092 where its
 * number does not fit. */
static void put_communities(struct wr *w, const struct network *n, const struct neighbour *from)
{
	uint32_t values[] = {1000 + 100 * demo_data_region((unsigned)(n - networks)), n->carrier == NONE ? 10 : 20};
	bool large = from->asn > UINT16_MAX;
	wr_bytes(w, (uint8_t[3]){0xc0, large ? ATTR_LARGE_COMMUNITIES : ATTR_COMMUNITIES, ARRAY_LEN(values) * (large ? 12 : 4)}, 3);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (large) {
			wr_u32(w, from->asn);
			wr_u32(w, 1);
			wr_u32(w, values[i]);
		} else {
			wr_u16(w, (uint16_t)from->asn);
			wr_u16(w, (uint16_t)values[i]);
		}
	}
}

static void put_attributes(struct wr *w, const struct network *n, const struct neighbour *from)
{
	uint32_t path[PATH_MAX_LENGTH];
	unsigned length = make_path(n, from, path);
	wr_bytes(w, (uint8_t[4]){0x40, ATTR_ORIGIN, 1, 0}, 4);
	wr_bytes(w, (uint8_t[2]){0x40, ATTR_AS_PATH}, 2);
	wr_bytes(w, (uint8_t[3]){(uint8_t)(2 + 4 * length), SEGMENT_SEQUENCE, (uint8_t)length}, 3);
	for (unsigned i = 0; i < length; i++)
		wr_u32(w, path[i]);
	wr_bytes(w, (uint8_t[3]){0x40, ATTR_NEXT_HOP, 4}, 3);
	put_address(w, from->address);
	wr_bytes(w, (uint8_t[3]){0x40, ATTR_LOCAL_PREF, 4}, 3);
	wr_u32(w, from->adds_itself ? 100 : 200); /* what is free is preferred */
	put_communities(w, n, from);
}

/* ---- MRT ---- */

/* RFC 6396 section 2: timestamp, type, subtype, length, then the body. */
static void add_record(struct buffer *out, uint32_t time_s, uint16_t subtype, const struct wr *body)
{
	struct wr w = buffer_reserve(out, MRT_HEADER_BYTES + wr_len(body));
	wr_u32(&w, time_s);
	wr_u16(&w, MRT_TABLE_DUMP_V2);
	wr_u16(&w, subtype);
	wr_u32(&w, (uint32_t)wr_len(body));
	wr_bytes(&w, body->start, wr_len(body));
	if (!wr_ok(body))
		w.failed = true;
	buffer_commit(out, &w);
}

/* RFC 6396 section 4.3.1: collector's id, view name, then per peer: type, id, address, AS number. */
static void add_peers(struct buffer *out, uint32_t time_s, unsigned router)
{
	uint8_t room[RECORD_MAX];
	struct wr w = wr_make(room, sizeof(room));
	wr_bytes(&w, (uint8_t[4]){192, 0, 2, (uint8_t)(router + 1)}, 4);
	wr_u16(&w, 0);
	wr_u16(&w, ARRAY_LEN(neighbours));
	for (size_t i = 0; i < ARRAY_LEN(neighbours); i++) {
		wr_u8(&w, PEER_IPV4_AS4);
		put_address(&w, neighbours[i].address);
		put_address(&w, neighbours[i].address);
		wr_u32(&w, neighbours[i].asn);
	}
	add_record(out, time_s, MRT_PEER_INDEX_TABLE, &w);
}

/* RFC 6396 section 4.3.4: peer, time, length of the attributes, attributes. */
static void put_entry(struct wr *w, uint32_t time_s, const struct network *n, uint16_t peer)
{
	uint8_t room[256];
	struct wr attributes = wr_make(room, sizeof(room));
	put_attributes(&attributes, n, &neighbours[peer]);
	wr_u16(w, peer);
	wr_u32(w, time_s);
	wr_u16(w, (uint16_t)wr_len(&attributes));
	wr_bytes(w, attributes.start, wr_len(&attributes));
}

/* A router's table at a time. */
struct table_of {
	uint32_t time_s;
	unsigned router;
	const bool *away; /* by network: the way to it that was used is gone; NULL: none is */
};

/* The neighbour whose way the router uses: the exchange's, which is free, else the first one's. */
static char best_key(const char *routes)
{
	char best = *routes;
	for (; *routes && best != 'P'; routes++)
		best = *routes == 'P' || *routes < best ? *routes : best;
	return best;
}

/* Whether the neighbour tells the router of this part; PARTS_MAX: of the whole block. */
static bool offers(const struct table_of *t, unsigned network, char key, unsigned part)
{
	const char *routes = networks[network].routes[t->router];
	const char *at = strchr(routes, key);
	if (!at || (t->away && t->away[network] && key == best_key(routes)))
		return false;
	return part == PARTS_MAX || ((size_t)(at - routes) + part + t->router) % 2 == 0;
}

unsigned demo_data_neighbours(void)
{
	return ARRAY_LEN(neighbours);
}

struct demo_neighbour demo_data_neighbour(unsigned n)
{
	struct demo_neighbour ret = {.asn = neighbours[n].asn};
	if (addr_parse(neighbours[n].address, &ret.addr) < 0)
		abort(); /* the table above is wrong */
	return ret;
}

struct prefix demo_data_prefix(unsigned network, unsigned part)
{
	return part == PARTS_MAX ? block_of(network) : part_of(network, part);
}

bool demo_data_offers(unsigned router, unsigned network, unsigned part, unsigned neighbour)
{
	return (part == PARTS_MAX || part < networks[network].parts) &&
		offers(&(struct table_of){.router = router}, network, neighbours[neighbour].key, part);
}

bool demo_data_is_best(unsigned router, unsigned network, unsigned neighbour)
{
	return neighbours[neighbour].key == best_key(networks[network].routes[router]);
}

void demo_data_put_attributes(struct wr *w, unsigned network, unsigned neighbour)
{
	put_attributes(w, &networks[network], &neighbours[neighbour]);
}

/* RFC 6396 section 4.3.2: number, prefix, then the entries. Nothing when nobody offers the prefix. */
static void add_prefix(struct buffer *out, const struct table_of *t, unsigned network, unsigned part, uint32_t *number)
{
	const struct network *n = &networks[network];
	struct prefix p = demo_data_prefix(network, part);
	uint8_t room[RECORD_MAX];
	struct wr w = wr_make(room, sizeof(room));
	uint16_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(neighbours); i++)
		count += offers(t, network, neighbours[i].key, part);
	if (!count)
		return;
	wr_u32(&w, (*number)++);
	wr_u8(&w, p.len);
	wr_bytes(&w, p.addr.bytes, (p.len + 7u) / 8);
	wr_u16(&w, count);
	for (size_t i = 0; i < ARRAY_LEN(neighbours); i++)
		if (offers(t, network, neighbours[i].key, part))
			put_entry(&w, t->time_s, n, (uint16_t)i);
	add_record(out, t->time_s, MRT_RIB_IPV4_UNICAST, &w);
}

static void make_table(struct buffer *out, const struct table_of *t)
{
	uint32_t number = 0;
	add_peers(out, t->time_s, t->router);
	for (unsigned i = 0; i < ARRAY_LEN(networks); i++) {
		add_prefix(out, t, i, PARTS_MAX, &number);
		for (unsigned part = 0; part < networks[i].parts; part++)
			add_prefix(out, t, i, part, &number);
	}
}

/* ---- text files ---- */

static void print_range(FILE *out, const char *country, struct addr first, uint32_t skip, uint32_t count,
	uint32_t asn)
{
	for (int i = 1; i < 4; i++)
		first.bytes[i] = (uint8_t)(first.bytes[i] + (skip >> (24 - 8 * i)));
	char text[ADDR_TEXT_MAX];
	fprintf(out, "example|%s|ipv4|%s|%u|20260101|allocated|AS%u\n", country, addr_format(&first, text), count,
		asn);
}

/* Only blocks that begin on a /14 are cut, so adding octets never carries. */
static void print_countries(FILE *out)
{
	unsigned records = 0;
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		records += *networks[i].second_country ? 2 : 1;
	fprintf(out, "2|example|20260101|%u|20260101|20260101|+0000\n", records);
	fprintf(out, "example|*|ipv4|*|%u|summary\n", records);
	for (unsigned i = 0; i < ARRAY_LEN(networks); i++) {
		const struct network *n = &networks[i];
		struct addr first = block_of(i).addr;
		uint32_t cut = *n->second_country ? BLOCK_ADDRESSES / 5 * 3 : BLOCK_ADDRESSES;
		print_range(out, n->country, first, 0, cut, n->asn);
		if (cut < BLOCK_ADDRESSES)
			print_range(out, n->second_country, first, cut, BLOCK_ADDRESSES - cut, n->asn);
	}
}

static void print_names(FILE *out)
{
	fputs("# invented networks: sample data of `whereto demo`\n", out);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		fprintf(out, "%u %s\n", names[i].asn, names[i].name);
}

/* ---- files ---- */

static FILE *create(const char *folder, const char *name, struct error *err)
{
	CLEANUP(free_p) char *path = NULL;
	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		(void)error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	FILE *out = fopen(path, "wxe");
	if (!out)
		(void)error_set(err, -errno, "%s: %s", path, strerror(errno));
	return out;
}

static int finish(FILE *out, const char *folder, const char *name, struct error *err)
{
	bool failed = ferror(out);
	failed |= fclose(out) != 0;
	return failed ? error_set(err, -EIO, "%s/%s: could not be written", folder, name) : 0;
}

static int write_table(const char *folder, const char *name, const struct table_of *t, struct error *err)
{
	FILE *out = create(folder, name, err);
	if (!out)
		return err->code;
	struct buffer table;
	buffer_init(&table);
	make_table(&table, t);
	bool failed = table.failed;
	if (!failed)
		(void)fwrite(table.data, 1, table.len, out);
	buffer_done(&table);
	int r = finish(out, folder, name, err);
	return failed ? error_set(err, -ENOMEM, "out of memory") : r;
}

/* Writes a router's table over the one it had. */
static int rewrite_table(const char *folder, const struct table_of *t, struct error *err)
{
	char from[4096], to[4096];
	(void)snprintf(from, sizeof(from), "%s/moved.mrt", folder);
	(void)snprintf(to, sizeof(to), "%s/%s.mrt", folder, routers[t->router]);
	int r = write_table(folder, "moved.mrt", t, err);
	if (r == 0 && rename(from, to) < 0)
		r = error_set(err, -errno, "%s: %s", to, strerror(errno));
	return r;
}

struct demo_move demo_data_nth_move(unsigned n)
{
	struct demo_move m = moves[n % ARRAY_LEN(moves)];
	m.at_s += n / (unsigned)ARRAY_LEN(moves) * MOVES_PERIOD_S;
	return m;
}

void demo_data_away(unsigned router, unsigned count, bool away[static DEMO_NETWORKS_MAX])
{
	memset(away, 0, DEMO_NETWORKS_MAX * sizeof(*away));
	for (unsigned i = count > ARRAY_LEN(moves) ? count - (unsigned)ARRAY_LEN(moves) : 0; i < count; i++)
		if (moves[i % ARRAY_LEN(moves)].router == router)
			away[moves[i % ARRAY_LEN(moves)].network] = moves[i % ARRAY_LEN(moves)].away;
}

int demo_data_move(const char *folder, uint32_t time_s, unsigned n, struct error *err)
{
	unsigned router = moves[n % ARRAY_LEN(moves)].router;
	bool away[DEMO_NETWORKS_MAX];
	demo_data_away(router, n + 1, away);
	return rewrite_table(folder, &(struct table_of){time_s, router, away}, err);
}

static int write_text(const char *folder, const char *name, void (*print)(FILE *out), struct error *err)
{
	FILE *out = create(folder, name, err);
	if (!out)
		return err->code;
	print(out);
	return finish(out, folder, name, err);
}

int demo_data_write(const char *folder, uint32_t time_s, struct error *err)
{
	char name[64];
	int r = 0;
	for (unsigned router = 0; router < DEMO_ROUTERS && r == 0; router++) {
		(void)snprintf(name, sizeof(name), "%s.mrt", routers[router]);
		r = write_table(folder, name, &(struct table_of){time_s, router, NULL}, err);
	}
	if (r == 0)
		r = write_text(folder, "countries.txt", print_countries, err);
	if (r == 0)
		r = write_text(folder, "asnames.txt", print_names, err);
	return r;
}
