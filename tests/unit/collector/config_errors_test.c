/* SPDX-License-Identifier: BSD-2-Clause */

/* What a configuration can have wrong, and that each message names the line and the thing. */

#include "base/compiler.h"
#include "collector/config.h"
#include "wt_files.h"

#define KEYS "telemetry: {keys: [{id: 1, file: k}]}\n"

static void expect_error(const char *text, size_t len, const char *expected)
{
	struct config *c;
	struct error err = {0};
	int r = config_parse("t.yaml", text, len, &c, &err);
	if (r >= 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.code, r);
	assert_begins(err.text, expected);
}

struct sample {
	const char *text, *expected;
};

static void expect_errors(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_error(samples[i].text, strlen(samples[i].text), samples[i].expected);
}

static void test_yaml(void **state)
{
	static const struct sample samples[] = {
		{"", "t.yaml:1: is empty"},
		{"# nothing\n", "t.yaml:1: is empty"},
		{"name: [a\n", "t.yaml:2: is not valid YAML: while parsing a flow sequence"},
		{"name: a\n\tb: c\n", "t.yaml:2: is not valid YAML: "},
		{"name: \"a\n", "t.yaml:2: is not valid YAML: "},
		{"name: a\nfoo: \xff\n", "t.yaml:2: is not valid YAML: invalid leading UTF-8 octet"},
		{"name: a\n---\nname: b\n", "t.yaml:2: a second document"},
		{"name: &x a\n", "t.yaml:1: anchors (&) are not supported"},
		{"name: a\nrouters: &x []\n", "t.yaml:2: anchors"},
		{"name: *x\n", "t.yaml:1: aliases (*) are not supported"},
		{"name: !!str a\n", "t.yaml:1: tags (!) are not supported"},
		{"name: a\n[1]: b\n", "t.yaml:2: a list or map cannot be a key"},
		{"{a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: 1}}}}}}}}}}}}}}}}}\n",
			"t.yaml:1: maps and lists are nested too deeply"},
		{"name: \"a\\0b\"\n", "t.yaml:1: a text has a NUL"},
		{"just text\n", "t.yaml:1: the configuration must be a map"},
		{"- a\n", "t.yaml:1: the configuration must be a map"},
	};
	expect_errors(samples, ARRAY_LEN(samples));
	static const char nul[] = "name: a\0b\n";
	expect_error(nul, sizeof(nul) - 1, "t.yaml:1: is not valid YAML");
}

static void test_keys_of_maps(void **state)
{
	static const struct sample samples[] = {
		{KEYS "nam: a\n", "t.yaml:2: unknown key 'nam' in the configuration, which knows: name, telemetry, "},
		{KEYS "<<: {}\n", "t.yaml:2: unknown key '<<' in the configuration"},
		{KEYS "name: a\n\nname: b\n", "t.yaml:4: 'name' stands on line 2 already"},
		{KEYS "telemetry: {}\n", "t.yaml:2: 'telemetry' stands on line 1 already"},
		{"telemetry:\n  listen: [\"[::]:1\"]\n  keyz: []\n",
			"t.yaml:3: unknown key 'keyz' in telemetry, which knows: listen, keys, max_age, max_future"},
		{KEYS "store: {retention: {week: 2d}}\n", "t.yaml:2: unknown key 'week' in store.retention"},
		{"telemetry:\n  keys:\n    - {id: 1, file: k, name: x}\n", "t.yaml:3: unknown key 'name' in telemetry.keys"},
		{"telemetry:\n  keys:\n    - id: 1\n      file: k\n      id: 2\n", "t.yaml:5: 'id' stands on line 3"},
		{"name: a\n", "t.yaml:1: 'keys' is missing in telemetry"},
		{"name: a\ntelemetry:\n  listen: [\"[::]:1\"]\n", "t.yaml:3: 'keys' is missing in telemetry"},
		{"telemetry: {keys: [{id: 1}]}\n", "t.yaml:1: 'file' is missing in telemetry.keys"},
		{"telemetry:\n  keys:\n  - file: k\n", "t.yaml:3: 'id' is missing in telemetry.keys"},
		{KEYS "routers:\n- name: a\n", "t.yaml:3: 'serves' is missing in routers"},
		{KEYS "routers:\n- serves: [10.0.0.0/8]\n", "t.yaml:3: 'name' is missing in routers"},
		{KEYS "bgp: {as: 1}\n", "t.yaml:2: 'router_id' is missing in bgp"},
		{KEYS "bgp: {router_id: 192.0.2.1}\n", "t.yaml:2: 'as' is missing in bgp"},
		{KEYS "asnames: {}\n", "t.yaml:2: 'file' is missing in asnames"},
		{KEYS "countries: [{rir: {}}]\n", "t.yaml:2: 'files' is missing in countries.rir"},
		{KEYS "countries: [{mmdb: {}}]\n", "t.yaml:2: 'file' is missing in countries.mmdb"},
	};
	expect_errors(samples, ARRAY_LEN(samples));
}

