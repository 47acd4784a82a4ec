/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Longest prefix match: a map from prefixes, IPv4 and IPv6, to numbers below LPM_NONE, changed one
 * prefix at a time. One thread changes it; lookups from other threads only while nobody changes it.
 * Memory is bounded by the caller, who decides how many prefixes to put in. */

#include "base/address.h"

#define LPM_NONE UINT32_MAX
#define LPM_DEPTH_MAX 129 /* prefixes that can cover one address: /0 to /128 */

struct lpm;

int lpm_new(struct lpm **ret) MUST_USE;
void lpm_free(struct lpm *lpm);

/* Sets the value of a prefix, new or not. -EINVAL for a prefix of no family, -ENOMEM. */
int lpm_set(struct lpm *lpm, const struct prefix *prefix, uint32_t value) MUST_USE;
/* Removes it; -ENOENT. */
int lpm_del(struct lpm *lpm, const struct prefix *prefix);
/* The value of exactly this prefix, or LPM_NONE. */
uint32_t lpm_get(const struct lpm *lpm, const struct prefix *prefix);

/* The value of the longest prefix that contains the address, or LPM_NONE (always for ADDR_NONE). */
uint32_t lpm_lookup(const struct lpm *lpm, const struct addr *addr);

/* The same of n addresses, in less time than one after the other: memory is waited for once for many of them. */
void lpm_lookup_many(const struct lpm *lpm, const struct addr *addrs, size_t n, uint32_t *ret);

/* The values of all prefixes that contain the address, longest first; returns how many. */
size_t lpm_covering(const struct lpm *lpm, const struct addr *addr, uint32_t ret[static LPM_DEPTH_MAX]);
/* The same of all prefixes that contain this one, itself included when it is there. */
size_t lpm_covering_prefix(const struct lpm *lpm, const struct prefix *prefix, uint32_t ret[static LPM_DEPTH_MAX]);

/* The first prefix behind `after`, there or not, in the order of prefix_cmp; NULL: the first of all. False at
 * the end. Takes as many steps as the trie is deep, so a list can be made in pieces while the trie changes. */
bool lpm_next(const struct lpm *lpm, const struct prefix *after, struct prefix *ret_prefix, uint32_t *ret_value);

size_t lpm_count(const struct lpm *lpm);
size_t lpm_memory_bytes(const struct lpm *lpm);
