/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Asks what the dashboard will ask before anybody does, where a store keeps what it found (store_ops.kept): after the start,
 * and every some minutes for what closed since. One thread of the lowest priority, one question at a time; it gives a question
 * up when somebody asks the store, and goes on when nobody does any more. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct http_server;

struct http_ahead {
	struct http_server *server;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic bool started;
	bool stopping;
	_Atomic uint64_t rounds; /* all questions asked so many times */
	_Atomic bool given_up; /* the present question */
};

/* Does nothing where nothing is kept. The server's readers and jobs are there. -EAGAIN. */
int http_ahead_start(struct http_ahead *a, struct http_server *s) MUST_USE;
/* Gives up the present question and ends the thread; also when it was never started. */
void http_ahead_stop(struct http_ahead *a);
/* Somebody asks the store. */
void http_ahead_give_way(struct http_ahead *a);
/* How many times all questions have been asked. */
uint64_t http_ahead_rounds(struct http_ahead *a);
/* Returns when so many rounds are over. */
void http_ahead_wait(struct http_ahead *a, uint64_t rounds);