static void test_types(void **state)
{
	static const struct sample samples[] = {
		{KEYS "name: [a]\n", "t.yaml:2: name must be a text, not a list"},
		{KEYS "name: {a: b}\n", "t.yaml:2: name must be a text, not a map"},
		{KEYS "name:\n", "t.yaml:2: name is empty"},
		{KEYS "name: ~\n", "t.yaml:2: name is empty"},
		{KEYS "name: null\n", "t.yaml:2: name is empty"},
		{KEYS "name: ''\n", "t.yaml:2: name is empty"},
		{KEYS "name: ' a'\n", "t.yaml:2: name begins or ends with a blank"},
		{KEYS "name: \"a\\x1b\"\n", "t.yaml:2: name has control characters"},
		{KEYS "name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
			"t.yaml:2: name is 65 bytes long; 64 are allowed"},
		{"telemetry: x\n", "t.yaml:1: telemetry must be a map"},
		{"telemetry:\n", "t.yaml:1: telemetry must be a map"},
		{"telemetry: {keys: {id: 1, file: k}}\n", "t.yaml:1: telemetry.keys must be a list"},
		{"telemetry: {keys: [k]}\n", "t.yaml:1: telemetry.keys must be a map"},
		{"telemetry: {keys: []}\n", "t.yaml:1: telemetry.keys is an empty list"},
		{"telemetry: {keys: [{id: '1', file: k}]}\n", "t.yaml:1: telemetry.keys.id must be a number, without"},
		{"telemetry: {keys: [{id: 1, file: [k]}]}\n", "t.yaml:1: telemetry.keys.file must be a file name"},
		{"telemetry:\n  keys: [{id: 1, file: k}]\n  listen: 0.0.0.0:1\n", "t.yaml:3: telemetry.listen must be a list"},
		{"telemetry:\n  keys: [{id: 1, file: k}]\n  listen: []\n", "t.yaml:3: telemetry.listen is an empty list"},
		{"telemetry:\n  keys: [{id: 1, file: k}]\n  listen:\n  - 1.2.3.4\n",
			"t.yaml:4: telemetry.listen: '1.2.3.4' is not HOST:PORT"},
		{"telemetry:\n  keys: [{id: 1, file: k}]\n  listen: [\"1.2.3.4:65536\"]\n",
			"t.yaml:3: telemetry.listen: '1.2.3.4:65536' has no valid port"},
		{"telemetry:\n  keys: [{id: 1, file: k}]\n  listen: [\"localhost:1\"]\n",
			"t.yaml:3: telemetry.listen: 'localhost:1': 'localhost' is not an IP address"},
		{KEYS "routers:\n- name: a\n  serves: 10.0.0.0/8\n", "t.yaml:4: routers.serves must be a list"},
		{KEYS "routers:\n- name: a\n  serves: []\n", "t.yaml:4: routers.serves is an empty list"},
		{KEYS "routers:\n- name: a\n  serves:\n  - 10.0.0.0/8\n  - 10.0.0.1/8\n",
			"t.yaml:6: routers.serves: '10.0.0.1/8' has host bits set; did you mean 10.0.0.0/8?"},
		{KEYS "routers:\n- name: a\n  serves: [10.0.0.0/33]\n", "t.yaml:4: routers.serves: '10.0.0.0/33' has no"},
		{KEYS "routers:\n- name: ''\n  serves: [10.0.0.0/8]\n", "t.yaml:3: routers.name is empty"},
		{KEYS "routers: [a]\n", "t.yaml:2: routers must be a map"},
		{KEYS "bgp: {as: 1, router_id: \"2001:db8::1\"}\n",
			"t.yaml:2: bgp.router_id: '2001:db8::1' is not an IPv4 address"},
		{KEYS "bmp: {listen: []}\n", "t.yaml:2: bmp.listen is an empty list"},
		{KEYS "countries: [{rir: {files: []}}]\n", "t.yaml:2: countries.rir.files is an empty list"},
		{KEYS "countries: [{rir: {files: a}}]\n", "t.yaml:2: countries.rir.files must be a list"},
		{KEYS "countries: [{mmdb: {file: [a]}}]\n", "t.yaml:2: countries.mmdb.file must be a file name"},
		{KEYS "countries: [{csv: {}}]\n", "t.yaml:2: unknown key 'csv' in countries, which knows: rir, mmdb"},
		{KEYS "countries: [{rir: {files: [a]}, mmdb: {file: b}}]\n",
			"t.yaml:2: countries must be a list of maps with one key each"},
		{KEYS "countries: [{}]\n", "t.yaml:2: countries must be a list of maps with one key each"},
		{KEYS "countries: [rir]\n", "t.yaml:2: countries must be a list of maps with one key each"},
		{KEYS "store: {url: /var/lib/x}\n", "t.yaml:2: store.url: '/var/lib/x' is no URL"},
		{KEYS "store: {url: \"sqlite:\"}\n", "t.yaml:2: store.url: 'sqlite:' is no URL"},
	};
	expect_errors(samples, ARRAY_LEN(samples));
}

