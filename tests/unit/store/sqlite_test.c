/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../contract/store_contract.h"
#include "wt_test.h"

static char folder[] = "/tmp/wt_sqlite_XXXXXX";
static int files;

static void fresh_url(char *buf, size_t cap)
{
	(void)snprintf(buf, cap, "sqlite:%s/%d.db", folder, files++);
}

int main(void)
{
	struct error err;
	wt_random_init();
	if (!mkdtemp(folder))
		return 1;
	struct store_contract contract = {store_find("sqlite:x", &err), fresh_url};
	int failed = store_contract_run(&contract);
	return failed;
}
