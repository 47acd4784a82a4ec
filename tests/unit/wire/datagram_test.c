/* SPDX-License-Identifier: BSD-2-Clause */

/* The body's round trip, its truncations and mutations, the seals, and the frozen vectors of
 * docs/wire.md: bytes that must never change. */

#include "wt_test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/datagram.h"

static struct addr address(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct view text(const char *s)
{
	return (struct view){(const uint8_t *)s, strlen(s)};
}

/* The body of the vector: two servers, one type, three records. */
static size_t sample_body(uint8_t *bytes, size_t cap)
{
	struct body b = {.flags = BODY_FLAG_PROMPT, .time_ms = 1795428000000, .records_before = 7, .dropped = 2, .oldest = 1, .acknowledged = 3,
		.name = text("web1"), .server_count = 2, .type_count = 1, .record_count = 3};
	b.servers[0] = address("192.0.2.10");
	b.servers[1] = address("2001:db8::10");
	b.types[0] = text("video");
	struct record first = {.time_ms = 1795427999000, .client = address("203.0.113.9"), .approximate = true,
		.rtt_count = 2, .rtt_us = {18250, 300}};
	first.values[FIELD_bytes_sent] = 1048576;
	first.values[FIELD_packets_sent] = 725;
	first.values[FIELD_packets_retransmitted] = 9;
	first.values[FIELD_goodput_met] = 1;
	struct record second = {.time_ms = 1795428000500, .client = address("2001:db8:1::1")};
	second.values[FIELD_requests] = 1;
	struct record third = {.time_ms = 1795428000000, .client = address("198.51.100.1")};
	struct wr w = wr_make(bytes, cap);
	body_write_head(&w, &b);
	record_write(&w, &first, b.time_ms, 0, 0);
	record_write(&w, &second, b.time_ms, 1, -1);
	record_write(&w, &third, b.time_ms, 0, -1);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static void bodies_go_there_and_back(void **state)
{
	uint8_t bytes[512];
	size_t n = sample_body(bytes, sizeof(bytes));
	struct body b;
	struct record rec;
	int server, type;
	assert_int_equal(body_read((struct view){bytes, n}, &b), 0);
	assert_int_equal(b.flags, BODY_FLAG_PROMPT);
	assert_true(b.records_before == 7 && b.dropped == 2 && b.oldest == 1 && b.acknowledged == 3 && b.time_ms == 1795428000000);
	assert_memory_equal(b.name.data, "web1", 4);
	assert_int_equal(body_next(&b, &rec, &server, &type), 1);
	assert_true(rec.approximate && rec.time_ms == 1795427999000);
	assert_int_equal(rec.values[FIELD_bytes_sent], 1048576);
	assert_int_equal(rec.values[FIELD_packets_sent], 725);
	assert_int_equal(rec.values[FIELD_bytes_received], 0);
	assert_int_equal(rec.values[FIELD_goodput_met], 1);
	assert_int_equal(rec.rtt_count, 2);
	assert_int_equal(rec.rtt_us[0], 18250);
	assert_int_equal(server, 0);
	assert_int_equal(type, 0);
	assert_memory_equal(rec.type.data, "video", 5);
	assert_int_equal(body_next(&b, &rec, &server, &type), 1);
	assert_int_equal(rec.client.family, ADDR_V6);
	assert_int_equal(rec.server.family, ADDR_V6);
	assert_int_equal(type, -1);
	assert_int_equal(rec.values[FIELD_bytes_sent], 0);
	assert_int_equal(body_next(&b, &rec, &server, &type), 1);
	assert_int_equal(body_next(&b, &rec, &server, &type), 0);
	assert_int_equal(rd_left(&b.records), 0);
}

/* Reads all there is; the point is that the sanitizers see it. Returns records read. */
static int drain(struct view bytes)
{
	struct body b;
	struct record rec;
	int server, type, r, n = 0;
	if (body_read(bytes, &b) < 0)
		return -1;
	while ((r = body_next(&b, &rec, &server, &type)) != 0 && r != -EBADMSG) {
		assert_in_range(server, 0, b.server_count - 1);
		assert_true(type >= -1 && type < (int)b.type_count);
		n += r == 1;
	}
	return n;
}

static void every_truncation_loses_records(void **state)
{
	uint8_t bytes[512];
	size_t n = sample_body(bytes, sizeof(bytes));
	assert_int_equal(drain((struct view){bytes, n}), 3);
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1); /* exact size: ASan sees a read beyond it */
		memcpy(copy, bytes, cut);
		assert_true(drain((struct view){copy, cut}) < 3);
		free(copy);
	}
}

