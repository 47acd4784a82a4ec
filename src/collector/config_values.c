/* SPDX-License-Identifier: BSD-2-Clause */

/* Readers of single values. Each takes one scalar, says exactly what it cannot use, and writes the
 * field only when it is right. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "collector/config_load.h"
#include "store/sql.h"

static const char *kind_name(const struct tree *n)
{
	return n->kind == TREE_MAP ? "a map" : n->kind == TREE_LIST ? "a list" : "a text";
}

/* The text of a scalar that is not empty or null; NULL: the error is set. */
static const char *scalar(struct load *l, const struct option *o, const struct tree *n, const char *wanted)
{
	if (n->kind != TREE_SCALAR) {
		(void)load_fail(l, n->line, "%s must be %s, not %s", option_path(o), wanted, kind_name(n));
		return NULL;
	}
	bool null = !n->quoted && (!*n->text || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
	if (!null && *n->text)
		return n->text;
	(void)load_fail(l, n->line, "%s is empty: it must be %s", option_path(o), wanted);
	return NULL;
}

/* Text that is printed: in messages, tables and JSON. */
static const char *printable(struct load *l, const struct option *o, const struct tree *n, const char *wanted)
{
	const char *text = scalar(l, o, n, wanted);
	if (!text || utf8_printable(text, strlen(text)))
		return text;
	(void)load_fail(l, n->line, "%s has control characters in it", option_path(o));
	return NULL;
}

static int copy_text(struct load *l, const char *text, char **ret)
{
	char *copy = strdup(text);
	if (!copy)
		return load_out_of_memory(l);
	free(*ret);
	*ret = copy;
	return 0;
}

int value_text(struct load *l, const struct option *o, const struct tree *n, char **ret)
{
	const char *text = printable(l, o, n, "a text");
	if (!text)
		return -EINVAL;
	size_t len = strlen(text);
	if (len > o->max)
		return load_fail(l, n->line, "%s is %zu bytes long; %" PRIu64 " are allowed", option_path(o), len, o->max);
	if (text[0] == ' ' || text[len - 1] == ' ')
		return load_fail(l, n->line, "%s begins or ends with a blank", option_path(o));
	return copy_text(l, text, ret);
}

/* A path relative to the configuration's folder, behind a prefix that stays in front. */
static int resolve(struct load *l, const char *prefix, const char *path, char **ret)
{
	char *full;
	if (asprintf(&full, "%s%s%s", prefix, *path == '/' ? "" : l->dir, path) < 0)
		return load_out_of_memory(l);
	free(*ret);
	*ret = full;
	return 0;
}

int value_path(struct load *l, const struct option *o, const struct tree *n, char **ret)
{
	const char *path = printable(l, o, n, "a file name");
	if (!path)
		return -EINVAL;
	int r = resolve(l, "", path, ret);
	if (r == 0 && o->max && strlen(*ret) > o->max)
		r = load_fail(l, n->line, "%s: %s is longer than %" PRIu64 " bytes", option_path(o), *ret, o->max);
	return r;
}

int value_host(struct load *l, const struct option *o, const struct tree *n, char **ret)
{
	const char *text = printable(l, o, n, "a host name");
	if (!text)
		return -EINVAL;
	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != strlen(text) || strlen(text) > 253)
		return load_fail(l, n->line, "%s: '%.100s' is no host name; a port is not part of it", option_path(o), text);
	return copy_text(l, text, ret);
}

/* SCHEME:REST; which schemes there are is the stores' business. */
static int read_url(struct load *l, const struct option *o, const struct tree *n, char **ret)
{
	const char *url = printable(l, o, n, "a URL");
	if (!url)
		return -EINVAL;
	size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyz");
	if (scheme == 0 || url[scheme] != ':' || url[scheme + 1] == '\0')
		return load_fail(l, n->line, "%s: '%.100s' is no URL like sqlite:FILE, postgresql://USER@HOST/DB or"
			" clickhouse://USER@HOST/DB",
			option_path(o), url);
	if (strncmp(url, "sqlite:", 7) == 0)
		return resolve(l, "sqlite:", url + 7, ret);
	const struct store_ops *ops = store_find(url, NULL); /* none: load_relations says so */
	CLEANUP(sql_done) struct sql resolved = {0};
	store_url_resolve(url, ops ? ops->url_files : NULL, l->dir, &resolved);
	return sql_text(&resolved) ? copy_text(l, resolved.text, ret) : load_out_of_memory(l);
}

/* Decimal digits, no sign, no leading zero (which other readers of YAML take for octal). */
static const char *digits(const char *text, uint64_t *ret)
{
	char *end;
	if (*text < '0' || *text > '9' || (*text == '0' && text[1] >= '0' && text[1] <= '9'))
		return NULL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno ? NULL : end;
}

