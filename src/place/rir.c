/* SPDX-License-Identifier: BSD-2-Clause */

/* The statistics exchange format of the regional registries, both its versions ("delegated" and
 * "delegated-extended"; www.apnic.net/about-apnic/corporate-documents/documents/resource-guidelines/
 * rir-statistics-exchange-format). Lines of fields between |:
 *
 *     2|ripencc|1763852399|3|19830705|20261122|+0100           version line, the first that counts
 *     ripencc|*|ipv4|*|1|summary                               how many records of a type follow
 *     ripencc|DE|ipv4|192.0.2.0|768|20260101|allocated|…       768 addresses, no CIDR block
 *     ripencc|FR|ipv6|2001:db8::|33|20260101|assigned          a prefix of 33 bits
 *     # comment, and empty lines
 *
 * Only allocated and assigned ranges with a country count, but every line has to be right: a file
 * that is half understood would give wrong answers silently. Nothing marks the end of a file, so a
 * cut one is told by the summaries: fewer IPv4 or IPv6 records than they promise are an error (more
 * are not: the lines are there). The version line's count and the summary of AS numbers prove
 * nothing, LACNIC counts numbers there and not records. Files that were put together with cat work:
 * a version line begins a new part. Header oddities that exist and are accepted: dates of zeros,
 * versions with a fraction, no time zone sign. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "place/slurp.h"
#include "place/source.h"

#define FILE_BYTES_MAX ((size_t)1 << 30)
#define FIELDS_MAX 7 /* further ones are not looked at */

enum record_type { RECORD_ASN, RECORD_V4, RECORD_V6, RECORD_TYPES, RECORD_UNKNOWN = -1 };
static const char *const type_names[RECORD_TYPES] = {"asn", "ipv4", "ipv6"};

struct promise {
	unsigned line; /* 0: none */
	uint64_t count;
};

struct rir {
	const char *file;
	unsigned line;
	struct source_lists *lists;
	struct error *err;
	bool has_version;
	struct promise summary[RECORD_TYPES];
	uint64_t seen[RECORD_TYPES];
	struct view fields[FIELDS_MAX];
	size_t field_count; /* all of them */
};

#define FAIL(r, ...) (error_set((r)->err, -EINVAL, __VA_ARGS__), rir_where(r))

/* Puts file and line in front of the message. */
static int rir_where(const struct rir *r)
{
	(void)error_prefix(r->err, "%s:%u", r->file, r->line);
	return -EINVAL;
}

/* Shows a field in a message: not longer than is useful, without control characters. */
struct shown {
	char text[48];
};

static struct shown show(struct view v)
{
	struct shown s;
	size_t n = v.len < sizeof(s.text) - 4 ? v.len : sizeof(s.text) - 4;
	for (size_t i = 0; i < n; i++)
		s.text[i] = v.data[i] >= ' ' && v.data[i] < 0x7f ? (char)v.data[i] : '?';
	(void)snprintf(s.text + n, sizeof(s.text) - n, "%s", n < v.len ? "..." : "");
	return s;
}

static bool equals(struct view v, const char *text)
{
	return v.len == strlen(text) && memcmp(v.data, text, v.len) == 0;
}

static bool number(struct view v, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	if (v.len == 0 || v.len > 18)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.data[i] < '0' || v.data[i] > '9')
			return false;
		n = n * 10 + (v.data[i] - '0');
	}
	*ret = n;
	return n <= max;
}

static void split(struct rir *r, struct view line)
{
	struct rd in = rd_view(line);
	r->field_count = 0;
	for (bool more = true; more; r->field_count++) {
		const uint8_t *start = in.p;
		const uint8_t *bar = memchr(start, '|', rd_left(&in));
		struct view field = rd_bytes(&in, bar ? (size_t)(bar - start) : rd_left(&in));
		if (r->field_count < FIELDS_MAX)
			r->fields[r->field_count] = field;
		more = bar != NULL;
		rd_skip(&in, more ? 1 : 0);
	}
}

