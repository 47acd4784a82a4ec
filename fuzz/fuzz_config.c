/* SPDX-License-Identifier: BSD-2-Clause */

/* A configuration is refused with file and line, or it has what the collector relies on. */

#include "collector/config.h"
#include "fuzz.h"

static void check(const struct config *c)
{
	FUZZ_CHECK(c->name && *c->name && strlen(c->name) <= 64 && c->store.url && c->journal.dir);
	FUZZ_CHECK((c->telemetry.key_count && c->telemetry.listen_count) || c->probe.interval_ms);
	FUZZ_CHECK(c->http.listen_count);
	for (size_t i = 0; i < c->probe.rule_count; i++)
		FUZZ_CHECK(c->probe.rules[i].type && c->probe.rules[i].port <= 65535 && c->probe.rules[i].tag <= INT32_MAX);
	for (size_t i = 0; i < c->telemetry.key_count; i++)
		FUZZ_CHECK(c->telemetry.keys[i].id && c->telemetry.keys[i].file && c->telemetry.keys[i].line);
	for (size_t i = 0; i < c->router_count; i++) {
		FUZZ_CHECK(c->routers[i].name && *c->routers[i].name && c->routers[i].serves_count);
		for (size_t k = 0; k < c->routers[i].source_count; k++)
			FUZZ_CHECK(c->routers[i].sources[k].kind != SOURCE_BGP || (c->bgp.as && c->bgp.listen_count));
	}
	for (size_t i = 0; i < c->country_count; i++)
		FUZZ_CHECK(c->countries[i].file_count && *c->countries[i].files[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = NULL;
	struct error err = {0};
	if (config_parse("/dir/file", (const char *)data, size, &c, &err) < 0)
		FUZZ_CHECK(err.code < 0 && strncmp(err.text, "/dir/file:", 10) == 0);
	else
		check(c);
	config_free(c);
	return 0;
}
