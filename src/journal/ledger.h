/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the collector remembers of a session, and must not forget in a crash: its window and its
 * ledger. Plain values. */

#include "wire/datagram.h"

enum ledger_count {
#define LEDGER(name, help) LEDGER_##name,
#include "journal/ledger.def"
#undef LEDGER
	LEDGER_COUNT
};

struct ledger_info {
	const char *name, *help;
};
extern const struct ledger_info ledger_table[LEDGER_COUNT];

struct ledger {
	uint64_t v[LEDGER_COUNT];
};

/* sent that is neither stored, rejected nor lost. */
uint64_t ledger_in_flight(const struct ledger *l);
void ledger_add(struct ledger *l, const struct ledger *other);

struct session_state {
	uint8_t id[SESSION_ID_BYTES];
	uint32_t key_id;
	uint8_t name_len;
	char name[NAME_MAX_BYTES]; /* the sender's */
	uint64_t first_ms, last_ms;
	struct ledger ledger;
	struct window window;
};

/* The sessions of one sender that have ended. */
struct retired_state {
	uint8_t name_len;
	char name[NAME_MAX_BYTES];
	uint64_t sessions, first_ms, last_ms;
	struct ledger ledger;
};
