/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Waiting on a condition for a time, by the clock that nobody sets. */

#include <pthread.h>
#include <stdint.h>

/* Ended by pthread_cond_destroy. */
void cond_init(pthread_cond_t *cond);
/* Until it is signalled, or for so long. The lock is held. As every wait, it may end for nothing. */
void cond_wait_ns(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns);