#define BGP(as) KEYS "bgp:\n  router_id: 192.0.2.1\n  as: " as "\n"
#define SOURCE(s) KEYS "routers:\n- name: a\n  serves: [10.0.0.0/8]\n  sources:\n  - " s "\n"

static void test_ranges(void **state)
{
	static const struct sample samples[] = {
		{"telemetry: {keys: [{id: 0, file: k}]}\n",
			"t.yaml:1: telemetry.keys.id: 0 is out of range (1 to 4294967295)"},
		{"telemetry: {keys: [{id: 4294967296, file: k}]}\n", "t.yaml:1: telemetry.keys.id: 4294967296 is out of"},
		{"telemetry: {keys: [{id: 99999999999999999999999, file: k}]}\n", "t.yaml:1: telemetry.keys.id: 9999"},
		{"telemetry: {keys: [{id: 0x1, file: k}]}\n", "t.yaml:1: telemetry.keys.id: '0x1' is not a whole"},
		{"telemetry: {keys: [{id: -1, file: k}]}\n", "t.yaml:1: telemetry.keys.id: '-1' is not a whole"},
		{"telemetry: {keys: [{id: 010, file: k}]}\n", "t.yaml:1: telemetry.keys.id: 010 is out of range"},
		{BGP("0"), "t.yaml:4: bgp.as: 0 is out of range"},
		{BGP("4294967296"), "t.yaml:4: bgp.as: 4294967296 is out of range"},
		{BGP("64500.1"), "t.yaml:4: bgp.as: '64500.1' is not a whole number"},
		{SOURCE("bgp: {from: 192.0.2.1, as: x}"), "t.yaml:6: sources.bgp.as: 'x' is not a whole number"},
		{SOURCE("bgp: {from: 192.0.2.1/32, as: 1}"), "t.yaml:6: sources.bgp.from: '192.0.2.1/32' is not an IP"},
		{SOURCE("bgp: {as: 1}"), "t.yaml:6: 'from' is missing in sources.bgp"},
		{SOURCE("bmp: {from: 192.0.2.1, as: 1}"), "t.yaml:6: unknown key 'as' in sources.bmp"},
		{SOURCE("mrt: {}"), "t.yaml:6: 'file' is missing in sources.mrt"},
		{SOURCE("mrt: {file: f, peer: x}"), "t.yaml:6: sources.mrt.peer: 'x' is not an IP address"},
		{SOURCE("netflow: {}"), "t.yaml:6: unknown key 'netflow' in sources, which knows: bmp, bgp, mrt"},
		{"telemetry:\n  max_age: 5 parsecs\n", "t.yaml:2: telemetry.max_age: '5 parsecs' is no duration"},
		{"telemetry:\n  max_age: 90\n", "t.yaml:2: telemetry.max_age: '90' is no duration"},
		{"telemetry:\n  max_age: forever\n", "t.yaml:2: telemetry.max_age: forever is out of range (1m to 36500d)"},
		{"telemetry:\n  max_age: 59s\n", "t.yaml:2: telemetry.max_age: 59s is out of range"},
		{"telemetry:\n  max_future: -5m\n", "t.yaml:2: telemetry.max_future: '-5m' is no duration"},
		{KEYS "routers:\n- stale: 366d\n", "t.yaml:3: routers.stale: 366d is out of range (0s to 365d)"},
		{KEYS "store: {retention: {minute: 59s}}\n",
			"t.yaml:2: store.retention.minute: 59s is out of range (1m to forever)"},
		{KEYS "store: {retention: {hour: 0s}}\n", "t.yaml:2: store.retention.hour: 0s is out of range"},
		{KEYS "store: {retention: {day: never}}\n", "t.yaml:2: store.retention.day: 'never' is no duration"},
		{KEYS "journal: {max_size: 10gigs}\n", "t.yaml:2: journal.max_size: '10gigs' is no size"},
		{KEYS "journal: {max_size: 1.5GiB}\n", "t.yaml:2: journal.max_size: '1.5GiB' is no size"},
		{KEYS "journal: {max_size: -1}\n", "t.yaml:2: journal.max_size: '-1' is no size"},
		{KEYS "journal: {max_size: 16777216TiB}\n", "t.yaml:2: journal.max_size: '16777216TiB' is no size"},
		{KEYS "journal: {max_size: 8388608TiB}\n", "t.yaml:2: journal.max_size: 8388608TiB is out of range"},
		{KEYS "journal: {max_size: 1KiB}\n", "t.yaml:2: journal.max_size: 1KiB is out of range (at least 64KiB)"},
	};
	expect_errors(samples, ARRAY_LEN(samples));
}

