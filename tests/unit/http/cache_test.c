/* SPDX-License-Identifier: BSD-2-Clause */

/* Kept answers: the one that was put, not too old, bounded; and one of many that ask at once makes it. */

#include "http/cache.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "wt_test.h"

#define FOREVER (1000000 * NS_PER_S)

static struct http_cache cache; /* large */

static bool get(const char *key, char **ret_body, size_t *ret_len)
{
	struct cache_hit hit;
	if (!http_cache_get(&cache, key, FOREVER, &hit))
		return false;
	assert_string_equal(hit.type, "text/plain");
	*ret_body = hit.body;
	*ret_len = hit.len;
	return true;
}

/* Random questions, answers of random sizes: what comes back is what was put last, and the bounds hold. */
static void what_was_put(void **state)
{
	enum { KEYS = 3 * CACHE_ENTRIES };
	static size_t lens[KEYS]; /* and one; 0: in vain */
	http_cache_init(&cache);
	unsigned hits = 0;
	for (int i = 0; i < 6000; i++) {
		size_t k = (size_t)wt_random_below(wt_random_below(2) ? 20 : KEYS);
		char key[32], *body;
		size_t len;
		(void)snprintf(key, sizeof(key), "key %zu", k);
		if (get(key, &body, &len)) {
			hits++;
			assert_int_equal(len + 1, lens[k]);
			for (size_t b = 0; b < len; b += 1000)
				assert_int_equal((uint8_t)body[b], (uint8_t)(k + len));
			free(body);
			continue;
		}
		len = (size_t)wt_random_below(wt_random_below(100) ? 3000 : CACHE_BODY_MAX + 1000);
		body = wt_random_below(10) ? malloc(len + 1) : NULL;
		if (body)
			memset(body, (int)(k + len), len);
		http_cache_put(&cache, key, "text/plain", body, len);
		lens[k] = body && len <= CACHE_BODY_MAX ? len + 1 : 0;
		free(body);
		assert_true(cache.bytes <= CACHE_BYTES_MAX);
	}
	assert_true(hits > 1000);
	http_cache_done(&cache);
}

static void too_old(void **state)
{
	struct cache_hit hit;
	http_cache_init(&cache);
	assert_false(http_cache_get(&cache, "a", FOREVER, &hit));
	http_cache_put(&cache, "a", "text/plain", "x", 1);
	uint64_t since = clock_mono_ns();
	while (clock_mono_ns() == since)
		;
	assert_false(http_cache_get(&cache, "a", 0, &hit));
	http_cache_put(&cache, "a", "text/plain", "y", 1);
	assert_true(http_cache_get(&cache, "a", FOREVER, &hit));
	assert_int_equal(hit.body[0], 'y');
	free(hit.body);
	http_cache_done(&cache);
}

/* ---- many at once ---- */

static _Atomic unsigned made;

static void *asks(void *arg)
{
	struct cache_hit hit;
	const char *body = arg;
	if (http_cache_get(&cache, "same", FOREVER, &hit)) {
		assert_memory_equal(hit.body, "answer", 6);
		free(hit.body);
		return NULL;
	}
	atomic_fetch_add(&made, 1);
	http_cache_put(&cache, "same", "text/plain", body, 6);
	return NULL;
}

static void ask_at_once(const char *body, unsigned expected)
{
	pthread_t threads[12];
	http_cache_init(&cache);
	made = 0;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, asks, (void *)(uintptr_t)body), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(made, expected);
	http_cache_done(&cache);
}

static void one_makes_it(void **state)
{
	ask_at_once("answer", 1);
	ask_at_once(NULL, 12); /* in vain: the next tries, and none waits for ever */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put),
		cmocka_unit_test(too_old),
		cmocka_unit_test(one_makes_it),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
