/* SPDX-License-Identifier: BSD-2-Clause */

/* The list holds pointers, so a session stays where it is while others come and go; the index finds it
 * by id. Retiring moves the last entry into the gap. Seals are not made here: they are derived by
 * whoever has a key, at first use, and dropped when the keys change. */

#include "collector/sessions.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

void sessions_init(struct sessions *s)
{
	*s = (struct sessions){0};
	book_init(&s->retired);
}

static void session_free(struct session *session)
{
	seal_free(session->seal);
	seal_free(session->ack_seal);
	free(session);
}

void sessions_done(struct sessions *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		session_free(s->list[i]);
	free(s->list);
	index_done(&s->index);
	book_done(&s->retired);
	*s = (struct sessions){0};
}

struct session *sessions_find(const struct sessions *s, const uint8_t id[static SESSION_ID_BYTES])
{
	uint64_t hash = hash_bytes(id, SESSION_ID_BYTES);
	uint32_t slot, pos;
	INDEX_FOR_EACH(&s->index, hash, slot, pos)
		if (memcmp(s->list[pos]->state.id, id, SESSION_ID_BYTES) == 0)
			return s->list[pos];
	return NULL;
}

struct session *sessions_add(struct sessions *s, const struct session_state *state)
{
	if (s->count == SESSIONS_MAX)
		return NULL;
	if (s->count == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 16;
		struct session **p = realloc(s->list, cap * sizeof(struct session *));
		if (!p)
			return NULL;
		s->list = p;
		s->cap = cap;
	}
	struct session *session = calloc(1, sizeof(*session));
	if (!session || index_add(&s->index, hash_bytes(state->id, SESSION_ID_BYTES), s->count) < 0) {
		free(session);
		return NULL;
	}
	session->state = *state;
	session->durable_base = state->window.base;
	s->list[s->count++] = session;
	return session;
}

void sessions_drop_seals(struct sessions *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		seal_free(s->list[i]->seal);
		seal_free(s->list[i]->ack_seal);
		s->list[i]->seal = s->list[i]->ack_seal = NULL;
	}
}

static struct retired_state find_retired(const struct sessions *s, const struct session_state *state)
{
	const struct retired_state *known = book_get_retired(&s->retired, state->name, state->name_len);
	if (known)
		return *known;
	struct retired_state r = {.name_len = state->name_len, .first_ms = state->first_ms};
	memcpy(r.name, state->name, sizeof(r.name));
	return r;
}

int sessions_retire(struct sessions *s, uint32_t i, struct retired_state *ret)
{
	struct session *session = s->list[i];
	struct session_state *state = &session->state;
	state->ledger.v[LEDGER_lost] += ledger_in_flight(&state->ledger);
	struct retired_state r = find_retired(s, state);
	r.sessions++;
	r.first_ms = r.first_ms < state->first_ms ? r.first_ms : state->first_ms;
	r.last_ms = r.last_ms > state->last_ms ? r.last_ms : state->last_ms;
	ledger_add(&r.ledger, &state->ledger);
	if (book_put_retired(&s->retired, &r) < 0) {
		state->ledger.v[LEDGER_lost] = 0;
		return -ENOMEM;
	}
	index_del(&s->index, hash_bytes(state->id, SESSION_ID_BYTES), i);
	uint32_t last = --s->count;
	if (i != last) {
		uint64_t moved = hash_bytes(s->list[last]->state.id, SESSION_ID_BYTES);
		index_del(&s->index, moved, last);
		s->list[i] = s->list[last];
		(void)!index_add(&s->index, moved, i); /* there is room: one was just removed */
	}
	session_free(session);
	*ret = r;
	return 0;
}