static void test_relations(void **state)
{
	static const struct sample samples[] = {
		{"telemetry:\n  keys:\n  - {id: 7, file: a}\n  - {id: 8, file: a}\n  - {id: 7, file: b}\n",
			"t.yaml:5: key id 7 stands on line 3 already"},
		{KEYS "routers:\n- {name: a, serves: [10.0.0.0/8]}\n- {name: a, serves: [11.0.0.0/8]}\n",
			"t.yaml:4: a router named 'a' stands on line 3 already"},
		{KEYS "routers:\n- {name: a, serves: [10.0.0.0/8, 10.1.0.0/16]}\n- name: b\n  serves:\n"
		      "  - 10.0.0.0/9\n  - 10.1.0.0/16\n",
			"t.yaml:7: 10.1.0.0/16 is served already, on line 3: a network has one router"},
		{KEYS "routers:\n- name: a\n  serves:\n  - \"::/0\"\n  - 0::/0\n", "t.yaml:6: ::/0 is served already, on line 5"},
		{SOURCE("bgp: {from: 192.0.2.1, as: 1}"), "t.yaml:6: a source 'bgp' needs the section 'bgp'"},
		{SOURCE("bmp: {from: 192.0.2.1}"), "t.yaml:6: a source 'bmp' needs the section 'bmp'"},
		{KEYS "store:\n  url: \"mysql:x\"\n", "t.yaml:3: store.url: "},
#if WHERETO_CLICKHOUSE
		{KEYS "store:\n  url: \"clickhouse://w@h/x?bogus=1\"\n", "t.yaml:3: store.url: the store's url cannot be read (its parameters"},
#endif
#if WHERETO_POSTGRESQL
		{KEYS "store:\n  url: \"postgresql://[\"\n", "t.yaml:3: store.url: the store's url cannot be read"},
		{KEYS "store:\n  url: \"postgresql://u@h/d?nonsense=1\"\n", "t.yaml:3: store.url: the store's url cannot be read"},
#endif
		{KEYS "http:\n  listen:\n  - 127.0.0.1:1\n  - 192.0.2.1:1\n",
			"t.yaml:5: http.listen: 192.0.2.1:1 is not a loopback address"},
		{KEYS "http: {listen: [\"0.0.0.0:8480\"]}\n", "t.yaml:2: http.listen: 0.0.0.0:8480 is not a loopback"},
		{KEYS "http: {tls: {certificate: c}}\n", "t.yaml:2: 'key' is missing in http.tls"},
		{KEYS "http:\n  hosts: [a.example,\n  \"b:1\"]\n", "t.yaml:4: http.hosts: 'b:1' is no host name"},
		{KEYS "http: {listen: [\"[::]:8480\"]}\n", "t.yaml:2: http.listen: [::]:8480 is not a loopback"},
		{KEYS "http: {listen: [\"127.0.0.1:1\", \"127.0.0.1:1\"]}\n", "t.yaml:2: 127.0.0.1:1 stands on line 2"},
	};
	expect_errors(samples, ARRAY_LEN(samples));
	/* The twins that are right. */
	static const char *const good[] = {
		KEYS "http: {listen: [\"0.0.0.0:8480\"], token_file: t}\n",
		KEYS "http: {listen: [\"127.9.9.9:0\", \"[::1]:0\", \"127.9.9.9:0\"]}\n",
		KEYS "routers:\n- {name: a, serves: [10.0.0.0/8]}\n- {name: A, serves: [10.0.0.0/9, \"::/0\"]}\n",
		KEYS "bmp: {}\nbgp: {as: 1, router_id: 192.0.2.1}\nrouters:\n- name: a\n  serves: [10.0.0.0/8]\n"
		     "  sources: [{bmp: {from: 192.0.2.1}}, {bgp: {from: 192.0.2.1, as: 4294967295}}]\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct config *c;
		struct error err = {0};
		if (config_parse("t.yaml", good[i], strlen(good[i]), &c, &err) < 0)
			fail_msg("%s", err.text);
		config_free(c);
	}
}

