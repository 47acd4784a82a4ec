/* SPDX-License-Identifier: BSD-2-Clause */

/* A few INSERTs are under way at a time, while the next block is made: a server works on one with one thread, and several
 * servers at the same time. A thread, there from the first post to the end of a batch, moves their bytes (what the sockets take
 * is soon gone), and has the handles from the time when they are given until they have ended; everything else happens in the
 * writer's thread.
 *
 * After a failure no more are sent, and those that are under way are waited for. */

#include "store/clickhouse.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_BYTES (8u << 20) /* of a block's memory, from batch to batch */
#define WAIT_MS    1000

/* ---- shared parts ---- */

struct ch_rest *ch_rest_new(void)
{
	struct ch_rest *rest = calloc(1, sizeof(*rest));
	return rest ? ch_rest_ref(rest) : NULL;
}

struct ch_rest *ch_rest_ref(struct ch_rest *rest)
{
	rest->users++;
	return rest;
}

void ch_rest_unref(struct ch_rest *rest)
{
	if (!rest || --rest->users)
		return;
	buffer_done(&rest->bytes);
	free(rest);
}

static void forget_rest(struct ch_post *post)
{
	ch_rest_unref(post->rest);
	post->rest = NULL;
}

/* ---- the thread that moves bytes ---- */

/* The lock is held. */
static void set_ended(struct ch_posts *p, struct ch_post *post, CURLcode result)
{
	post->curl_result = result;
	post->state = CH_POST_ENDED;
	(void)pthread_cond_signal(&p->ended);
}

/* Takes what was given. false: no more will be, and nothing is left. */
static bool begin_given(struct ch_posts *p)
{
	(void)pthread_mutex_lock(&p->lock);
	bool more = !p->last;
	for (unsigned i = 0; i < CH_POSTS; i++) {
		struct ch_post *post = &p->posts[i];
		if (post->state == CH_POST_GIVEN && curl_multi_add_handle(p->multi, post->conn.curl) != CURLM_OK)
			set_ended(p, post, CURLE_OUT_OF_MEMORY);
		else if (post->state == CH_POST_GIVEN)
			post->state = CH_POST_MOVING;
		more |= post->state == CH_POST_MOVING;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return more;
}

/* Whether some have ended. */
static bool end_done(struct ch_posts *p)
{
	CURLMsg *m;
	int left;
	bool any = false;
	while ((m = curl_multi_info_read(p->multi, &left))) {
		struct ch_post *post = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode result = m->data.result;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &post);
		(void)curl_multi_remove_handle(p->multi, post->conn.curl);
		(void)pthread_mutex_lock(&p->lock);
		set_ended(p, post, result);
		(void)pthread_mutex_unlock(&p->lock);
		any = true;
	}
	return any;
}

static void *move_bytes(void *ctx)
{
	struct ch_posts *p = ctx;
	int running;
	while (begin_given(p)) {
		(void)curl_multi_perform(p->multi, &running);
		if (!end_done(p)) /* else there may be nothing to wait for */
			(void)curl_multi_poll(p->multi, NULL, 0, WAIT_MS, NULL);
	}
	return NULL;
}

static int start(struct ch_posts *p, struct error *err)
{
	sigset_t all, before;
	if (p->started)
		return 0;
	p->last = false;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = -pthread_create(&p->thread, NULL, move_bytes, p);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	p->started = r == 0;
	return r < 0 ? error_set(err, r, "clickhouse store: no thread can be made: %s", strerror(-r)) : 0;
}

/* When all has ended. */
static void stop(struct ch_posts *p)
{
	if (!p->started)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->last = true;
	(void)pthread_mutex_unlock(&p->lock);
	(void)curl_multi_wakeup(p->multi);
	(void)pthread_join(p->thread, NULL);
	p->started = false;
}

/* ---- the writer's thread ---- */

int ch_posts_init(struct ch_posts *p, const struct ch_url *url, struct error *err)
{
	int r = 0;
	*p = (struct ch_posts){.multi = curl_multi_init()};
	if (!p->multi)
		return ch_no_memory(url, err);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->ended, NULL);
	for (unsigned i = 0; i < CH_POSTS && r == 0; i++)
		r = ch_conn_init(&p->posts[i].conn, url, "", err);
	return r;
}

