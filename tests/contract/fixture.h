/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of the contract suite share. */

#include "store_contract.h"
#include "wt_flows.h"

#define T0      1767312000u /* a day's start */
#define FOREVER {UINT64_MAX, UINT64_MAX, UINT64_MAX}

extern const struct store_contract *contract;

struct fixture {
	char url[512];
	struct store *store;
	struct store_reader *reader;
};

struct store *open_store(const char *url, const uint64_t retention_s[LEVEL_COUNT]);
void open_fixture(struct fixture *f, const uint64_t retention_s[LEVEL_COUNT]);
void close_fixture(struct fixture *f);

/* Writes a batch that lacks its flows: these samples. */
enum store_result contract_write(struct store *store, struct store_batch batch, const struct world *w, const struct sample *s,
	size_t n);

/* Runs a writer of batches, which writes a byte to fd before each and never returns, in a process of its own from
 * batch `from` on, and kills it a few batches later, at any point within one. */
typedef void contract_writer_fn(const char *url, int fd, uint64_t from);
void contract_kill_writer(const char *url, uint64_t from, contract_writer_fn *run);

/* What a store tells about itself (hooks_contract.c). */
void test_look(void **state);
void test_range(void **state);
void test_collectors(void **state);

/* Values that are rare, and a server that is gone for a while (odd_contract.c). */
void test_odd_values(void **state);
void test_largest_values(void **state);
void test_server_goes_away(void **state);

/* Path changes (changes_contract.c). */
void test_changes_come_back(void **state);
void test_changes_apply_once(void **state);
void test_changes_of_one_moment(void **state);
void test_changes_limit_and_range(void **state);
void test_changes_by_pages(void **state);
void test_changes_within_a_network(void **state);
void test_changes_with_odd_paths(void **state);
void test_changes_retention(void **state);
void test_changes_end_early(void **state);
void test_changes_beside_rows(void **state);
void test_changes_killed_writer(void **state);

/* What a store keeps of its answers, and sums by via (kept_contract.c). */
void test_kept_is_found(void **state);
void test_ways_are_found(void **state);
void test_rows_that_share(void **state);
void test_kept_beside_a_snapshot(void **state);
void test_kept_and_retention(void **state);
void test_sums_by_via(void **state);
