/* SPDX-License-Identifier: BSD-2-Clause */

/* The databases are written here, after the format's specification (maxmind.github.io/MaxMind-DB):
 * a tree as an array of nodes, records as bytes that the tests give, metadata. Answers are compared
 * with what was inserted and with libmaxminddb's own lookup. */

#include <errno.h>
#include <maxminddb.h>

#include "place/country.h"
#include "place/ranges.h"
#include "wt_files.h"

#define NODES_MAX 20000
#define DATA_MAX  4096
#define FILE_MAX  (NODES_MAX * 8 + DATA_MAX + 1024)

/* A child: EMPTY, a node's number, or DATA_BIT with an offset in the data section. */
#define EMPTY    UINT32_MAX
#define DATA_BIT 0x40000000u

struct writer {
	uint32_t nodes[NODES_MAX][2];
	uint32_t node_count;
	uint8_t data[DATA_MAX];
	size_t data_len;
	unsigned ip_version, record_size;
	const char *type;
	uint8_t file[FILE_MAX];
	size_t file_len;
};

static struct writer w;

static void writer_init(unsigned ip_version, unsigned record_size)
{
	memset(&w, 0, sizeof(w));
	w.ip_version = ip_version;
	w.record_size = record_size;
	w.type = "Test-Country";
	w.nodes[0][0] = w.nodes[0][1] = EMPTY;
	w.node_count = 1;
}

static uint32_t new_node(uint32_t both)
{
	assert_true(w.node_count < NODES_MAX);
	w.nodes[w.node_count][0] = w.nodes[w.node_count][1] = both;
	return w.node_count++;
}

static unsigned bit_of(const uint8_t *bytes, unsigned i)
{
	return bytes[i / 8] >> (7 - i % 8) & 1;
}

/* Sets a child for a prefix, in place of all that was below; leaves on the way are split. */
static void insert(const uint8_t *bytes, unsigned len, uint32_t child)
{
	uint32_t node = 0;
	for (unsigned i = 0; i + 1 < len; i++) {
		uint32_t *next = &w.nodes[node][bit_of(bytes, i)];
		if (*next == EMPTY || *next & DATA_BIT)
			*next = new_node(*next);
		node = *next;
	}
	w.nodes[node][bit_of(bytes, len - 1)] = child;
}

static void insert_text(const char *text, uint32_t child)
{
	struct prefix p;
	assert_int_equal(prefix_parse(text, &p, NULL), 0);
	uint8_t bytes[16] = {0};
	bool inside = p.addr.family == ADDR_V4 && w.ip_version == 6;
	memcpy(bytes + (inside ? 12 : 0), p.addr.bytes, addr_size(&p.addr));
	insert(bytes, p.len + (inside ? 96 : 0), child);
}

static uint8_t *put_string(uint8_t *p, const char *s)
{
	*p++ = (uint8_t)(2 << 5 | strlen(s));
	memcpy(p, s, strlen(s));
	return p + strlen(s);
}

static uint8_t *put_map(uint8_t *p, unsigned pairs)
{
	*p++ = (uint8_t)(7 << 5 | pairs);
	return p;
}

/* {outer: {inner: value}}, or {outer: value} without inner. */
static uint8_t *put_pair(uint8_t *p, const char *outer, const char *inner, const char *value)
{
	p = put_string(p, outer);
	if (inner)
		p = put_string(put_map(p, 1), inner);
	return put_string(p, value);
}

static uint32_t end_record(const uint8_t *end)
{
	uint32_t offset = (uint32_t)w.data_len;
	w.data_len = (size_t)(end - w.data);
	assert_true(w.data_len < DATA_MAX - 128);
	return offset | DATA_BIT;
}

/* MaxMind's layout. */
static uint32_t record_country(const char *code)
{
	uint8_t *p = put_map(w.data + w.data_len, 2);
	p = put_pair(p, "continent", "code", "EU");
	return end_record(put_pair(p, "country", "iso_code", code));
}

static uint8_t *put_number(uint8_t *p, unsigned type, unsigned size, uint64_t v)
{
	*p++ = (uint8_t)(type < 8 ? type << 5 | size : size);
	if (type >= 8)
		*p++ = (uint8_t)(type - 7);
	while (size--)
		*p++ = (uint8_t)(v >> 8 * size);
	return p;
}