static int read_number(struct load *l, const struct option *o, const struct tree *n, uint32_t *ret)
{
	const char *text = scalar(l, o, n, "a number");
	if (!text)
		return -EINVAL;
	uint64_t v;
	if (n->quoted)
		return load_fail(l, n->line, "%s must be a number, without quotes", option_path(o));
	if (strspn(text, "0123456789") != strlen(text))
		return load_fail(l, n->line, "%s: '%.60s' is not a whole number", option_path(o), text);
	const char *end = digits(text, &v);
	if (!end || *end || v < o->min || v > o->max)
		return load_fail(l, n->line, "%s: %.60s is out of range (%" PRIu64 " to %" PRIu64 ")", option_path(o),
			text, o->min, o->max);
	*ret = (uint32_t)v;
	return 0;
}

static int read_address(struct load *l, const struct option *o, const struct tree *n, struct addr *ret)
{
	bool only_v4 = o->type == OPTION_ADDRESS_V4;
	const char *wanted = only_v4 ? "an IPv4 address" : "an IP address", *text = scalar(l, o, n, wanted);
	if (!text)
		return -EINVAL;
	struct addr a;
	if (addr_parse(text, &a) < 0 || (only_v4 && a.family != ADDR_V4))
		return load_fail(l, n->line, "%s: '%.60s' is not %s", option_path(o), text, wanted);
	*ret = a;
	return 0;
}

const char *const source_kind_names[SOURCE_KINDS] = {[SOURCE_BMP] = "bmp", [SOURCE_BGP] = "bgp", [SOURCE_MRT] = "mrt"};

const char *const bmp_table_names[BMP_TABLES] = {
	[BMP_TABLE_AUTO] = "auto",
	[BMP_TABLE_LOC_RIB] = "loc-rib",
	[BMP_TABLE_POST_POLICY] = "post-policy",
	[BMP_TABLE_PRE_POLICY] = "pre-policy",
	[BMP_TABLE_ADJ_RIB_OUT] = "adj-rib-out",
};

const char *const probe_backend_names[PROBE_BACKENDS] = {
	[PROBE_BACKEND_AUTO] = "auto",
	[PROBE_BACKEND_EBPF] = "ebpf",
	[PROBE_BACKEND_SOCKDIAG] = "sockdiag",
};

const char *const probe_tagging_names[PROBE_TAGGINGS] = {
	[PROBE_TAGGING_AUTO] = "auto",
	[PROBE_TAGGING_ON] = "on",
	[PROBE_TAGGING_OFF] = "off",
};

/* Options whose value is one of a few words: an enum. */
static const struct {
	const char *wanted, *const *names;
	unsigned count;
} named[OPTION_TYPES] = {
	[OPTION_TABLE] = {"the name of a table", bmp_table_names, BMP_TABLES},
	[OPTION_BACKEND] = {"the name of a backend", probe_backend_names, PROBE_BACKENDS},
	[OPTION_TAGGING] = {"auto, on or off", probe_tagging_names, PROBE_TAGGINGS},
};

static int read_named(struct load *l, const struct option *o, const struct tree *n, unsigned *ret)
{
	const char *text = scalar(l, o, n, named[o->type].wanted);
	if (!text)
		return -EINVAL;
	char all[128] = "";
	for (unsigned i = 0, used = 0; i < named[o->type].count; i++) {
		if (strcmp(text, named[o->type].names[i]) == 0) {
			*ret = i;
			return 0;
		}
		used += (unsigned)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", named[o->type].names[i]);
	}
	return load_fail(l, n->line, "%s: '%.60s' is none of %s", option_path(o), text, all);
}
_Static_assert(sizeof(enum bmp_table) == sizeof(unsigned) && sizeof(enum probe_backend) == sizeof(unsigned) &&
	sizeof(enum probe_tagging) == sizeof(unsigned), "they are written as unsigned");

int value_listen(struct load *l, const struct option *o, const struct tree *n, struct listen_addr *ret)
{
	const char *text = scalar(l, o, n, "a list of \"ADDRESS:PORT\"");
	if (!text)
		return -EINVAL;
	struct error e = {0};
	struct listen_addr a = {.line = n->line};
	if (hostport_parse(text, &a.addr, &a.port, &e) < 0)
		return load_fail(l, n->line, "%s: %s", option_path(o), e.text);
	*ret = a;
	return 0;
}

int value_prefix(struct load *l, const struct option *o, const struct tree *n, struct prefix *ret)
{
	const char *text = scalar(l, o, n, o->type == OPTION_NETWORK ? "a network" : "a list of networks");
	if (!text)
		return -EINVAL;
	struct error e = {0};
	if (prefix_parse(text, ret, &e) < 0)
		return load_fail(l, n->line, "%s: %s", option_path(o), e.text);
	return 0;
}