static void every_changed_byte_is_survived(void **state)
{
	uint8_t bytes[512];
	size_t n = sample_body(bytes, sizeof(bytes));
	for (size_t i = 0; i < n; i++) {
		uint8_t old = bytes[i];
		for (int v = 0; v < 256; v++) {
			bytes[i] = (uint8_t)v;
			(void)drain((struct view){bytes, n});
		}
		bytes[i] = old;
	}
}

static void unknown_figures_are_passed_over(void **state)
{
	uint8_t bytes[256];
	struct body b = {.time_ms = 1000, .name = text("n"), .server_count = 1, .record_count = 2};
	b.servers[0] = address("192.0.2.1");
	struct wr w = wr_make(bytes, sizeof(bytes));
	body_write_head(&w, &b);
	/* A record of a later version: bit 40 of the mask, one varint more. */
	wr_varint(&w, 1ull << 40 | 1ull << 3);
	wr_zigzag(&w, 5);
	wr_bytes(&w, "\xc6\x33\x64\x01", 4);
	wr_varint(&w, 0);
	wr_varint(&w, 0);
	wr_varint(&w, 77);  /* bytes_sent */
	wr_varint(&w, 999); /* unknown */
	struct record plain = {.time_ms = 1000, .client = address("198.51.100.2")};
	plain.values[FIELD_requests] = 3;
	record_write(&w, &plain, 1000, 0, -1);
	struct record rec;
	int server, type;
	assert_int_equal(body_read((struct view){bytes, wr_len(&w)}, &b), 0);
	assert_int_equal(body_next(&b, &rec, &server, &type), 1);
	assert_int_equal(rec.values[FIELD_bytes_sent], 77);
	assert_int_equal(body_next(&b, &rec, &server, &type), 1);
	assert_int_equal(rec.values[FIELD_requests], 3);
}

static void figures_out_of_range_spoil_one_record(void **state)
{
	uint8_t bytes[256];
	struct body b = {.time_ms = 1000, .name = text("n"), .server_count = 1, .record_count = 3};
	b.servers[0] = address("192.0.2.1");
	struct wr w = wr_make(bytes, sizeof(bytes));
	body_write_head(&w, &b);
	struct record rec = {.time_ms = 1000, .client = address("198.51.100.2")};
	rec.values[FIELD_bytes_sent] = RECORD_VALUE_MAX + 1;
	record_write(&w, &rec, 1000, 0, -1);
	rec.values[FIELD_bytes_sent] = 1;
	record_write(&w, &rec, 2000 * 1000, 0, -1); /* before 1970 */
	record_write(&w, &rec, 1000, 0, -1);
	int server, type;
	assert_int_equal(body_read((struct view){bytes, wr_len(&w)}, &b), 0);
	assert_int_equal(body_next(&b, &rec, &server, &type), -ERANGE);
	assert_int_equal(body_next(&b, &rec, &server, &type), -ERANGE);
	assert_int_equal(body_next(&b, &rec, &server, &type), 1);
	assert_int_equal(body_next(&b, &rec, &server, &type), 0);
}

/* ---- seals and the vectors ---- */

static struct key vector_key(void)
{
	struct key key = {.id = 1};
	for (int i = 0; i < KEY_BYTES; i++)
		key.bytes[i] = (uint8_t)i;
	return key;
}

static const char *hex(const uint8_t *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return out;
}

static size_t sealed_sample(uint8_t *out, size_t cap)
{
	struct key key = vector_key();
	struct header h = {.kind = DATAGRAM_RECORDS, .key_id = 1, .seq = 3};
	memset(h.session, 0xa5, sizeof(h.session));
	struct wr w = wr_make(out, cap);
	header_write(&w, &h);
	size_t n = sample_body(out + HEADER_BYTES, cap - HEADER_BYTES);
	struct seal *seal;
	assert_int_equal(records_seal_new(&key, h.session, &seal), 0);
	assert_int_equal(seal_close(seal, h.seq, (struct view){out, HEADER_BYTES}, out + HEADER_BYTES, n), 0);
	seal_free(seal);
	return HEADER_BYTES + n + SEAL_TAG_BYTES;
}

