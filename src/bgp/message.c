/* SPDX-License-Identifier: BSD-2-Clause */

/* BGP messages: the framing, and the small ones.
 *
 * Decoder and encoder of a message stand next to each other under one wire diagram. The framing
 * checks everything that RFC 4271 section 6.1 asks of a header, the lengths that each type may have
 * included, so that decoders behind it get a body of at least the fixed size; they check again all
 * the same, since BMP brings messages by other ways. A stream that fails once can't be read on:
 * there is nothing in it to find the next message by.
 *
 * RFC 4271 sections 4 and 6.1, 8654 (long messages), 2918 and 7313 (route refresh), 4486, 8538 and
 * 9003 (what a Cease says).
 *
 * Left out: outbound route filters within a ROUTE-REFRESH (RFC 5291), dynamic capabilities. */

#include "bgp/message.h"

#include <errno.h>
#include <stdio.h>

#include "base/utf8.h"

#define NOTHING ((struct view){NULL, 0})

static const uint8_t marker[16] = {
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

int bgp_family(uint16_t afi, uint8_t safi)
{
	if (safi != BGP_SAFI_UNICAST)
		return -1;
	return afi == BGP_AFI_IPV4 ? BGP_IPV4_UNICAST : afi == BGP_AFI_IPV6 ? BGP_IPV6_UNICAST : -1;
}

uint16_t bgp_family_afi(enum bgp_family family)
{
	return family == BGP_IPV4_UNICAST ? BGP_AFI_IPV4 : BGP_AFI_IPV6;
}

static int refuse(enum bgp_error error, struct view data, struct bgp_notification *ret_fault)
{
	*ret_fault = bgp_fault(error, data);
	return -EBADMSG;
}

/* RFC 4271 section 6.1; RFC 8654 section 4: OPEN and KEEPALIVE stay short. */
static bool length_ok(unsigned type, size_t len)
{
	switch ((enum bgp_message_type)type) {
	case BGP_MESSAGE_OPEN:
		return len >= 29 && len <= BGP_MESSAGE_MAX;
	case BGP_MESSAGE_UPDATE:
		return len >= 23;
	case BGP_MESSAGE_NOTIFICATION:
		return len >= 21;
	case BGP_MESSAGE_KEEPALIVE:
		return len == BGP_HEADER_BYTES;
	case BGP_MESSAGE_REFRESH: /* its own code of error: section 5 of RFC 7313 */
		return true;
	}
	return false;
}

/* RFC 4271 section 4.1: marker (16), all ones | length (2), header included | type (1) */
int bgp_message_next(
	struct rd *r, size_t max, struct bgp_message *ret, struct bgp_notification *ret_fault)
{
	if (rd_left(r) < BGP_HEADER_BYTES)
		return 0;
	struct rd h = *r;
	struct view mark = rd_bytes(&h, sizeof(marker));
	struct view length = rd_bytes(&h, 2);
	struct view type = rd_bytes(&h, 1);
	struct rd length_reader = rd_view(length);
	size_t len = rd_u16(&length_reader);
	if (memcmp(mark.data, marker, sizeof(marker)) != 0)
		return refuse(BGP_ERROR_HEADER_NOT_SYNCHRONIZED, NOTHING, ret_fault);
	if (len < BGP_HEADER_BYTES || len > max)
		return refuse(BGP_ERROR_HEADER_LENGTH, length, ret_fault);
	if (type.data[0] < BGP_MESSAGE_OPEN || type.data[0] > BGP_MESSAGE_REFRESH)
		return refuse(BGP_ERROR_HEADER_TYPE, type, ret_fault);
	if (!length_ok(type.data[0], len))
		return refuse(BGP_ERROR_HEADER_LENGTH, length, ret_fault);
	len -= BGP_HEADER_BYTES;
	if (len > rd_left(&h))
		return 0;
	*ret = (struct bgp_message){.type = type.data[0], .body = rd_bytes(&h, len),
		.whole = {mark.data, BGP_HEADER_BYTES + len}};
	*r = h;
	return 1;
}

size_t bgp_message_begin(struct wr *w, enum bgp_message_type type)
{
	size_t at = wr_len(w);
	wr_bytes(w, marker, sizeof(marker));
	wr_u16(w, 0);
	wr_u8(w, (uint8_t)type);
	return at;
}

void bgp_message_end(struct wr *w, size_t at)
{
	if (!wr_ok(w))
		return;
	struct wr length = wr_make(w->start + at + sizeof(marker), 2);
	wr_u16(&length, (uint16_t)(wr_len(w) - at));
}

int bgp_notification_decode(struct view body, struct bgp_notification *ret)
{
	struct rd r = rd_view(body);
	struct bgp_notification n;
	n.code = rd_u8(&r);
	n.subcode = rd_u8(&r);
	if (!rd_ok(&r))
		return -EBADMSG;
	n.data = rd_rest(&r);
	*ret = n;
	return 0;
}

void bgp_notification_encode(struct wr *w, const struct bgp_notification *n)
{
	size_t at = bgp_message_begin(w, BGP_MESSAGE_NOTIFICATION);
	wr_u8(w, n->code);
	wr_u8(w, n->subcode);
	if (n->data.len <= wr_left(w))
		wr_bytes(w, n->data.data, n->data.len);
	bgp_message_end(w, at);
}

static const char *notification_text(unsigned code, unsigned subcode)
{
	switch (code << 8 | subcode) {
#define NOTIFICATION(name, code, subcode, text) \
	case BGP_ERROR_##name:                  \
		return text;
#include "bgp/notifications.def"
#undef NOTIFICATION
	}
	return NULL;
}

const char *bgp_notification_code(const struct bgp_notification *n)
{
	const char *text = notification_text(n->code, 0);
	return text ? text : "unknown error";
}

const char *bgp_notification_subcode(const struct bgp_notification *n)
{
	return n->subcode ? notification_text(n->code, n->subcode) : NULL;
}

static bool is_cease(const struct bgp_notification *n, enum bgp_error error)
{
	return (unsigned)(n->code << 8 | n->subcode) == (unsigned)error;
}

/* RFC 9003 section 2: length (1) | UTF-8 */
bool bgp_shutdown_text(const struct bgp_notification *n, struct view *ret)
{
	if (!is_cease(n, BGP_ERROR_CEASE_SHUTDOWN) && !is_cease(n, BGP_ERROR_CEASE_RESET))
		return false;
	struct rd r = rd_view(n->data);
	struct view text = rd_bytes(&r, rd_u8(&r));
	if (!rd_done(&r) || !text.len || !utf8_printable((const char *)text.data, text.len))
		return false;
	*ret = text;
	return true;
}

bool bgp_hard_reset(const struct bgp_notification *n, struct bgp_notification *ret)
{
	return is_cease(n, BGP_ERROR_CEASE_HARD_RESET) &&
	       bgp_notification_decode(n->data, ret) == 0;
}

const char *bgp_notification_format(
	const struct bgp_notification *n, char buf[static BGP_NOTIFICATION_TEXT_MAX])
{
	char code[48], subcode[48] = "", text[270] = "";
	struct bgp_notification inner;
	struct view said;
	bool hard = bgp_hard_reset(n, &inner);
	const struct bgp_notification *named = hard ? &inner : n;
	const char *name = notification_text(named->code, 0);
	if (name)
		(void)snprintf(code, sizeof(code), "%s", name);
	else
		(void)snprintf(code, sizeof(code), "error %u", named->code);
	name = bgp_notification_subcode(named);
	if (name)
		(void)snprintf(subcode, sizeof(subcode), ": %s", name);
	else if (named->subcode)
		(void)snprintf(subcode, sizeof(subcode), ": subcode %u", named->subcode);
	if (bgp_shutdown_text(named, &said))
		(void)snprintf(
			text, sizeof(text), ": \"%.*s\"", (int)said.len, (const char *)said.data);
	(void)snprintf(buf, BGP_NOTIFICATION_TEXT_MAX, "%s%s%s%s", hard ? "Hard Reset: " : "", code,
		subcode, text);
	return buf;
}

void bgp_keepalive_encode(struct wr *w)
{
	bgp_message_end(w, bgp_message_begin(w, BGP_MESSAGE_KEEPALIVE));
}

int bgp_refresh_decode(const struct bgp_message *message, struct bgp_refresh *ret,
	struct bgp_notification *ret_fault)
{
	struct rd r = rd_view(message->body);
	struct bgp_refresh refresh;
	refresh.afi = rd_u16(&r);
	refresh.kind = rd_u8(&r);
	refresh.safi = rd_u8(&r);
	bool fixed = refresh.kind == BGP_REFRESH_BEGIN || refresh.kind == BGP_REFRESH_END;
	if (!rd_ok(&r) || (fixed && !rd_done(&r)))
		return refuse(BGP_ERROR_REFRESH_LENGTH, message->whole, ret_fault); /* RFC 7313 section 5 */
	*ret = refresh;
	return 0;
}

void bgp_refresh_encode(struct wr *w, const struct bgp_refresh *refresh)
{
	size_t at = bgp_message_begin(w, BGP_MESSAGE_REFRESH);
	wr_u16(w, refresh->afi);
	wr_u8(w, refresh->kind);
	wr_u8(w, refresh->safi);
	bgp_message_end(w, at);
}
