/* SPDX-License-Identifier: BSD-2-Clause */

/* While queries take their time: what everybody may ask is answered, what asks the data plane too, other queries wait their turn, and a query
 * whose client has gone is given up. */

#include "asking.h"

#define QUERY   "/api/v1/top?by="

static void health_does_not_wait(void **state)
{
	struct fake_store *store = fake_store_new();
	struct http_server *server = serve(store);
	int waiting[THREADS + 3];
	store->slow = true;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		waiting[i] = ask(server, QUERY);
	wait_running(store, THREADS);
	assert_int_equal(status_of(ask(server, "/healthz")), 200);
	assert_int_equal(status_of(ask(server, "/api/v1/session")), 200);
	assert_int_equal(status_of(ask(server, "/api/v1/senders")), 200);
	assert_int_equal(status_of(ask(server, "/api/v1/lookup?address=192.0.2.1")), 200);
	assert_int_equal(store->running, THREADS);
	store->slow = false;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		assert_int_equal(status_of(waiting[i]), 200);
	http_free(server);
	fake_store_free(store);
}

/* Two that work and two that wait are abandoned: nobody works for them, and the next is answered. */
static void abandoned(void **state)
{
	struct fake_store *store = fake_store_new();
	struct http_server *server = serve(store);
	int waiting[THREADS + 2];
	store->slow = true;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		waiting[i] = ask(server, QUERY);
	wait_running(store, THREADS);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		(void)close(waiting[i]);
	wait_running(store, 0);
	store->slow = false;
	assert_int_equal(status_of(ask(server, QUERY)), 200);
	http_free(server);
	fake_store_free(store);
}

/* Stopping waits for what was begun. */
static void stop(void **state)
{
	struct fake_store *store = fake_store_new();
	struct http_server *server = serve(store);
	store->slow = true;
	int fd = ask(server, QUERY);
	wait_running(store, 1);
	store->slow = false;
	http_free(server);
	assert_int_equal(store->readers_open, 0);
	(void)close(fd);
	fake_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(health_does_not_wait), cmocka_unit_test(abandoned), cmocka_unit_test(stop)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