static size_t sealed_ack(uint8_t *out, size_t cap)
{
	struct key key = vector_key();
	struct header h = {.kind = DATAGRAM_ACK, .key_id = 1, .seq = 0};
	memset(h.session, 0xa5, sizeof(h.session));
	memset(h.run, 0x5a, sizeof(h.run));
	struct ack ack = {.collector = text("ams1")};
	for (uint64_t seq = 0; seq < 3; seq++)
		window_accept(&ack.window, seq);
	window_accept(&ack.window, 4);
	window_accept(&ack.window, 13);
	struct wr w = wr_make(out, cap);
	header_write(&w, &h);
	ack_write(&w, &ack);
	struct seal *seal;
	size_t n = wr_len(&w) - ACK_HEADER_BYTES;
	assert_int_equal(ack_seal_new(&key, h.session, h.run, &seal), 0);
	assert_int_equal(seal_close(seal, h.seq, (struct view){out, ACK_HEADER_BYTES}, out + ACK_HEADER_BYTES, n), 0);
	seal_free(seal);
	return ACK_HEADER_BYTES + n + SEAL_TAG_BYTES;
}

static const char vector_body[] =
	"01000001a207d9210000000000000000070000000000000002000000000000000100000000000000"
	"0304776562310204c000020a0620010db80000000000000000000000100105766964656f03ed8001"
	"cf0fcb007109000102ca8e01ac02808040d50509018210e80720010db80001000000000000000000"
	"010100010000c63364010000";
static const char vector_records[] =
	"5754010100000001a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a50000000000000003cf5929ddc2133b99"
	"360c597db7f304f87771fb8a0bfe18982c35b4edca86ccaec8cdc8936e909bfa2ef48a3e44abf4e4"
	"34a4201fb0403c864d8759b4679cfc1c4d80077b4bc23d7ff0ebd32e8a20104aacab0d4fdf93db60"
	"6d36b7203be1af2fb0fc5b88c1b62a6d06afdcd2d7116b79d8155cb85005004cb67d1b1c4dabd743"
	"21cd3dc033239fc3b9217f27c40638c03bbedb29";
static const char vector_ack[] =
	"5754010200000001a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a500000000000000005a5a5a5a5a5a5a5a"
	"5a5a5a5a5a5a5a5a09fa91a1768e76fb412e730a244dc751266eb4ef2c6e7f78c92a4a61bd38464a"
	"1a";

static void the_vectors_have_not_changed(void **state)
{
	uint8_t bytes[512];
	char text_form[1025];
	assert_string_equal(hex(bytes, sample_body(bytes, sizeof(bytes)), text_form), vector_body);
	assert_string_equal(hex(bytes, sealed_sample(bytes, sizeof(bytes)), text_form), vector_records);
	assert_string_equal(hex(bytes, sealed_ack(bytes, sizeof(bytes)), text_form), vector_ack);
}

static void seals_open_only_unchanged(void **state)
{
	uint8_t bytes[512], plain[512];
	size_t n = sealed_sample(bytes, sizeof(bytes));
	struct header h;
	struct seal *seal, *other;
	struct key key = vector_key();
	assert_int_equal(header_read((struct view){bytes, n}, &h), 0);
	assert_int_equal(records_seal_new(&key, h.session, &seal), 0);
	assert_int_equal(seal_open(seal, h.seq, h.clear, h.sealed, plain), (int)(n - HEADER_BYTES - SEAL_TAG_BYTES));
	assert_int_equal(drain((struct view){plain, n - HEADER_BYTES - SEAL_TAG_BYTES}), 3);
	assert_int_equal(seal_open(seal, h.seq + 1, h.clear, h.sealed, plain), -EBADMSG);
	key.bytes[31] ^= 1;
	assert_int_equal(records_seal_new(&key, h.session, &other), 0);
	assert_int_equal(seal_open(other, h.seq, h.clear, h.sealed, plain), -EBADMSG);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		struct header changed;
		if (header_read((struct view){bytes, n}, &changed) == 0 && changed.kind == DATAGRAM_RECORDS)
			assert_int_equal(seal_open(seal, changed.seq, changed.clear, changed.sealed, plain), -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < n; cut++)
		if (header_read((struct view){bytes, cut}, &h) == 0)
			assert_int_equal(seal_open(seal, h.seq, h.clear, h.sealed, plain), -EBADMSG);
	seal_free(seal);
	seal_free(other);
}

