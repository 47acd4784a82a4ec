/* SPDX-License-Identifier: BSD-2-Clause */

/* The planner. Levels are numbered from fine to coarse, and each level's seconds divide the next
 * one's; the assertions below hold that down.
 *
 * The range is widened to a grain: the minute, or more when the edges need not be exact; a step that was chosen here widens
 * nothing, so that figures and their series are of the same traffic, one that was asked for begins with a whole bucket. Then it is walked from its start: at every point the coarsest bucket that begins
 * there, ends within the range and is still kept is taken, and equal neighbours are merged. So days
 * stand in the middle, hours beside them, minutes at the edges, and no second is covered twice.
 *
 * A level keeps buckets from its floor on: now - retention, rounded up to a bucket. The store deletes
 * a bucket when it has *ended* before now - retention, at least one bucket later, so that a plan made
 * a moment before a deletion is not cut short by it. Where the fine levels are gone, a coarser bucket
 * is taken whole and the range widened to it; where all are gone, the range begins later. What was
 * really covered is in the plan. */

#include "query/plan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "query/filter.h"
#include "store/schema.h"

_Static_assert(LEVEL_minute == 0 && LEVEL_hour == 1 && LEVEL_day == 2 && LEVEL_COUNT == 3,
	"levels from fine to coarse");

#define HOUR 3600u
#define DAY  86400u

/* Up to here a range is answered to the minute, up to there to the hour, when it need not be exact. */
#define MINUTES_UP_TO_S (3 * HOUR)
#define RANGE_MAX_S     (200ull * 366 * DAY) /* bounds the walk */
#define TIME_END        (UINT64_C(1) << 40)  /* beyond any bucket: keeps sums from wrapping */

struct walk {
	uint64_t floor_s[LEVEL_COUNT]; /* kept from here on */
	bool allowed[LEVEL_COUNT];     /* fits the step */
};

static uint64_t round_down(uint64_t t, uint64_t width)
{
	return t - t % width;
}

static uint64_t round_up(uint64_t t, uint64_t width)
{
	return round_down(t + width - 1, width);
}

/* ---- cubes ---- */

static uint32_t filter_dims(const struct query *q)
{
	uint32_t dims = 0;
	for (size_t i = 0; q->filter && i < q->filter->count; i++)
		dims |= DIM_BIT(q->filter->items[i].dim);
	return dims;
}

static enum store_cube cube_for(uint32_t dims)
{
	if (dims & DIM_BIT(DIM_via))
		dims = (dims & ~DIM_BIT(DIM_via)) | DIM_BIT(DIM_path);
	dims &= ~DIM_BIT(DIM_time);
	for (int cube = 0; cube < CUBE_COUNT; cube++)
		if ((cube_dims[cube] & dims) == dims)
			return (enum store_cube)cube;
	abort(); /* the last cube holds everything */
}

/* ---- steps ---- */

static uint32_t step_by_range(uint64_t range_s)
{
	static const struct {
		uint64_t up_to_s;
		uint32_t step_s;
	} steps[] = {{6 * HOUR, 60}, {12 * HOUR, 300}, {10 * DAY, HOUR}, {45 * DAY, 6 * HOUR}};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (range_s <= steps[i].up_to_s)
			return steps[i].step_s;
	return DAY;
}

static bool kept_at(const struct walk *w, int level, uint64_t t)
{
	return w->allowed[level] && w->floor_s[level] <= round_down(t, level_seconds[level]);
}

/* The narrowest of the widths people read easily that cuts the range into few enough buckets; one of them may
 * be cut in two by the edges. */
static uint32_t step_by_points(uint64_t range_s, uint32_t points_max)
{
	static const uint32_t steps[] = {60, 120, 300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
		2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 364 * DAY};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if ((range_s + steps[i] - 1) / steps[i] < points_max)
			return steps[i];
	return (uint32_t)round_up(range_s / (points_max - 1) + 1, 364 * DAY);
}

/* The automatic step grows until the range's start is kept at a level that fits it. */
static uint32_t choose_step(const struct query *q, const struct walk *w)
{
	uint64_t range_s = q->to_s - q->from_s;
	uint32_t step = q->points_max ? step_by_points(range_s, q->points_max) : step_by_range(range_s);
	step = step < q->step_min_s ? q->step_min_s : step;
	for (int level = 0; level < LEVEL_COUNT; level++)
		if (step % level_seconds[level] == 0 && kept_at(w, level, q->from_s))
			return step;
	for (int level = 0; level < LEVEL_COUNT; level++)
		if (level_seconds[level] > step && kept_at(w, level, q->from_s))
			return level_seconds[level];
	return step;
}

