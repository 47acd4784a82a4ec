/* SPDX-License-Identifier: BSD-2-Clause */

/* Native blocks: the number of columns and of rows, then each column as its name, its type and all of its values. A
 * block that is cut off is refused as a whole (a cut body in any format of rows would be taken up to the cut), and
 * one of a single partition becomes a single part, which is there or not.
 *
 * One row is the batch's mark (or there are several, and nothing else): no dimensions, no sums. It stands where the table's
 * order wants it, among rows that are in that order too: so the server need not sort, which would cost it as much as all
 * the rest. Rows stand row by row where they come from, so the measures, most of a block, are written in one walk with a
 * place in each column. Most batches are of one hour, one day: then the blocks of a cube's levels differ in their first column
 * only, the times, and what follows is made once. */

#include "store/clickhouse.h"

#include <string.h>

/* More than anybody sends in a bucket, and 127 of them still add up to a signed number of 64 bits. */
#define VALUE_MAX (1ull << 56)

#define HEADER_MAX 64 /* a column's name and type */

static void write_string(struct wr *w, struct view v)
{
	wr_varint(w, v.len);
	wr_bytes(w, v.data, v.len);
}

static void write_zeros(struct wr *w, size_t n)
{
	struct wr zeros = wr_carve(w, n);
	if (wr_ok(&zeros) && n)
		memset(zeros.p, 0, n);
}

static void write_text(struct wr *w, const char *text)
{
	write_string(w, (struct view){(const uint8_t *)text, strlen(text)});
}

void ch_block_begin(struct buffer *out, unsigned columns, uint64_t rows)
{
	struct wr w = buffer_reserve(out, 20);
	wr_varint(&w, columns);
	wr_varint(&w, rows);
	buffer_commit(out, &w);
}

void ch_block_column(struct buffer *out, const char *name, const char *type)
{
	struct wr w = buffer_reserve(out, HEADER_MAX);
	write_text(&w, name);
	write_text(&w, type);
	buffer_commit(out, &w);
}

void ch_block_number(struct buffer *out, unsigned bytes, uint64_t value)
{
	struct wr w = buffer_reserve(out, bytes);
	wr_le(&w, value, bytes);
	buffer_commit(out, &w);
}

void ch_block_string(struct buffer *out, struct view v)
{
	struct wr w = buffer_reserve(out, v.len + 10);
	write_string(&w, v);
	buffer_commit(out, &w);
}

/* ---- columns of a cube's rows ---- */

static const uint64_t nothing[1 + CUBE_KEY_MAX + MEASURE_COUNT];

static size_t count_all(const struct ch_block *b)
{
	return (size_t)b->count + b->mark_count;
}

static bool is_mark(const struct ch_block *b, uint32_t i)
{
	return i - b->before < b->mark_count; /* a row before them is far above */
}

static uint32_t row_of(const struct ch_block *b, uint32_t i)
{
	return b->at[i < b->before ? i : i - b->mark_count];
}

/* Of row i of the block, which may be a mark. */
static uint64_t word_of(const struct ch_block *b, uint32_t i, unsigned word, uint64_t marker)
{
	return is_mark(b, i) ? marker : groups_key(b->rows, row_of(b, i))[word];
}

static const uint64_t *sums_of(const struct ch_block *b, uint32_t i)
{
	return is_mark(b, i) ? nothing : groups_sums(b->rows, row_of(b, i));
}

static struct view value_of(const struct ch_block *b, const struct view *values, uint32_t i, unsigned word)
{
	return is_mark(b, i) ? (struct view){0} : values[groups_key(b->rows, row_of(b, i))[word]];
}

static void add_numbers(const struct ch_block *b, const char *name, enum dimension dim, unsigned word, uint64_t marker,
	struct buffer *out)
{
	unsigned width = ch_width(dim);
	ch_block_column(out, name, ch_type(dim));
	struct wr w = buffer_reserve(out, count_all(b) * width);
	for (uint32_t i = 0; i < count_all(b); i++)
		wr_le(&w, word_of(b, i, word, marker), width);
	buffer_commit(out, &w);
}

