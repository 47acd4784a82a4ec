/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/strikes.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define MINUTE_NS (60 * NS_PER_S)
#define NET_BYTES 8 /* of an IPv6 address that one customer has */

void http_strikes_init(struct http_strikes *s)
{
	memset(s->sets, 0, sizeof(s->sets));
	s->log = (struct log_limit){0};
	(void)pthread_mutex_init(&s->lock, NULL);
}

void http_strikes_done(struct http_strikes *s)
{
	(void)pthread_mutex_destroy(&s->lock);
}

static bool is_local(const struct addr *a)
{
	static const struct addr v6 = {ADDR_V6, {[15] = 1}};
	return (a->family == ADDR_V4 && a->bytes[0] == 127) || addr_equal(a, &v6) || a->family == ADDR_NONE;
}

static struct addr counted_as(const struct addr *a)
{
	struct addr net = *a;
	if (a->family == ADDR_V6)
		memset(net.bytes + NET_BYTES, 0, sizeof(net.bytes) - NET_BYTES);
	return net;
}

static struct strike *set_of(struct http_strikes *s, const struct addr *net)
{
	return s->sets[hash_bytes(net->bytes, sizeof(net->bytes)) % STRIKES_SETS];
}

/* Its own, while its minute lasts; NULL: none. */
static struct strike *find(struct strike *set, const struct addr *net, uint64_t now_ns)
{
	for (unsigned i = 0; i < STRIKES_WAYS; i++)
		if (addr_equal(&set[i].addr, net) && now_ns - set[i].since_ns < MINUTE_NS)
			return &set[i];
	return NULL;
}

static struct strike *place_in(struct strike *set)
{
	struct strike *oldest = set;
	for (unsigned i = 1; i < STRIKES_WAYS; i++)
		if (set[i].since_ns < oldest->since_ns)
			oldest = &set[i];
	return oldest;
}

void http_strikes_add(struct http_strikes *s, const struct addr *from, uint64_t now_ns)
{
	struct addr net = counted_as(from);
	char text[ADDR_TEXT_MAX];
	if (is_local(from))
		return;
	(void)pthread_mutex_lock(&s->lock);
	struct strike *set = set_of(s, &net), *own = find(set, &net, now_ns);
	if (!own) {
		own = place_in(set);
		*own = (struct strike){.addr = net, .since_ns = now_ns};
	}
	if (++own->count == STRIKES_MAX)
		log_limited(&s->log, LOG_LEVEL_WARNING, "http: %u wrong tokens from %s within a minute: none from there is looked at until it is over",
			STRIKES_MAX, addr_format(from, text));
	(void)pthread_mutex_unlock(&s->lock);
}

bool http_strikes_out(struct http_strikes *s, const struct addr *from, uint64_t now_ns)
{
	struct addr net = counted_as(from);
	if (is_local(from))
		return false;
	(void)pthread_mutex_lock(&s->lock);
	const struct strike *own = find(set_of(s, &net), &net, now_ns);
	bool out = own && own->count >= STRIKES_MAX;
	(void)pthread_mutex_unlock(&s->lock);
	return out;
}