static void test_probe(void **state)
{
	static const struct sample samples[] = {
		{"probe: x\n", "t.yaml:1: probe must be a map"},
		{"probe:\n  colectors: []\n", "t.yaml:2: unknown key 'colectors' in probe, which knows: name, collectors, "},
		{"probe:\n  interval: 10\n", "t.yaml:2: probe.interval: '10' is no duration"},
		{"probe:\n  interval: 99ms\n", "t.yaml:2: probe.interval: 99ms is out of range (100ms to 1h)"},
		{"probe:\n  backend: bpf\n", "t.yaml:2: probe.backend: 'bpf' is none of auto, ebpf, sockdiag"},
		{"probe:\n  tagging: yes\n", "t.yaml:2: probe.tagging: 'yes' is none of auto, on, off"},
		{"probe:\n  key: {id: 1}\n", "t.yaml:2: 'file' is missing in probe.key"},
		{"probe:\n  collectors:\n  - {a: b}\n", "t.yaml:3: probe.collectors must be a text"},
		{"probe:\n  collectors: [a, b, c, d, e, f, g, h, i]\n", "t.yaml:2: probe.collectors has more than 8 entries"},
		{"probe:\n  types:\n  - a\n  - a2345678901234567890123456789012345678901234567890123456789012345\n",
			"t.yaml:4: probe.types is 65 bytes long; 64 are allowed"},
		{"probe:\n  type_rules:\n  - {port: 1}\n", "t.yaml:3: 'type' is missing in probe.type_rules"},
		{"probe:\n  type_rules:\n  - {type: a, port: 0}\n", "t.yaml:3: probe.type_rules.port: 0 is out of range (1 to 65535)"},
		{"probe:\n  type_rules:\n  - {type: a}\n  - {type: a, address: 192.0.2.1/24}\n",
			"t.yaml:4: probe.type_rules.address: "},
		{"probe:\n  type_rules:\n  - {type: a, tag: 2147483648}\n", "t.yaml:3: probe.type_rules.tag: 2147483648 is out of range"},
		{"probe:\n  type_rules:\n  - type: a\n    cgroup: system.slice\n", "t.yaml:3: probe.type_rules.cgroup: 'system.slice' does"},
		{"probe:\n  spool: {max_size: 1GiB}\n", "t.yaml:2: 'dir' is missing in probe.spool"},
		{"probe:\n  spool: {dir: a, max_size: 1kB}\n", "t.yaml:2: probe.spool.max_size: 1kB is out of range (at least 64KiB)"},
		{"probe:\n  status: /a2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		 "2345678\n", "t.yaml:2: probe.status: /a23"},
		{"probe: {}\ntelemetry: {}\n", "t.yaml:2: 'keys' is missing in telemetry"},
	};
	expect_errors(samples, ARRAY_LEN(samples));
}

/* A probe's file needs nothing of a collector's. */
static void test_probe_alone(void **state)
{
	static const char text[] = "probe: {collectors: [\"a:1\"], key: {file: k}}\n";
	struct config *c;
	struct error err = {0};
	if (config_parse("d/t.yaml", text, strlen(text), &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c->telemetry.key_count, 0);
	assert_string_equal(c->probe.key_file, "d/k");
	assert_int_equal(c->probe.interval_ms, 10000);
	assert_string_equal(c->probe.status, "/run/whereto/probe.sock");
	config_free(c);
}

static void repeat(const char *start, const char *part, const char *expected)
{
	size_t len = 1 << 20;
	char *text = malloc(len + 1);
	size_t n = (size_t)snprintf(text, len, "%s", start), part_len = strlen(part);
	while (n + part_len <= len) {
		memcpy(text + n, part, part_len);
		n += part_len;
	}
	text[n] = '\0';
	expect_error(text, n, expected);
	free(text);
}

/* Files that try to be slow: the largest that is read at all, of the shapes parsers dislike. That
 * they end is the test. */
static void test_bombs(void **state)
{
	static const char laughs[] = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n";
	expect_error(laughs, sizeof(laughs) - 1, "t.yaml:1: anchors");
	repeat("", "[", "t.yaml:1: maps and lists are nested too deeply");
	repeat("", "{", "t.yaml:1: a list or map cannot be a key");
	repeat("", "{a: ", "t.yaml:1: maps and lists are nested too deeply");
	repeat("", "- ", "t.yaml:1: maps and lists are nested too deeply");
	repeat("", "? ", "t.yaml:1: a list or map cannot be a key");
	repeat("x: [", "a,", "t.yaml:1: the file has too many parts");
	repeat("", "- &a\n", "t.yaml:1: anchors");
	repeat("", "a: b\n", "t.yaml:");
	repeat("name: ", "a", "t.yaml:1: name is 1048570 bytes long");
	repeat("name: \"", "\\\"", "t.yaml:");
	repeat("name: ", "a\n ", "t.yaml:");
	repeat("name: |\n", " \n", "t.yaml:");
	repeat(KEYS "countries: [", "{},", "t.yaml:2: ");
	repeat(KEYS "routers: [", "{},", "t.yaml:2: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_keys_of_maps),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probe_alone),
		cmocka_unit_test(test_bombs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
