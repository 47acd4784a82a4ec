/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* IP addresses and prefixes. An IPv4-mapped IPv6 address (::ffff:a.b.c.d, what a dual-stack socket
 * shows) is always turned into the IPv4 address it stands for; the rest of the program never sees
 * one. Plain values, freely copied; unused bytes are zero, so two equal values have equal bytes. */

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

enum { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

struct addr {
	uint8_t family;    /* ADDR_NONE, ADDR_V4, ADDR_V6 */
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

struct prefix {
	struct addr addr; /* host bits are zero */
	uint8_t len;      /* 0..32 or 0..128 */
};

#define ADDR_TEXT_MAX 46                  /* with the final NUL */
#define PREFIX_TEXT_MAX 50                /* with the final NUL */
#define HOSTPORT_TEXT_MAX (ADDR_TEXT_MAX + 8) /* "[v6]:65535" */

static inline unsigned addr_bits(const struct addr *a)
{
	return a->family == ADDR_V4 ? 32 : 128;
}

static inline unsigned addr_size(const struct addr *a)
{
	return a->family == ADDR_V4 ? 4 : 16;
}

/* Bit i of the address, counted from the most significant. */
static inline unsigned addr_bit(const struct addr *a, unsigned i)
{
	return (a->bytes[i / 8] >> (7 - i % 8)) & 1;
}

struct addr addr_from_v4(const uint8_t bytes[static 4]);
/* Turns ::ffff:a.b.c.d into IPv4. */
struct addr addr_from_v6(const uint8_t bytes[static 16]);
/* ADDR_NONE when the socket address is neither IPv4 nor IPv6. *ret_port may be NULL. */
struct addr addr_from_sockaddr(const struct sockaddr *sa, uint16_t *ret_port);
/* Returns the length of the socket address written. */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ret);

/* Exactly one address in its usual text form, nothing around it. -EINVAL otherwise. */
int addr_parse(const char *text, struct addr *ret) MUST_USE;
/* Returns buf. */
const char *addr_format(const struct addr *a, char buf[static ADDR_TEXT_MAX]);

bool addr_equal(const struct addr *a, const struct addr *b);
/* IPv4 before IPv6, then by value: -1, 0, 1. */
int addr_cmp(const struct addr *a, const struct addr *b);

/* The prefix with the host bits cleared. len is capped at the address's bits. */
struct prefix prefix_make(const struct addr *a, unsigned len);
/* "192.0.2.0/24" or a bare address (then a /32 or /128). -EINVAL on anything else, host bits set
 * included; err (may be NULL) says what was wrong. */
int prefix_parse(const char *text, struct prefix *ret, struct error *err) MUST_USE;
const char *prefix_format(const struct prefix *p, char buf[static PREFIX_TEXT_MAX]);
bool prefix_contains(const struct prefix *p, const struct addr *a);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
int prefix_cmp(const struct prefix *a, const struct prefix *b);

/* "HOST:PORT" with a numeric host; IPv6 in brackets. Port 0 is allowed. */
int hostport_parse(const char *text, struct addr *ret_addr, uint16_t *ret_port, struct error *err) MUST_USE;
const char *hostport_format(const struct addr *a, uint16_t port, char buf[static HOSTPORT_TEXT_MAX]);
/* The same, but the host may be a name, which is resolved (blocking). */
int hostport_resolve(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len,
	struct error *err) MUST_USE;
