/* SPDX-License-Identifier: BSD-2-Clause */

/* whereto store: a look at a store, its schema brought up to date, its retention on demand, its country ranges;
 * `copy` is in store_copy.c.
 *
 * Only `migrate` makes or changes tables. The others look first (store_ops.look changes nothing) and stop
 * at a store that is not of this program's version. URLs may hold a password: what is printed is the
 * store's own name. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/store_copy.h"
#include "collector/world.h"
#include "store/schema.h"

struct target {
	struct config *file; /* NULL: a URL was given */
	struct store_config config;
	const struct store_ops *ops;
	struct store_look look;
};

static int failed(const struct error *err)
{
	(void)fflush(stdout);
	fprintf(stderr, "whereto store: %s\n", err->text);
	return EXIT_FAILED;
}

/* Without a configuration nothing is too old. */
static int find_target(const char *url, const char *file, struct target *t, struct error *err)
{
	int r = file ? config_load(file, &t->file, err) : 0;
	if (r < 0)
		return r;
	t->config.url = file ? t->file->store.url : url;
	for (int level = 0; level < LEVEL_COUNT; level++)
		t->config.retention_s[level] = file ? t->file->store.retention_s[level] : UINT64_MAX;
	t->ops = store_find(t->config.url, err);
	return t->ops ? t->ops->look(t->config.url, &t->look, err) : err->code;
}

static int open_current(const struct target *t, struct store **ret, struct error *err)
{
	const struct store_look *l = &t->look;
	if (l->version == 0)
		return error_set(err, -ENOENT, "%s: there are no tables of whereto; `whereto store migrate` makes them", l->name);
	if (l->version != l->known)
		return error_set(err, -EPROTO, "%s: its schema is of version %u, this program's of %u; `whereto store migrate`"
			" brings it up to date", l->name, l->version, l->known);
	if (*l->missing)
		return error_set(err, -EPROTO, "%s: missing: %s; `whereto store migrate` makes again what it can", l->name, l->missing);
	return t->ops->open(&t->config, ret, err);
}

static int print_ranges(struct store *s, struct error *err)
{
	for (int i = 0; i < TABLE_COUNT; i++) {
		struct store_table table = table_at(i);
		uint64_t range[2];
		char oldest[TIME_TEXT_MAX], newest[TIME_TEXT_MAX];
		int r = s->ops->range(s, table, range, err);
		if (r < 0)
			return r;
		if (r == 0)
			printf("  %s_%s: empty\n", cube_names[table.cube], level_names[table.level]);
		else
			printf("  %s_%s: %s to %s\n", cube_names[table.cube], level_names[table.level],
				time_format(range[0] * 1000, oldest), time_format(range[1] * 1000, newest));
	}
	return 0;
}

static int print_collector(void *ctx, const char *name, uint64_t last)
{
	(void)ctx;
	printf("  collector %s: last batch %" PRIu64 "\n", name, last);
	return 0;
}

static int ignore_row(void *ctx, const struct store_row *row)
{
	(void)ctx;
	(void)row;
	return 0;
}

static int ignore_change(void *ctx, const struct store_change *change)
{
	(void)ctx;
	(void)change;
	return 0;
}

/* A question for every column of every table, about a day long ago: it fails where one is missing. */
static int check_columns(struct store *s, struct error *err)
{
	struct store_reader *reader = NULL;
	int r = s->ops->reader_open(s, &reader, err);
	if (r < 0)
		return r;
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
			struct store_query q = {.cube = (enum store_cube)cube, .dims = cube_dims[cube] | DIM_BIT(DIM_time), .step_s = 86400,
				.segments = {{(enum store_level)level, 0, 86400}}, .segment_count = 1};
			r = s->ops->query(reader, &q, ignore_row, NULL, err);
		}
	}
	if (r == 0)
		r = s->ops->changes(reader, &(struct store_change_query){.to_ms = 1, .limit = 1}, ignore_change, NULL, err);
	s->ops->reader_close(reader);
	return r;
}