/* ---- quantities ---- */

static const struct {
	const char *unit;
	uint64_t ms;
} time_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

static const struct {
	const char *unit;
	uint64_t bytes;
} size_units[] = {{"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10},
	{"TB", 1000000000000}, {"GB", 1000000000}, {"MB", 1000000}, {"kB", 1000}, {"KB", 1000}, {"B", 1}, {"", 1}};

const char *duration_format(uint64_t ms, char buf[static QUANTITY_TEXT_MAX])
{
	size_t i = 0;
	while (ms % time_units[i].ms != 0)
		i++;
	if (ms == UINT64_MAX)
		(void)snprintf(buf, QUANTITY_TEXT_MAX, "forever");
	else
		(void)snprintf(buf, QUANTITY_TEXT_MAX, "%" PRIu64 "%s", ms / time_units[i].ms,
			ms ? time_units[i].unit : "s");
	return buf;
}

const char *size_format(uint64_t bytes, char buf[static QUANTITY_TEXT_MAX])
{
	size_t i = 0;
	while (bytes % size_units[i].bytes != 0 || bytes < size_units[i].bytes)
		i += bytes == 0 ? ARRAY_LEN(size_units) - 2 : 1;
	(void)snprintf(buf, QUANTITY_TEXT_MAX, "%" PRIu64 "%s", bytes / size_units[i].bytes, size_units[i].unit);
	return buf;
}

static int read_duration(struct load *l, const struct option *o, const struct tree *n, uint64_t *ret)
{
	const char *text = scalar(l, o, n, "a duration");
	if (!text)
		return -EINVAL;
	uint64_t ms;
	const char *end = o->type == OPTION_SECONDS ? digits(text, &ms) : NULL;
	bool bare = end && !*end && ms <= UINT32_MAX;
	if (bare)
		ms *= 1000;
	else if (duration_parse(text, &ms) < 0)
		return load_fail(l, n->line, "%s: '%.60s' is no duration like 90s, 15m, 36h, 7d%s", option_path(o), text,
			o->max == UINT64_MAX ? ", forever" : "");
	char min[QUANTITY_TEXT_MAX], max[QUANTITY_TEXT_MAX];
	if (ms < o->min || ms > o->max)
		return load_fail(l, n->line, "%s: %.60s is out of range (%s to %s)", option_path(o), text,
			duration_format(o->min, min), duration_format(o->max, max));
	if (o->type == OPTION_KEEP && ms != UINT64_MAX)
		ms /= 1000;
	*ret = ms;
	return 0;
}

static bool parse_size(const char *text, uint64_t *ret)
{
	uint64_t v;
	const char *unit = digits(text, &v);
	for (size_t i = 0; unit && i < ARRAY_LEN(size_units); i++)
		if (strcmp(unit + strspn(unit, " "), size_units[i].unit) == 0)
			return !__builtin_mul_overflow(v, size_units[i].bytes, ret);
	return false;
}

static int read_size(struct load *l, const struct option *o, const struct tree *n, uint64_t *ret)
{
	const char *text = scalar(l, o, n, "a size");
	if (!text)
		return -EINVAL;
	uint64_t v;
	if (!parse_size(text, &v))
		return load_fail(l, n->line, "%s: '%.60s' is no size like 500MB or 10GiB", option_path(o), text);
	char min[QUANTITY_TEXT_MAX];
	if (v < o->min || v > o->max)
		return load_fail(l, n->line, "%s: %.60s is out of range (at least %s)", option_path(o), text,
			size_format(o->min, min));
	*ret = v;
	return 0;
}

int value_read(struct load *l, const struct option *o, const struct tree *n, void *base)
{
	void *field = (char *)base + o->offset;
	switch (o->type) {
	case OPTION_TEXT:
		return value_text(l, o, n, field);
	case OPTION_PATH:
		return value_path(l, o, n, field);
	case OPTION_URL:
		return read_url(l, o, n, field);
	case OPTION_NUMBER:
		return read_number(l, o, n, field);
	case OPTION_ADDRESS:
	case OPTION_ADDRESS_V4:
		return read_address(l, o, n, field);
	case OPTION_TABLE:
	case OPTION_BACKEND:
	case OPTION_TAGGING:
		return read_named(l, o, n, field);
	case OPTION_NETWORK:
		return value_prefix(l, o, n, field);
	case OPTION_DURATION:
	case OPTION_SECONDS:
	case OPTION_KEEP:
		return read_duration(l, o, n, field);
	case OPTION_SIZE:
		return read_size(l, o, n, field);
	default:
		return load_fail(l, n->line, "%s: not a single value", option_path(o));
	}
}
