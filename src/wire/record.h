/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A record: what happened on one TCP connection since its previous record. Deltas, never totals.
 * A plain value; its traffic type is a view into memory of whoever made the record. */

#include "base/address.h"
#include "base/cursor.h"

#define RECORD_TYPE_MAX   64             /* bytes of a traffic type's name */
#define RECORD_RTT_MAX    255            /* round-trip samples in one record */
#define RECORD_VALUE_MAX  (1ull << 50)   /* a larger figure is refused: sums must fit 63 bits */

enum record_field {
#define FIELD(bit, name, unit, help) FIELD_##name = bit,
#include "wire/fields.def"
#undef FIELD
	RECORD_FIELD_COUNT
};

struct record {
	uint64_t time_ms; /* since 1970 UTC: when it happened */
	struct addr client;
	struct addr server;
	struct view type; /* UTF-8, at most RECORD_TYPE_MAX bytes; empty: none */
	bool approximate; /* read before the connection was over, or by means that miss some: more may have happened */
	uint64_t values[RECORD_FIELD_COUNT];
	uint32_t rtt_us[RECORD_RTT_MAX]; /* minimum round-trip times measured */
	uint8_t rtt_count;
};

/* The name used in JSON, SQL and the API, e.g. "bytes_sent". */
const char *record_field_name(enum record_field field);
