/* SPDX-License-Identifier: BSD-2-Clause */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>

#include "place/country.h"
#include "place/slurp.h"
#include "place/source.h"
#include "wt_files.h"

#define HEADER "2|ripencc|1763852399|3|19830705|20261122|+0100\n"

static const char sample[] =
	"# a comment\n"
	"\n"
	"2.3|ripencc|1763852399|12|00000000|20261122|+0100\n"
	"ripencc|*|ipv4|*|6|summary\n"
	"ripencc|*|ipv6|*|2|summary\n"
	"ripencc|*|asn|*|900|summary\n"
	"ripencc|DE|asn|64500|5|20200101|allocated\n"
	"ripencc|DE|ipv4|192.0.2.0|77|20200101|allocated|A91|e-stats\r\n"
	"ripencc|FR|ipv4|192.0.2.100|1|20200101|assigned\n"
	"ripencc||ipv4|192.0.2.110|10||available\n"
	"ripencc|ZZ|ipv4|192.0.2.120|10||reserved\n"
	"ripencc|ZZ|ipv4|192.0.2.130|10|00000000|assigned\n"
	"ripencc|IT|ipv4|192.0.2.140|10|20200101|reserved\n"
	"ripencc|gb|ipv6|2001:db8:8000::|33|20200101|allocated|x\n"
	"ripencc|CH|ipv6|2001:db8:7fff:ffff::|64|20200101|assigned";

