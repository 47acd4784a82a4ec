/* SPDX-License-Identifier: BSD-2-Clause */

/* Threads: the writer's store thread alone opens and writes; the others only take readers. So the pointer to the
 * real store is all that is shared: it is set once. */

#include "collector/late_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct late_store {
	struct store base;
	struct store_ops ops; /* of this one: scheme, snapshots and others are the real store's */
	const struct store_ops *real_ops;
	struct store_config config;
	char *url;
	struct error away; /* why it could not be opened; until it is told */
	_Atomic(struct store *) real;
};

static struct store *real_of(struct store *s, struct error *err)
{
	struct late_store *late = CONTAINER_OF(s, struct late_store, base);
	struct store *real = atomic_load(&late->real);
	if (!real)
		(void)error_set(err, -EBUSY, "the store was away when the collector started, and has not been reached yet");
	return real;
}

static int late_last_batch(struct store *s, const char *collector, uint64_t *ret, struct error *err)
{
	struct late_store *late = CONTAINER_OF(s, struct late_store, base);
	struct store *real = atomic_load(&late->real);
	if (late->away.code) { /* the start does not wait for it twice */
		*err = late->away;
		late->away = (struct error){0};
		return err->code;
	}
	if (!real) {
		int r = late->real_ops->open(&late->config, &real, err);
		if (r < 0)
			return r;
		atomic_store(&late->real, real);
	}
	return real->ops->last_batch(real, collector, ret, err);
}

static enum store_result late_write_batch(struct store *s, const struct store_batch *batch, struct error *err)
{
	struct store *real = real_of(s, err);
	return real ? real->ops->write_batch(real, batch, err) : STORE_RETRY;
}

static int late_maintain(struct store *s, uint64_t now_s, struct error *err)
{
	struct store *real = real_of(s, err);
	return real ? real->ops->maintain(real, now_s, err) : -EBUSY;
}

static void late_kept(struct store *s, struct store_kept *ret)
{
	struct store *real = real_of(s, NULL);
	*ret = (struct store_kept){0};
	if (real)
		real->ops->kept(real, ret);
}

static int late_reader_open(struct store *s, struct store_reader **ret, struct error *err)
{
	struct store *real = real_of(s, err);
	return real ? real->ops->reader_open(real, ret, err) : -EBUSY;
}

static void late_reader_close(struct store_reader *r)
{
	r->ops->reader_close(r);
}

static void late_close(struct store *s)
{
	if (!s)
		return;
	struct late_store *late = CONTAINER_OF(s, struct late_store, base);
	struct store *real = atomic_load(&late->real);
	if (real)
		real->ops->close(real);
	free(late->url);
	free(late);
}

/* *err tells why it is away. */
static int late_new(const struct store_config *config, const struct store_ops *ops, struct store **ret, struct error *err)
{
	struct late_store *late = calloc(1, sizeof(*late));
	char *url = strdup(config->url);
	if (!late || !url) {
		free(late);
		free(url);
		return error_set(err, -ENOMEM, "out of memory");
	}
	late->ops = (struct store_ops){.scheme = ops->scheme, .snapshots = ops->snapshots, .others = ops->others, .write_batch = late_write_batch,
		.last_batch = late_last_batch, .maintain = late_maintain, .close = late_close, .reader_open = late_reader_open,
		.kept = ops->kept ? late_kept : NULL,
		.query = ops->query, .changes = ops->changes, .reader_close = late_reader_close};
	late->base.ops = &late->ops;
	late->real_ops = ops;
	late->away = *err;
	late->config = *config;
	late->config.url = late->url = url;
	*ret = &late->base;
	return 0;
}

int late_store_open(const struct store_config *config, struct store **ret, struct error *err)
{
	const struct store_ops *ops = store_find(config->url, err);
	if (!ops)
		return err->code;
	int r = ops->open(config, ret, err);
	return r == -EBUSY ? late_new(config, ops, ret, err) : r;
}
