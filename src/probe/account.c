/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/account.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

static struct addr address(uint8_t family, const uint8_t bytes[static 16])
{
	if (family == AF_INET)
		return addr_from_v4(bytes);
	return family == AF_INET6 ? addr_from_v6(bytes) : (struct addr){0};
}

/* Nothing happened on the connection; that it is over is told all the same, if it was told of at all. */
static bool is_nothing(const struct probe_event *e, uint64_t duration_ms)
{
	bool figures = e->bytes_sent || e->bytes_received || e->packets_sent || e->packets_retransmitted;
	bool end = e->kind == PROBE_CLOSE && !(e->flags & PROBE_FIRST) && duration_ms;
	return !figures && !end;
}

bool account_event(const struct probe_event *e, uint64_t wall_ms, uint64_t mono_ns, struct record *ret)
{
	struct record r = {.client = address(e->family, e->remote), .server = address(e->family, e->local)};
	uint64_t ago_ms = mono_ns > e->time_ns ? (mono_ns - e->time_ns) / NS_PER_MS : 0;
	uint64_t *v = r.values;
	if (e->begin_ns && e->begin_ns < e->time_ns)
		v[FIELD_duration_ms] = (e->time_ns - e->begin_ns) / NS_PER_MS;
	if (r.client.family == ADDR_NONE || r.server.family == ADDR_NONE || is_nothing(e, v[FIELD_duration_ms]))
		return false;
	v[FIELD_bytes_sent] = e->bytes_sent;
	v[FIELD_bytes_received] = e->bytes_received;
	v[FIELD_packets_sent] = e->packets_sent;
	v[FIELD_packets_retransmitted] = e->packets_retransmitted;
	v[FIELD_bytes_retransmitted] = e->bytes_retransmitted;
	v[FIELD_packets_spurious] = e->packets_spurious;
	v[FIELD_connections] = e->flags & PROBE_FIRST ? 1 : 0;
	v[FIELD_connections_with_retransmit] = e->flags & PROBE_FIRST_RETRANSMIT ? 1 : 0;
	r.time_ms = wall_ms > ago_ms ? wall_ms - ago_ms : 0;
	r.approximate = e->flags & PROBE_APPROXIMATE;
	if (e->packets_sent && e->rtt_min_us) {
		r.rtt_us[0] = e->rtt_min_us;
		r.rtt_count = 1;
	}
	*ret = r;
	return true;
}