static uint8_t *put_metadata(uint8_t *p)
{
	memcpy(p, "\xab\xcd\xefMaxMind.com", 14);
	p = put_map(p + 14, 9);
	p = put_number(put_string(p, "binary_format_major_version"), 5, 1, 2);
	p = put_number(put_string(p, "binary_format_minor_version"), 5, 0, 0);
	p = put_number(put_string(p, "build_epoch"), 9, 4, 1700000000);
	p = put_string(put_string(p, "database_type"), w.type);
	p = put_pair(put_map(put_string(p, "description"), 1), "en", NULL, "a test");
	p = put_number(put_string(p, "ip_version"), 5, 1, w.ip_version);
	p = put_number(put_string(p, "languages"), 11, 0, 0);
	p = put_number(put_string(p, "node_count"), 6, 4, w.node_count);
	return put_number(put_string(p, "record_size"), 5, 1, w.record_size);
}

static uint32_t record_value(uint32_t child)
{
	if (child == EMPTY)
		return w.node_count;
	return child & DATA_BIT ? w.node_count + 16 + (child & ~DATA_BIT) : child;
}

static void put_node(uint8_t *p, uint32_t l, uint32_t r)
{
	unsigned bytes = w.record_size / 8;
	for (unsigned i = 0; i < bytes; i++) {
		p[i] = (uint8_t)(l >> 8 * (bytes - 1 - i));
		p[w.record_size * 2 / 8 - bytes + i] = (uint8_t)(r >> 8 * (bytes - 1 - i));
	}
	if (w.record_size == 28)
		p[3] = (uint8_t)((l >> 24 & 0xf) << 4 | (r >> 24 & 0xf));
}

static const char *writer_finish(void)
{
	uint8_t *p = w.file;
	for (uint32_t i = 0; i < w.node_count; i++, p += w.record_size / 4)
		put_node(p, record_value(w.nodes[i][0]), record_value(w.nodes[i][1]));
	p += 16;
	memcpy(p, w.data, w.data_len);
	p = put_metadata(p + w.data_len);
	w.file_len = (size_t)(p - w.file);
	return wt_write("db", w.file, w.file_len);
}

/* ---- asking ---- */

