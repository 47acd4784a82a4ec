/* SPDX-License-Identifier: BSD-2-Clause */

/* MaxMind DB (maxmind.github.io/MaxMind-DB), opened and decoded by libmaxminddb.
 *
 * The database is a binary tree over the address bits whose leaves point to records in a data
 * section. It is walked once at loading time into ranges: the tree yields them sorted and disjoint,
 * neighbours with the same country become one, and a record is decoded once however many leaves
 * share it. So damage anywhere is found here and not by a lookup, and nothing of the file is needed
 * later. libmaxminddb maps the file, and a map breaks when somebody overwrites the file in place:
 * the walk is over a private copy in memory (memfd), given back at the end.
 *
 * A database for IPv6 holds the IPv4 addresses in ::/96. Writers let other places of the tree (6to4
 * 2002::/16, Teredo 2001::/32, mapped) point to the same subtree; such a place becomes a reference
 * to the IPv4 table (source.h) instead of a copy.
 *
 * A hostile tree can have cycles, which are found by marking the nodes on the way down, or share
 * subtrees so that it has 2^128 leaves, which a bound on the steps ends.
 *
 * Country: country.iso_code, else registered_country.iso_code (MaxMind, DB-IP), else country_code,
 * else country as a plain code (IPinfo's layouts). A record without any is unknown; a database
 * without any is an error, for it is one of another kind. */

#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/index.h"
#include "place/source.h"

/* Steps of the walk per node of the tree. Known writers share nothing but the IPv4 subtree. */
#define STEPS_PER_NODE 64

struct memo {
	uint32_t offset;
	country_code country;
};

struct walk {
	const char *file;
	const MMDB_s *db;
	struct error *err;
	struct range_list *list; /* where ranges go now */
	unsigned bits;           /* depth of the tree that is walked: 32 or 128 */
	bool has_v4_root;        /* the IPv4 subtree begins at a node */
	uint64_t v4_root;
	uint8_t *on_path; /* one bit a node */
	uint64_t steps_left;
	struct memo *memo; /* records that were decoded, by their offset */
	size_t memo_cap;
	struct index memo_index;
	bool any_country;
};

/* ---- the private copy ---- */

static int copy_bytes(const char *file, int from, int to, struct error *err)
{
	struct stat st;
	if (fstat(from, &st) < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: is not a regular file", file);
	if (st.st_size == 0)
		return error_set(err, -EINVAL, "%s: is empty", file);
	for (;;) {
		ssize_t n = sendfile(to, from, NULL, 1 << 24);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -errno, "%s: %s", file, strerror(errno));
		if (n == 0)
			return 0;
	}
}

static int open_copy(const char *file, MMDB_s *ret, struct error *err)
{
	CLEANUP(close_p) int from = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (from < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	CLEANUP(close_p) int copy = memfd_create("whereto-mmdb", MFD_CLOEXEC);
	if (copy < 0)
		return error_set(err, -errno, "%s: cannot copy it to memory: %s", file, strerror(errno));
	int r = copy_bytes(file, from, copy, err);
	if (r < 0)
		return r;
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	r = MMDB_open(path, MMDB_MODE_MMAP, ret);
	if (r == MMDB_IO_ERROR || r == MMDB_FILE_OPEN_ERROR)
		return error_set(err, -EIO, "%s: %s: %s", file, MMDB_strerror(r), strerror(errno));
	if (r != MMDB_SUCCESS)
		return error_set(err, -EINVAL, "%s: is no usable MaxMind DB: %s", file, MMDB_strerror(r));
	return 0;
}

/* ---- records ---- */

/* 1: *ret is the code; 0: the record has nothing there. */
static int country_at(struct walk *w, uint32_t offset, const char *const *path, country_code *ret)
{
	MMDB_entry_s entry = {.mmdb = w->db, .offset = offset};
	MMDB_entry_data_s data;
	int r = MMDB_aget_value(&entry, &data, path);
	if (r == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || r == MMDB_INVALID_LOOKUP_PATH_ERROR)
		return 0;
	if (r != MMDB_SUCCESS)
		return error_set(w->err, -EINVAL, "%s: the record at offset %u of the data section is damaged: %s",
			w->file, offset, MMDB_strerror(r));
	if (!data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING)
		return 0;
	*ret = source_country(data.utf8_string, data.data_size);
	return *ret != COUNTRY_UNKNOWN;
}

static int decode_record(struct walk *w, uint32_t offset, country_code *ret)
{
	static const char *const paths[][3] = {{"country", "iso_code"}, {"registered_country", "iso_code"},
		{"country_code"}, {"country"}};
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int r = country_at(w, offset, paths[i], ret);
		if (r < 0)
			return r;
		if (r > 0) {
			w->any_country = true;
			return 0;
		}
	}
	*ret = COUNTRY_UNKNOWN;
	return 0;
}

static int record_country(struct walk *w, uint32_t offset, country_code *ret)
{
	uint64_t hash = offset * 0x9e3779b97f4a7c15u;
	uint32_t slot, pos;
	INDEX_FOR_EACH (&w->memo_index, hash, slot, pos) {
		if (w->memo[pos].offset == offset) {
			*ret = w->memo[pos].country;
			return 0;
		}
	}
	int r = decode_record(w, offset, ret);
	if (r < 0)
		return r;
	uint32_t count = w->memo_index.count;
	if (count == w->memo_cap) {
		size_t cap = w->memo_cap ? w->memo_cap * 2 : 1024;
		struct memo *memo = reallocarray(w->memo, cap, sizeof(*memo));
		if (!memo)
			return error_set(w->err, -ENOMEM, "%s: out of memory", w->file);
		w->memo = memo;
		w->memo_cap = cap;
	}
	w->memo[count] = (struct memo){offset, *ret};
	r = index_add(&w->memo_index, hash, count);
	return r < 0 ? error_set(w->err, r, "%s: out of memory", w->file) : 0;
}

