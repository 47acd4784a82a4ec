/* SPDX-License-Identifier: BSD-2-Clause */

/* The nginx module: every request nginx logs becomes a record on its way to the collector. This
 * file has the directives and the hooks; account.c makes the record, link.c sends it, tcp_info.c
 * reads the kernel's counters. docs/nginx.md tells users the rest.
 *
 *   configuration  the master (and `nginx -t`) resolves the collectors and reads the key, so that
 *                  workers need no right to read it, and mistakes stop a reload, not the server
 *   init_process   each worker opens a session of its own; cache helpers don't
 *   preaccess      on_preaccess names the request's traffic type to a probe on the host, if one is
 *                  there, and so does the header filter; account.c tells why both
 *   log phase      on_log, after the response, for every request, in every location; with `whereto
 *                  off` the connection's figures are read too and thrown away
 *   exit_process   a worker, after a reload too, says good-bye to the collector */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "account.h"
#include "link.h"

/* How long an exiting worker waits for the last acknowledgements: long enough to send one of
 * them again. When nginx is told to stop at once, the master kills workers after a second. */
#define GRACE_MS      4000
#define GRACE_FAST_MS 500

/* How long it may wait before, in its event loop, while a collector is away. */
#define LINGER_DEFAULT_MS 600000

#define BUFFER_DEFAULT (4u << 20)
#define BUFFER_MIN     (64u << 10)

struct main_conf {
	struct link_config link;
	size_t buffer;
	ngx_msec_t linger;
	ngx_uint_t probe; /* enum account_probe */
	bool used; /* `whereto on` somewhere */
};

struct location_conf {
	ngx_flag_t enabled;
	ngx_http_complex_value_t *type;
};

extern ngx_module_t ngx_http_whereto_module;

static ngx_http_output_header_filter_pt next_header_filter;

static struct account_how how_to(ngx_http_request_t *r)
{
	struct main_conf *mc = ngx_http_get_module_main_conf(r, ngx_http_whereto_module);
	struct location_conf *lc = ngx_http_get_module_loc_conf(r, ngx_http_whereto_module);
	return (struct account_how){lc->enabled, lc->type, (enum account_probe)mc->probe};
}

static ngx_int_t on_preaccess(ngx_http_request_t *r)
{
	struct account_how how = how_to(r);
	account_begin(r, &how);
	return NGX_DECLINED;
}

static ngx_int_t on_header(ngx_http_request_t *r)
{
	struct account_how how = how_to(r);
	account_begin(r, &how);
	return next_header_filter(r);
}

static ngx_int_t on_log(ngx_http_request_t *r)
{
	static struct record rec; /* large, and there is one thread */
	struct account_how how = how_to(r);
	if (account_request(r, &how, &rec))
		link_add(&rec);
	return NGX_OK;
}

static char *set_collectors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
	struct link_config *link = &((struct main_conf *)conf)->link;
	const ngx_str_t *args = cf->args->elts;
	struct error err;
	if (link->collector_count)
		return "is duplicate";
	if (cf->args->nelts - 1 > FLEET_MAX) {
		ngx_conf_log_error(
			NGX_LOG_EMERG, cf, 0, "whereto_collector: at most %d collectors", FLEET_MAX);
		return NGX_CONF_ERROR;
	}
	for (; link->collector_count < cf->args->nelts - 1; link->collector_count++) {
		struct link_collector *c = &link->collectors[link->collector_count];
		c->name = args[1 + link->collector_count];
		if (hostport_resolve((const char *)c->name.data, &c->addr, &c->addr_len, &err) < 0) {
			ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "whereto_collector: %s", err.text);
			return NGX_CONF_ERROR;
		}
		if (!ngx_inet_get_port((struct sockaddr *)&c->addr)) {
			ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
				"whereto_collector: \"%V\" has no port", &c->name);
			return NGX_CONF_ERROR;
		}
	}
	return NGX_CONF_OK;
}

static char *set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
	struct link_config *link = &((struct main_conf *)conf)->link;
	const ngx_str_t *args = cf->args->elts;
	ngx_str_t file = args[1];
	ngx_int_t id = 1;
	struct error err;
	if (link->key_loaded)
		return "is duplicate";
	if (cf->args->nelts > 2)
		id = ngx_atoi(args[2].data, args[2].len);
	if (id < 1 || id > UINT32_MAX) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
			"whereto_key: \"%V\" isn't a key id (a number from 1)", &args[2]);
		return NGX_CONF_ERROR;
	}
	if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK)
		return NGX_CONF_ERROR;
	if (key_load((const char *)file.data, (uint32_t)id, &link->key, &err) < 0) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "whereto_key: %s", err.text);
		return NGX_CONF_ERROR;
	}
	link->key_loaded = true;
	return NGX_CONF_OK;
}

static char *set_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
	struct link_config *link = &((struct main_conf *)conf)->link;
	const ngx_str_t *args = cf->args->elts;
	if (link->name[0])
		return "is duplicate";
	if (!args[1].len || args[1].len > SENDER_NAME_MAX) {
		ngx_conf_log_error(
			NGX_LOG_EMERG, cf, 0, "whereto_name: 1 to %d bytes", SENDER_NAME_MAX);
		return NGX_CONF_ERROR;
	}
	memcpy(link->name, args[1].data, args[1].len);
	return NGX_CONF_OK;
}

static void forget_key(void *data)
{
	struct main_conf *mc = data;
	explicit_bzero(&mc->link.key, sizeof(mc->link.key));
}

