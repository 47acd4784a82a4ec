/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Three digits: "1.23", "12.3", "123". */
static void three_digits(double v, const char *unit, char buf[static UNITS_TEXT_MAX])
{
	int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
	(void)snprintf(buf, UNITS_TEXT_MAX, "%.*f%s", decimals, v, unit);
}

/* With the largest unit that leaves at least 1 after rounding; the first unit is shown whole. */
static const char *scaled(double v, const char *const *units, char buf[static UNITS_TEXT_MAX])
{
	size_t i = 0;
	for (; v >= 999.5 && units[i + 1]; i++)
		v /= 1000;
	if (i == 0)
		(void)snprintf(buf, UNITS_TEXT_MAX, "%.0f%s", v, units[0]);
	else
		three_digits(v, units[i], buf);
	return buf;
}

const char *units_bytes(double bytes, char buf[static UNITS_TEXT_MAX])
{
	static const char *const units[] = {" B", " kB", " MB", " GB", " TB", " PB", " EB", NULL};
	return scaled(bytes, units, buf);
}

const char *units_count(double n, char buf[static UNITS_TEXT_MAX])
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", "E", NULL};
	if (n >= 9999.5)
		return scaled(n, units, buf);
	(void)snprintf(buf, UNITS_TEXT_MAX, "%.0f", n);
	return buf;
}

const char *units_bit_rate(double bits_per_s, char buf[static UNITS_TEXT_MAX])
{
	static const char *const units[] = {" bit/s", " kbit/s", " Mbit/s", " Gbit/s", " Tbit/s", NULL};
	return scaled(bits_per_s, units, buf);
}

const char *units_per_second(double n, char buf[static UNITS_TEXT_MAX])
{
	if (n > 0 && n < 9999.5)
		three_digits(n, "", buf);
	else
		(void)units_count(n, buf);
	size_t len = strlen(buf);
	(void)snprintf(buf + len, UNITS_TEXT_MAX - len, "/s");
	return buf;
}

const char *units_change(double now, double before, char buf[static UNITS_TEXT_MAX])
{
	double change = before > 0 ? now / before - 1 : 0;
	if (!(before > 0))
		(void)snprintf(buf, UNITS_TEXT_MAX, "%s", now > 0 ? "new" : "same");
	else if (fabs(change) < 0.005)
		(void)snprintf(buf, UNITS_TEXT_MAX, "same");
	else if (change >= 9.995)
		(void)snprintf(buf, UNITS_TEXT_MAX, "x %.3g", change + 1 < 1e6 ? change + 1 : 1e6);
	else
		(void)snprintf(buf, UNITS_TEXT_MAX, "%+.*f %%", fabs(change) < 0.0995 ? 1 : 0, change * 100);
	return buf;
}

const char *units_points(double now, double before, char buf[static UNITS_TEXT_MAX])
{
	double points = (now - before) * 100;
	if (fabs(points) < 0.02)
		(void)snprintf(buf, UNITS_TEXT_MAX, "same");
	else
		(void)snprintf(buf, UNITS_TEXT_MAX, "%+.*f pp", fabs(points) < 9.995 ? 2 : 1, points);
	return buf;
}

const char *units_percent(double share, char buf[static UNITS_TEXT_MAX])
{
	double v = share * 100;
	if (v > 0 && v < 0.005)
		(void)snprintf(buf, UNITS_TEXT_MAX, "<0.01 %%");
	else if (v == 0)
		(void)snprintf(buf, UNITS_TEXT_MAX, "0 %%");
	else
		three_digits(v, " %", buf);
	return buf;
}

const char *units_rtt(double us, char buf[static UNITS_TEXT_MAX])
{
	static const char *const units[] = {" us", " ms", " s", NULL};
	return scaled(us, units, buf);
}

const char *units_age(uint64_t seconds, char buf[static UNITS_TEXT_MAX])
{
	static const struct {
		uint64_t seconds;
		char name;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	for (size_t i = 0; i < 3; i++) {
		uint64_t whole = seconds / units[i].seconds, rest = seconds % units[i].seconds / units[i + 1].seconds;
		if (!whole)
			continue;
		int n = snprintf(buf, UNITS_TEXT_MAX, "%llu %c", (unsigned long long)whole, units[i].name);
		if (rest)
			(void)snprintf(buf + n, UNITS_TEXT_MAX - (size_t)n, " %llu %c", (unsigned long long)rest,
				units[i + 1].name);
		return buf;
	}
	(void)snprintf(buf, UNITS_TEXT_MAX, "%llu s", (unsigned long long)seconds);
	return buf;
}

const char *units_since(const char *time, char buf[static UNITS_TEXT_MAX])
{
	uint64_t ms, now_ms = clock_wall_ms();
	if (!time || time_parse(time, &ms) < 0)
		return NULL;
	return units_age(now_ms > ms ? (now_ms - ms) / 1000 : 0, buf);
}

/* U+2588 full block down to U+258F, one eighth; U+2581 to U+2588 are heights. */

const char *units_bar(double share, unsigned columns, char buf[static UNITS_BAR_MAX])
{
	static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	if (columns > UNITS_BAR_MAX / 3 - 1)
		columns = UNITS_BAR_MAX / 3 - 1;
	double eighths = share > 0 ? fmin(share, 1) * columns * 8 : 0;
	unsigned n = (unsigned)lround(eighths);
	if (n == 0 && share > 0)
		n = 1;
	char *p = buf;
	for (unsigned i = 0; i < n / 8; i++)
		p = stpcpy(p, "█");
	(void)stpcpy(p, parts[n % 8]);
	return buf;
}

const char *units_height(double share)
{
	static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	if (!(share > 0))
		return " ";
	int i = (int)ceil(fmin(share, 1) * 8) - 1;
	return heights[i < 0 ? 0 : i];
}
