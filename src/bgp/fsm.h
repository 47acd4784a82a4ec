/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One BGP connection's state machine (RFC 4271 section 8) as this program needs it: the neighbour
 * connects, we listen and never announce a route. Without I/O and without a clock: events go in
 * with the time, what to do comes out. No malloc, no log. One thread uses a machine and its pair.
 *
 * The owner has per neighbour (found by the address that a connection comes from; none: close it
 * and count) a struct bgp_fsm_config and up to two connections, each with a socket, an input buffer
 * of BGP_FSM_INPUT_BYTES and a struct bgp_fsm:
 *
 *     accepted:    bgp_fsm_init(&f, &config); bgp_fsm_pair(&f, other or NULL);
 *                  bgp_fsm_connected(&f, now, &act)
 *     bytes came:  while (bgp_fsm_input(&f, &r, now, &act, &changes)) carry out `act`
 *     it closed:   the same for what was read before, then bgp_fsm_lost(&f, &act)
 *     a timer:     at bgp_fsm_deadline(&f): bgp_fsm_tick(&f, now, pending, &act)
 *     shutdown:    bgp_fsm_stop(&f, error, &act)
 *
 * and after each of these carries out `act`, in the order of its fields. A third connection means
 * that one of the two is dead: the one in OPEN_SENT gives way (bgp_fsm_replace); with none, the
 * third is closed. A neighbour taken out of the configuration: bgp_fsm_stop with
 * BGP_ERROR_CEASE_DECONFIGURED; a changed one: BGP_ERROR_CEASE_CONFIGURATION. TCP-MD5 is set on the
 * listening socket, before.
 *
 * bgp_fsm_input handles one message a call, so that a full table arriving can be taken in slices:
 * leave the loop when the time is up and come back. `pending` tells bgp_fsm_tick that bytes that
 * were read, or could be, are still waiting, so that our own slowness is not taken for the
 * neighbour's silence; the deadline may then lie in the past. What `send` doesn't get rid of at
 * once has to be kept: it is overwritten by the next event. Times are monotonic nanoseconds.
 *
 * Of the routes: one table a neighbour. Lost sessions leave them stale; `up` and on.preserved, the
 * End-of-RIB (changes.end_of_rib), the end of a refresh and the grace period say which go when. Of
 * a prefix with several path ids the best route counts (route/best.h). Worth counting: messages by
 * type, changes.severity by attribute, passed_over, ends by reason, refused connections. */

#include "bgp/open.h"
#include "bgp/update.h"

#define BGP_FSM_INPUT_BYTES BGP_EXTENDED_MESSAGE_MAX

/* RFC 4271 section 8.2.2. The numbers are those of MRT state records. */
enum bgp_state {
	BGP_IDLE = 1,    /* over; the machine is of no more use */
	BGP_CONNECT,     /* never entered: we don't connect */
	BGP_ACTIVE,      /* waiting for the connection */
	BGP_OPEN_SENT,   /* waiting for the neighbour's OPEN */
	BGP_OPEN_CONFIRM, /* waiting for its KEEPALIVE */
	BGP_ESTABLISHED,
};
#define BGP_STATES (BGP_ESTABLISHED + 1)
const char *bgp_state_name(enum bgp_state state); /* "OpenSent" */

/* A neighbour, as configured; outlives the machines. */
struct bgp_fsm_config {
	uint32_t local_as, peer_as;
	uint8_t local_id[4];
	uint16_t hold_s; /* what we offer; 0: no keepalives; not 1 or 2 */
	struct bgp_capabilities offer; /* bgp_fsm_offer's, or less */
};
/* What a collector offers: the families, 4-byte AS numbers, route refresh, ADD-PATH received, long
 * messages, IPv6 next hops of IPv4 prefixes, and graceful restart as a helper without families of
 * its own (which makes most daemons send End-of-RIB). */
struct bgp_capabilities bgp_fsm_offer(uint32_t local_as, uint8_t families);

enum bgp_down {
	BGP_DOWN_NOT,
	BGP_DOWN_LOST,      /* the connection closed or broke without a NOTIFICATION */
	BGP_DOWN_RECEIVED,  /* the neighbour sent one */
	BGP_DOWN_SILENT,    /* its hold time is over */
	BGP_DOWN_FAULT,     /* it sent what it may not */
	BGP_DOWN_STOPPED,   /* bgp_fsm_stop */
	BGP_DOWN_COLLISION, /* in favour of the neighbour's other connection */
};