static struct countries *load(const char *const *patterns, size_t count)
{
	struct countries *c;
	struct error err = {0};
	assert_int_equal(countries_new(&c), 0);
	if (countries_add_rir(c, patterns, count, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static const char *ask(const struct countries *c, const char *text)
{
	static char buf[3];
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	country_code code = countries_lookup(c, &a);
	return code ? country_format(code, buf) : "-";
}

static void test_sample(void **state)
{
	static const char *const answers[][2] = {
		{"192.0.1.255", "-"},
		{"192.0.2.0", "DE"},
		{"192.0.2.76", "DE"},
		{"192.0.2.77", "-"},
		{"192.0.2.99", "-"},
		{"192.0.2.100", "FR"},
		{"192.0.2.101", "-"},
		{"192.0.2.110", "-"},
		{"192.0.2.125", "-"},
		{"192.0.2.135", "-"},
		{"192.0.2.145", "-"},
		{"::ffff:192.0.2.100", "FR"},
		{"2001:db8:7fff:fffe:ffff:ffff:ffff:ffff", "-"},
		{"2001:db8:7fff:ffff::", "CH"},
		{"2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", "CH"},
		{"2001:db8:8000::", "GB"},
		{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "GB"},
		{"2001:db9::", "-"},
	};
	const char *file = wt_write_text("sample", sample);
	struct countries *c = load(&file, 1);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		assert_string_equal(ask(c, answers[i][0]), answers[i][1]);
	struct countries_stats st = countries_stats(c);
	assert_int_equal(st.ranges_v4, 2);
	assert_int_equal(st.ranges_v6, 2);
	assert_int_equal(st.databases, 0);
	assert_true(st.memory_bytes > 0);
	assert_int_equal(countries_lookup(c, &(struct addr){.family = ADDR_NONE}), COUNTRY_UNKNOWN);
	countries_free(c);
	countries_free(NULL);
}

/* Ends of the address spaces. */
static void test_edges(void **state)
{
	const char *file = wt_write_text("edges", HEADER
		"x|AA|ipv4|255.255.255.0|256|0|allocated\n"
		"x|BB|ipv4|0.0.0.0|1|0|allocated\n"
		"x|CC|ipv6|ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff|128|0|allocated\n"
		"x|DD|ipv6|::|127|0|allocated\n");
	struct countries *c = load(&file, 1);
	assert_string_equal(ask(c, "255.255.255.255"), "AA");
	assert_string_equal(ask(c, "255.255.254.255"), "-");
	assert_string_equal(ask(c, "0.0.0.0"), "BB");
	assert_string_equal(ask(c, "0.0.0.1"), "-");
	assert_string_equal(ask(c, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "CC");
	assert_string_equal(ask(c, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), "-");
	assert_string_equal(ask(c, "::1"), "DD");
	assert_string_equal(ask(c, "::2"), "-");
	countries_free(c);

	file = wt_write_text("all", HEADER "x|AA|ipv4|0.0.0.0|4294967296|0|allocated\nx|BB|ipv6|::|0|0|assigned\n");
	c = load(&file, 1);
	assert_string_equal(ask(c, "0.0.0.0"), "AA");
	assert_string_equal(ask(c, "255.255.255.255"), "AA");
	assert_string_equal(ask(c, "::"), "BB");
	assert_string_equal(ask(c, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "BB");
	countries_free(c);
}

/* ---- errors ---- */

static void expect_error(const char *text, const char *expected)
{
	struct source_lists lists = {0};
	struct error err = {0};
	int r = rir_parse("file", text, strlen(text), &lists, &err);
	range_list_done(&lists.v4);
	range_list_done(&lists.v6);
	if (r >= 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.code, r);
	assert_begins(err.text, expected);
}

static void test_errors(void **state)
{
	static const char *const cases[][2] = {
		{"", "file: is no statistics file"},
		{"# only\n\n", "file: is no statistics file"},
		{"ripencc|DE|ipv4|192.0.2.0|256|20200101|allocated\n", "file:1: is no statistics file"},
		{"<html>\n", "file:1: is no statistics file"},
		{"# x\nripencc|*|ipv4|*|1|summary\n" HEADER, "file:2: is no statistics file"},
		{"1|ripencc|1|1|1|1|+0100\n", "file:1: version '1'"},
		{"20|ripencc|1|1|1|1|+0100\n", "file:1: version '20'"},
		{"2|ripencc|1|1|1\n", "file:1: the version line has 5 fields"},
		{"2|ripencc|1|many|1|1|+0100\n", "file:1: 'many' is no number of records"},
		{HEADER "x|DE|ipv4|192.0.2.0|256|20200101\n", "file:2: a record needs 7 fields, this line has 6"},
		{HEADER "x\n", "file:2: a record needs 7 fields, this line has 1"},
		{HEADER "\n#\nx|DE|ipv5|192.0.2.0|256|0|allocated\n", "file:4: 'ipv5' is not asn, ipv4 or ipv6"},
		{HEADER "x|DE|IPV4|192.0.2.0|256|0|allocated\n", "file:2: 'IPV4' is not"},
		{HEADER "x|DEU|ipv4|192.0.2.0|256|0|allocated\n", "file:2: 'DEU' is no country code"},
		{HEADER "x|D1|ipv4|192.0.2.0|256|0|allocated\n", "file:2: 'D1' is no country code"},
		{HEADER "x|DE|ipv4|192.0.2.0|0|0|allocated\n", "file:2: '0' is no number of IPv4 addresses"},
		{HEADER "x|DE|ipv4|192.0.2.0|-1|0|allocated\n", "file:2: '-1' is no number of IPv4"},
		{HEADER "x|DE|ipv4|192.0.2.0||0|allocated\n", "file:2: '' is no number of IPv4"},
		{HEADER "x|DE|ipv4|192.0.2.0|4294967297|0|allocated\n", "file:2: '4294967297' is no number of"},
		{HEADER "x|DE|ipv4|192.0.2.0|99999999999999999999|0|allocated\n", "file:2: '9999"},
		{HEADER "x|DE|ipv4|255.255.255.0|257|0|allocated\n",
			"file:2: 257 addresses from 255.255.255.0 on reach past 255.255.255.255"},
		{HEADER "x|DE|ipv4|0.0.0.1|4294967296|0|allocated\n", "file:2: 4294967296 addresses from"},
		{HEADER "x|DE|ipv4|2001:db8::|32|0|allocated\n", "file:2: '2001:db8::' is no IPv4 address"},
		{HEADER "x|DE|ipv6|192.0.2.0|32|0|allocated\n", "file:2: '192.0.2.0' is no IPv6 address"},
		{HEADER "x|DE|ipv6|::ffff:192.0.2.0|128|0|allocated\n", "file:2: '::ffff:192.0.2.0' is no IPv6"},
		{HEADER "x|DE|ipv4|192.0.2|32|0|allocated\n", "file:2: '192.0.2' is no IPv4 address"},
		{HEADER "x|DE|ipv4||32|0|allocated\n", "file:2: '' is no IPv4 address"},
		{HEADER "x|DE|ipv6|2001:db8::|129|0|allocated\n", "file:2: '129' is no prefix length"},
		{HEADER "x|DE|ipv6|2001:db8::1|64|0|allocated\n",
			"file:2: 2001:db8::1 has bits set behind the 64 of the prefix"},
		{HEADER "x|DE|ipv4|192.0.2.0|256|0|\n", "file:2: '' is no status"},
		{HEADER "x|DE|ipv4|192.0.2.0|256|0|alloc\n", "file:2: 'alloc' is no status"},
		/* Lines that do not count have to be right as well. */
		{HEADER "x||ipv4|192.0.2.0|x|0|available\n", "file:2: 'x' is no number"},
		{HEADER "x|*|ipv7|*|1|summary\n", "file:2: a summary of 'ipv7'"},
		{HEADER "x|*|ipv4|*||summary\n", "file:2: '' is no number of records"},
		{HEADER "x|*|ipv4|*|2|summary\nx|DE|ipv4|192.0.2.0|256|0|allocated\n",
			"file:3: only 1 of the 2 ipv4 records that line 2 promises are there"},
		{HEADER "x|*|ipv6|*|1|summary\n" HEADER "x|DE|ipv6|2001:db8::|32|0|allocated\n",
			"file:3: only 0 of the 1 ipv6 records"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_error(cases[i][0], cases[i][1]);
}

/* What is not printable does not come out in a message. */
static void test_message_is_clean(void **state)
{
	expect_error(HEADER "x|DE|ipv4|\x1b[31m|1|0|allocated\n", "file:2: '?[31m' is no");
	static const char nul[] = HEADER "x|DE|ipv4|192.0.2.0\0|1|0|allocated\n";
	struct source_lists lists = {0};
	struct error err = {0};
	assert_int_equal(rir_parse("file", nul, sizeof(nul) - 1, &lists, &err), -EINVAL);
	assert_begins(err.text, "file:2: '192.0.2.0?' is no IPv4 address");
}

/* Each is an error, or only cuts what is not read (the last line's status stands at its very end). */
static void test_every_truncation(void **state)
{
	for (size_t len = 0; len < sizeof(sample) - 1; len++) {
		struct source_lists lists = {0};
		struct error err = {0};
		char *copy = malloc(len + 1); /* of just this size, for ASan */
		memcpy(copy, sample, len);
		if (rir_parse("file", copy, len, &lists, &err) >= 0) {
			/* Only before the first promise was made. */
			assert_null(memmem(sample, len, "summary", 7));
			assert_non_null(memmem(sample, len, "2.3|ripencc", 11));
		} else {
			assert_begins(err.text, "file:");
		}
		range_list_done(&lists.v4);
		range_list_done(&lists.v6);
		free(copy);
	}
}

static void test_every_byte_changed(void **state)
{
	char *copy = malloc(sizeof(sample) - 1);
	for (size_t at = 0; at < sizeof(sample) - 1; at++) {
		for (unsigned value = 0; value < 256; value++) {
			struct source_lists lists = {0};
			struct error err = {0};
			memcpy(copy, sample, sizeof(sample) - 1);
			copy[at] = (char)value;
			if (rir_parse("file", copy, sizeof(sample) - 1, &lists, &err) < 0)
				assert_begins(err.text, "file:");
			for (size_t i = 0; i < lists.v4.count; i++)
				assert_true(lists.v4.items[i].first <= lists.v4.items[i].last &&
					lists.v4.items[i].last <= UINT32_MAX);
			range_list_done(&lists.v4);
			range_list_done(&lists.v6);
		}
	}
	free(copy);
}

/* ---- files ---- */

static void test_order_and_patterns(void **state)
{
	(void)wt_write_text("order-b", HEADER "x|BB|ipv4|10.0.1.0|512|0|allocated\n");
	(void)wt_write_text("order-a", HEADER "x|AA|ipv4|10.0.0.0|768|0|allocated\n");
	const char *pattern = wt_path("order-*");
	struct countries *c = load(&pattern, 1);
	assert_string_equal(ask(c, "10.0.0.255"), "AA");
	assert_string_equal(ask(c, "10.0.1.0"), "BB");
	assert_string_equal(ask(c, "10.0.2.255"), "BB");
	countries_free(c);

	const char *files[] = {wt_path("order-b"), wt_path("order-a")};
	c = load(files, 2);
	assert_string_equal(ask(c, "10.0.1.0"), "AA");
	assert_string_equal(ask(c, "10.0.2.255"), "AA");

	/* A second source answers only where the first does not know. */
	struct error err = {0};
	const char *second = wt_write_text("second", HEADER "x|CC|ipv4|10.0.2.0|768|0|allocated\n");
	assert_int_equal(countries_add_rir(c, &second, 1, &err), 0);
	assert_string_equal(ask(c, "10.0.2.255"), "AA");
	assert_string_equal(ask(c, "10.0.3.0"), "CC");

	/* What cannot be added changes nothing. */
	const char *bad[] = {wt_path("second"), wt_path("nothing-*")};
	assert_int_equal(countries_add_rir(c, bad, 2, &err), -ENOENT);
	assert_begins(err.text, bad[1]);
	const char *folder = wt_folder();
	assert_int_equal(countries_add_rir(c, &folder, 1, &err), -EINVAL);
	assert_contains(err.text, "not a regular file");
	assert_string_equal(ask(c, "10.0.3.0"), "CC");
	countries_free(c);
}

static size_t compress(const char *name, int (*filter)(struct archive *), char *out, size_t cap)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	size_t used = 0;
	archive_entry_set_pathname(e, "data");
	archive_entry_set_filetype(e, AE_IFREG);
	assert_int_equal(filter(a), ARCHIVE_OK);
	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	assert_int_equal(archive_write_set_bytes_in_last_block(a, 1), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(a, out, cap, &used), ARCHIVE_OK);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, sample, sizeof(sample) - 1), sizeof(sample) - 1);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_entry_free(e);
	archive_write_free(a);
	(void)wt_write(name, out, used);
	return used;
}

static int (*const filters[])(struct archive *) = {archive_write_add_filter_gzip, archive_write_add_filter_bzip2,
	archive_write_add_filter_xz, archive_write_add_filter_zstd};

/* Each is an error, or in bytes that mean nothing (a time, padding). Not for zstd: libarchive writes it
 * without a checksum. */
static void test_compressed_byte_changed(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(filters) - 1; i++) {
		char data[4096];
		size_t len = compress("packed", filters[i], data, sizeof(data)), accepted = 0;
		const char *file = wt_path("packed");
		for (size_t at = 0; at < len; at++) {
			struct slurp s = {0};
			struct error err = {0};
			data[at] ^= 0x10;
			(void)wt_write("packed", data, len);
			data[at] ^= 0x10;
			if (slurp_file(file, 1 << 20, &s, &err) < 0)
				continue;
			accepted++;
			/* A changed signature makes it a file that is not compressed. */
			if (s.len != len || at >= 10)
				assert_memory_equal(s.data, sample, sizeof(sample) - 1);
			slurp_done(&s);
		}
		assert_true(accepted < len / 4);
	}
}

static void test_compressed(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		char data[4096];
		struct countries *c;
		struct error err = {0};
		size_t len = compress("packed", filters[i], data, sizeof(data));
		const char *file = wt_path("packed");
		c = load(&file, 1);
		assert_string_equal(ask(c, "192.0.2.76"), "DE");
		countries_free(c);
		assert_int_equal(countries_new(&c), 0);
		for (size_t cut = 0; cut < len; cut++) {
			(void)wt_write("packed", data, cut);
			if (countries_add_rir(c, &file, 1, &err) >= 0)
				fail_msg("format %zu cut to %zu of %zu bytes was accepted", i, cut, len);
			assert_begins(err.text, file);
		}
		countries_free(c);
	}
}

/* ---- against a naive version ---- */

struct naive_range {
	bool v6;
	u128 first, last;
	country_code code;
};

#define RANGES 3000
#define FILES  4
static struct naive_range naive[RANGES];

static void random_v4(FILE *f, struct naive_range *n)
{
	uint32_t first = (uint32_t)(wt_random_below(4) ? 0x0a000000 + wt_random_below(70000) : wt_random());
	uint64_t count = 1 + wt_random_below(wt_random_below(2) ? 3000 : 20);
	if (first + count > (uint64_t)1 << 32)
		count = ((uint64_t)1 << 32) - first;
	n->first = first;
	n->last = first + count - 1;
	fprintf(f, "%u.%u.%u.%u|%llu", first >> 24, first >> 16 & 255, first >> 8 & 255, first & 255,
		(unsigned long long)count);
}

static void random_v6(FILE *f, struct naive_range *n)
{
	struct addr a = {.family = ADDR_V6, .bytes = {0x20, 0x01, 0x0d, (uint8_t)(0xb0 + wt_random_below(16))}};
	for (unsigned i = 4; i < 8; i++)
		a.bytes[i] = (uint8_t)(wt_random_below(3) << wt_random_below(7));
	struct prefix p = prefix_make(&a, 26 + (unsigned)wt_random_below(40));
	char text[ADDR_TEXT_MAX];
	n->v6 = true;
	n->first = range_number_v6(&p.addr);
	n->last = n->first | (((u128)1 << (128 - p.len)) - 1);
	fprintf(f, "%s|%u", addr_format(&p.addr, text), p.len);
}

static void write_random_line(FILE *f, struct naive_range *n)
{
	static const char *const statuses[] = {"allocated", "assigned", "available", "reserved"};
	char cc[] = {(char)('A' + wt_random_below(3)), (char)('A' + wt_random_below(3)), '\0'};
	bool v6 = wt_random_below(2);
	size_t status = wt_random_below(8) ? wt_random_below(2) : 2 + wt_random_below(2);
	n->code = country_parse(cc);
	fprintf(f, "x|%s|%s|", cc, v6 ? "ipv6" : "ipv4");
	if (v6)
		random_v6(f, n);
	else
		random_v4(f, n);
	fprintf(f, "|20200101|%s|id\n", statuses[status]);
	if (status >= 2)
		n->code = COUNTRY_UNKNOWN;
}

static country_code naive_lookup(bool v6, u128 addr)
{
	for (size_t i = RANGES; i-- > 0;)
		if (naive[i].code && naive[i].v6 == v6 && naive[i].first <= addr && addr <= naive[i].last)
			return naive[i].code;
	return COUNTRY_UNKNOWN;
}

static struct addr to_addr(bool v6, u128 number)
{
	struct addr a = {.family = v6 ? ADDR_V6 : ADDR_V4};
	unsigned size = v6 ? 16 : 4;
	for (unsigned i = 0; i < size; i++)
		a.bytes[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
	return a;
}

struct walked {
	const struct countries *c;
	struct addr last;
	size_t ranges, known; /* known: of the naive ranges' ends */
};

/* A range begins where the country begins and ends where it ends; ranges come in order. */
static int check_range(void *ctx, const struct addr *first, const struct addr *last, country_code code)
{
	struct walked *w = ctx;
	bool v6 = first->family == ADDR_V6;
	u128 from = v6 ? range_number_v6(first) : range_number_v4(first), to = v6 ? range_number_v6(last) : range_number_v4(last);
	struct addr before = to_addr(v6, from - 1), after = to_addr(v6, to + 1);
	assert_true(from <= to && code);
	assert_true(!w->ranges || w->last.family < first->family || memcmp(w->last.bytes, first->bytes, 16) < 0);
	assert_int_equal(countries_lookup(w->c, first), code);
	assert_int_equal(countries_lookup(w->c, last), code);
	assert_true(from == 0 || countries_lookup(w->c, &before) != code);
	assert_true(to == (v6 ? ~(u128)0 : UINT32_MAX) || countries_lookup(w->c, &after) != code);
	for (size_t i = 0; i < RANGES; i++)
		w->known += (naive[i].v6 == v6 && from <= naive[i].first && naive[i].first <= to) +
			(naive[i].v6 == v6 && from <= naive[i].last && naive[i].last <= to);
	w->last = *last;
	w->ranges++;
	return 0;
}

static void check_walk(const struct countries *c)
{
	struct walked w = {.c = c};
	size_t known = 0;
	assert_int_equal(countries_walk(c, check_range, &w), 0);
	for (size_t i = 0; i < RANGES; i++)
		known += (naive_lookup(naive[i].v6, naive[i].first) != 0) + (naive_lookup(naive[i].v6, naive[i].last) != 0);
	assert_int_equal(w.known, known);
}

static void test_random(void **state)
{
	const char *files[FILES];
	memset(naive, 0, sizeof(naive));
	for (size_t i = 0; i < FILES; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "random-%zu", i);
		files[i] = wt_path(name);
		FILE *f = fopen(files[i], "w");
		assert_non_null(f);
		fputs(HEADER, f);
		for (size_t k = 0; k < RANGES / FILES; k++)
			write_random_line(f, &naive[i * (RANGES / FILES) + k]);
		assert_int_equal(fclose(f), 0);
	}
	struct countries *c = load(files, FILES);
	size_t known = 0;
	for (size_t i = 0; i < RANGES; i++) {
		const struct naive_range *n = &naive[i];
		u128 middle = n->first + (n->last - n->first) / 2;
		u128 max = n->v6 ? ~(u128)0 : UINT32_MAX;
		u128 places[] = {n->first, n->last, (n->first - 1) & max, (n->last + 1) & max, middle};
		for (size_t k = 0; k < ARRAY_LEN(places); k++) {
			struct addr a = to_addr(n->v6, places[k]);
			country_code expected = naive_lookup(n->v6, places[k]);
			assert_int_equal(countries_lookup(c, &a), expected);
			known += expected != COUNTRY_UNKNOWN;
		}
	}
	assert_true(known > RANGES);
	check_walk(c);
	countries_free(c);
}

/* Of sources one behind another the first that knows counts, stretch by stretch. */
static int print_range(void *ctx, const struct addr *first, const struct addr *last, country_code code)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], country[3], *text = ctx;
	(void)snprintf(text + strlen(text), 300 - strlen(text), "%s-%s %s;", addr_format(first, from), addr_format(last, to),
		country_format(code, country));
	return 0;
}

