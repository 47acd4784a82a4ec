/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How the probe comes to its figures: a backend turns what the kernel knows into events (probe.h), each telling what is new
 * on one connection since the last event of it. One thread. */

#include <linux/types.h>

#include "collector/config.h"
#include "probe/probe.h"

struct backend;

struct backend_stats {
	uint64_t events;  /* told by the kernel */
	uint64_t lost;    /* of those it could not tell, for want of room */
	uint64_t delayed; /* figures that came one look later, for want of room */
	uint64_t missed;  /* runs of the program that the kernel left out */
	uint64_t empty;   /* connections on which nothing was sent, received or repeated */
	uint64_t tags;    /* tags set */
	uint64_t looks;
	uint64_t look_ns;    /* time spent in them */
	uint64_t kernel_ns;  /* CPU time of the programs in the kernel, where it is measured (kernel.bpf_stats_enabled) */
	bool tagging;
	bool resumed;        /* goes on where another run ended */
	char note[256];      /* what is not as good as it could be; empty: nothing */
};

struct backend_ops {
	const char *name;
	/* Takes what it needs privileges for; nothing is told yet. Errors say what cannot be had. */
	int (*open)(const struct config_probe *config, struct backend **ret, struct error *err);
	/* Begins to tell. */
	int (*start)(struct backend *b, struct error *err);
	/* Readable when events wait; they may also wait without, and read is to be called every 100 ms. */
	int (*fd)(const struct backend *b);
	/* Hands over every event there is. -errno. */
	int (*read)(struct backend *b, void (*fn)(void *ctx, const struct probe_event *e), void *ctx);
	/* Looks at the connections that live; read tells what was new. 1: there was no room for all of it, so read and look
	 * again; -errno. */
	int (*look)(struct backend *b);
	/* The last look, before close: no tag is taken from here on, so that servers know who counts. As look. */
	int (*end)(struct backend *b);
	/* Events lost since it was asked last, by this run or one before. */
	uint64_t (*take_lost)(struct backend *b);
	void (*stats)(const struct backend *b, struct backend_stats *ret);
	void (*close)(struct backend *b);
};

extern const struct backend_ops backend_ebpf, backend_sockdiag;
