/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* whereto.yaml: parsed by libyaml, checked against one table of options (config.def). Unknown,
 * duplicate and out-of-range keys are errors with file:line. A loaded configuration never changes. */

#include <stdio.h>

#include "base/address.h"
#include "route/load.h"
#include "store/store.h"

struct listen_addr {
	struct addr addr;
	uint16_t port;
	unsigned line; /* in the configuration file, for messages; of a default: its section's */
};

struct config_key {
	uint32_t id;
	char *file;
	unsigned line;
};

enum source_kind { SOURCE_BMP, SOURCE_BGP, SOURCE_MRT, SOURCE_KINDS };
extern const char *const source_kind_names[SOURCE_KINDS]; /* "bmp" "bgp" "mrt" */

/* Which of the tables that a router tells by BMP is taken. AUTO: its Loc-RIB where it has one; else its
 * peers' routes after policy; else those before. */
enum bmp_table { BMP_TABLE_AUTO, BMP_TABLE_LOC_RIB, BMP_TABLE_POST_POLICY, BMP_TABLE_PRE_POLICY, BMP_TABLE_ADJ_RIB_OUT, BMP_TABLES };
extern const char *const bmp_table_names[BMP_TABLES]; /* "auto" "loc-rib" ... */

struct config_source {
	enum source_kind kind;
	struct addr from;     /* BMP, BGP: the router's address */
	char *vrf;            /* BMP: a route distinguisher or a name; NULL: the global table */
	enum bmp_table table; /* BMP */
	uint32_t as;          /* BGP */
	char *md5_file;       /* BGP; NULL */
	char *file;           /* MRT */
	char **updates;       /* MRT: file names or patterns */
	size_t update_count;
	struct addr peer;     /* MRT; ADDR_NONE: all peers, best path */
	unsigned line;
};

struct config_router {
	char *name;
	struct prefix *serves;
	size_t serves_count;
	struct config_source *sources; /* in order of preference */
	size_t source_count;
	uint64_t stale_ms;
	uint32_t max_routes;
	unsigned line;
};

/* How the probe comes to its figures. */
enum probe_backend { PROBE_BACKEND_AUTO, PROBE_BACKEND_EBPF, PROBE_BACKEND_SOCKDIAG, PROBE_BACKENDS };
extern const char *const probe_backend_names[PROBE_BACKENDS]; /* "auto" "ebpf" "sockdiag" */

/* Whether it lets servers tag their connections. */
enum probe_tagging { PROBE_TAGGING_AUTO, PROBE_TAGGING_ON, PROBE_TAGGING_OFF, PROBE_TAGGINGS };
extern const char *const probe_tagging_names[PROBE_TAGGINGS]; /* "auto" "on" "off" */

/* A rule: connections for which all that is given holds are of this type. */
struct config_type_rule {
	char *type;
	uint32_t port;         /* 0: any; of the server, as all here */
	struct prefix address; /* ADDR_NONE: any */
	char *cgroup;          /* folder below the cgroup2 mount; NULL: any */
	uint32_t mark, tag;    /* 0: any */
	unsigned line;
};

struct config_probe {
	char *name;
	char **collectors; /* HOST:PORT */
	size_t collector_count;
	uint32_t key_id;
	char *key_file;       /* NULL */
	unsigned key_line;
	uint64_t interval_ms; /* 0: there is no section `probe` */
	enum probe_backend backend;
	enum probe_tagging tagging;
	char **types; /* that servers may name by tags */
	size_t type_count;
	struct config_type_rule *rules; /* the first that fits */
	size_t rule_count;
	struct prefix *ignore; /* clients */
	size_t ignore_count;
	char **namespaces; /* files; none: the probe's own */
	size_t namespace_count;
	char *pin_dir;
	char *user;      /* NULL */
	char *status;    /* socket */
	char *spool_dir; /* NULL */
	uint64_t spool_max_bytes;
};

enum country_kind { COUNTRY_RIR, COUNTRY_MMDB };

struct config_country {
	enum country_kind kind;
	char **files; /* RIR: file names or patterns; MMDB: one */
	size_t file_count;
	unsigned line;
};

/* telemetry.key_count is 0 only in a file that has a section `probe`: it is a probe's alone. */
struct config {
	char *file; /* this configuration was read from */
	char *name;
	struct {
		struct listen_addr *listen;
		size_t listen_count;
		struct config_key *keys;
		size_t key_count;
		uint64_t max_age_ms;    /* older records are rejected as `past`; default 400d */
		uint64_t max_future_ms; /* later ones as `future`; default 15m */
	} telemetry;
	struct config_router *routers;
	size_t router_count;
	struct {
		struct listen_addr *listen;
		size_t listen_count;
	} bmp;
	struct {
		struct listen_addr *listen;
		size_t listen_count;
		uint32_t as;
		struct addr router_id;
	} bgp;
	struct config_country *countries;
	size_t country_count;
	char *asnames_file; /* NULL */
	unsigned asnames_line;
	struct {
		char *url;
		unsigned url_line;
		uint64_t retention_s[LEVEL_COUNT];
	} store;
	struct {
		char *dir;
		uint64_t max_size_bytes;
	} journal;
	struct {
		struct listen_addr *listen;
		size_t listen_count;
		char *token_file; /* NULL */
		unsigned token_line;
		char *notice; /* NULL */
		char *certificate_file, *key_file; /* NULL: no TLS */
		unsigned tls_line;
		char **hosts;
		size_t host_count;
		uint32_t metrics_top;
	} http;
	struct config_probe probe;
};

/* Reads and checks the file; relative paths in it are relative to its folder. Errors name file and
 * line. Does not touch the files it names. */
int config_load(const char *file, struct config **ret, struct error *err) MUST_USE;
/* The same from memory; file is the name for messages and for relative paths. */
int config_parse(const char *file, const char *text, size_t len, struct config **ret, struct error *err) MUST_USE;
void config_free(struct config *c);

/* What a source `mrt` loads; points into the configuration. */
struct route_load config_mrt(const struct config_source *source);
#define CONFIG_MD5_BYTES_MAX 80 /* TCP_MD5SIG_MAXKEYLEN */

/* The certificate and its key as PEM texts, to be freed (*ret_key wiped); both NULL when there is no TLS. They are of each
 * other, and the certificate is in force. */
int config_tls(const struct config *c, char **ret_certificate, char **ret_key, struct error *err) MUST_USE;

/* Further checks that open what the configuration names: key files, MRT, country and AS name files,
 * passwords, token. For `whereto check`. Reading a full table takes seconds. report (may be NULL) is
 * called with a line of text about each thing that was read. Errors begin with the file and line of
 * the configuration that names what is wrong. */
int config_check_files(const struct config *c, void (*report)(void *ctx, const char *text), void *ctx,
	struct error *err) MUST_USE;

/* What config.def says of a key, for the command line's options that stand for one. Section "probe", "probe.key" ... */
const char *config_option_doc(const char *section, const char *key);
/* The manual of all options as Markdown tables, made from config.def. */
void config_print_options(FILE *out);
