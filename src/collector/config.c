/* SPDX-License-Identifier: BSD-2-Clause */

/* A configuration is read in three passes over nothing but its own text: config_tree.c makes a tree with
 * line numbers, this file walks the tree beside the option table (config.def), and config_relations.c checks
 * what single options cannot know: uniqueness, and what needs what.
 *
 * The walk knows maps, lists of values, lists of maps, and lists of maps with exactly one key (the
 * kinds of a source). A key that the table does not have, or that comes twice, is an error; a key
 * that is missing gets its default, which is YAML text and goes through the same readers, so a
 * default cannot mean something else than the same words in a file. Everything is allocated in the
 * struct config, which config_free can take apart at any moment of the walk. */

#include "collector/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/config_load.h"

const char option_required[] = "required";
const char option_host_name[] = "the host's name";

#define REQUIRED  option_required
#define HOST_NAME option_host_name
#define NONE      NULL

const struct section_info section_table[SECTION_COUNT] = {
#define SECTION(name, type, path, doc) [SECTION_##name] = {path, doc, sizeof(struct type), 0},
#define ENTRY(name, type, path, doc)                                                               \
	[SECTION_##name] = {path, doc, sizeof(struct type), offsetof(struct type, line)},
#include "collector/config.def"
};

/* So that a row can name a field of its section's struct. */
#define SECTION(name, type, path, doc) typedef struct type in_##name;
#define ENTRY(name, type, path, doc)   typedef struct type in_##name;
#include "collector/config.def"

const struct option option_table[] = {
#define OPTION(s, k, t, field, fall, lo, hi, text)                                                 \
	{.section = SECTION_##s, .type = OPTION_##t, .key = #k, .offset = offsetof(in_##s, field),     \
		.fallback = fall, .min = lo, .max = hi, .doc = text},
#define NOTED(s, k, t, field, note, fall, lo, hi, text)                                            \
	{.section = SECTION_##s, .type = OPTION_##t, .key = #k, .offset = offsetof(in_##s, field),     \
		.line_offset = offsetof(in_##s, note), .fallback = fall, .min = lo, .max = hi, .doc = text},
#define LIST(s, k, t, field, count, entries, fall, fewest, text)                                   \
	{.section = SECTION_##s, .type = OPTION_##t, .key = #k, .offset = offsetof(in_##s, field),     \
		.count_offset = offsetof(in_##s, count), .sub = SECTION_##entries, .fallback = fall,       \
		.min = fewest, .doc = text},
#define LIMITED(s, k, t, field, count, fall, longest, entries, text)                               \
	{.section = SECTION_##s, .type = OPTION_##t, .key = #k, .offset = offsetof(in_##s, field),     \
		.count_offset = offsetof(in_##s, count), .fallback = fall, .max = longest, .most = entries, .doc = text},
#define MAP(s, k, map, fall, text)                                                                 \
	{.section = SECTION_##s, .type = OPTION_MAP, .key = #k, .sub = SECTION_##map, .fallback = fall, \
		.doc = text},
#define KIND(s, k, value, map, text)                                                               \
	{.section = SECTION_##s, .type = OPTION_KIND, .key = #k, .offset = offsetof(in_##s, kind),     \
		.min = value, .sub = SECTION_##map, .doc = text},
#include "collector/config.def"
};
const size_t option_count = ARRAY_LEN(option_table);

/* Of any list; some checks compare each entry with each. */
#define ENTRIES_MAX 4096

/* Keys that were met in a map are kept as bits, from its section's first option on. */
#define KEYS_MAX 64

/* ---- errors ---- */

int load_fail(struct load *l, unsigned line, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(l->err, -EINVAL, "%s:%u: %s", l->file, line, text);
}

int load_out_of_memory(struct load *l)
{
	return error_set(l->err, -ENOMEM, "%s: out of memory", l->file);
}

const char *option_path(const struct option *o)
{
	static _Thread_local char path[64];
	const char *section = section_table[o->section].path;
	(void)snprintf(path, sizeof(path), "%s%s%s", section, *section ? "." : "", o->key);
	return path;
}

static const char *section_name(enum section s)
{
	return s == SECTION_root ? "the configuration" : section_table[s].path;
}

static int unknown_key(struct load *l, enum section s, const struct tree *key)
{
	char known[256] = "";
	for (size_t i = 0, used = 0; i < option_count; i++)
		if (option_table[i].section == s && used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
				option_table[i].key);
	return load_fail(l, key->line, "unknown key '%.60s' in %s, which knows: %s", key->text, section_name(s), known);
}

static int wrong_kind(struct load *l, const struct tree *n, const char *what, const char *wanted)
{
	return load_fail(l, n->line, "%s must be %s", what, wanted);
}

/* ---- the walk ---- */

static int read_map(struct load *l, enum section s, const struct tree *n, void *base);

static const struct option *find_option(enum section s, const char *key)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].section == s && strcmp(option_table[i].key, key) == 0)
			return &option_table[i];
	return NULL;
}

/* {bmp: {...}}: exactly one key, which is the kind. */
static int read_kind(struct load *l, const struct option *list, const struct tree *n, void *entry)
{
	if (n->kind != TREE_MAP || n->count != 1)
		return wrong_kind(l, n, option_path(list), "a list of maps with one key each, the kind");
	const struct option *o = find_option(list->sub, n->first->text);
	if (!o)
		return unknown_key(l, list->sub, n->first);
	unsigned kind = (unsigned)o->min;
	memcpy((char *)entry + o->offset, &kind, sizeof(kind));
	return read_map(l, o->sub, n->first->next, entry);
}
_Static_assert(sizeof(enum source_kind) == sizeof(unsigned) && sizeof(enum country_kind) == sizeof(unsigned),
	"kinds are written as unsigned");

static size_t entry_size(const struct option *o)
{
	switch (o->type) {
	case OPTION_LISTENS:
		return sizeof(struct listen_addr);
	case OPTION_PREFIXES:
		return sizeof(struct prefix);
	case OPTION_PATHS:
	case OPTION_ONE_PATH:
	case OPTION_NAMES:
	case OPTION_TEXTS:
		return sizeof(char *);
	default:
		return section_table[o->sub].size;
	}
}

static int remember_served(struct load *l, const struct prefix *p, unsigned line)
{
	struct served *served = reallocarray(l->served, l->served_count + 1, sizeof(*served));
	if (!served)
		return load_out_of_memory(l);
	l->served = served;
	served[l->served_count++] = (struct served){*p, line};
	return 0;
}

static int read_entry(struct load *l, const struct option *o, const struct tree *n, void *entry)
{
	int r;
	switch (o->type) {
	case OPTION_LISTENS:
		return value_listen(l, o, n, entry);
	case OPTION_PREFIXES:
		r = value_prefix(l, o, n, entry);
		return r < 0 || o->section != SECTION_router ? r : remember_served(l, entry, n->line);
	case OPTION_PATHS:
	case OPTION_ONE_PATH:
		return value_path(l, o, n, entry);
	case OPTION_NAMES:
		return value_host(l, o, n, entry);
	case OPTION_TEXTS:
		return value_text(l, o, n, entry);
	default:
		break;
	}
	memcpy((char *)entry + section_table[o->sub].line_offset, &n->line, sizeof(n->line));
	if (o->type == OPTION_KINDS)
		return read_kind(l, o, n, entry);
	return read_map(l, o->sub, n, entry);
}

static int read_list(struct load *l, const struct option *o, const struct tree *n, void *base)
{
	bool one = o->type == OPTION_ONE_PATH;
	if (!one && n->kind != TREE_LIST)
		return wrong_kind(l, n, option_path(o), "a list");
	size_t count = one ? 1 : n->count;
	if (count < o->min)
		return load_fail(l, n->line, "%s is an empty list: it needs at least one entry", option_path(o));
	size_t most = o->most ? o->most : ENTRIES_MAX;
	if (count > most)
		return load_fail(l, n->line, "%s has more than %zu entries", option_path(o), most);
	if (count == 0)
		return 0;
	size_t size = entry_size(o);
	char *entries = calloc(count, size);
	if (!entries)
		return load_out_of_memory(l);
	memcpy((char *)base + o->offset, &entries, sizeof(entries));
	memcpy((char *)base + o->count_offset, &count, sizeof(count));
	const struct tree *entry = one ? n : n->first;
	for (size_t i = 0; i < count; i++, entry = entry->next) {
		int r = read_entry(l, o, entry, entries + i * size);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_option(struct load *l, const struct option *o, const struct tree *n, void *base)
{
	switch (o->type) {
	case OPTION_MAP:
		return read_map(l, o->sub, n, base);
	case OPTION_LISTENS:
	case OPTION_PREFIXES:
	case OPTION_PATHS:
	case OPTION_ONE_PATH:
	case OPTION_NAMES:
	case OPTION_TEXTS:
	case OPTION_MAPS:
	case OPTION_KINDS:
		return read_list(l, o, n, base);
	default:
		if (o->line_offset)
			memcpy((char *)base + o->line_offset, &n->line, sizeof(n->line));
		return value_read(l, o, n, base);
	}
}

/* A key that is not in the map that begins on this line. */
static int read_default(struct load *l, const struct option *o, unsigned line, void *base)
{
	char host[65];
	if (o->fallback == NULL)
		return 0;
	if (o->fallback == option_required)
		return load_fail(l, line, "'%s' is missing in %s", o->key, section_name(o->section));
	if (o->fallback == option_host_name) {
		if (gethostname(host, sizeof(host)) < 0 || !memchr(host, '\0', sizeof(host)) || !*host)
			return load_fail(l, line, "'%s' is missing, and this host has no usable name", o->key);
		const struct tree name = {.kind = TREE_SCALAR, .line = line, .text = host, .quoted = true};
		return value_read(l, o, &name, base);
	}
	const struct tree *n;
	int r = tree_parse(l->file, line, o->fallback, strlen(o->fallback), &l->arena, &n, l->err);
	return r < 0 ? r : read_option(l, o, n, base);
}

/* The options of a section stand together. */
static size_t first_option(enum section s)
{
	size_t i = 0;
	while (option_table[i].section != s)
		i++;
	return i;
}

/* A file that is about a probe has no collector's defaults to be right. */
static bool is_probe_alone(const struct option *o, uint64_t met)
{
	size_t probe = (size_t)(find_option(SECTION_root, "probe") - option_table);
	return o->section == SECTION_root && o->sub == SECTION_telemetry && met >> (probe - first_option(SECTION_root)) & 1;
}

static int read_defaults(struct load *l, enum section s, uint64_t met, unsigned line, void *base)
{
	size_t first = first_option(s);
	for (size_t i = first; i < option_count && option_table[i].section == s; i++) {
		if (met >> (i - first) & 1 || is_probe_alone(&option_table[i], met))
			continue;
		int r = read_default(l, &option_table[i], line, base);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_map(struct load *l, enum section s, const struct tree *n, void *base)
{
	if (n->kind != TREE_MAP)
		return wrong_kind(l, n, section_name(s), "a map");
	uint64_t met = 0;
	unsigned lines[KEYS_MAX];
	for (const struct tree *key = n->first; key; key = key->next->next) {
		const struct option *o = find_option(s, key->text);
		if (!o)
			return unknown_key(l, s, key);
		size_t i = (size_t)(o - option_table) - first_option(s);
		if (i >= KEYS_MAX)
			return load_fail(l, key->line, "%s has more keys than can be read", section_name(s));
		if (met >> i & 1)
			return load_fail(l, key->line, "'%s' stands on line %u already", key->text, lines[i]);
		met |= (uint64_t)1 << i;
		lines[i] = key->line;
		int r = read_option(l, o, key->next, base);
		if (r < 0)
			return r;
	}
	return read_defaults(l, s, met, n->line, base);
}

/* ---- the whole ---- */

static int load_init(struct load *l, const char *file, struct error *err)
{
	const char *slash = strrchr(file, '/');
	*l = (struct load){.file = file, .err = err};
	arena_init(&l->arena);
	l->dir = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup("");
	l->config = calloc(1, sizeof(*l->config));
	if (l->config)
		l->config->file = strdup(file);
	return l->dir && l->config && l->config->file ? 0 : load_out_of_memory(l);
}

static void load_done(struct load *l)
{
	free(l->dir);
	free(l->served);
	arena_done(&l->arena);
	config_free(l->config);
}

int config_parse(const char *file, const char *text, size_t len, struct config **ret, struct error *err)
{
	struct load l;
	const struct tree *root;
	int r = load_init(&l, file, err);
	if (r == 0)
		r = tree_parse(file, 1, text, len, &l.arena, &root, err);
	if (r == 0)
		r = read_map(&l, SECTION_root, root, l.config);
	if (r == 0)
		r = load_relations(&l);
	if (r == 0) {
		*ret = l.config;
		l.config = NULL;
	}
	load_done(&l);
	return r;
}

int config_load(const char *file, struct config **ret, struct error *err)
{
	CLEANUP(close_p) int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	CLEANUP(free_p) char *text = malloc(TREE_TEXT_MAX + 1);
	if (!text)
		return error_set(err, -ENOMEM, "%s: out of memory", file);
	size_t len = 0;
	while (len <= TREE_TEXT_MAX) {
		ssize_t n = read(fd, text + len, TREE_TEXT_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -errno, "%s: %s", file, strerror(errno));
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return config_parse(file, text, len, ret, err);
}

static void texts_done(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static void router_done(struct config_router *r)
{
	for (size_t i = 0; i < r->source_count; i++) {
		free(r->sources[i].vrf);
		free(r->sources[i].md5_file);
		free(r->sources[i].file);
		texts_done(r->sources[i].updates, r->sources[i].update_count);
	}
	free(r->sources);
	free(r->serves);
	free(r->name);
}

static void probe_done(struct config_probe *p)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		free(p->rules[i].type);
		free(p->rules[i].cgroup);
	}
	free(p->rules);
	texts_done(p->types, p->type_count);
	free(p->ignore);
	texts_done(p->collectors, p->collector_count);
	texts_done(p->namespaces, p->namespace_count);
	free(p->name);
	free(p->key_file);
	free(p->pin_dir);
	free(p->user);
	free(p->status);
	free(p->spool_dir);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->telemetry.key_count; i++)
		free(c->telemetry.keys[i].file);
	for (size_t i = 0; i < c->router_count; i++)
		router_done(&c->routers[i]);
	for (size_t i = 0; i < c->country_count; i++)
		texts_done(c->countries[i].files, c->countries[i].file_count);
	probe_done(&c->probe);
	free(c->telemetry.listen);
	free(c->telemetry.keys);
	free(c->routers);
	free(c->bmp.listen);
	free(c->bgp.listen);
	free(c->countries);
	free(c->asnames_file);
	free(c->store.url);
	free(c->journal.dir);
	free(c->http.listen);
	free(c->http.token_file);
	free(c->http.notice);
	free(c->http.certificate_file);
	free(c->http.key_file);
	for (size_t i = 0; i < c->http.host_count; i++)
		free(c->http.hosts[i]);
	free(c->http.hosts);
	free(c->name);
	free(c->file);
	free(c);
}
