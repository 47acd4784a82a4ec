/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* MRT routing information export format (RFC 6396, RFC 8050): the decoder. Pure: no I/O, no malloc,
 * no log; results are scalars and views into the bytes given. Who reads files is bgp/mrt_file.h. */

#include "base/address.h"
#include "base/cursor.h"

/* To be designed by its room: see route/load.h and `whereto mrt` for what is needed. */