/* What the owner shall do, in this order. */
struct bgp_actions {
	/* Send this to the neighbour; valid until the machine's next event. */
	struct view send;
	/* ESTABLISHED: fsm->on holds. Of the routes kept from the last session, those of families
	 * that are not in on.preserved go at once, the others with the End-of-RIB or after the grace
	 * period. */
	bool up;
	/* *ret_changes is filled: apply it. */
	bool update;
	/* The neighbour begins or ends (RFC 7313) sending a family again: when it ends, routes of it
	 * not seen in between are gone. */
	bool refresh;
	enum bgp_refresh_kind refresh_kind;
	enum bgp_family refresh_family;
	/* The connection is over, the machine IDLE: close it once `send` is out. */
	enum bgp_down down;
	/* With down: received or sent; code 0: none. Valid as long as the input is, and until the
	 * machine's next event. */
	struct bgp_notification notification;
	/* With down: it was ESTABLISHED, so its routes become stale; RFC 4724 asks those of the
	 * families in `keep` to be kept for keep_s. */
	bool was_up;
	uint8_t keep;
	uint16_t keep_s;
	/* The paired machine lost the collision: bgp_fsm_replace it. */
	bool stop_other;
	/* The paired machine is established and stays; it may be dead: bgp_fsm_probe it. */
	bool probe_other;
};

struct bgp_fsm {
	const struct bgp_fsm_config *config;
	struct bgp_fsm *other; /* see bgp_fsm_pair */
	enum bgp_state state;
	uint64_t hold_at_ns, keepalive_at_ns; /* UINT64_MAX: not running */
	uint64_t hold_ns;         /* 0: none */
	struct bgp_open peer;     /* from its OPEN on, acceptable or not */
	struct bgp_negotiated on; /* of the neighbour's routes; from OPEN_CONFIRM on */
	uint8_t complete;         /* families whose End-of-RIB has come */
	uint8_t out[512];
};

/* State ACTIVE, without a pair. */
void bgp_fsm_init(struct bgp_fsm *f, const struct bgp_fsm_config *config);
/* Makes known that two connections are of one neighbour, so that collisions (RFC 4271 section 6.8)
 * are seen. other may be NULL. bgp_fsm_unpair before either one's memory goes. */
void bgp_fsm_pair(struct bgp_fsm *f, struct bgp_fsm *other);
void bgp_fsm_unpair(struct bgp_fsm *f);

void bgp_fsm_connected(struct bgp_fsm *f, uint64_t now_ns, struct bgp_actions *ret);
/* Handles the next message in r, which then stands behind it. False: there is no whole message (or
 * the machine is IDLE), and *ret says to do nothing. */
bool bgp_fsm_input(struct bgp_fsm *f, struct rd *r, uint64_t now_ns, struct bgp_actions *ret,
	struct bgp_changes *ret_changes) MUST_USE;
void bgp_fsm_lost(struct bgp_fsm *f, struct bgp_actions *ret);
/* Timers that are due. */
void bgp_fsm_tick(struct bgp_fsm *f, uint64_t now_ns, bool pending, struct bgp_actions *ret);
/* When bgp_fsm_tick wants to be called; UINT64_MAX: never. */
uint64_t bgp_fsm_deadline(const struct bgp_fsm *f);
/* Ends the connection with a Cease, as BGP_ERROR_CEASE_SHUTDOWN. */
void bgp_fsm_stop(struct bgp_fsm *f, enum bgp_error error, struct bgp_actions *ret);
/* Ends the connection because of an action's stop_other. */
void bgp_fsm_replace(struct bgp_fsm *f, struct bgp_actions *ret);
/* Sends a KEEPALIVE out of turn: a neighbour that has forgotten the connection answers with a
 * reset. */
void bgp_fsm_probe(struct bgp_fsm *f, uint64_t now_ns, struct bgp_actions *ret);
/* Asks for a family's routes again. Nothing to send unless ESTABLISHED and on.route_refresh. */
void bgp_fsm_refresh(struct bgp_fsm *f, enum bgp_family family, struct bgp_actions *ret);