static struct countries *load(const char *file)
{
	struct countries *c;
	struct error err = {0};
	assert_int_equal(countries_new(&c), 0);
	if (countries_add_mmdb(c, file, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void expect(const struct countries *c, const char *addr, const char *code)
{
	struct addr a;
	char buf[3];
	assert_int_equal(addr_parse(addr, &a), 0);
	const char *got = country_format(countries_lookup(c, &a), buf);
	if (strcmp(got, code) != 0)
		fail_msg("%s is in '%s', not '%s'", addr, got, code);
}

static void expect_error(const char *file, const char *expected)
{
	struct countries *c;
	struct error err = {0};
	assert_int_equal(countries_new(&c), 0);
	assert_true(countries_add_mmdb(c, file, &err) < 0);
	assert_begins(err.text, file);
	assert_contains(err.text, expected);
	countries_free(c);
}

static void test_layouts(void **state)
{
	writer_init(6, 24);
	insert_text("192.0.2.0/25", record_country("DE"));
	insert_text("2001:db8::/32", record_country("fr"));
	uint8_t *p = put_map(w.data + w.data_len, 1);
	insert_text("192.0.2.128/32", end_record(put_pair(p, "registered_country", "iso_code", "IT")));
	p = put_pair(put_map(w.data + w.data_len, 2), "registered_country", "iso_code", "AA");
	insert_text("192.0.2.129/32", end_record(put_pair(p, "country", "iso_code", "CH")));
	p = put_pair(put_map(w.data + w.data_len, 2), "country", NULL, "Austria");
	insert_text("192.0.2.130/32", end_record(put_pair(p, "country_code", NULL, "AT")));
	p = put_pair(put_map(w.data + w.data_len, 2), "country", NULL, "NL");
	insert_text("192.0.2.131/32", end_record(put_pair(p, "asn", NULL, "AS64500")));
	p = put_pair(put_map(w.data + w.data_len, 1), "country", "name", "Atlantis");
	insert_text("192.0.2.132/32", end_record(p));
	insert_text("192.0.2.133/32", end_record(put_string(w.data + w.data_len, "DE")));
	insert_text("192.0.2.134/32", record_country("ZZ"));
	struct countries *c = load(writer_finish());
	expect(c, "192.0.1.255", "");
	expect(c, "192.0.2.0", "DE");
	expect(c, "192.0.2.127", "DE");
	expect(c, "192.0.2.128", "IT");
	expect(c, "192.0.2.129", "CH");
	expect(c, "192.0.2.130", "AT");
	expect(c, "192.0.2.131", "NL");
	expect(c, "192.0.2.132", "");
	expect(c, "192.0.2.133", "");
	expect(c, "192.0.2.134", "");
	expect(c, "2001:db7:ffff::", "");
	expect(c, "2001:db8::", "FR");
	expect(c, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "FR");
	expect(c, "2001:db9::", "");
	expect(c, "::192.0.2.1", "DE");
	struct countries_stats st = countries_stats(c);
	assert_int_equal(st.databases, 1);
	assert_int_equal(st.ranges_v4, 5);
	countries_free(c);
}

/* The file may be overwritten in place, cut or removed after loading. */
static void test_file_replaced(void **state)
{
	writer_init(4, 28);
	insert_text("192.0.2.0/24", record_country("DE"));
	const char *file = writer_finish();
	struct countries *c = load(file);
	expect(c, "192.0.2.9", "DE");
	(void)wt_write_text("db", "x");
	expect(c, "192.0.2.9", "DE");
	expect(c, "2001:db8::", "");
	assert_int_equal(unlink(file), 0);
	expect(c, "192.0.2.9", "DE");
	struct error err = {0};
	assert_int_equal(countries_add_mmdb(c, file, &err), -ENOENT);
	expect(c, "192.0.2.9", "DE");
	countries_free(c);
}

/* All of IPv4, or of IPv6, in one leaf; the tree ends above ::/96. */
static void test_shallow(void **state)
{
	writer_init(6, 32);
	w.nodes[0][0] = record_country("DE");
	struct countries *c = load(writer_finish());
	expect(c, "0.0.0.0", "DE");
	expect(c, "255.255.255.255", "DE");
	expect(c, "::", "DE");
	expect(c, "7fff::", "DE");
	expect(c, "8000::", "");
	countries_free(c);
}

/* ---- against libmaxminddb ---- */

static country_code library_lookup(const MMDB_s *db, const struct addr *a)
{
	struct sockaddr_storage ss;
	MMDB_entry_data_s data;
	int e;
	(void)addr_to_sockaddr(a, 0, &ss);
	MMDB_lookup_result_s r = MMDB_lookup_sockaddr(db, (struct sockaddr *)&ss, &e);
	if (e == MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR)
		return COUNTRY_UNKNOWN;
	assert_int_equal(e, MMDB_SUCCESS);
	if (!r.found_entry)
		return COUNTRY_UNKNOWN;
	assert_int_equal(MMDB_get_value(&r.entry, &data, "country", "iso_code", NULL), MMDB_SUCCESS);
	return country_parse((char[]){data.utf8_string[0], data.utf8_string[1], '\0'});
}

static struct addr random_addr(bool v6)
{
	uint8_t b[16] = {0};
	uint64_t hi = wt_random(), lo = wt_random();
	memcpy(b, &hi, 8);
	memcpy(b + 8, &lo, 8);
	if (!v6) {
		b[0] = (uint8_t)(10 + wt_random_below(2));
		b[1] = (uint8_t)wt_random_below(2);
		return addr_from_v4(b);
	}
	static const uint8_t starts[][4] = {{0x20, 0x01, 0x0d, 0xb8}, {0x20, 0x02, 10, 0}, {0x20, 0x01, 0, 0}, {0}};
	memcpy(b, starts[wt_random_below(4)], 4);
	b[4] = (uint8_t)(b[1] == 2 ? b[4] : 10 + (b[4] & 1));
	if (b[0] == 0)
		memset(b, 0, 12);
	return addr_from_v6(b);
}

/* Lets another prefix lead to the IPv4 tree, as MaxMind's databases do. */
static void insert_alias(const char *text)
{
	uint32_t node = 0;
	for (unsigned i = 0; i < 96; i++)
		node = w.nodes[node][0];
	insert_text(text, node);
}

/* How many of the addresses that were asked for have a country. */
static size_t check_random(unsigned ip_version, unsigned record_size)
{
	uint32_t records[6] = {EMPTY};
	writer_init(ip_version, record_size);
	for (unsigned i = 1; i < 6; i++)
		records[i] = record_country((const char[]){'A', (char)('A' + i), '\0'});
	for (unsigned i = 0; i < 150; i++) {
		bool v6 = ip_version == 6 && i % 2;
		struct addr a = random_addr(v6);
		while (v6 && (a.bytes[1] == 2 || a.bytes[2] == 0))
			a = random_addr(v6);
		struct prefix p = prefix_make(&a, v6 ? 30 + (unsigned)wt_random_below(30) : 8 + (unsigned)wt_random_below(25));
		char text[PREFIX_TEXT_MAX];
		/* The last one has a country: with none left, a database is refused. */
		insert_text(prefix_format(&p, text), records[i < 149 ? wt_random_below(6) : 1]);
	}
	if (ip_version == 6) {
		insert_alias("2002::/16");
		insert_alias("2001::/32");
	}
	const char *file = writer_finish();
	struct countries *c = load(file);
	MMDB_s db;
	assert_int_equal(MMDB_open(file, MMDB_MODE_MMAP, &db), MMDB_SUCCESS);
	size_t known = 0;
	for (unsigned i = 0; i < 20000; i++) {
		struct addr a = random_addr(i % 2);
		country_code code = library_lookup(&db, &a);
		assert_int_equal(countries_lookup(c, &a), code);
		known += code != COUNTRY_UNKNOWN;
	}
	MMDB_close(&db);
	countries_free(c);
	return known;
}

static void test_random(void **state)
{
	size_t known = 0;
	for (unsigned i = 0; i < 5; i++)
		for (unsigned size = 24; size <= 32; size += 4)
			known += check_random(4, size) + check_random(6, size);
	assert_true(known > 20000); /* of 600000; a few of the databases may be nearly empty */
}

/* ---- damage ---- */

static void test_not_a_database(void **state)
{
	expect_error(wt_write_text("db", ""), ": is empty");
	expect_error(wt_write_text("db", "2|ripencc|1|1|1|1|1\n"), ": is no usable MaxMind DB");
	expect_error(wt_path("absent"), ": No such file");
	expect_error(wt_folder(), ": is not a regular file");
	writer_init(4, 24);
	w.type = "Test-ASN";
	uint8_t *p = put_pair(put_map(w.data, 1), "organization", NULL, "Example");
	insert_text("192.0.2.0/24", end_record(p));
	expect_error(writer_finish(), ": no record has a country (database type 'Test-ASN')");
}

static void test_cycles(void **state)
{
	writer_init(6, 24);
	uint32_t de = record_country("DE");
	w.nodes[0][1] = de;
	w.nodes[0][0] = new_node(EMPTY);
	w.nodes[1][1] = 1;
	expect_error(writer_finish(), "the search tree is damaged: node 1, 2 bits deep, leads back to itself");

	writer_init(4, 24);
	de = record_country("DE");
	w.nodes[0][0] = new_node(de);
	w.nodes[1][1] = new_node(de);
	w.nodes[2][0] = 1;
	expect_error(writer_finish(), "node 1, 3 bits deep, leads back to itself");

	/* Both sides of each node lead to the next: 2^32 and 2^128 leaves. */
	for (unsigned version = 4; version <= 6; version += 2) {
		writer_init(version, 24);
		de = record_country("DE");
		for (uint32_t i = 0; i + 1 < (version == 4 ? 32 : 128); i++)
			w.nodes[i][0] = w.nodes[i][1] = new_node(EMPTY);
		w.nodes[w.node_count - 1][0] = w.nodes[w.node_count - 1][1] = de;
		expect_error(writer_finish(), "is met again and again");
	}

	/* A tree that is deeper than addresses. */
	writer_init(4, 24);
	de = record_country("DE");
	for (uint32_t i = 0; i < 32; i++)
		w.nodes[i][0] = new_node(EMPTY);
	w.nodes[32][0] = de;
	expect_error(writer_finish(), "deeper than addresses");
}

static void test_pointer_outside(void **state)
{
	writer_init(4, 24);
	insert_text("192.0.2.0/24", record_country("DE"));
	insert_text("192.0.3.0/24", DATA_BIT | 3000);
	expect_error(writer_finish(), "points outside of the file");
}

static void sample(void)
{
	writer_init(6, 28);
	insert_text("0.0.0.0/1", record_country("DE"));
	insert_text("128.0.0.0/2", record_country("FR"));
	insert_text("4000::/3", record_country("IT"));
	uint8_t *p = put_pair(put_map(w.data + w.data_len, 1), "country_code", NULL, "AT");
	insert_text("8000::/2", end_record(p));
	(void)writer_finish();
}

static void test_every_truncation(void **state)
{
	sample();
	for (size_t len = 0; len < w.file_len; len++)
		expect_error(wt_write("db", w.file, len), ": is ");
}

/* Each either loads or is refused; nothing is read outside (ASan), nothing takes long. */
static void test_every_byte_changed(void **state)
{
	sample();
	size_t refused = 0;
	for (size_t at = 0; at < w.file_len; at++) {
		static const uint8_t changes[] = {0x01, 0x80, 0xff};
		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			w.file[at] ^= changes[i];
			const char *file = wt_write("db", w.file, w.file_len);
			struct countries *c;
			struct error err = {0};
			assert_int_equal(countries_new(&c), 0);
			if (countries_add_mmdb(c, file, &err) < 0) {
				assert_begins(err.text, file);
				refused++;
			}
			countries_free(c);
			w.file[at] ^= changes[i];
		}
	}
	assert_true(refused > w.file_len / 2);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_file_replaced),
		cmocka_unit_test(test_shallow),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_not_a_database),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_pointer_outside),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_byte_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
