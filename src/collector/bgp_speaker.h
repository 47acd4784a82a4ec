/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The BGP side: listens for the neighbours that sources name, and never announces a route (bgp/fsm.h has the
 * machine). Each source `bgp` is a neighbour, known by the address it connects from; what comes from elsewhere
 * is closed and counted. A neighbour may have a TCP-MD5 password (RFC 2385). Data-plane thread. */

#include "collector/listen.h"
#include "collector/peer.h"
#include "collector/world.h"

struct bgp_speaker;

/* Binds the addresses of the configuration's section `bgp` (none: nothing listens). */
int bgp_speaker_new(struct peers *all, const struct world *world, struct bgp_speaker **ret, struct error *err) MUST_USE;
/* Ends all sessions, saying so. */
void bgp_speaker_free(struct bgp_speaker *s);

/* Goes over to what the tables were configured to: neighbours for new sources, new passwords. Errors name the
 * neighbour, whose connections are refused then. */
int bgp_speaker_configure(struct bgp_speaker *s, const struct world *world, struct error *err) MUST_USE;
/* A source is about to go. */
void bgp_speaker_drop(struct bgp_speaker *s, struct table_source *source);
int bgp_speaker_start(struct bgp_speaker *s, struct error *err) MUST_USE;

const struct listener *bgp_speaker_listener(const struct bgp_speaker *s);
/* Connections from addresses that no source names. */
uint64_t bgp_speaker_refused(const struct bgp_speaker *s);
/* "Established", or how far a session has come; NULL: there is none. */
const char *bgp_speaker_state(const struct table_source *source);