static int run_check(struct target *t, struct error *err)
{
	struct store *s = NULL;
	printf("%s: schema version %u\n", t->look.name, t->look.version);
	t->config.read_only = true;
	int r = open_current(t, &s, err);
	if (r < 0)
		return r;
	r = check_columns(s, err);
	if (r == 0 && t->look.lack.code && !t->look.reader)
		r = error_set(err, t->look.lack.code, "%s", t->look.lack.text);
	if (r == 0)
		r = print_ranges(s, err);
	if (r == 0)
		r = s->ops->collectors(s, print_collector, NULL, err);
	s->ops->close(s);
	if (r == 0 && t->look.reader)
		printf("  this user may only read: a collector needs more. %s\n", t->look.lack.text);
	if (r == 0)
		puts("ok");
	return r;
}

static int run_migrate(struct target *t, struct error *err)
{
	struct store *s = NULL;
	int r = t->ops->open(&t->config, &s, err);
	if (r < 0)
		return r;
	s->ops->close(s);
	if (*t->look.missing)
		printf("%s: schema version %u, made again: %s\n", t->look.name, t->look.known, t->look.missing);
	else if (t->look.version == t->look.known)
		printf("%s: schema version %u, up to date\n", t->look.name, t->look.known);
	else
		printf("%s: schema version %u, was %u\n", t->look.name, t->look.known, t->look.version);
	return 0;
}

static int run_vacuum(struct target *t, struct error *err)
{
	struct store *s = NULL;
	int r = open_current(t, &s, err);
	if (r < 0)
		return r;
	uint64_t now_s = clock_wall_ms() / 1000;
	do
		r = s->ops->maintain(s, now_s, err);
	while (r > 0);
	s->ops->close(s);
	if (r == 0)
		printf("%s: done%s\n", t->look.name, t->file ? "" : "; nothing is too old without a configuration (-c FILE)");
	return r;
}

static int run_countries(struct target *t, struct error *err)
{
	struct store *s = NULL;
	struct countries *countries = NULL;
	if (!t->file)
		return error_set(err, -EINVAL, "countries: the configuration names the files, give it by -c FILE");
	if (!t->ops->countries)
		return error_set(err, -EOPNOTSUPP, "%s: this kind of store has no table of country ranges", t->look.name);
	int r = world_load_countries(t->file, true, &countries, err);
	if (r == 0)
		r = open_current(t, &s, err);
	if (r == 0) {
		r = s->ops->countries(s, countries, err);
		s->ops->close(s);
	}
	if (r == 0) {
		struct countries_stats st = countries_stats(countries);
		printf("%s: country ranges of %zu IPv4 and %zu IPv6 entries\n", t->look.name, st.ranges_v4, st.ranges_v6);
	}
	countries_free(countries);
	return r;
}

static const struct {
	const char *name;
	int (*run)(struct target *t, struct error *err);
} actions[] = {{"check", run_check}, {"migrate", run_migrate}, {"vacuum", run_vacuum},
	{"countries", run_countries}};

/* One of the actions beside copy. */
static int act(const char *name, const char *url, const char *file)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i].name, name) != 0)
			continue;
		struct error err = {0};
		struct target t = {0};
		int r = find_target(url, file, &t, &err);
		if (r == 0)
			r = actions[i].run(&t, &err);
		config_free(t.file);
		return r < 0 ? failed(&err) : EXIT_DONE;
	}
	return command_usage("store", "what to do is one of check, migrate, vacuum, countries, copy");
}

int command_store(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_store, "ACTION [URL]", &o);
	if (r != OPTIONS_GO_ON)
		return r;
	const char *name = o.arguments[0], *url = o.arguments[1], *file = o.values[OPTION_config];
	const char *from = o.values[OPTION_from_store], *to = o.values[OPTION_to_store];
	if (strcmp(name, "copy") == 0)
		return url || file || !from || !to ? command_usage(argv[0], "copy takes --from URL --to URL") : store_copy_command(from, to);
	if (from || to)
		return command_usage(argv[0], "--from and --to go with copy");
	if (!url == !file)
		return command_usage(argv[0], "a URL or -c FILE is needed, and not both");
	return act(name, url, file);
}
