/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/before.h"

#include <math.h>
#include <stdio.h>

#include "cli/rows.h"

#define ENOUGH 0.5 /* of the range must have had traffic */

bool before_read(const struct client_answer *a, uint64_t from_s, struct before *ret)
{
	const json_t *range = json_object_get(a->json, "previous");
	*ret = (struct before){.rows = json_object_get(a->json, "previous_rows"), .range = range,
		.total = json_object_get(json_object_get(a->json, "total"), "previous"), .from_s = rows_time(range, "from"), .to_s = rows_time(range, "to"),
		.step_s = (uint64_t)rows_number(range, "step"), .since_s = a->since_s};
	if (!ret->rows || !ret->step_s || from_s <= ret->from_s)
		return false;
	ret->shift_s = from_s - ret->from_s;
	return true;
}

/* Of a span that may have had traffic. */
static double seconds_of(const struct before *b, uint64_t from_s, uint64_t to_s)
{
	uint64_t first_s = b->from_s < b->since_s ? b->since_s : b->from_s;
	from_s = from_s < first_s ? first_s : from_s;
	to_s = to_s < b->to_s ? to_s : b->to_s;
	return to_s > from_s ? (double)(to_s - from_s) : 0;
}

static uint64_t number_of(const struct before *b, uint64_t at_s)
{
	return at_s / b->step_s;
}

double before_value(const struct before *b, const struct figure *f, uint64_t at_s, uint64_t len_s)
{
	struct figure_sum sum = {0};
	const json_t *row;
	size_t i;
	if (at_s < b->shift_s)
		return NAN;
	/* The first and the last bucket by number: those with their middle inside, or the one around the middle. */
	uint64_t begin_s = at_s - b->shift_s, half_s = b->step_s / 2;
	uint64_t first = number_of(b, begin_s + b->step_s - 1 - half_s), end = number_of(b, begin_s + len_s + b->step_s - 1 - half_s);
	if (first >= end) {
		first = number_of(b, begin_s + len_s / 2);
		end = first + 1;
	}
	json_array_foreach(b->rows, i, row) {
		uint64_t number = number_of(b, rows_time(row, "time"));
		if (number >= first && number < end)
			figure_add(f, row, &sum);
	}
	return figure_value(f, &sum, seconds_of(b, first * b->step_s, end * b->step_s));
}

double before_whole(const struct before *b, const struct figure *f)
{
	struct figure_sum sum = {0};
	double seconds = seconds_of(b, b->from_s, b->to_s);
	if (seconds < ENOUGH * (double)(b->to_s - b->from_s))
		return NAN;
	figure_add(f, b->total, &sum);
	return figure_value(f, &sum, seconds);
}

const char *before_change(const struct figure *f, double now, double was, char buf[static UNITS_TEXT_MAX])
{
	if (isnan(now) || isnan(was)) {
		(void)snprintf(buf, UNITS_TEXT_MAX, "-");
		return buf;
	}
	return figure_is_rate(f) ? units_points(now, was, buf) : units_change(now, was, buf);
}
