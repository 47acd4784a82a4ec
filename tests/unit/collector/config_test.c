/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/config.h"

#include <errno.h>

#include "unit/collector/source_root.h"
#include "wt_files.h"

static struct config *parse(const char *text)
{
	struct config *c;
	struct error err = {0};
	if (config_parse("/etc/whereto/whereto.yaml", text, strlen(text), &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void expect_listen(const struct listen_addr *a, const char *text, unsigned line)
{
	char buf[HOSTPORT_TEXT_MAX];
	assert_string_equal(hostport_format(&a->addr, a->port, buf), text);
	assert_int_equal(a->line, line);
}

static void expect_addr(const struct addr *a, const char *text)
{
	char buf[ADDR_TEXT_MAX];
	assert_string_equal(addr_format(a, buf), text);
}

/* The example that users have, and every key in it. */
static const char example[] =
	"# whereto.yaml: unknown, duplicate or out-of-range keys are errors with file:line. SIGHUP reloads, all or nothing.\n"
	"name: ams1                                   # this collector\n"
	"telemetry:\n"
	"  listen: [\"0.0.0.0:5775\", \"[::]:5775\"]\n"
	"  keys: [{id: 1, file: /etc/whereto/telemetry.key}]\n"
	"routers:\n"
	"  - name: edge1\n"
	"    serves: [192.0.2.0/24, 2001:db8::/32]    # the servers behind it; longest match wins\n"
	"    sources:                                 # in order of preference; stale routes kept for `stale` seconds\n"
	"      - bmp: {from: 198.51.100.1}\n"
	"      - bgp: {from: 198.51.100.1, as: 64500, md5_file: /etc/whereto/edge1.md5}\n"
	"      - mrt: {file: /var/lib/whereto/rib.bz2, peer: 198.51.100.1}   # peer optional: default all peers, best path\n"
	"bmp: {listen: [\"0.0.0.0:11019\"]}\n"
	"bgp: {listen: [\"0.0.0.0:179\"], as: 64500, router_id: 192.0.2.1}\n"
	"countries:                                   # first that answers wins\n"
	"  - rir: {files: [\"/var/lib/whereto/delegated-*-extended-latest\"]}\n"
	"  - mmdb: {file: /var/lib/whereto/country.mmdb}\n"
	"store: {url: \"sqlite:/var/lib/whereto/whereto.db\", retention: {minute: 2d, hour: 90d, day: forever}}\n"
	"#            \"postgresql://user@host/db\"   \"clickhouse://user@host:8123/db?cluster=NAME\"\n"
	"journal: {dir: /var/lib/whereto/journal, max_size: 10GiB}\n"
	"http: {listen: [\"127.0.0.1:8480\"], token_file: /etc/whereto/http.token}\n";

static void check_example_sources(const struct config_router *r)
{
	assert_int_equal(r->source_count, 3);
	assert_int_equal(r->sources[0].kind, SOURCE_BMP);
	assert_int_equal(r->sources[0].line, 10);
	expect_addr(&r->sources[0].from, "198.51.100.1");
	assert_int_equal(r->sources[1].kind, SOURCE_BGP);
	expect_addr(&r->sources[1].from, "198.51.100.1");
	assert_int_equal(r->sources[1].as, 64500);
	assert_string_equal(r->sources[1].md5_file, "/etc/whereto/edge1.md5");
	assert_int_equal(r->sources[2].kind, SOURCE_MRT);
	assert_int_equal(r->sources[2].line, 12);
	assert_string_equal(r->sources[2].file, "/var/lib/whereto/rib.bz2");
	expect_addr(&r->sources[2].peer, "198.51.100.1");
}

static void test_example(void **state)
{
	struct config *c = parse(example);
	char buf[PREFIX_TEXT_MAX];
	assert_string_equal(c->file, "/etc/whereto/whereto.yaml");
	assert_string_equal(c->name, "ams1");
	assert_int_equal(c->telemetry.listen_count, 2);
	expect_listen(&c->telemetry.listen[0], "0.0.0.0:5775", 4);
	expect_listen(&c->telemetry.listen[1], "[::]:5775", 4);
	assert_int_equal(c->telemetry.key_count, 1);
	assert_int_equal(c->telemetry.keys[0].id, 1);
	assert_int_equal(c->telemetry.keys[0].line, 5);
	assert_string_equal(c->telemetry.keys[0].file, "/etc/whereto/telemetry.key");
	assert_int_equal(c->telemetry.max_age_ms, 400ull * 86400 * 1000);
	assert_int_equal(c->telemetry.max_future_ms, 15 * 60 * 1000);
	assert_int_equal(c->router_count, 1);
	assert_string_equal(c->routers[0].name, "edge1");
	assert_int_equal(c->routers[0].line, 7);
	assert_int_equal(c->routers[0].stale_ms, 5 * 60 * 1000);
	assert_int_equal(c->routers[0].serves_count, 2);
	assert_string_equal(prefix_format(&c->routers[0].serves[0], buf), "192.0.2.0/24");
	assert_string_equal(prefix_format(&c->routers[0].serves[1], buf), "2001:db8::/32");
	check_example_sources(&c->routers[0]);
	assert_int_equal(c->bmp.listen_count, 1);
	expect_listen(&c->bmp.listen[0], "0.0.0.0:11019", 13);
	assert_int_equal(c->bgp.listen_count, 1);
	expect_listen(&c->bgp.listen[0], "0.0.0.0:179", 14);
	assert_int_equal(c->bgp.as, 64500);
	expect_addr(&c->bgp.router_id, "192.0.2.1");
	assert_int_equal(c->country_count, 2);
	assert_int_equal(c->countries[0].kind, COUNTRY_RIR);
	assert_int_equal(c->countries[0].file_count, 1);
	assert_string_equal(c->countries[0].files[0], "/var/lib/whereto/delegated-*-extended-latest");
	assert_int_equal(c->countries[1].kind, COUNTRY_MMDB);
	assert_int_equal(c->countries[1].line, 17);
	assert_int_equal(c->countries[1].file_count, 1);
	assert_string_equal(c->countries[1].files[0], "/var/lib/whereto/country.mmdb");
	assert_null(c->asnames_file);
	assert_string_equal(c->store.url, "sqlite:/var/lib/whereto/whereto.db");
	assert_int_equal(c->store.retention_s[LEVEL_minute], 2 * 86400);
	assert_int_equal(c->store.retention_s[LEVEL_hour], 90 * 86400);
	assert_true(c->store.retention_s[LEVEL_day] == UINT64_MAX);
	assert_string_equal(c->journal.dir, "/var/lib/whereto/journal");
	assert_int_equal(c->journal.max_size_bytes, 10ull << 30);
	assert_int_equal(c->http.listen_count, 1);
	expect_listen(&c->http.listen[0], "127.0.0.1:8480", 21);
	assert_string_equal(c->http.token_file, "/etc/whereto/http.token");
	assert_int_equal(c->http.token_line, 21);
	config_free(c);
	config_free(NULL);
}

static void test_defaults(void **state)
{
	char host[256] = "";
	struct config *c = parse("telemetry:\n  keys: [{id: 4294967295, file: k}]\n");
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	assert_string_equal(c->name, host);
	assert_int_equal(c->telemetry.listen_count, 2);
	expect_listen(&c->telemetry.listen[0], "0.0.0.0:5775", 2);
	expect_listen(&c->telemetry.listen[1], "[::]:5775", 2);
	assert_int_equal(c->telemetry.keys[0].id, UINT32_MAX);
	assert_int_equal(c->telemetry.max_age_ms, 400ull * 86400 * 1000);
	assert_int_equal(c->telemetry.max_future_ms, 15 * 60 * 1000);
	assert_int_equal(c->router_count, 0);
	assert_int_equal(c->bmp.listen_count, 0);
	assert_int_equal(c->bgp.listen_count, 0);
	assert_int_equal(c->country_count, 0);
	assert_null(c->asnames_file);
	assert_string_equal(c->store.url, "sqlite:/var/lib/whereto/whereto.db");
	assert_int_equal(c->store.retention_s[LEVEL_minute], 2 * 86400);
	assert_int_equal(c->store.retention_s[LEVEL_hour], 90 * 86400);
	assert_true(c->store.retention_s[LEVEL_day] == UINT64_MAX);
	assert_string_equal(c->journal.dir, "/var/lib/whereto/journal");
	assert_int_equal(c->journal.max_size_bytes, 10ull << 30);
	assert_int_equal(c->http.listen_count, 1);
	expect_listen(&c->http.listen[0], "127.0.0.1:8480", 1);
	assert_null(c->http.token_file);
	config_free(c);

	c = parse("telemetry: {keys: [{id: 1, file: k}]}\nbmp: {}\nbgp: {as: 1, router_id: 192.0.2.1}\n"
		  "routers: [{name: a, serves: [\"::/0\"]}]\n");
	assert_int_equal(c->bmp.listen_count, 2);
	expect_listen(&c->bmp.listen[1], "[::]:11019", 2);
	expect_listen(&c->bgp.listen[0], "0.0.0.0:179", 3);
	assert_int_equal(c->routers[0].source_count, 0);
	assert_int_equal(c->routers[0].stale_ms, 300000);
	config_free(c);
}

static void test_relative_paths(void **state)
{
	static const char text[] = "telemetry: {keys: [{id: 1, file: sub/k}]}\n"
				   "routers: [{name: a, serves: [10.0.0.0/8], sources: [{mrt: {file: ../rib, updates: [\"u*\", /v]}}]}]\n"
				   "countries: [{rir: {files: [a*, /b]}}, {mmdb: {file: m}}]\n"
				   "asnames: {file: as}\nstore: {url: \"sqlite:w.db\"}\njournal: {dir: j}\n"
				   "http: {token_file: t}\n";
	struct config *c = parse(text);
	assert_string_equal(c->telemetry.keys[0].file, "/etc/whereto/sub/k");
	assert_string_equal(c->routers[0].sources[0].file, "/etc/whereto/../rib");
	assert_int_equal(c->routers[0].sources[0].update_count, 2);
	assert_string_equal(c->routers[0].sources[0].updates[0], "/etc/whereto/u*");
	assert_string_equal(c->routers[0].sources[0].updates[1], "/v");
	assert_int_equal(c->routers[0].sources[0].peer.family, ADDR_NONE);
	assert_string_equal(c->countries[0].files[0], "/etc/whereto/a*");
	assert_string_equal(c->countries[0].files[1], "/b");
	assert_string_equal(c->countries[1].files[0], "/etc/whereto/m");
	assert_string_equal(c->asnames_file, "/etc/whereto/as");
	assert_string_equal(c->store.url, "sqlite:/etc/whereto/w.db");
	assert_string_equal(c->journal.dir, "/etc/whereto/j");
	assert_string_equal(c->http.token_file, "/etc/whereto/t");
	config_free(c);
	struct error err = {0};
	assert_int_equal(config_parse("w.yaml", text, sizeof(text) - 1, &c, &err), 0);
	assert_string_equal(c->journal.dir, "j");
	assert_string_equal(c->store.url, "sqlite:w.db");
	config_free(c);
}

/* The files of a store's URL, too. */
static void test_relative_store_files(void **state)
{
#if WHERETO_CLICKHOUSE
	struct config *c = parse("telemetry: {keys: [{id: 1, file: k}]}\n"
				 "store: {url: \"clickhouse://w@h/d?password_file=ch.password&tls=yes&ca_file=/ca.pem\"}\n");
	assert_string_equal(c->store.url, "clickhouse://w@h/d?password_file=/etc/whereto/ch.password&tls=yes&ca_file=/ca.pem");
	config_free(c);
#endif
}

static uint64_t size_of(const char *text)
{
	char yaml[256];
	(void)snprintf(yaml, sizeof(yaml), "telemetry: {keys: [{id: 1, file: k}]}\njournal: {max_size: %s}\n", text);
	struct config *c = parse(yaml);
	uint64_t size = c->journal.max_size_bytes;
	config_free(c);
	return size;
}

static void test_quantities(void **state)
{
	assert_int_equal(size_of("65536"), 65536);
	assert_int_equal(size_of("\"100 kB\""), 100000);
	assert_int_equal(size_of("500MB"), 500000000);
	assert_int_equal(size_of("64KiB"), 65536);
	assert_int_equal(size_of("3MiB"), 3 << 20);
	assert_int_equal(size_of("2GB"), 2000000000);
	assert_int_equal(size_of("1TiB"), 1ull << 40);
	assert_int_equal(size_of("1TB"), 1000000000000);
	struct config *c = parse("telemetry: {keys: [{id: 1, file: k}], max_age: 90s, max_future: 0s}\n"
				 "routers: [{name: a, serves: [10.0.0.1], stale: 90}]\n"
				 "store: {retention: {minute: forever, hour: 2w}}\n");
	assert_int_equal(c->telemetry.max_age_ms, 90000);
	assert_int_equal(c->telemetry.max_future_ms, 0);
	assert_int_equal(c->routers[0].stale_ms, 90000);
	assert_int_equal(c->routers[0].serves[0].len, 32);
	assert_true(c->store.retention_s[LEVEL_minute] == UINT64_MAX);
	assert_int_equal(c->store.retention_s[LEVEL_hour], 14 * 86400);
	config_free(c);
}

/* Each is refused, or cuts off nothing but later sections. */
static void test_every_truncation(void **state)
{
	for (size_t len = 0; len < sizeof(example); len++) {
		struct config *c = NULL;
		struct error err = {0};
		char *copy = malloc(len + 1); /* of just this size, for ASan */
		memcpy(copy, example, len);
		if (config_parse("file", copy, len, &c, &err) < 0)
			assert_begins(err.text, "file:");
		else
			assert_int_equal(c->telemetry.key_count, 1);
		config_free(c);
		free(copy);
	}
}

static void test_every_byte_changed(void **state)
{
	static const char values[] = "\0\n {}[]:,-#&*!'\"\\\t0zA\x80\xff";
	char *copy = malloc(sizeof(example) - 1);
	for (size_t at = 0; at < sizeof(example) - 1; at++) {
		for (size_t i = 0; i < sizeof(values) - 1; i++) {
			struct config *c = NULL;
			struct error err = {0};
			memcpy(copy, example, sizeof(example) - 1);
			copy[at] = values[i];
			if (config_parse("file", copy, sizeof(example) - 1, &c, &err) < 0)
				assert_begins(err.text, "file:");
			config_free(c);
		}
	}
	free(copy);
}

/* docs/configuration.md holds the tables of config.def, word for word. */
static void test_manual(void **state)
{
	char *tables = NULL, *doc = calloc(1, 1 << 20);
	size_t len = 0;
	FILE *out = open_memstream(&tables, &len);
	config_print_options(out);
	assert_int_equal(fclose(out), 0);
	FILE *f = fopen(WT_SOURCE_ROOT "/docs/configuration.md", "r");
	assert_non_null(f);
	assert_true(fread(doc, 1, (1 << 20) - 1, f) > 0);
	assert_int_equal(fclose(f), 0);
	if (!strstr(doc, tables))
		fail_msg("docs/configuration.md is behind config.def: put in what `whereto check --options` prints");
	free(tables);
	free(doc);
}

static void test_load(void **state)
{
	struct config *c;
	struct error err = {0};
	const char *file = wt_write_text("w.yaml", "telemetry: {keys: [{id: 1, file: k}]}\n");
	assert_int_equal(config_load(file, &c, &err), 0);
	assert_string_equal(c->telemetry.keys[0].file, wt_path("k"));
	config_free(c);
	assert_int_equal(config_load(wt_path("absent"), &c, &err), -ENOENT);
	assert_begins(err.text, wt_path("absent"));
	assert_int_equal(config_load(wt_folder(), &c, &err), -EISDIR);

	size_t big = (1 << 20) + 1;
	char *text = malloc(big);
	memset(text, '#', big);
	file = wt_write("big", text, big);
	assert_int_equal(config_load(file, &c, &err), -EFBIG);
	assert_begins(err.text, file);
	free(text);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_relative_paths),
		cmocka_unit_test(test_relative_store_files),
		cmocka_unit_test(test_quantities),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
