/* SPDX-License-Identifier: BSD-2-Clause */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../contract/store_contract.h"
#include "wt_test.h"

static char folder[] = "/tmp/wt_contract_XXXXXX";

static void fresh_url(char *buf, size_t cap)
{
	static int files;
	(void)snprintf(buf, cap, "sqlite:%s/%d.db", folder, files++);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(void)
{
	struct error err;
	wt_random_init();
	if (!mkdtemp(folder))
		return 1;
	struct store_contract contract = {store_find("sqlite:x", &err), fresh_url, NULL, true};
	int failed = store_contract_run(&contract);
	(void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return failed;
}
