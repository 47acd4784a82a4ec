/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/reload.h"

#include <errno.h>

#include "base/words.h"

static bool same_list(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
	for (size_t i = 0; i < a_count && a_count == b_count; i++)
		if (!words_same(a[i], b[i]))
			return false;
	return a_count == b_count;
}

/* NULL: nothing. */
static const char *what_needs_restart(const struct config_probe *a, const struct config_probe *b)
{
	const struct {
		const char *key;
		bool same;
	} keys[] = {
		{"name", words_same(a->name, b->name)},
		{"collectors", same_list(a->collectors, a->collector_count, b->collectors, b->collector_count)},
		{"key", a->key_id == b->key_id && words_same(a->key_file, b->key_file)},
		{"backend", a->backend == b->backend},
		{"tagging", a->tagging == b->tagging},
		{"namespaces", same_list(a->namespaces, a->namespace_count, b->namespaces, b->namespace_count)},
		{"pin", words_same(a->pin_dir, b->pin_dir)},
		{"user", words_same(a->user, b->user)},
		{"status", words_same(a->status, b->status)},
		{"spool", words_same(a->spool_dir, b->spool_dir) && a->spool_max_bytes == b->spool_max_bytes},
	};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!keys[i].same)
			return keys[i].key;
	return NULL;
}

int reload_config(const char *file, const struct config_probe *running, struct config **ret, struct error *err)
{
	struct config *c;
	int r = config_load(file, &c, err);
	if (r < 0)
		return r;
	const char *what = what_needs_restart(running, &c->probe);
	if (!c->probe.interval_ms)
		r = error_set(err, -EINVAL, "%s: has no section `probe`", file);
	else if (what)
		r = error_set(err, -EINVAL, "%s: a change of `probe.%s` needs a restart", file, what);
	if (r < 0) {
		config_free(c);
		return r;
	}
	*ret = c;
	return 0;
}