static void test_walk(void **state)
{
	const char *file = wt_write_text("a", HEADER "ripencc|DE|ipv4|192.0.2.16|16|20200101|allocated\n"
		"ripencc|DE|ipv4|192.0.2.32|8|20200101|allocated\nripencc|FR|ipv6|2001:db8::|32|20200101|allocated\n");
	struct countries *c = load(&file, 1);
	const char *other = wt_write_text("b", HEADER "ripencc|IT|ipv4|192.0.2.0|64|20200101|allocated\n"
		"ripencc|IT|ipv4|255.255.255.0|256|20200101|allocated\nripencc|IT|ipv6|2001:db8:1::|48|20200101|allocated\n");
	assert_int_equal(countries_add_rir(c, &other, 1, NULL), 0);
	char text[300] = "";
	assert_int_equal(countries_walk(c, print_range, text), 0);
	assert_string_equal(text, "192.0.2.0-192.0.2.15 IT;192.0.2.16-192.0.2.39 DE;192.0.2.40-192.0.2.63 IT;"
		"255.255.255.0-255.255.255.255 IT;2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff FR;");
	countries_free(c);
}

static void test_codes(void **state)
{
	char buf[3];
	assert_int_equal(country_parse("DE"), 'D' << 8 | 'E');
	assert_int_equal(country_parse("de"), 'D' << 8 | 'E');
	assert_string_equal(country_format(country_parse("dE"), buf), "DE");
	assert_string_equal(country_format(COUNTRY_UNKNOWN, buf), "");
	static const char *const bad[] = {"", "D", "DEU", "D1", "1D", "--", "D ", "\xc3\x84"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(country_parse(bad[i]), COUNTRY_UNKNOWN);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_message_is_clean),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_order_and_patterns),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_compressed_byte_changed),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
