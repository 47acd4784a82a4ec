/* SPDX-License-Identifier: BSD-2-Clause */

/* On one server; on a cluster with WT_CLICKHOUSE=2x1 or 2x2 (shards, replicas) in the environment, on a current ClickHouse with
 * WT_CLICKHOUSE=current or current-cluster. */
#include "../../contract/store_contract.h"
#include "wt_clickhouse.h"
#include "wt_test.h"

static void fresh_url(char *buf, size_t cap)
{
	char name[32];
	ch_fresh(name);
	ch_url(buf, cap, "writer", name);
}

static bool server(bool up)
{
	return ch_do(up ? "start" : "kill", 0);
}

int main(void)
{
	struct error err;
	const char *missing;
	wt_random_init();
	const char *wanted = getenv("WT_CLICKHOUSE");
	unsigned shards = 0, replicas = 1;
	(void)sscanf(wanted ? wanted : "", "%ux%u", &shards, &replicas);
	bool there = ch_create(shards, replicas, &missing);
	if (missing) {
		printf("1..0 # SKIP %s\n", missing);
		return 0;
	}
	if (!there) {
		print_error("no server\n");
		return 1;
	}
	struct store_contract contract = {store_find("clickhouse://x", &err), fresh_url, server, false};
	int failed = store_contract_run(&contract);
	ch_destroy();
	return failed;
}
