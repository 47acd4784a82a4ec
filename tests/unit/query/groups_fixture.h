/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Groups as a query hands them out, made by hand. A test fills names and numbers in; the keys are codes of the sets. */

#include "query/query.h"
#include "wt_test.h"

struct groups_fixture {
	struct groups groups;
	struct value_set sets[QUERY_DIMS_MAX];
	uint8_t measures[MEASURE_COUNT];
	unsigned dims;
};

static inline void groups_fixture_init(struct groups_fixture *f, const enum dimension *by, unsigned dims)
{
	f->dims = dims;
	groups_init(&f->groups, dims, MEASURE_COUNT, UINT32_MAX - 1);
	for (unsigned i = 0; i < dims; i++)
		value_set_init(&f->sets[i], dimension_table[by[i]].kind);
	for (unsigned i = 0; i < MEASURE_COUNT; i++)
		f->measures[i] = (uint8_t)i;
}

static inline void groups_fixture_done(struct groups_fixture *f)
{
	groups_done(&f->groups);
	for (unsigned i = 0; i < f->dims; i++)
		value_set_done(&f->sets[i]);
}

static inline void groups_fixture_add(struct groups_fixture *f, const struct dim_value *values, const struct measures *m)
{
	uint64_t key[QUERY_DIMS_MAX];
	uint32_t at;
	for (unsigned i = 0; i < f->dims; i++)
		assert_int_equal(value_set_code(&f->sets[i], &values[i], &key[i]), 0);
	assert_int_equal(groups_get(&f->groups, key, &at), 0);
	for (unsigned i = 0; i < MEASURE_COUNT; i++)
		groups_sums(&f->groups, at)[i] += m->v[i];
}

static inline struct query_groups groups_fixture_all(const struct groups_fixture *f)
{
	return (struct query_groups){&f->groups, f->sets, f->measures, MEASURE_COUNT};
}

static inline struct dim_value text_value(const char *text)
{
	return (struct dim_value){.known = text, .bytes = {(const uint8_t *)text, text ? strlen(text) : 0}};
}

static inline struct dim_value as_value(uint32_t as)
{
	return (struct dim_value){.known = as, .number = as};
}
