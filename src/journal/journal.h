/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The journal: what has been accepted and is not yet known to be in the store.
 *
 * It is a folder of segment files. One segment is one batch: the frames appended to segment N are,
 * added up, the content of batch N, so a batch that is written again after a crash has the same
 * content as before. A segment begins with a snapshot of all sessions and is deleted once the store
 * holds its batch and the next segment exists. A frame is checksummed and synced before
 * journal_append returns; a torn frame at the end of the last segment is cut off at open.
 *
 * One thread owns a journal; a lock file keeps a second process away. Bounded by max_bytes: beyond it
 * appends are refused, and with them the acknowledgements. */

#include "journal/frame.h"

struct journal;

/* A closed segment. */
struct journal_segment {
	uint64_t id;
	uint64_t bytes;
	uint64_t closed_ms; /* wall clock: when it was; of one found at open, when it was written last */
};

/* Opens or makes the folder (not its parents). -EBUSY: another process has it. */
int journal_open(const char *dir, uint64_t max_bytes, struct journal **ret, struct error *err) MUST_USE;
void journal_close(struct journal *j);

/* The closed segments, oldest first; valid until the next call that changes them. */
const struct journal_segment *journal_segments(const struct journal *j, size_t *ret_count);

/* Reads a closed segment: every session and retired state goes to the sink, all flows are added to
 * flows (may be NULL). A torn end is cut off silently (it was never acknowledged); a damaged frame
 * with more behind it ends the reading with -EBADMSG, file and offset in err, after everything before
 * it was delivered. -EPROTONOSUPPORT: another version of the program wrote it. */
int journal_read(struct journal *j, uint64_t id, const struct frame_sink *sink, struct flow_table *flows,
	struct error *err) MUST_USE;

/* Closes the open segment, if any, and begins a new one whose first frame is the snapshot. Its id is
 * above every id before it and above min_id. */
int journal_begin(struct journal *j, uint64_t min_id, const struct frame *snapshot, struct error *err) MUST_USE;

/* A journal that is begun without knowing which ids the store has already is blind, also after a restart: none of its
 * segments may go to the store before journal_see. Call it for a journal without any segment, before journal_begin. */
int journal_set_blind(struct journal *j, struct error *err) MUST_USE;
bool journal_is_blind(const struct journal *j);
/* last_id: the last one the store has. If need be all segments are given ids above it, in their order; then the
 * journal is blind no more. After an error it still is, and the call may be repeated. No-op when it is not blind. */
int journal_see(struct journal *j, uint64_t last_id, struct error *err) MUST_USE;

/* Id of the open segment, and bytes that were appended to it. */
uint64_t journal_current(const struct journal *j);
uint64_t journal_appended(const struct journal *j);

/* Appends a frame to the open segment and syncs it to disk. On an error (-ENOSPC when max_bytes is
 * reached or the disk is full) nothing was appended and the call may be repeated. */
int journal_append(struct journal *j, const struct frame *f, struct error *err) MUST_USE;

/* Deletes a closed segment whose batch is in the store. It is forgotten in any case: one whose file
 * cannot be removed is found again by the next open. The same holds for setting aside. */
int journal_delete(struct journal *j, uint64_t id, struct error *err) MUST_USE;
/* Sets a closed segment that cannot be read aside, as FILE.damaged, for a person to look at. */
int journal_set_aside(struct journal *j, uint64_t id, struct error *err) MUST_USE;

/* Bytes in all segments. */
uint64_t journal_bytes(const struct journal *j);