static int record_type(struct view v)
{
	for (int i = 0; i < RECORD_TYPES; i++)
		if (equals(v, type_names[i]))
			return i;
	return RECORD_UNKNOWN;
}

/* ---- what the file says about itself ---- */

static int end_part(struct rir *r)
{
	for (int i = RECORD_V4; i < RECORD_TYPES; i++) {
		const struct promise *p = &r->summary[i];
		if (p->line && r->seen[i] < p->count)
			return FAIL(r,
				"only %llu of the %llu %s records that line %u promises are there: is the file cut short?",
				(unsigned long long)r->seen[i], (unsigned long long)p->count, type_names[i],
				p->line);
	}
	memset(r->summary, 0, sizeof(r->summary));
	memset(r->seen, 0, sizeof(r->seen));
	return 0;
}

static bool is_version(const struct rir *r)
{
	struct view v = r->fields[0];
	return v.len && v.data[0] >= '0' && v.data[0] <= '9';
}

static int version_line(struct rir *r)
{
	int e = end_part(r);
	if (e < 0)
		return e;
	struct view v = r->fields[0];
	if (v.data[0] != '2' || (v.len > 1 && v.data[1] != '.'))
		return FAIL(r, "version '%s' of the format is not known (2 is)", show(v).text);
	if (r->field_count < 6)
		return FAIL(r, "the version line has %zu fields, not 7", r->field_count);
	uint64_t records;
	if (!number(r->fields[3], UINT64_MAX, &records))
		return FAIL(r, "'%s' is no number of records", show(r->fields[3]).text);
	r->has_version = true;
	return 0;
}

static int summary_line(struct rir *r)
{
	int type = record_type(r->fields[2]);
	if (type < 0)
		return FAIL(r, "a summary of '%s', which is not asn, ipv4 or ipv6", show(r->fields[2]).text);
	r->summary[type].line = r->line;
	if (!number(r->fields[4], UINT64_MAX, &r->summary[type].count))
		return FAIL(r, "'%s' is no number of records", show(r->fields[4]).text);
	return 0;
}

/* ---- records ---- */

static int parse_start(struct rir *r, unsigned family, struct addr *ret)
{
	char text[ADDR_TEXT_MAX];
	struct view v = r->fields[3];
	if (v.len < sizeof(text) && !memchr(v.data, '\0', v.len)) {
		memcpy(text, v.data, v.len);
		text[v.len] = '\0';
		if (addr_parse(text, ret) == 0 && ret->family == family)
			return 0;
	}
	return FAIL(r, "'%s' is no IPv%u address", show(v).text, family);
}

static int parse_v4(struct rir *r, u128 *ret_first, u128 *ret_last)
{
	struct addr start;
	uint64_t count;
	int e = parse_start(r, ADDR_V4, &start);
	if (e < 0)
		return e;
	if (!number(r->fields[4], (uint64_t)1 << 32, &count) || count == 0)
		return FAIL(r, "'%s' is no number of IPv4 addresses", show(r->fields[4]).text);
	*ret_first = range_number_v4(&start);
	*ret_last = *ret_first + count - 1;
	if (*ret_last > UINT32_MAX)
		return FAIL(r, "%llu addresses from %s on reach past 255.255.255.255", (unsigned long long)count,
			show(r->fields[3]).text);
	return 0;
}

static int parse_v6(struct rir *r, u128 *ret_first, u128 *ret_last)
{
	struct addr start;
	uint64_t bits;
	int e = parse_start(r, ADDR_V6, &start);
	if (e < 0)
		return e;
	if (!number(r->fields[4], 128, &bits))
		return FAIL(r, "'%s' is no prefix length (0 to 128)", show(r->fields[4]).text);
	u128 host = bits ? ((u128)1 << (128 - bits)) - 1 : ~(u128)0;
	*ret_first = range_number_v6(&start);
	*ret_last = *ret_first | host;
	if (*ret_first & host)
		return FAIL(r, "%s has bits set behind the %llu of the prefix", show(r->fields[3]).text,
			(unsigned long long)bits);
	return 0;
}

