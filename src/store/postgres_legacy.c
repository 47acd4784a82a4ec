/* SPDX-License-Identifier: BSD-2-Clause */

/* Views under the names of the system that was before whereto, for queries and reports that were written for it.
 * They are not made by the collector: a person runs them in the schema of his choice. Their sources are named
 * with their schema, so it does not matter which. docs/schema.md says what is what.
 *
 * The old tables had one row for each hour, prefix, router and type; ours tell the AS path apart as well, and
 * what is not merged yet, so everything is summed here. */

#include "store/postgres.h"

/* Of UTC, as our hours are; what date_trunc takes for one depends on the session's time zone. */
#define THIS_HOUR "3600 * floor(extract(epoch FROM now()) / 3600)::bigint"

/* The old columns, from ours. */
static const char sums[] =
	"sum(f.bytes_sent)::bigint AS bytes, sum(f.packets_sent)::bigint AS packets,\n"
	"    sum(f.packets_retransmitted)::bigint AS retrans, sum(f.connections)::bigint AS conns,\n"
	"    sum(f.requests)::bigint AS requests, sum(f.rtt_sum_us)::bigint AS rtt_sum_us, sum(f.rtt_count)::bigint AS rtt_count";

static void add_names(struct sql *s, const char *view, const char *column)
{
	sql_add(s, "CREATE OR REPLACE VIEW %s AS\n"
		"  SELECT n.id, n.name FROM whereto.names n WHERE n.id IN (SELECT %s FROM whereto.total_day);\n\n", view, column);
}

/* By prefix; `time` says what the old column of the time was. */
static void add_prefixes(struct sql *s, const char *view, const char *time, const char *table, const char *where)
{
	sql_add(s, "CREATE OR REPLACE VIEW %s AS\n"
		"  SELECT %s, nullif(f.router, 0) AS router, nullif(f.type, 0) AS traffic,\n"
		"    p.prefix AS pfx, nullif(f.origin, 0) AS asn, %s\n"
		"  FROM whereto.%s f LEFT JOIN whereto.prefixes p ON p.id = f.prefix%s\n"
		"  GROUP BY f.ts, f.router, f.type, p.prefix, f.origin;\n\n", view, time, sums, table, where);
}

void pg_legacy_views(struct sql *s)
{
	add_names(s, "router", "router");
	add_names(s, "traffic", "type");
	sql_add(s, "CREATE OR REPLACE VIEW cntry AS\n"
		"  SELECT range AS rng, country AS cn FROM whereto.country_ranges;\n\n");
	/* Of each network with traffic in the last day, the route that the last of it had. */
	sql_add(s, "CREATE OR REPLACE VIEW pfxtmp AS\n"
		"  SELECT DISTINCT ON (f.router, f.prefix) nullif(f.router, 0) AS router, p.prefix AS pfx,\n"
		"    left(a.path, 255) AS aspath, nullif(f.origin, 0) AS asn\n"
		"  FROM whereto.flow_hour f JOIN whereto.prefixes p ON p.id = f.prefix JOIN whereto.paths a ON a.id = f.path\n"
		"  WHERE f.ts >= extract(epoch FROM now())::bigint - 86400\n"
		"  ORDER BY f.router, f.prefix, f.ts DESC, f.bytes_sent DESC;\n\n");
	add_prefixes(s, "iptraf", "to_timestamp(f.ts) AS time", "flow_hour",
		"\n  WHERE f.ts >= " THIS_HOUR);
	add_prefixes(s, "iptraf_arch", "to_timestamp(f.ts) AS time", "flow_hour",
		"\n  WHERE f.ts < " THIS_HOUR);
	add_prefixes(s, "iptraf_dt", "(to_timestamp(f.ts) AT TIME ZONE 'UTC')::date AS dt", "flow_day", "");
	sql_add(s, "CREATE OR REPLACE VIEW iptraf_cn AS\n"
		"  SELECT to_timestamp(f.ts) AS time, nullif(f.router, 0) AS router, nullif(f.type, 0) AS traffic,\n"
		"    CASE WHEN f.country > 0 THEN chr(f.country >> 8) || chr(f.country & 255) END AS cn,\n    %s\n"
		"  FROM whereto.country_hour f GROUP BY f.ts, f.router, f.type, f.country;\n", sums);
}
