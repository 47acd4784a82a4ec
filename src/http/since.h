/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Since when there is traffic in the store. */

#include "http/rows.h"

/* 0: there is none. False: the reply says why not. */
bool since_ask(struct http_asking *a, uint64_t *ret_s) MUST_USE;