static bool has_time(const struct query *q)
{
	for (size_t i = 0; i < q->by_count; i++)
		if (q->by[i] == DIM_time)
			return true;
	return false;
}

/* ---- the walk ---- */

static uint32_t grain_of(const struct query *q)
{
	if (q->exact_range)
		return level_seconds[LEVEL_minute];
	if (q->step_s && has_time(q))
		return q->step_s;
	return q->to_s - q->from_s <= MINUTES_UP_TO_S ? level_seconds[LEVEL_minute] : level_seconds[LEVEL_hour];
}

/* The finest level that is kept at t; -1 when there is none. */
static int finest_at(const struct walk *w, uint64_t t)
{
	for (int level = 0; level < LEVEL_COUNT; level++)
		if (kept_at(w, level, t))
			return level;
	return -1;
}

/* Where the walk begins: the start rounded down to a kept bucket, or else the first kept bucket. */
static uint64_t first_bucket(const struct walk *w, uint64_t from_s)
{
	int level = finest_at(w, from_s);
	if (level >= 0)
		return round_down(from_s, level_seconds[level]);
	uint64_t first = UINT64_MAX;
	for (level = 0; level < LEVEL_COUNT; level++)
		if (w->allowed[level] && w->floor_s[level] < first)
			first = w->floor_s[level];
	return first;
}

/* The coarsest level whose bucket begins at t and ends by `to`; else the finest that begins there. */
static int level_at(const struct walk *w, uint64_t t, uint64_t to)
{
	int finest = -1;
	for (int level = LEVEL_COUNT - 1; level >= 0; level--) {
		if (t % level_seconds[level] || !kept_at(w, level, t))
			continue;
		if (t + level_seconds[level] <= to)
			return level;
		finest = level;
	}
	return finest;
}

static void add_bucket(struct plan *p, int level, uint64_t t)
{
	uint64_t end = t + level_seconds[level];
	if (p->segment_count) {
		struct store_segment *last = &p->segments[p->segment_count - 1];
		if ((int)last->level == level) {
			last->to_s = end;
			return;
		}
	}
	assert(p->segment_count < STORE_SEGMENTS_MAX);
	p->segments[p->segment_count++] = (struct store_segment){(enum store_level)level, t, end};
}

static void cover(const struct walk *w, uint64_t from_s, uint64_t to_s, struct plan *p)
{
	uint64_t t = first_bucket(w, from_s);
	p->from_s = t;
	for (; t < to_s; ) {
		int level = level_at(w, t, to_s);
		assert(level >= 0);
		add_bucket(p, level, t);
		t += level_seconds[level];
	}
	p->to_s = t;
	if (!p->segment_count)
		p->from_s = p->to_s = to_s;
}

static int plan_step(const struct query *q, struct walk *w, struct plan *p, struct error *err)
{
	if (!has_time(q))
		return 0;
	if (q->step_s % level_seconds[LEVEL_minute])
		return error_set(err, -EINVAL, "step %u s is not a multiple of %u s", q->step_s,
			level_seconds[LEVEL_minute]);
	p->step_s = q->step_s ? q->step_s : choose_step(q, w);
	if ((q->to_s - q->from_s) / p->step_s > QUERY_LIMIT_MAX)
		return error_set(err, -EINVAL, "a step of %u s cuts the range into more than %d buckets", p->step_s,
			QUERY_LIMIT_MAX);
	for (int level = 0; level < LEVEL_COUNT; level++)
		w->allowed[level] = p->step_s % level_seconds[level] == 0;
	return 0;
}

int plan_make(const struct query *q, const uint64_t retention_s[static LEVEL_COUNT], uint64_t now_s,
	struct plan *ret, struct error *err)
{
	struct walk w;
	struct plan p = {0};
	if (q->from_s >= q->to_s || q->to_s > TIME_END)
		return error_set(err, -EINVAL, "the range is empty: it must end after it begins");
	if (q->to_s - q->from_s > RANGE_MAX_S)
		return error_set(err, -EINVAL, "the range is longer than 200 years");
	for (int level = 0; level < LEVEL_COUNT; level++) {
		w.allowed[level] = true;
		w.floor_s[level] = round_up(level_cutoff(retention_s, (enum store_level)level, now_s),
			level_seconds[level]);
	}
	int r = plan_step(q, &w, &p, err);
	if (r < 0)
		return r;
	uint32_t grain = grain_of(q);
	cover(&w, round_down(q->from_s, grain), round_up(q->to_s, grain), &p);

	uint32_t dims = filter_dims(q);
	p.total_cube = cube_for(dims);
	for (size_t i = 0; i < q->by_count; i++)
		dims |= DIM_BIT(q->by[i]);
	p.cube = cube_for(dims);
	*ret = p;
	return 0;
}