static void *create_main_conf(ngx_conf_t *cf)
{
	struct main_conf *mc = ngx_pcalloc(cf->pool, sizeof(*mc));
	ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(cf->pool, 0);
	if (!mc || !cleanup)
		return NULL;
	mc->buffer = NGX_CONF_UNSET_SIZE;
	mc->linger = NGX_CONF_UNSET_MSEC;
	mc->probe = NGX_CONF_UNSET_UINT;
	cleanup->handler = forget_key;
	cleanup->data = mc;
	return mc;
}

static char *init_main_conf(ngx_conf_t *cf, void *conf)
{
	struct main_conf *mc = conf;
	ngx_conf_init_size_value(mc->buffer, BUFFER_DEFAULT);
	if (mc->buffer < BUFFER_MIN) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "whereto_buffer: at least 64k");
		return NGX_CONF_ERROR;
	}
	mc->link.buffer_bytes = mc->buffer;
	ngx_conf_init_msec_value(mc->linger, LINGER_DEFAULT_MS);
	mc->link.linger_ms = mc->linger;
	ngx_conf_init_uint_value(mc->probe, ACCOUNT_PROBE_AUTO);
	if (!mc->link.name[0]) {
		const ngx_str_t *host = &cf->cycle->hostname;
		memcpy(mc->link.name, host->data, ngx_min(host->len, SENDER_NAME_MAX));
	}
	return NGX_CONF_OK;
}

static void *create_location_conf(ngx_conf_t *cf)
{
	struct location_conf *lc = ngx_pcalloc(cf->pool, sizeof(*lc));
	if (!lc)
		return NULL;
	lc->enabled = NGX_CONF_UNSET;
	lc->type = NGX_CONF_UNSET_PTR;
	return lc;
}

static char *merge_location_conf(ngx_conf_t *cf, void *parent, void *child)
{
	struct main_conf *mc = ngx_http_conf_get_module_main_conf(cf, ngx_http_whereto_module);
	struct location_conf *outer = parent, *inner = child;
	ngx_conf_merge_value(inner->enabled, outer->enabled, 0);
	ngx_conf_merge_ptr_value(inner->type, outer->type, NULL);
	mc->used |= inner->enabled != 0;
	return NGX_CONF_OK;
}

static ngx_int_t add_handler(
	ngx_http_core_main_conf_t *core, ngx_http_phases phase, ngx_http_handler_pt handler)
{
	ngx_http_handler_pt *place = ngx_array_push(&core->phases[phase].handlers);
	if (!place)
		return NGX_ERROR;
	*place = handler;
	return NGX_OK;
}

/* After all merges. Without `whereto on` anywhere the module takes no part in any request. */
static ngx_int_t postconfiguration(ngx_conf_t *cf)
{
	struct main_conf *mc = ngx_http_conf_get_module_main_conf(cf, ngx_http_whereto_module);
	ngx_http_core_main_conf_t *core =
		ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	if (!mc->used)
		return NGX_OK;
	if (!mc->link.collector_count || !mc->link.key_loaded) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
			"\"whereto on\" needs \"%s\" in the http block",
			mc->link.collector_count ? "whereto_key" : "whereto_collector");
		return NGX_ERROR;
	}
	if (add_handler(core, NGX_HTTP_LOG_PHASE, on_log) != NGX_OK)
		return NGX_ERROR;
	if (mc->probe == ACCOUNT_PROBE_NEVER)
		return NGX_OK;
	next_header_filter = ngx_http_top_header_filter;
	ngx_http_top_header_filter = on_header;
	return add_handler(core, NGX_HTTP_PREACCESS_PHASE, on_preaccess);
}

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
	struct main_conf *mc = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_whereto_module);
	bool serves = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
	if (serves && mc && mc->used)
		(void)link_open(&mc->link);
	return NGX_OK;
}

static void exit_process(ngx_cycle_t *cycle)
{
	link_close(ngx_terminate ? GRACE_FAST_MS : GRACE_MS);
}

static ngx_conf_enum_t probe_values[] = {
	{ngx_string("auto"), ACCOUNT_PROBE_AUTO},
	{ngx_string("always"), ACCOUNT_PROBE_ALWAYS},
	{ngx_string("never"), ACCOUNT_PROBE_NEVER},
	{ngx_null_string, 0},
};

static ngx_command_t commands[] = {
	{ngx_string("whereto_collector"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE, set_collectors,
		NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
	{ngx_string("whereto_key"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE12, set_key,
		NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
	{ngx_string("whereto_name"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set_name,
		NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
	{ngx_string("whereto_buffer"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
		NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct main_conf, buffer), NULL},
	{ngx_string("whereto_linger"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
		NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct main_conf, linger), NULL},
	{ngx_string("whereto_probe"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
		NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct main_conf, probe), probe_values},
	{ngx_string("whereto"),
		NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_FLAG,
		ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET,
		offsetof(struct location_conf, enabled), NULL},
	{ngx_string("whereto_type"),
		NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
		ngx_http_set_complex_value_slot, NGX_HTTP_LOC_CONF_OFFSET,
		offsetof(struct location_conf, type), NULL},
	ngx_null_command,
};

static ngx_http_module_t context = {
	.postconfiguration = postconfiguration,
	.create_main_conf = create_main_conf,
	.init_main_conf = init_main_conf,
	.create_loc_conf = create_location_conf,
	.merge_loc_conf = merge_location_conf,
};

ngx_module_t ngx_http_whereto_module = {
	NGX_MODULE_V1,
	&context,
	commands,
	NGX_HTTP_MODULE,
	NULL, /* init_master */
	NULL, /* init_module */
	init_process,
	NULL, /* init_thread */
	NULL, /* exit_thread */
	exit_process,
	NULL, /* exit_master */
	NGX_MODULE_V1_PADDING,
};