/* Whether ranges of this status count: 1, 0. IANA's own file has registries as statuses. */
static int parse_status(struct rir *r)
{
	static const char *const others[] = {"available", "reserved", "afrinic", "apnic", "arin", "iana", "ietf",
		"lacnic", "ripencc"};
	struct view v = r->fields[6];
	if (equals(v, "allocated") || equals(v, "assigned"))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (equals(v, others[i]))
			return 0;
	return FAIL(r, "'%s' is no status (allocated, assigned, available, reserved)", show(v).text);
}

static int parse_country(struct rir *r, country_code *ret)
{
	struct view v = r->fields[1];
	*ret = source_country((const char *)v.data, v.len);
	bool unknown = v.len == 0 || equals(v, "ZZ") || equals(v, "zz");
	if (*ret == COUNTRY_UNKNOWN && !unknown)
		return FAIL(r, "'%s' is no country code", show(v).text);
	return 0;
}

static int record_line(struct rir *r)
{
	if (r->field_count < 7)
		return FAIL(r, "a record needs 7 fields, this line has %zu", r->field_count);
	int type = record_type(r->fields[2]);
	if (type < 0)
		return FAIL(r, "'%s' is not asn, ipv4 or ipv6", show(r->fields[2]).text);
	r->seen[type]++;
	country_code country;
	int e = parse_country(r, &country);
	int counts = e < 0 ? e : parse_status(r);
	if (counts < 0 || type == RECORD_ASN)
		return counts < 0 ? counts : 0;
	u128 first, last;
	e = type == RECORD_V4 ? parse_v4(r, &first, &last) : parse_v6(r, &first, &last);
	if (e < 0 || !counts || country == COUNTRY_UNKNOWN)
		return e;
	struct range_list *list = type == RECORD_V4 ? &r->lists->v4 : &r->lists->v6;
	if (range_list_add(list, first, last, country) < 0)
		return error_set(r->err, -ENOMEM, "%s:%u: out of memory", r->file, r->line);
	return 0;
}

static int parse_line(struct rir *r, struct view line)
{
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 || line.data[0] == '#')
		return 0;
	split(r, line);
	if (is_version(r))
		return version_line(r);
	if (!r->has_version)
		return FAIL(r, "is no statistics file of a registry: it has to begin with a version line "
			       "(2|REGISTRY|SERIAL|RECORDS|START|END|ZONE), not with '%s'",
			show(line).text);
	if (r->field_count >= 6 && equals(r->fields[5], "summary"))
		return summary_line(r);
	return record_line(r);
}

int rir_parse(const char *file, const char *text, size_t len, struct source_lists *lists, struct error *err)
{
	struct rir r = {.file = file, .lists = lists, .err = err};
	struct rd in = rd_make(text, len);
	while (rd_more(&in)) {
		const uint8_t *end = memchr(in.p, '\n', rd_left(&in));
		struct view line = rd_bytes(&in, end ? (size_t)(end - in.p) : rd_left(&in));
		rd_skip(&in, end ? 1 : 0);
		r.line++;
		int e = parse_line(&r, line);
		if (e < 0)
			return e;
	}
	if (!r.has_version)
		return error_set(err, -EINVAL, "%s: is no statistics file of a registry: no version line "
			"(2|REGISTRY|SERIAL|RECORDS|START|END|ZONE) in %u lines", file, r.line);
	return end_part(&r);
}

int rir_read(const char *file, struct source_lists *lists, struct error *err)
{
	CLEANUP(slurp_done) struct slurp s = {0};
	int r = slurp_file(file, FILE_BYTES_MAX, &s, err);
	return r < 0 ? r : rir_parse(file, s.data, s.len, lists, err);
}
