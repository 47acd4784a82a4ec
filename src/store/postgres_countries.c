/* SPDX-License-Identifier: BSD-2-Clause */

/* Country ranges in the database, for questions asked in SQL; nothing here reads them. They are no CIDR blocks,
 * which is what ip4r's iprange is for. All of them are sent, and only what differs is changed, in one
 * transaction: a weekly update touches some hundred rows, and whoever asks sees the old table or the new one. */

#include "store/postgres.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char updating[] = "updating the country ranges";

static void copy_text(struct pg_copy *c, const char *text)
{
	pg_copy_bytes(c, (struct view){(const uint8_t *)text, strlen(text)});
}

static int copy_range(void *ctx, const struct addr *first, const struct addr *last, country_code code)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], range[2 * ADDR_TEXT_MAX], country[3];
	(void)snprintf(range, sizeof(range), "%s-%s", addr_format(first, from), addr_format(last, to));
	pg_copy_row(ctx, 2);
	copy_text(ctx, range);
	copy_text(ctx, country_format(code, country));
	return 0;
}

static int copy_ranges(struct postgres_store *s, const struct countries *countries, struct error *err)
{
	CLEANUP(free_p) struct pg_copy *c = malloc(sizeof(*c));
	if (!c)
		return pg_no_memory(s->name, err);
	int r = pg_copy_begin(c, s->pq, s->name, "stage_countries", err);
	if (r < 0)
		return r;
	if (countries_walk(countries, copy_range, c) < 0) {
		s->in_doubt = true;
		return pg_no_memory(s->name, err);
	}
	return pg_copy_end(c, err);
}

int postgres_countries(struct store *store, const struct countries *countries, struct error *err)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	int r = postgres_writer_begin(s, "BEGIN", err);
	if (r == 0)
		r = pg_run(s->pq, s->name, "LOCK TABLE country_ranges IN SHARE ROW EXCLUSIVE MODE;"
			"CREATE TEMP TABLE stage_countries(range text, country text) ON COMMIT DROP", updating, err);
	if (r == 0)
		r = copy_ranges(s, countries, err);
	if (r == 0)
		r = pg_run(s->pq, s->name, "DELETE FROM country_ranges c WHERE NOT EXISTS (SELECT FROM stage_countries s"
			" WHERE s.range::iprange = c.range AND s.country = c.country);"
			"INSERT INTO country_ranges(range, country) SELECT range::iprange, country FROM stage_countries"
			" EXCEPT SELECT range, country FROM country_ranges;"
			"COMMIT", updating, err);
	if (r < 0)
		postgres_writer_give_up(s);
	return r;
}
