/* SPDX-License-Identifier: BSD-2-Clause */
#include "../../contract/store_contract.h"
#include "wt_clickhouse.h"
#include "wt_test.h"

static void fresh_url(char *buf, size_t cap)
{
	char name[32];
	ch_fresh(name);
	ch_url(buf, cap, "writer", name);
}

int main(void)
{
	struct error err;
	const char *missing;
	wt_random_init();
	bool there = ch_create(0, 1, &missing);
	if (missing) {
		printf("1..0 # SKIP %s\n", missing);
		return 0;
	}
	if (!there) {
		print_error("no server\n");
		return 1;
	}
	struct store_contract contract = {store_find("clickhouse://x", &err), fresh_url, false};
	int failed = store_contract_run(&contract);
	ch_destroy();
	return failed;
}
