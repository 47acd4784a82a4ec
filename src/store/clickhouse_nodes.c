/* SPDX-License-Identifier: BSD-2-Clause */

/* The servers of a store: one, or those of a cluster, found in system.clusters of any of them.
 *
 * A cluster's tables are local ones, CUBE_LEVEL_local and so on, and Distributed ones over them under the plain names,
 * which are there for questions alone: rows are sent to a server of their shard. They are Replicated where the cluster has a
 * ZooKeeper or Keeper. Tables are made on each server by itself, when it is first met and again when it comes back: ON CLUSTER
 * would wait three minutes for a server that is away.
 *
 * What has the same key is on the same shard, always: the place is a hash of the key, the number of shards is written
 * into the tables, and a store of another number is refused. The key is the origin where a cube has it, otherwise the whole
 * of a row's, and of path changes the prefix.
 *
 * The servers' HTTP port is the URL's first one: system.clusters does not tell it. */

#include "store/clickhouse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/clock.h"

#define RETRY_NS (10 * NS_PER_S)

unsigned ch_shard_of(const struct clickhouse_store *s, struct view key)
{
	return s->layout.shards > 1 ? (unsigned)(XXH64(key.data, key.len, 0) % s->layout.shards) : 0;
}

/* ---- finding them ---- */

struct finding {
	struct clickhouse_store *s;
	const char *port; /* ":8123" */
	uint64_t last;
};

static int add_node(struct clickhouse_store *s, unsigned shard, const char *at, struct error *err)
{
	struct ch_node *nodes = realloc(s->nodes, (s->node_count + 1) * sizeof(*nodes));
	if (!nodes)
		return ch_no_memory(&s->url, err);
	s->nodes = nodes;
	nodes[s->node_count] = (struct ch_node){.shard = shard};
	return ch_conn_init(&nodes[s->node_count++].conn, &s->url, at, err);
}

static int on_replica(void *ctx, struct rd *r, struct error *err)
{
	struct finding *f = ctx;
	struct clickhouse_store *s = f->s;
	uint64_t shard = rd_le(r, 4);
	struct view host = ch_read_string(r);
	char at[CH_AT_MAX];
	if (!rd_ok(r))
		return 0;
	bool v6 = memchr(host.data, ':', host.len);
	int n = snprintf(at, sizeof(at), "%s%.*s%s%s", v6 ? "[" : "", (int)host.len, (const char *)host.data, v6 ? "]" : "", f->port);
	if (n >= (int)sizeof(at) || s->node_count == CH_NODES_MAX)
		return error_set(err, -EINVAL, "clickhouse store %s: the cluster %s is too large", s->url.name, s->url.cluster);
	for (unsigned i = 0; i < s->node_count; i++)
		if (strcmp(s->nodes[i].conn.at, at) == 0)
			return error_set(err, -EINVAL, "clickhouse store %s: two servers of the cluster %s are at %s; whereto wants a"
				" host for each", s->url.name, s->url.cluster, at);
	s->layout.shards += shard != f->last;
	f->last = shard;
	return add_node(s, s->layout.shards - 1, at, err);
}

void ch_nodes_done(struct clickhouse_store *s)
{
	for (unsigned i = 0; i < s->node_count; i++)
		ch_conn_done(&s->nodes[i].conn);
	free(s->nodes);
	s->nodes = NULL;
	s->node_count = s->layout.shards = 0;
	s->known = false;
}

static int ask_host(struct clickhouse_store *s, const char *at, struct error *err)
{
	CLEANUP(ch_conn_done) struct ch_conn c = {0};
	CLEANUP(sql_done) struct sql sql = {0};
	struct finding f = {.s = s, .port = strrchr(s->url.hosts[0], ':')};
	sql_add(&sql, "SELECT shard_num, host_name FROM system.clusters WHERE cluster = '%s' ORDER BY shard_num, replica_num",
		s->url.cluster);
	struct ch_request q = {.sql = sql_text(&sql), .doing = "finding the cluster's servers", .without_database = true};
	int r = ch_conn_init(&c, &s->url, at, err);
	if (r == 0)
		r = ch_select(&c, &q, on_replica, &f, err);
	if (r == 0 && !s->node_count)
		r = error_set(err, -EINVAL, "clickhouse store %s: %s knows no cluster %s (system.clusters)", s->url.name, at,
			s->url.cluster);
	return r;
}

static int find_cluster(struct clickhouse_store *s, struct error *err)
{
	int r = -EBUSY;
	for (unsigned i = 0; i < s->url.host_count && r == -EBUSY; i++) {
		ch_nodes_done(s);
		r = ask_host(s, s->url.hosts[i], err);
	}
	return r;
}

/* ---- the layout ---- */

/* 1: it is written down there. */
static int read_layout(struct clickhouse_store *s, struct ch_node *node, struct error *err)
{
	uint64_t version = 0, shards = 0, replicated = 0;
	int r = ch_version(&node->conn, &version, err);
	if (r < 0 || !version)
		return r;
	r = ch_meta_get(&node->conn, "shards", &shards, err);
	if (r == 0)
		r = ch_meta_get(&node->conn, "replicated", &replicated, err);
	s->layout.replicated = replicated;
	return r < 0 ? r : shards > 0;
}

