/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Inside of reading a configuration: the option table, and what its readers share. */

#include "collector/config.h"
#include "collector/config_tree.h"

enum section {
#define SECTION(name, type, path, doc) SECTION_##name,
#define ENTRY(name, type, path, doc)   SECTION_##name,
#include "collector/config.def"
	SECTION_COUNT
};

struct section_info {
	const char *path, *doc;
	size_t size;        /* of the struct it fills */
	size_t line_offset; /* entries: where the struct keeps its line */
};
extern const struct section_info section_table[SECTION_COUNT];

enum option_type {
	OPTION_TEXT,
	OPTION_PATH,
	OPTION_URL,
	OPTION_NUMBER,     /* uint32_t */
	OPTION_ADDRESS,    /* struct addr */
	OPTION_ADDRESS_V4,
	OPTION_TABLE,      /* enum bmp_table */
	OPTION_BACKEND,    /* enum probe_backend */
	OPTION_TAGGING,    /* enum probe_tagging */
	OPTION_NETWORK,    /* struct prefix */
	OPTION_DURATION,   /* uint64_t, ms */
	OPTION_SECONDS,    /* the same; a bare number is seconds */
	OPTION_KEEP,       /* uint64_t, s; UINT64_MAX: forever */
	OPTION_SIZE,       /* uint64_t, bytes */
	OPTION_LISTENS,    /* lists: a pointer and a count */
	OPTION_PREFIXES,
	OPTION_PATHS,
	OPTION_NAMES,      /* of hosts */
	OPTION_TEXTS,      /* of char * */
	OPTION_ONE_PATH,   /* a list of one, written as a scalar */
	OPTION_MAPS,
	OPTION_KINDS,
	OPTION_MAP,
	OPTION_KIND,
	OPTION_TYPES
};

struct option {
	enum section section;
	enum option_type type;
	const char *key;
	size_t offset;       /* of the field in the section's struct */
	size_t count_offset; /* lists */
	size_t line_offset;  /* where the line is noted; 0: nowhere */
	enum section sub;    /* of the entries of a list, or the map */
	uint64_t min, max;   /* lists: min is the fewest entries, max the longest text */
	size_t most;         /* lists: entries; 0: ENTRIES_MAX */
	const char *fallback;
	const char *doc;
};
extern const struct option option_table[];
extern const size_t option_count;

/* Values of fallback that are no YAML. */
extern const char option_required[];  /* there is none: the key must be given */
extern const char option_host_name[]; /* the host's name */

/* A served network and where it stands, to find the same one twice. */
struct served {
	struct prefix prefix;
	unsigned line;
};

struct load {
	const char *file;
	char *dir; /* of file, with the slash; "" for the current folder */
	struct config *config;
	struct arena arena;
	struct error *err;
	struct served *served;
	size_t served_count;
};

/* Sets the error "FILE:LINE: text" and returns -EINVAL. */
int load_fail(struct load *l, unsigned line, const char *fmt, ...) PRINTF(3, 4);
int load_out_of_memory(struct load *l);
/* "telemetry.max_age"; for messages, overwritten by the next call of the thread. */
const char *option_path(const struct option *o);

/* Readers of single values (config_values.c). base is the section's struct. */
int value_read(struct load *l, const struct option *o, const struct tree *n, void *base) MUST_USE;
/* Of one entry of a list, into its place. */
int value_listen(struct load *l, const struct option *o, const struct tree *n, struct listen_addr *ret) MUST_USE;
int value_prefix(struct load *l, const struct option *o, const struct tree *n, struct prefix *ret) MUST_USE;
int value_host(struct load *l, const struct option *o, const struct tree *n, char **ret) MUST_USE;
int value_text(struct load *l, const struct option *o, const struct tree *n, char **ret) MUST_USE;
int value_path(struct load *l, const struct option *o, const struct tree *n, char **ret) MUST_USE;

/* What options mean together (config_relations.c). */
int load_relations(struct load *l) MUST_USE;

/* A time or size in its largest whole unit: "15m", "10GiB"; UINT64_MAX: "forever". Returns buf. */
#define QUANTITY_TEXT_MAX 32
const char *duration_format(uint64_t ms, char buf[static QUANTITY_TEXT_MAX]);
const char *size_format(uint64_t bytes, char buf[static QUANTITY_TEXT_MAX]);