/* ---- the tree ---- */

static int add_range(struct walk *w, u128 first, unsigned depth, uint16_t value)
{
	u128 host = depth ? ((u128)1 << (w->bits - depth)) - 1 : w->bits == 32 ? UINT32_MAX : ~(u128)0;
	if (value && range_list_add(w->list, first, first | host, value) < 0)
		return error_set(w->err, -ENOMEM, "%s: out of memory", w->file);
	return 0;
}

static int read_node(struct walk *w, uint64_t number, MMDB_search_node_s *ret)
{
	int r = MMDB_read_node(w->db, (uint32_t)number, ret);
	if (r != MMDB_SUCCESS)
		return error_set(w->err, -EINVAL, "%s: node %llu of the search tree is damaged: %s", w->file,
			(unsigned long long)number, MMDB_strerror(r));
	return 0;
}

static int walk_node(struct walk *w, uint64_t number, u128 first, unsigned depth);

/* One side of a node, covering the prefix first/depth. */
static int walk_side(struct walk *w, uint64_t record, uint8_t type, uint32_t offset, u128 first, unsigned depth)
{
	country_code country;
	switch (type) {
	case MMDB_RECORD_TYPE_EMPTY:
		return 0;
	case MMDB_RECORD_TYPE_DATA: {
		int r = record_country(w, offset, &country);
		return r < 0 ? r : add_range(w, first, depth, country);
	}
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		if (w->bits == 128 && depth <= SOURCE_VIA_V4_MAX && w->has_v4_root && record == w->v4_root)
			return add_range(w, first, depth, (uint16_t)depth);
		return walk_node(w, record, first, depth);
	default:
		return error_set(w->err, -EINVAL, "%s: a record of the search tree points outside of the file (%llu)",
			w->file, (unsigned long long)record);
	}
}

static int walk_node(struct walk *w, uint64_t number, u128 first, unsigned depth)
{
	uint8_t *mark = &w->on_path[number / 8], bit = (uint8_t)(1 << number % 8);
	if (depth == w->bits || *mark & bit || w->steps_left == 0)
		return error_set(w->err, -EINVAL, "%s: the search tree is damaged: node %llu, %u bits deep, %s",
			w->file, (unsigned long long)number, depth,
			depth == w->bits ? "is deeper than addresses are long" :
			*mark & bit	 ? "leads back to itself" :
					   "is met again and again");
	w->steps_left--;
	MMDB_search_node_s node;
	int r = read_node(w, number, &node);
	if (r < 0)
		return r;
	*mark |= bit;
	r = walk_side(w, node.left_record, node.left_record_type, node.left_record_entry.offset, first, depth + 1);
	if (r == 0)
		r = walk_side(w, node.right_record, node.right_record_type, node.right_record_entry.offset,
			first | (u128)1 << (w->bits - 1 - depth), depth + 1);
	*mark &= (uint8_t)~bit;
	return r;
}

/* The IPv4 part of a tree for IPv6: 96 times left. It may end early in a leaf for all of IPv4. */
static int walk_v4_in_v6(struct walk *w)
{
	uint64_t number = 0;
	MMDB_search_node_s node;
	for (unsigned depth = 0; depth < 96; depth++) {
		int r = read_node(w, number, &node);
		if (r < 0)
			return r;
		if (node.left_record_type != MMDB_RECORD_TYPE_SEARCH_NODE)
			return walk_side(w, node.left_record, node.left_record_type, node.left_record_entry.offset,
				0, 0);
		number = node.left_record;
	}
	w->has_v4_root = true;
	w->v4_root = number;
	return walk_node(w, number, 0, 0);
}

static int walk_all(struct walk *w, struct source_lists *lists)
{
	w->bits = 32;
	w->list = &lists->v4;
	if (w->db->metadata.ip_version == 4)
		return walk_node(w, 0, 0, 0);
	int r = walk_v4_in_v6(w);
	if (r < 0)
		return r;
	w->bits = 128;
	w->list = &lists->v6;
	return walk_node(w, 0, 0, 0);
}

static int walk_database(const char *file, const MMDB_s *db, struct source_lists *lists, struct error *err)
{
	uint32_t nodes = db->metadata.node_count;
	if (nodes == 0)
		return error_set(err, -EINVAL, "%s: has no search tree", file);
	CLEANUP(free_p) uint8_t *on_path = calloc(nodes / 8 + 1, 1);
	if (!on_path)
		return error_set(err, -ENOMEM, "%s: out of memory", file);
	struct walk w = {.file = file, .db = db, .err = err, .on_path = on_path,
		.steps_left = (uint64_t)nodes * STEPS_PER_NODE};
	index_init(&w.memo_index);
	int r = walk_all(&w, lists);
	if (r == 0 && !w.any_country)
		r = error_set(err, -EINVAL, "%s: no record has a country (database type '%.60s')", file,
			db->metadata.database_type ? db->metadata.database_type : "");
	index_done(&w.memo_index);
	free(w.memo);
	return r;
}

int mmdb_read(const char *file, struct source_lists *lists, struct error *err)
{
	MMDB_s db;
	int r = open_copy(file, &db, err);
	if (r < 0)
		return r;
	r = walk_database(file, &db, lists, err);
	MMDB_close(&db);
	return r;
}
