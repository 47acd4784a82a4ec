/* SPDX-License-Identifier: BSD-2-Clause */

/* A few INSERTs are under way at a time, while the next block is made: a server works on one with one thread, and several
 * servers at the same time. All of it happens in the writer's thread: what the socket takes at once goes out when a post is
 * sent, the rest when the next one is waited for.
 *
 * After a failure no more are sent, and those that are under way are waited for. */

#include "store/clickhouse.h"

#include <string.h>

#define KEEP_BYTES (8u << 20) /* of a block's memory, from batch to batch */
#define WAIT_MS    1000

int ch_posts_init(struct ch_posts *p, const struct ch_url *url, struct error *err)
{
	int r = 0;
	*p = (struct ch_posts){.multi = curl_multi_init()};
	if (!p->multi)
		return ch_no_memory(url, err);
	for (unsigned i = 0; i < CH_POSTS && r == 0; i++)
		r = ch_conn_init(&p->posts[i].conn, url, "", err);
	return r;
}

void ch_posts_done(struct ch_posts *p)
{
	for (unsigned i = 0; i < CH_POSTS; i++) {
		struct ch_post *post = &p->posts[i];
		if (post->node)
			(void)curl_multi_remove_handle(p->multi, post->conn.curl);
		post->conn.headers = NULL; /* its node's */
		ch_conn_done(&post->conn);
		sql_done(&post->sql);
		sql_done(&post->query_id);
		buffer_done(&post->block);
	}
	(void)curl_multi_cleanup(p->multi);
	*p = (struct ch_posts){0};
}

/* What has ended, and how. The first failure is the one that is told. */
static void collect(struct ch_posts *p, struct error *err)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(p->multi, &left))) {
		struct ch_post *post = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode curl = m->data.result;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &post);
		(void)curl_multi_remove_handle(p->multi, post->conn.curl);
		int r = ch_answer_end(&post->answer, curl, p->result < 0 ? NULL : err);
		if (r < 0 && post->conn.code == 0)
			ch_node_failed(post->node);
		if (p->result == 0)
			p->result = r;
		post->node = NULL;
	}
}

static void pump(struct ch_posts *p, struct error *err)
{
	int running;
	(void)curl_multi_perform(p->multi, &running);
	collect(p, err);
}

struct ch_post *ch_posts_take(struct ch_posts *p, struct error *err)
{
	pump(p, err);
	while (p->result == 0) {
		for (unsigned i = 0; i < CH_POSTS; i++) {
			struct ch_post *post = &p->posts[i];
			if (post->node)
				continue;
			buffer_clear(&post->block);
			sql_clear(&post->sql);
			sql_clear(&post->query_id);
			return post;
		}
		(void)curl_multi_poll(p->multi, NULL, 0, WAIT_MS, NULL);
		pump(p, err);
	}
	return NULL;
}

int ch_posts_send(struct ch_posts *p, struct ch_post *post, struct ch_node *node, struct error *err)
{
	struct ch_conn *c = &post->conn;
	if (post->block.failed || !sql_text(&post->query_id))
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
		.with_data = true, .data = {post->block.data, post->block.len}};
	post->answer = (struct ch_answer){.c = c, .q = &post->q};
	r = ch_answer_begin(&post->answer, err);
	if (r < 0)
		return r;
	(void)curl_easy_setopt(c->curl, CURLOPT_PRIVATE, post);
	if (curl_multi_add_handle(p->multi, c->curl) != CURLM_OK)
		return ch_no_memory(c->url, err);
	post->node = node;
	pump(p, err);
	return 0;
}

static bool is_busy(const struct ch_posts *p)
{
	for (unsigned i = 0; i < CH_POSTS; i++)
		if (p->posts[i].node)
			return true;
	return false;
}

int ch_posts_wait(struct ch_posts *p, struct error *err)
{
	for (pump(p, err); is_busy(p); pump(p, err))
		(void)curl_multi_poll(p->multi, NULL, 0, WAIT_MS, NULL);
	for (unsigned i = 0; i < CH_POSTS; i++)
		if (p->posts[i].block.cap > KEEP_BYTES)
			buffer_done(&p->posts[i].block);
	int r = p->result;
	p->result = 0;
	return r;
}
