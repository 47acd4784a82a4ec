/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The options of `whereto probe`, for completion: the i-th, from 0; a name of NULL behind the last. */

#include "cli/options.h"

struct option_row probe_option(size_t i);
