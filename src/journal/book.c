/* SPDX-License-Identifier: BSD-2-Clause */

/* Two arrays with an index each. Sessions come and go, so deleting moves the last one into the gap;
 * retired senders only ever come, and there are as many as there are sender names. */

#include "journal/book.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

void book_init(struct book *b)
{
	*b = (struct book){0};
}

void book_done(struct book *b)
{
	free(b->sessions);
	free(b->retired);
	index_done(&b->session_index);
	index_done(&b->retired_index);
	book_init(b);
}

static uint32_t find_session(const struct book *b, const uint8_t *id, uint64_t hash)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH(&b->session_index, hash, slot, pos)
		if (memcmp(b->sessions[pos].id, id, SESSION_ID_BYTES) == 0)
			break;
	return pos;
}

int book_put_session(struct book *b, const struct session_state *s)
{
	uint64_t hash = hash_bytes(s->id, sizeof(s->id));
	uint32_t pos = find_session(b, s->id, hash);
	if (pos != INDEX_NONE) {
		b->sessions[pos] = *s;
		return 0;
	}
	if (b->session_count == b->session_cap) {
		size_t cap = b->session_cap ? b->session_cap * 2 : 16;
		struct session_state *p = realloc(b->sessions, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		b->sessions = p;
		b->session_cap = cap;
	}
	if (index_add(&b->session_index, hash, (uint32_t)b->session_count) < 0)
		return -ENOMEM;
	b->sessions[b->session_count++] = *s;
	return 0;
}

void book_del_session(struct book *b, const uint8_t id[static SESSION_ID_BYTES])
{
	uint64_t hash = hash_bytes(id, SESSION_ID_BYTES);
	uint32_t pos = find_session(b, id, hash);
	if (pos == INDEX_NONE)
		return;
	index_del(&b->session_index, hash, pos);
	uint32_t last = (uint32_t)--b->session_count;
	if (pos == last)
		return;
	/* The last one moves into the gap, and its entry with it. */
	uint64_t moved = hash_bytes(b->sessions[last].id, SESSION_ID_BYTES);
	index_del(&b->session_index, moved, last);
	b->sessions[pos] = b->sessions[last];
	(void)!index_add(&b->session_index, moved, pos); /* there is room: one was just removed */
}

static uint32_t find_retired(const struct book *b, const char *name, uint8_t name_len, uint64_t hash)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH(&b->retired_index, hash, slot, pos)
		if (b->retired[pos].name_len == name_len && memcmp(b->retired[pos].name, name, name_len) == 0)
			break;
	return pos;
}

const struct retired_state *book_get_retired(const struct book *b, const char *name, uint8_t name_len)
{
	uint32_t pos = find_retired(b, name, name_len, hash_bytes(name, name_len));
	return pos == INDEX_NONE ? NULL : &b->retired[pos];
}

int book_put_retired(struct book *b, const struct retired_state *r)
{
	uint64_t hash = hash_bytes(r->name, r->name_len);
	uint32_t pos = find_retired(b, r->name, r->name_len, hash);
	if (pos != INDEX_NONE) {
		b->retired[pos] = *r;
		return 0;
	}
	if (b->retired_count == b->retired_cap) {
		size_t cap = b->retired_cap ? b->retired_cap * 2 : 16;
		struct retired_state *p = realloc(b->retired, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		b->retired = p;
		b->retired_cap = cap;
	}
	if (index_add(&b->retired_index, hash, (uint32_t)b->retired_count) < 0)
		return -ENOMEM;
	b->retired[b->retired_count++] = *r;
	return 0;
}

struct frame book_snapshot(const struct book *b)
{
	return (struct frame){
		.sessions = b->sessions,
		.session_count = b->session_count,
		.retired = b->retired,
		.retired_count = b->retired_count,
	};
}

static int sink_session(void *ctx, const struct session_state *s)
{
	return book_put_session(ctx, s);
}

static int sink_retired(void *ctx, const struct retired_state *r)
{
	return book_put_retired(ctx, r);
}

static int sink_ended(void *ctx, const uint8_t id[static SESSION_ID_BYTES])
{
	book_del_session(ctx, id);
	return 0;
}

struct frame_sink book_sink(struct book *b)
{
	return (struct frame_sink){b, sink_session, sink_retired, sink_ended};
}
