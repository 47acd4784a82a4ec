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

const char *figure_name(size_t i)
{
	static const char *const rates[] = {"bytes", "retransmit_rate", "rtt_p50", "rtt_p95"};
	if (i < ARRAY_LEN(rates))
		return rates[i];
	return i - ARRAY_LEN(rates) < ARRAY_LEN(sums) ? sums[i - ARRAY_LEN(rates)] : NULL;
}

int figure_parse(const char *text, struct figure *ret)
{
	const char *measure = text;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(text, others[i].name) == 0)
			measure = others[i].measure;
	if (strcmp(measure, "retransmit_rate") == 0) {
		*ret = (struct figure){"retransmit_rate", FIGURE_RETRANSMITS};
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
	bool there = words_have(always, ',', f->measure);
	(void)snprintf(buf, FIGURE_FIELDS_MAX, "%s%s%s", always, there ? "" : ",", there ? "" : f->measure);
	return buf;
}

const char *figure_title(const struct figure *f, char buf[static UNITS_TEXT_MAX])
{
	bool bits = f->kind == FIGURE_SUM && strcmp(f->measure, "bytes_sent") == 0;
	const char *name = f->kind == FIGURE_RETRANSMITS ? "RETRANS" : bits ? "BIT" : f->measure;
	size_t n = strlen(name) - (f->kind == FIGURE_RTT ? 3 : 0); /* _us */
	(void)snprintf(buf, UNITS_TEXT_MAX, "%.*s%s", (int)(n < UNITS_TEXT_MAX - 3 ? n : UNITS_TEXT_MAX - 3), name,
		f->kind == FIGURE_SUM ? "/S" : "");
	return rows_title(buf);
}

const char *figure_text(const struct figure *f, double v, char buf[static UNITS_TEXT_MAX])
{
	if (f->kind == FIGURE_RETRANSMITS)
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
		sum->value += rows_number(row, "packets_retransmitted");
		sum->weight += rows_number(row, "packets_sent");
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
