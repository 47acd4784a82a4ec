/* SPDX-License-Identifier: BSD-2-Clause */

/* RFC 3339 is parsed by hand because strptime knows neither fractions nor zones with a colon, and
 * because it accepts what the grammar does not. Dates are checked against the calendar, so a wrong
 * day is an error and never another day. Everything is UTC; leap seconds are the second before. */

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t clock_wall_ms(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

const char *time_format(uint64_t ms, char buf[static TIME_TEXT_MAX])
{
	time_t sec = (time_t)(ms / 1000);
	struct tm tm;
	if (!gmtime_r(&sec, &tm) || tm.tm_year > 8099) {
		(void)snprintf(buf, TIME_TEXT_MAX, "-");
		return buf;
	}
	size_t n = strftime(buf, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	if (ms % 1000)
		n += (size_t)snprintf(buf + n, TIME_TEXT_MAX - n, ".%03u", (unsigned)(ms % 1000));
	(void)snprintf(buf + n, TIME_TEXT_MAX - n, "Z");
	return buf;
}

static int parse_digits(const char **p, int count, int *ret)
{
	int v = 0;
	for (int i = 0; i < count; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return -EINVAL;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return 0;
}

/* ".123456": milliseconds, further digits are cut. */
static unsigned parse_fraction(const char **p)
{
	unsigned ms = 0, scale = 100;
	if (**p != '.' && **p != ',')
		return 0;
	for ((*p)++; isdigit((unsigned char)**p); (*p)++, scale /= 10)
		ms += scale * (unsigned)(**p - '0');
	return ms;
}

/* "Z", "+01:00", "-0500": seconds east of UTC. */
static int parse_zone(const char **p, int *ret)
{
	if (**p == 'Z' || **p == 'z') {
		(*p)++;
		*ret = 0;
		return 0;
	}
	int sign = **p == '+' ? 1 : **p == '-' ? -1 : 0, h, m;
	if (!sign)
		return -EINVAL;
	(*p)++;
	if (parse_digits(p, 2, &h) < 0)
		return -EINVAL;
	if (**p == ':')
		(*p)++;
	if (parse_digits(p, 2, &m) < 0 || h > 23 || m > 59)
		return -EINVAL;
	*ret = sign * (h * 3600 + m * 60);
	return 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

/* "10:00", "10:00:00.123" */
static int parse_hms(const char **p, int *h, int *m, int *s, unsigned *ms)
{
	if (parse_digits(p, 2, h) < 0 || *(*p)++ != ':' || parse_digits(p, 2, m) < 0)
		return -EINVAL;
	if (**p == ':') {
		(*p)++;
		if (parse_digits(p, 2, s) < 0)
			return -EINVAL;
		*ms = parse_fraction(p);
	}
	return *h > 23 || *m > 59 || *s > 60 ? -EINVAL : 0;
}

/* Also without seconds, and a date alone: its first moment in UTC. */
static int parse_rfc3339(const char *p, uint64_t *ret_ms)
{
	int year, mon, day, h = 0, m = 0, s = 0, zone = 0;
	unsigned ms = 0;
	if (parse_digits(&p, 4, &year) < 0 || *p++ != '-' || parse_digits(&p, 2, &mon) < 0 || *p++ != '-' ||
		parse_digits(&p, 2, &day) < 0)
		return -EINVAL;
	if (mon < 1 || mon > 12 || day < 1 || day > days_in_month(year, mon))
		return -EINVAL;
	if (*p == 'T' || *p == 't' || *p == ' ') {
		p++;
		if (parse_hms(&p, &h, &m, &s, &ms) < 0 || parse_zone(&p, &zone) < 0)
			return -EINVAL;
	}
	if (*p)
		return -EINVAL;
	struct tm tm = {.tm_year = year - 1900, .tm_mon = mon - 1, .tm_mday = day, .tm_hour = h, .tm_min = m,
		.tm_sec = s};
	int64_t t = (int64_t)timegm(&tm) - zone;
	if (t < 0)
		return -EINVAL;
	*ret_ms = (uint64_t)t * 1000 + ms;
	return 0;
}

int time_parse(const char *text, uint64_t *ret_ms)
{
	char *end;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	unsigned long long sec = strtoull(text, &end, 10);
	if (*end == '\0') {
		if (errno || sec > UINT64_MAX / 1000)
			return -EINVAL;
		*ret_ms = sec * 1000;
		return 0;
	}
	return parse_rfc3339(text, ret_ms);
}

int duration_parse(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};

	if (strcmp(text, "forever") == 0) {
		*ret_ms = UINT64_MAX;
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	char *end;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (n > UINT64_MAX / 2 / units[i].ms)
			return -EINVAL;
		*ret_ms = n * units[i].ms;
		return 0;
	}
	return -EINVAL;
}
