/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The probe's folder on disk, for what no collector has taken yet and for what the next run has to know. Bodies of
 * datagrams (wire/datagram.h, never sent) are put in at one end and come out at the other, once each. Bounded by
 * max_bytes. Client addresses are in it: its files have mode 0600. One thread, and one process has the folder. */

#include "base/buffer.h"
#include "base/error.h"

struct spool;

/* What is known of the run before when a spool is opened, and what this one writes for the next. A page in a mapped
 * file: it outlives a process that is killed. */
struct spool_notes {
	/* Records in memory that no collector was sent: lost if the process is killed. What is put in is one of them no more, what
	 * comes out is; the rest is the caller's. */
	uint64_t unsent;
	uint64_t owed;     /* sent and not acknowledged, not in a file of the spool */
	uint64_t untold;   /* drops that no collector has been told of */
	uint64_t read_id, read_offset; /* where the spool's next body is */
};

/* Makes the folder (not its parents). -EBUSY: another process has it. */
int spool_open(const char *dir, uint64_t max_bytes, struct spool **ret, struct error *err) MUST_USE;
void spool_close(struct spool *s);
struct spool_notes *spool_notes(struct spool *s);

/* -ENOSPC: max_bytes or the disk is full; -errno. Nothing was put in then. */
int spool_put(struct spool *s, struct view body, uint32_t records) MUST_USE;
/* 1: the next body, which is out then; valid until the next call. 0: there is none, or none can be had now. -errno: a segment
 * cannot be read, or not further; its file is set aside, which err tells, and the next call goes on behind it. */
int spool_next(struct spool *s, struct view *ret, struct error *err) MUST_USE;
/* Records that went with what could not be read, as far as is known; since it was asked last. */
uint64_t spool_take_lost(struct spool *s);
/* What was put in and taken out is so on the disk. */
void spool_sync(struct spool *s);

struct spool_stats {
	uint64_t bytes, max_bytes, records, damaged; /* damaged: frames or files that could not be read */
};
struct spool_stats spool_stats(const struct spool *s);

/* Sessions that were not at their end (sender_save), a file each, mode 0600: written, and read by the next run. */
int spool_save_session(struct spool *s, const struct buffer *saved, struct error *err) MUST_USE;
/* Calls fn for each that was there at spool_open. name is for spool_drop_session. */
void spool_each_session(struct spool *s, void (*fn)(void *ctx, const char *name, struct view saved), void *ctx);
void spool_drop_session(struct spool *s, const char *name);
