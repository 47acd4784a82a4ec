/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp_walk.h"

/* One OPEN's body. Properties: what walk_open says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk_open((struct view){data, size});
	return 0;
}
