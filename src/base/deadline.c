/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/deadline.h"

#include <stddef.h>

#include "base/clock.h"

static _Thread_local const _Atomic bool *watched;

bool deadline_past(uint64_t deadline_ns)
{
	if (watched && atomic_load_explicit(watched, memory_order_relaxed))
		return true;
	return deadline_ns && clock_mono_ns() >= deadline_ns;
}

void deadline_watch(const _Atomic bool *abandoned)
{
	watched = abandoned;
}
