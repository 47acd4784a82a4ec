/* SPDX-License-Identifier: BSD-2-Clause */
#include "../../contract/store_contract.h"
#include "wt_postgres.h"
#include "wt_test.h"

static void fresh_url(char *buf, size_t cap)
{
	char name[32];
	pg_fresh(name);
	pg_url(buf, cap, "wt", name);
}

static bool server(bool up)
{
	if (up)
		return pg_start();
	pg_stop();
	return true;
}

int main(void)
{
	struct error err;
	const char *missing = pg_missing();
	if (missing) {
		printf("1..0 # SKIP %s\n", missing);
		return 0;
	}
	wt_random_init();
	if (!pg_create()) {
		print_error("no server: see %s/log\n", pg.folder);
		return 1;
	}
	struct store_contract contract = {store_find("postgresql://x", &err), fresh_url, server, true};
	int failed = store_contract_run(&contract);
	pg_destroy();
	return failed;
}