/* A cluster that has a ZooKeeper is to use it. */
static int choose_layout(struct clickhouse_store *s, struct ch_node *node, struct error *err)
{
	struct error why = {0};
	struct ch_request q = {.sql = "SELECT name FROM system.zookeeper WHERE path = '/'", .doing = "asking for ZooKeeper",
		.without_database = true};
	int r = ch_run(&node->conn, &q, &why);
	s->layout.replicated = r == 0;
	if (r == 0 || s->node_count == s->layout.shards)
		return 0;
	return error_set(err, -EINVAL, "clickhouse store %s: the cluster %s has replicas, which need a ZooKeeper or Keeper (%s)",
		s->url.name, s->url.cluster, why.text);
}

static int find_layout(struct clickhouse_store *s, struct error *err)
{
	struct ch_node *there = NULL;
	int r = 0;
	for (unsigned i = 0; i < s->node_count; i++) {
		r = read_layout(s, &s->nodes[i], err);
		if (r == 1)
			return 0;
		if (r == -EBUSY)
			ch_node_failed(&s->nodes[i]);
		else if (r < 0)
			return r;
		else if (!there)
			there = &s->nodes[i];
	}
	return there ? choose_layout(s, there, err) : r;
}

int ch_nodes_find(struct clickhouse_store *s, struct error *err)
{
	if (s->known)
		return 0;
	ch_nodes_done(s);
	s->layout = (struct ch_layout){.cluster = s->url.cluster};
	int r;
	if (s->url.cluster) {
		r = find_cluster(s, err);
		if (r == 0)
			r = find_layout(s, err);
	} else {
		s->layout.shards = 1;
		r = add_node(s, 0, s->url.hosts[0], err);
	}
	s->known = r == 0;
	return r;
}

/* ---- using them ---- */

void ch_node_failed(struct ch_node *node)
{
	node->ready = false;
	node->retry_ns = clock_mono_ns() + RETRY_NS;
}

static int make_ready(struct clickhouse_store *s, struct ch_node *node, struct error *err)
{
	bool fresh = false;
	if (node->ready)
		return 0;
	int r = s->read_only ? ch_check(node, &s->layout, err) : ch_migrate(node, &s->layout, &fresh, err);
	node->ready = r == 0;
	if (r == 0) {
		s->fresh = fresh && !s->layout.cluster; /* a replica's rows are elsewhere as well */
		node->retry_ns = 0; /* it answers again: what it may still be doing is waited for (ch_writer_settle) */
	} else if (node->conn.code == 0) {
		ch_node_failed(node);
	}
	return r;
}

int ch_node_get(struct clickhouse_store *s, unsigned shard, struct ch_node **ret, struct error *err)
{
	uint64_t now = clock_mono_ns();
	int r = -EBUSY;
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < s->node_count; i++) {
			struct ch_node *node = &s->nodes[i];
			/* When none answers, those that shall wait are asked after all; but none of this call's again. */
			if (node->shard != shard || (node->retry_ns > now) != pass || node->retry_ns >= now + RETRY_NS)
				continue;
			r = make_ready(s, node, err);
			if (r == 0) {
				*ret = node;
				return 0;
			}
			if (node->conn.code)
				return r;
		}
	}
	return r;
}

void ch_nodes_tend(struct clickhouse_store *s)
{
	struct error ignored;
	for (unsigned i = 0; i < s->node_count; i++)
		if (s->nodes[i].retry_ns <= clock_mono_ns())
			(void)make_ready(s, &s->nodes[i], &ignored);
}

int ch_node_select(struct ch_node *node, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err)
{
	int r = ch_select(&node->conn, q, fn, ctx, err);
	if (r < 0 && node->conn.code == 0)
		ch_node_failed(node);
	return r;
}

int ch_select_any(struct clickhouse_store *s, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err)
{
	struct ch_node *node;
	int r = -EBUSY;
	for (unsigned shard = 0; shard < s->layout.shards && r == -EBUSY; shard++) {
		r = ch_node_get(s, shard, &node, err);
		if (r == 0)
			r = ch_node_select(node, q, fn, ctx, err);
	}
	return r;
}

/* ---- readers ---- */

struct counted {
	ch_row_fn *fn;
	void *ctx;
	bool any;
};

static int on_counted(void *ctx, struct rd *r, struct error *err)
{
	struct counted *c = ctx;
	int result = c->fn(c->ctx, r, err);
	c->any |= rd_ok(r);
	return result;
}

/* The servers do not change once the store is open. */
static int next_way(struct clickhouse_reader *reader, struct error *err)
{
	const struct clickhouse_store *s = reader->store;
	reader->way = (reader->way + 1) % (s->url.host_count + s->node_count);
	unsigned way = reader->way;
	ch_conn_done(&reader->conn);
	return ch_conn_init(&reader->conn, &s->url,
		way < s->url.host_count ? s->url.hosts[way] : s->nodes[way - s->url.host_count].conn.at, err);
}

int ch_reader_select(struct clickhouse_reader *reader, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err)
{
	const struct clickhouse_store *s = reader->store;
	struct counted counted = {fn, ctx, false};
	unsigned ways = s->layout.cluster ? s->url.host_count + s->node_count : 1;
	for (unsigned i = 1;; i++) {
		int r = ch_select(&reader->conn, q, on_counted, &counted, err);
		bool away = r == -ENOENT || (r == -EBUSY && reader->conn.code == 0); /* or it has not met us since it was */
		if (!away || counted.any || i >= ways)
			return r;
		r = next_way(reader, err);
		if (r < 0)
			return r;
	}
}
