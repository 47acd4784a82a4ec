/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Brings the routes that a world has read from MRT files into the live tables: each file is one peer of its
 * source's rib. In slices, so that a full table arriving does not hold up intake; a file that is loaded
 * again replaces what it said before, prefix by prefix. Data-plane thread. */

#include "collector/tables.h"
#include "collector/world.h"

struct mrt_feed;

/* Begins with all files of the world, whose `files` it frees when it is done; then it calls done(ctx), which
 * may free the feed. The tables are configured as the world says. -ENOMEM. */
int mrt_feed_new(struct loop *loop, struct tables *tables, struct world *world, void (*done)(void *ctx), void *ctx,
	struct mrt_feed **ret) MUST_USE;
/* Does all of it now, as at start, when nobody waits; done is not called. */
void mrt_feed_finish(struct mrt_feed *f);
void mrt_feed_free(struct mrt_feed *f);