/* A number that no window can hold would make a journal that cannot be read. Acknowledgements have no window. */
static void numbers_end_before_the_windows_do(void **state)
{
	static const struct {
		uint8_t kind;
		uint64_t seq;
		int result;
	} cases[] = {{DATAGRAM_RECORDS, WINDOW_SEQ_MAX, 0}, {DATAGRAM_RECORDS, WINDOW_SEQ_MAX + 1, -EBADMSG},
		{DATAGRAM_RECORDS, UINT64_MAX, -EBADMSG}, {DATAGRAM_ACK, UINT64_MAX, 0}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[128] = {0};
		struct header h = {.kind = cases[i].kind, .key_id = 1, .seq = cases[i].seq}, back;
		struct wr w = wr_make(bytes, sizeof(bytes));
		header_write(&w, &h);
		assert_int_equal(header_read((struct view){bytes, sizeof(bytes)}, &back), cases[i].result);
	}
}

static void acks_go_there_and_back(void **state)
{
	uint8_t bytes[512], plain[512];
	size_t n = sealed_ack(bytes, sizeof(bytes));
	struct header h;
	struct ack ack;
	struct key key = vector_key();
	struct seal *seal;
	assert_int_equal(header_read((struct view){bytes, n}, &h), 0);
	assert_int_equal(ack_seal_new(&key, h.session, h.run, &seal), 0);
	int len = seal_open(seal, h.seq, h.clear, h.sealed, plain);
	assert_true(len > 0);
	for (int cut = 0; cut < len; cut++)
		assert_int_equal(ack_read((struct view){plain, (size_t)cut}, &ack), -EBADMSG);
	assert_int_equal(ack_read((struct view){plain, (size_t)len}, &ack), 0);
	assert_true(ack.window.base == 3);
	assert_int_equal(window_check(&ack.window, 4), WINDOW_SEEN);
	assert_int_equal(window_check(&ack.window, 3), WINDOW_REORDERED);
	assert_int_equal(window_check(&ack.window, 13), WINDOW_SEEN);
	seal_free(seal);
}

/* ---- key files ---- */

static void key_files(void **state)
{
	char dir[] = "/tmp/wt-key-XXXXXX", file[64];
	struct key key, again;
	struct error err;
	struct stat st;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/key", dir);
	assert_int_equal(key_load(file, 1, &key, &err), -ENOENT);
	assert_non_null(strstr(err.text, file));
	assert_int_equal(key_generate(file, &err), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(key_generate(file, &err), -EEXIST);
	assert_int_equal(key_load(file, 9, &key, &err), 0);
	assert_int_equal(key.id, 9);
	assert_int_equal(key_load(file, 9, &again, &err), 0);
	assert_memory_equal(&key, &again, sizeof(key));
	const char *bad[] = {"", "AAAA\n", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
		"!!ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=AAAA\n"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = open(file, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, bad[i], strlen(bad[i])), (ssize_t)strlen(bad[i]));
		(void)close(fd);
		assert_int_equal(key_load(file, 1, &key, &err), -EINVAL);
		assert_non_null(strstr(err.text, file));
	}
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_go_there_and_back),
		cmocka_unit_test(every_truncation_loses_records),
		cmocka_unit_test(every_changed_byte_is_survived),
		cmocka_unit_test(unknown_figures_are_passed_over),
		cmocka_unit_test(figures_out_of_range_spoil_one_record),
		cmocka_unit_test(the_vectors_have_not_changed),
		cmocka_unit_test(seals_open_only_unchanged),
		cmocka_unit_test(numbers_end_before_the_windows_do),
		cmocka_unit_test(acks_go_there_and_back),
		cmocka_unit_test(key_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
