/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* BGP messages: framing, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH. bgp/open.h has the OPEN,
 * bgp/update.h what is in an UPDATE. Pure: no I/O, no malloc, no log. Results are scalars and views
 * into the bytes given, valid as long as those are. The work is linear in the bytes.
 *
 * Used by the session (bgp/fsm.h) and by BMP, whose messages carry whole BGP messages. */

#include "bgp/attr.h"

#define BGP_HEADER_BYTES 19
#define BGP_MESSAGE_MAX 4096
#define BGP_EXTENDED_MESSAGE_MAX 65535 /* RFC 8654 */

enum bgp_message_type {
	BGP_MESSAGE_OPEN = 1,
	BGP_MESSAGE_UPDATE = 2,
	BGP_MESSAGE_NOTIFICATION = 3,
	BGP_MESSAGE_KEEPALIVE = 4,
	BGP_MESSAGE_REFRESH = 5, /* RFC 2918 */
};

/* The address families whose routes this program takes. Sets of them are bits 1 << family. */
enum bgp_family { BGP_IPV4_UNICAST, BGP_IPV6_UNICAST, BGP_FAMILIES };
#define BGP_ALL_FAMILIES ((1u << BGP_FAMILIES) - 1)

/* The family, or -1 for one that isn't taken. */
int bgp_family(uint16_t afi, uint8_t safi);
uint16_t bgp_family_afi(enum bgp_family family);
/* The unicast family of addresses of this kind (ADDR_V4, ADDR_V6), as a set of one. */
static inline uint8_t bgp_family_of_addr(unsigned addr_family)
{
	return addr_family == ADDR_V4 ? 1u << BGP_IPV4_UNICAST : 1u << BGP_IPV6_UNICAST;
}

/* A BGP identifier as the number that identifiers are compared as. */
static inline uint32_t bgp_id_number(const uint8_t id[static 4])
{
	struct rd r = rd_make(id, 4);
	return rd_u32(&r);
}

/* What a NOTIFICATION says: received, or to be sent. Code 0: none. */
struct bgp_notification {
	uint8_t code, subcode;
	struct view data; /* into the message that it is about, or that it came in; or static */
};

/* Code and subcode in one: code << 8 | subcode. */
enum bgp_error {
#define NOTIFICATION(name, code, subcode, text) BGP_ERROR_##name = (code) << 8 | (subcode),
#include "bgp/notifications.def"
#undef NOTIFICATION
};

static inline struct bgp_notification bgp_fault(enum bgp_error error, struct view data)
{
	return (struct bgp_notification){(uint8_t)(error >> 8), (uint8_t)(error & 0xff), data};
}

struct bgp_message {
	uint8_t type; /* enum bgp_message_type */
	struct view body;  /* behind the header */
	struct view whole; /* with it */
};

/* Takes one message off a stream. max: BGP_MESSAGE_MAX, or BGP_EXTENDED_MESSAGE_MAX where the
 * receiver announced extended messages. 1: a message, of a known type and of a length that its type
 * may have, and r stands behind it. 0: more bytes are needed, and r stands where it stood.
 * -EBADMSG: the stream can't be read any further, *ret_fault says why (nothing else writes it). */
int bgp_message_next(struct rd *r, size_t max, struct bgp_message *ret,
	struct bgp_notification *ret_fault) MUST_USE;

/* Writes a header; bgp_message_end fills in the length. Returns where the message starts. */
size_t bgp_message_begin(struct wr *w, enum bgp_message_type type);
void bgp_message_end(struct wr *w, size_t at);

/* RFC 4271 section 4.5: code (1) | subcode (1) | data. -EBADMSG when there are not even two bytes. */
int bgp_notification_decode(struct view body, struct bgp_notification *ret) MUST_USE;
/* A whole message; data is left out when the writer lacks the room for it. */
void bgp_notification_encode(struct wr *w, const struct bgp_notification *n);
/* "Cease: Administrative Shutdown". Static; with a code or subcode unknown, what is known. */
const char *bgp_notification_code(const struct bgp_notification *n);    /* "Cease", "unknown error" */
const char *bgp_notification_subcode(const struct bgp_notification *n); /* NULL: unspecific or unknown */
/* RFC 9003: the text sent along with a shutdown or reset. False when there is none, or it is not
 * printable UTF-8. */
bool bgp_shutdown_text(const struct bgp_notification *n, struct view *ret);
/* RFC 8538: the notification inside a Cease of subcode Hard Reset. */
bool bgp_hard_reset(const struct bgp_notification *n, struct bgp_notification *ret);

#define BGP_NOTIFICATION_TEXT_MAX 512
/* For logs: `Cease: Administrative Shutdown: "text"`, numbers for what has no name. Returns buf. */
const char *bgp_notification_format(
	const struct bgp_notification *n, char buf[static BGP_NOTIFICATION_TEXT_MAX]);

void bgp_keepalive_encode(struct wr *w);

/* RFC 2918, RFC 7313: AFI (2) | subtype (1) | SAFI (1), and filters (RFC 5291), which are passed
 * over. */
enum bgp_refresh_kind { BGP_REFRESH_ASK = 0, BGP_REFRESH_BEGIN = 1, BGP_REFRESH_END = 2 };
struct bgp_refresh {
	uint16_t afi;
	uint8_t kind, safi; /* kind: enum bgp_refresh_kind; others are to be ignored */
};
int bgp_refresh_decode(const struct bgp_message *message, struct bgp_refresh *ret,
	struct bgp_notification *ret_fault) MUST_USE;
void bgp_refresh_encode(struct wr *w, const struct bgp_refresh *refresh);