static void add_strings(const struct ch_block *b, const char *name, const struct view *values, unsigned word,
	struct buffer *out)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < count_all(b); i++)
		bytes += 10 + value_of(b, values, i, word).len;
	ch_block_column(out, name, "String");
	struct wr w = buffer_reserve(out, bytes);
	for (uint32_t i = 0; i < count_all(b); i++)
		write_string(&w, value_of(b, values, i, word));
	buffer_commit(out, &w);
}

static void add_members(const struct ch_block *b, unsigned word, struct buffer *out)
{
	const struct view *members = b->dict ? b->dict->members : NULL;
	uint64_t bytes = 0;
	ch_block_column(out, "members", "Array(UInt32)");
	struct wr w = buffer_reserve(out, count_all(b) * 8);
	for (uint32_t i = 0; i < count_all(b); i++) {
		bytes += value_of(b, members, i, word).len;
		wr_le(&w, bytes / 4, 8);
	}
	buffer_commit(out, &w);
	w = buffer_reserve(out, bytes);
	for (uint32_t i = 0; i < count_all(b); i++) {
		struct view v = value_of(b, members, i, word);
		wr_bytes(&w, v.data, v.len);
	}
	buffer_commit(out, &w);
}

static void add_marks(const struct ch_block *b, struct buffer *out)
{
	size_t bytes = b->count;
	for (uint32_t i = 0; i < b->mark_count; i++)
		bytes += 10 + b->marks[i].len;
	ch_block_column(out, "mark", "String");
	struct wr w = buffer_reserve(out, bytes);
	write_zeros(&w, b->before); /* as many empty texts */
	for (uint32_t i = 0; i < b->mark_count; i++)
		write_string(&w, b->marks[i]);
	write_zeros(&w, b->count - b->before);
	buffer_commit(out, &w);
}

static void add_measures(const struct ch_block *b, struct buffer *out)
{
	struct wr columns[MEASURE_COUNT];
	size_t bytes = count_all(b) * 8;
	struct wr w = buffer_reserve(out, MEASURE_COUNT * (HEADER_MAX + bytes));
	for (unsigned m = 0; m < MEASURE_COUNT; m++) {
		write_text(&w, measure_table[m].name);
		write_text(&w, "UInt64");
		columns[m] = wr_carve(&w, bytes);
	}
	for (uint32_t i = 0; i < count_all(b) && wr_ok(&w); i++) {
		const uint64_t *sums = sums_of(b, i);
		for (unsigned m = 0; m < MEASURE_COUNT; m++)
			wr_le(&columns[m], sums[m] < VALUE_MAX ? sums[m] : VALUE_MAX, 8);
	}
	buffer_commit(out, &w);
}

static void add_markers(const struct ch_block *b, struct buffer *out)
{
	ch_block_column(out, "marker", "UInt8");
	struct wr w = buffer_reserve(out, count_all(b));
	write_zeros(&w, b->before);
	for (uint32_t i = 0; i < b->mark_count; i++)
		wr_u8(&w, b->marker);
	write_zeros(&w, b->count - b->before);
	buffer_commit(out, &w);
}

void ch_block_times(const struct ch_block *b, struct buffer *out)
{
	enum dimension key[CUBE_KEY_MAX];
	unsigned n = (unsigned)cube_key(b->cube, key);
	bool with_path = cube_dims[b->cube] & DIM_BIT(DIM_path);
	ch_block_begin(out, 1 + n + with_path + 1 + MEASURE_COUNT + 1, count_all(b));
	add_numbers(b, "ts", DIM_time, 0, b->marker_ts, out);
}

void ch_block_rest(const struct ch_block *b, struct buffer *out)
{
	enum dimension key[CUBE_KEY_MAX];
	unsigned n = (unsigned)cube_key(b->cube, key);
	for (unsigned i = 0; i < n; i++) {
		const char *name = dimension_table[key[i]].name;
		if (ch_width(key[i]))
			add_numbers(b, name, key[i], 1 + i, 0, out);
		else
			add_strings(b, name, b->dict ? ch_dict_of(b->dict, key[i]) : NULL, 1 + i, out);
	}
	for (unsigned i = 0; i < n; i++)
		if (key[i] == DIM_path)
			add_members(b, 1 + i, out);
	add_marks(b, out);
	add_measures(b, out);
	add_markers(b, out);
}
