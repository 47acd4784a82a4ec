/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One line of `whereto mrt`, before it is text: a route of a table, or one prefix of a message. */

#include "bgp/mrt.h"
#include "cli/text.h"

enum mrt_row_source {
	ROW_RIB,   /* TABLE_DUMP_V2 */
	ROW_TABLE, /* TABLE_DUMP */
	ROW_NLRI,  /* a message's own prefix lists */
	ROW_MP,    /* MP_REACH or MP_UNREACH */
};

struct mrt_row {
	enum mrt_row_source source;
	const struct mrt_record *record;
	bool withdrawn;
	struct addr written;
	uint8_t len, safi;
	bool add_path;
	bool generic;          /* of a RIB_GENERIC record */
	bool session_add_path; /* of a message: its subtype says so */
	bool cut;              /* of a message: its end is missing */
	uint32_t path_id;
	struct addr peer;
	uint32_t peer_as;
	bool has_originated;
	uint32_t originated;
	const struct mrt_session *session; /* of a message */
	const struct bgp_attrs *attrs;     /* NULL when withdrawn */
	struct view block;                 /* the attributes as received */
	struct view path;                  /* four-byte AS numbers, AS4_PATH merged in */
	bool path_broken;                  /* then path is as received, attrs->as_bytes each */
};

/* How rows become text; one constant per --format. */
struct mrt_format {
	void (*row)(struct text *t, const struct mrt_row *row);
	void (*state)(struct text *t, const struct mrt_record *record, const struct mrt_state *state);
};
extern const struct mrt_format mrt_format_bgpdump, mrt_format_json;
