/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The sessions the data plane knows, and the ledger of those that have ended. A session is made only
 * after a datagram's seal has verified. Bounded by SESSIONS_MAX; a session idle for SESSION_IDLE_MS is
 * retired: its counts go to its sender's name, and what it never delivered becomes `lost`. */

#include <sys/socket.h>

#include "journal/book.h"

#define SESSIONS_MAX    65536
#define SESSION_IDLE_MS (7ull * 86400 * 1000)

/* Where datagrams come from and acknowledgements go. */
struct session_peer {
	struct sockaddr_storage addr;
	socklen_t len; /* 0: not known */
	int fd;        /* socket it came by */
};

struct session {
	struct session_state state;
	struct seal *seal, *ack_seal; /* made at first use; NULL after the keys have changed */
	uint64_t durable_base;        /* below this number the sender may know it is on disk */
	struct session_peer peer;     /* of the last new datagram */
	/* Of one that was sent again from elsewhere since the last acknowledgement, which goes there too:
	 * a sender whose address has changed may have nothing new to send. It does not replace peer, or
	 * who can replay could keep a sender from its acknowledgements. */
	struct session_peer elsewhere;
	bool dirty; /* to go into the next frame */
};

struct sessions {
	struct session **list;
	uint32_t count, cap;
	struct index index; /* by id */
	struct book retired; /* only its retired senders are used */
};

void sessions_init(struct sessions *s);
void sessions_done(struct sessions *s);
struct session *sessions_find(const struct sessions *s, const uint8_t id[static SESSION_ID_BYTES]);
/* NULL: no memory, or SESSIONS_MAX reached. The id must be new. */
struct session *sessions_add(struct sessions *s, const struct session_state *state);
/* Forgets every derived key: they are derived again from the keys of now. */
void sessions_drop_seals(struct sessions *s);
/* Retires the i-th session: it is freed, another may take its place in the list. Writes what changed.
 * -ENOMEM: still there. */
int sessions_retire(struct sessions *s, uint32_t i, struct retired_state *ret) MUST_USE;
