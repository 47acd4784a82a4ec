/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Work that is given up: when its time is over, or when nobody waits for it any more. The second is a thread's, so that it
 * need not be handed through every function between who knows of it and who looks. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether to give up now; deadline_ns: monotonic, 0: never by time. */
bool deadline_past(uint64_t deadline_ns);
/* From now on this thread gives up when the flag is set; NULL: only by time. */
void deadline_watch(const _Atomic bool *abandoned);
