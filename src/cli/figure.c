/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/figure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/words.h"
#include "cli/rows.h"

/* What people call them, beside the API's names. */
static const struct {
	const char *name, *measure;
} others[] = {{"bytes", "bytes_sent"}, {"bit/s", "bytes_sent"}, {"rate", "bytes_sent"}, {"packets", "packets_sent"},
	{"retransmits", "retransmit_rate"}, {"rtt_p50", "rtt_p50_us"}, {"rtt_p95", "rtt_p95_us"}, {"rtt", "rtt_p50_us"}};

static const char *const sums[] = {
#define FIELD(bit, name, unit, help) #name,
#include "wire/fields.def"
#undef FIELD
};

/* A rate is one sum divided by another. */
static const struct {
	const char *name, *title, *part, *whole;
} rates[] = {
	[FIGURE_RETRANSMITS] = {"retransmit_rate", "RETRANS", "packets_retransmitted", "packets_sent"},
	[FIGURE_GOODPUT] = {"goodput_rate", "GOODPUT", "goodput_met", "goodput_tested"},
	[FIGURE_SPURIOUS] = {"spurious_rate", "NEEDLESS", "packets_spurious", "packets_retransmitted"},
};

bool figure_is_rate(const struct figure *f)
{
	return f->kind >= FIGURE_RETRANSMITS && f->kind <= FIGURE_SPURIOUS;
}

const char *figure_name(size_t i)
{
	static const char *const first[] = {"bytes", "retransmit_rate", "rtt_p50", "rtt_p95", "goodput_rate", "spurious_rate"};
	if (i < ARRAY_LEN(first))
		return first[i];
	return i - ARRAY_LEN(first) < ARRAY_LEN(sums) ? sums[i - ARRAY_LEN(first)] : NULL;
}

int figure_parse(const char *text, struct figure *ret)
{
	const char *measure = text;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(text, others[i].name) == 0)
			measure = others[i].measure;
	for (int kind = FIGURE_RETRANSMITS; kind <= FIGURE_SPURIOUS; kind++)
		if (strcmp(measure, rates[kind].name) == 0) {
			*ret = (struct figure){rates[kind].name, kind};
			return 0;
		}
	if (strcmp(measure, "rtt_p50_us") == 0 || strcmp(measure, "rtt_p95_us") == 0) {
		*ret = (struct figure){measure, FIGURE_RTT};
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(sums); i++)
		if (strcmp(measure, sums[i]) == 0) {
			*ret = (struct figure){measure, FIGURE_SUM};
			return 0;
		}
	return -EINVAL;
}

const char *figure_fields(const struct figure *f, char buf[static FIGURE_FIELDS_MAX])
{
	static const char always[] = "bytes_sent,packets_sent,packets_retransmitted,rtt_count,retransmit_rate,rtt_p50_us,approximate";
	const char *const wanted[] = {figure_is_rate(f) ? rates[f->kind].part : f->measure, figure_is_rate(f) ? rates[f->kind].whole : f->measure};
	size_t n = (size_t)snprintf(buf, FIGURE_FIELDS_MAX, "%s", always);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!words_have(buf, ',', wanted[i]))
			n += (size_t)snprintf(buf + n, FIGURE_FIELDS_MAX - n, ",%s", wanted[i]);
	return buf;
}

const char *figure_title(const struct figure *f, char buf[static UNITS_TEXT_MAX])
{
	bool bits = f->kind == FIGURE_SUM && strcmp(f->measure, "bytes_sent") == 0;
	const char *name = figure_is_rate(f) ? rates[f->kind].title : bits ? "BIT" : f->measure;
	size_t n = strlen(name) - (f->kind == FIGURE_RTT ? 3 : 0); /* _us */
	(void)snprintf(buf, UNITS_TEXT_MAX, "%.*s%s", (int)(n < UNITS_TEXT_MAX - 3 ? n : UNITS_TEXT_MAX - 3), name,
		f->kind == FIGURE_SUM ? "/S" : "");
	return rows_title(buf);
}

const char *figure_text(const struct figure *f, double v, char buf[static UNITS_TEXT_MAX])
{
	if (figure_is_rate(f))
		return units_percent(v, buf);
	if (f->kind == FIGURE_RTT)
		return units_rtt(v, buf);
	return rows_measure_is_bytes(f->measure) ? units_bit_rate(v, buf) : units_per_second(v, buf);
}

void figure_add(const struct figure *f, const json_t *row, struct figure_sum *sum)
{
	double samples = rows_number(row, "rtt_count");
	switch (f->kind) {
	case FIGURE_SUM:
		sum->value += rows_number(row, f->measure);
		break;
	case FIGURE_RETRANSMITS:
	case FIGURE_GOODPUT:
	case FIGURE_SPURIOUS:
		sum->value += rows_number(row, rates[f->kind].part);
		sum->weight += rows_number(row, rates[f->kind].whole);
		break;
	case FIGURE_RTT:
		sum->value += rows_number(row, f->measure) * samples;
		sum->weight += samples;
		break;
	}
}

double figure_value(const struct figure *f, const struct figure_sum *sum, double seconds)
{
	double weight = f->kind == FIGURE_SUM ? seconds : sum->weight;
	double unit = f->kind == FIGURE_SUM && rows_measure_is_bytes(f->measure) ? 8 : 1;
	return weight > 0 ? sum->value * unit / weight : NAN;
}
