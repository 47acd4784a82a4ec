/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What every store must do, whichever database is behind it. A store's test calls
 * store_contract_run with a function that gives the URL of a store that is empty. */

#include "store/store.h"

struct store_contract {
	const struct store_ops *ops;
	/* Writes the URL of a fresh, empty store. */
	void (*fresh_url)(char *buf, size_t cap);
	/* Ends the server, and starts it anew with its data; NULL: the store has none. */
	bool (*server)(bool up);
	bool in_shares; /* maintain deletes as much as store_config.share_rows says, and more when called again */
};

/* Runs the suite; returns what cmocka's runner does. */
int store_contract_run(const struct store_contract *contract);