void ch_posts_done(struct ch_posts *p)
{
	if (!p->multi)
		return;
	stop(p);
	for (unsigned i = 0; i < CH_POSTS; i++) {
		struct ch_post *post = &p->posts[i];
		post->conn.headers = NULL; /* its node's */
		ch_conn_done(&post->conn);
		sql_done(&post->sql);
		sql_done(&post->query_id);
		buffer_done(&post->block);
		forget_rest(post);
	}
	(void)curl_multi_cleanup(p->multi);
	(void)pthread_cond_destroy(&p->ended);
	(void)pthread_mutex_destroy(&p->lock);
	*p = (struct ch_posts){0};
}

/* How those that have ended did. The first failure is the one that is told. */
static void collect(struct ch_posts *p, struct error *err)
{
	for (unsigned i = 0; i < CH_POSTS; i++) {
		struct ch_post *post = &p->posts[i];
		if (post->state != CH_POST_ENDED)
			continue;
		int r = ch_answer_end(&post->answer, post->curl_result, p->result < 0 ? NULL : err);
		if (r < 0 && post->conn.code == 0)
			ch_node_failed(post->node);
		if (p->result == 0)
			p->result = r;
		post->state = CH_POST_FREE;
		forget_rest(post);
	}
}

/* NULL: all are under way. */
static struct ch_post *find_free(struct ch_posts *p, struct error *err)
{
	collect(p, err);
	for (unsigned i = 0; i < CH_POSTS; i++)
		if (p->posts[i].state == CH_POST_FREE)
			return &p->posts[i];
	return NULL;
}

struct ch_post *ch_posts_take(struct ch_posts *p, struct error *err)
{
	struct ch_post *post;
	(void)pthread_mutex_lock(&p->lock);
	while (!(post = find_free(p, err)))
		(void)pthread_cond_wait(&p->ended, &p->lock);
	(void)pthread_mutex_unlock(&p->lock);
	if (p->result < 0)
		return NULL;
	forget_rest(post); /* of one that was not sent */
	buffer_clear(&post->block);
	sql_clear(&post->sql);
	sql_clear(&post->query_id);
	return post;
}

int ch_posts_send(struct ch_posts *p, struct ch_post *post, struct ch_node *node, struct error *err)
{
	struct ch_conn *c = &post->conn;
	struct buffer *rest = post->rest ? &post->rest->bytes : NULL;
	if (post->block.failed || (rest && rest->failed) || !sql_text(&post->query_id))
		return ch_no_memory(c->url, err);
	int r = ch_conn_meet(&node->conn, 0, err);
	if (r < 0) {
		ch_node_failed(node);
		return r;
	}
	memcpy(c->at, node->conn.at, sizeof(c->at));
	c->settings = node->conn.settings;
	c->headers = node->conn.headers;
	post->q = (struct ch_request){.sql = sql_text(&post->sql), .query_id = sql_text(&post->query_id), .doing = "writing a batch",
		.with_data = true, .data = {{post->block.data, post->block.len}, rest ? (struct view){rest->data, rest->len} : (struct view){0}}};
	post->answer = (struct ch_answer){.c = c, .q = &post->q};
	r = ch_answer_begin(&post->answer, err);
	if (r < 0)
		return r;
	(void)curl_easy_setopt(c->curl, CURLOPT_PRIVATE, post);
	r = start(p, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&p->lock);
	post->node = node;
	post->state = CH_POST_GIVEN;
	(void)pthread_mutex_unlock(&p->lock);
	(void)curl_multi_wakeup(p->multi);
	return 0;
}

int ch_posts_wait(struct ch_posts *p, struct error *err)
{
	stop(p);
	collect(p, err);
	for (unsigned i = 0; i < CH_POSTS; i++)
		if (p->posts[i].block.cap > KEEP_BYTES)
			buffer_done(&p->posts[i].block);
	int r = p->result;
	p->result = 0;
	return r;
}
