/* SPDX-License-Identifier: BSD-2-Clause */

/* Text forms go through inet_pton and inet_ntop, so they are exactly the C library's (RFC 5952 for
 * IPv6). Everything else is arithmetic on sixteen bytes. */

#include "base/address.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct addr addr_from_v4(const uint8_t bytes[static 4])
{
	struct addr a = {.family = ADDR_V4};
	memcpy(a.bytes, bytes, 4);
	return a;
}

struct addr addr_from_v6(const uint8_t bytes[static 16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return addr_from_v4(bytes + 12);
	struct addr a = {.family = ADDR_V6};
	memcpy(a.bytes, bytes, 16);
	return a;
}

struct addr addr_from_sockaddr(const struct sockaddr *sa, uint16_t *ret_port)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;
		if (ret_port)
			*ret_port = ntohs(in->sin_port);
		return addr_from_v4((const uint8_t *)&in->sin_addr);
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;
		if (ret_port)
			*ret_port = ntohs(in6->sin6_port);
		return addr_from_v6(in6->sin6_addr.s6_addr);
	}
	return (struct addr){.family = ADDR_NONE};
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == ADDR_V4) {
		struct sockaddr_in *in = (void *)ret;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)ret;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof(*in6);
}

int addr_parse(const char *text, struct addr *ret)
{
	uint8_t bytes[16];
	if (inet_pton(AF_INET, text, bytes) == 1) {
		*ret = addr_from_v4(bytes);
		return 0;
	}
	if (inet_pton(AF_INET6, text, bytes) == 1) {
		*ret = addr_from_v6(bytes);
		return 0;
	}
	return -EINVAL;
}

const char *addr_format(const struct addr *a, char buf[static ADDR_TEXT_MAX])
{
	int family = a->family == ADDR_V4 ? AF_INET : AF_INET6;
	if (a->family == ADDR_NONE || !inet_ntop(family, a->bytes, buf, ADDR_TEXT_MAX))
		(void)snprintf(buf, ADDR_TEXT_MAX, "-");
	return buf;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	int c = memcmp(a, b, sizeof(*a));
	return (c > 0) - (c < 0);
}

/* The first n of 64 bits, in the order of the network. */
static uint64_t first_bits(unsigned n)
{
	return n ? htobe64(~UINT64_C(0) << (64 - n)) : 0;
}

struct prefix prefix_make(const struct addr *a, unsigned len)
{
	uint64_t halves[2];
	if (len > addr_bits(a))
		len = addr_bits(a);
	memcpy(halves, a->bytes, sizeof(halves));
	halves[0] &= first_bits(len < 64 ? len : 64);
	halves[1] &= first_bits(len < 64 ? 0 : len - 64);
	struct prefix p = {.addr.family = a->family, .len = (uint8_t)len};
	memcpy(p.addr.bytes, halves, sizeof(halves));
	return p;
}

int prefix_parse(const char *text, struct prefix *ret, struct error *err)
{
	char host[ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	if (n >= sizeof(host))
		return error_set(err, -EINVAL, "'%.60s' is not an address or prefix", text);
	memcpy(host, text, n);
	host[n] = '\0';

	struct addr a;
	if (addr_parse(host, &a) < 0)
		return error_set(err, -EINVAL, "'%.60s' is not an address or prefix", text);
	unsigned long len = addr_bits(&a);
	if (slash) {
		char *end;
		errno = 0;
		len = strtoul(slash + 1, &end, 10);
		if (errno || end == slash + 1 || *end || slash[1] < '0' || slash[1] > '9' || len > addr_bits(&a))
			return error_set(err, -EINVAL, "'%.60s' has no valid prefix length (0 to %u)", text,
				addr_bits(&a));
	}
	struct prefix p = prefix_make(&a, (unsigned)len);
	if (!addr_equal(&p.addr, &a)) {
		char buf[PREFIX_TEXT_MAX];
		return error_set(err, -EINVAL, "'%.60s' has host bits set; did you mean %s?", text,
			prefix_format(&p, buf));
	}
	*ret = p;
	return 0;
}

const char *prefix_format(const struct prefix *p, char buf[static PREFIX_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];
	(void)snprintf(buf, PREFIX_TEXT_MAX, "%s/%u", addr_format(&p->addr, host), p->len);
	return buf;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	if (p->addr.family != a->family)
		return false;
	unsigned whole = p->len / 8;
	if (memcmp(p->addr.bytes, a->bytes, whole) != 0)
		return false;
	unsigned rest = p->len % 8;
	return !rest || ((p->addr.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int c = memcmp(a, b, sizeof(*a));
	return (c > 0) - (c < 0);
}

static int parse_port(const char *text, const char *port, uint16_t *ret, struct error *err)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(port, &end, 10);
	if (errno || end == port || *end || *port < '0' || *port > '9' || v > 65535)
		return error_set(err, -EINVAL, "'%.100s' has no valid port (0 to 65535)", text);
	*ret = (uint16_t)v;
	return 0;
}

/* Splits "host:port" and "[host]:port"; host is copied without brackets. *ret_service is the port as text. */
static int split_hostport(const char *text, char *host, size_t cap, const char **ret_service, uint16_t *ret_port,
	struct error *err)
{
	const char *start = text, *end, *port;
	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		if (!end || end[1] != ':')
			return error_set(err, -EINVAL, "'%.100s' is not [ADDRESS]:PORT", text);
		port = end + 2;
	} else {
		end = strrchr(text, ':');
		if (!end)
			return error_set(err, -EINVAL, "'%.100s' is not HOST:PORT", text);
		if (memchr(text, ':', (size_t)(end - text)))
			return error_set(err, -EINVAL, "'%.100s': write an IPv6 address as [ADDRESS]:PORT", text);
		port = end + 1;
	}
	size_t n = (size_t)(end - start);
	if (n == 0 || n >= cap)
		return error_set(err, -EINVAL, "'%.100s' is not HOST:PORT", text);
	memcpy(host, start, n);
	host[n] = '\0';
	*ret_service = port;
	return parse_port(text, port, ret_port, err);
}

int hostport_parse(const char *text, struct addr *ret_addr, uint16_t *ret_port, struct error *err)
{
	char host[ADDR_TEXT_MAX];
	const char *port;
	uint16_t p;
	int r = split_hostport(text, host, sizeof(host), &port, &p, err);
	if (r < 0)
		return r;
	if (addr_parse(host, ret_addr) < 0)
		return error_set(err, -EINVAL, "'%.100s': '%s' is not an IP address", text, host);
	*ret_port = p;
	return 0;
}

const char *hostport_format(const struct addr *a, uint16_t port, char buf[static HOSTPORT_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];
	(void)snprintf(buf, HOSTPORT_TEXT_MAX, a->family == ADDR_V6 ? "[%s]:%u" : "%s:%u",
		addr_format(a, host), port);
	return buf;
}

int hostport_resolve(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len, struct error *err)
{
	char host[256];
	const char *port;
	uint16_t p;
	int r = split_hostport(text, host, sizeof(host), &port, &p, err);
	if (r < 0)
		return r;
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *info;
	int gai = getaddrinfo(host, port, &hints, &info);
	if (gai)
		return error_set(err, -EHOSTUNREACH, "'%.100s': cannot resolve '%s': %s", text, host, gai_strerror(gai));
	memcpy(ret, info->ai_addr, info->ai_addrlen);
	*ret_len = info->ai_addrlen;
	freeaddrinfo(info);
	return 0;
}
