/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/command.h"
#include "cli/options.h"
#include "collector/config.h"
#include "store/store.h"

static void print_line(void *ctx, const char *text)
{
	(void)ctx;
	printf("  %s\n", text);
}

static void print_listens(const char *what, const struct listen_addr *listen, size_t count)
{
	char text[HOSTPORT_TEXT_MAX];
	if (count == 0)
		return;
	printf("  %s: ", what);
	for (size_t i = 0; i < count; i++)
		printf("%s%s", i ? ", " : "", hostport_format(&listen[i].addr, listen[i].port, text));
	putchar('\n');
}

static void print_summary(const struct config *c)
{
	char store[1024];
	const struct config_probe *p = &c->probe;
	if (p->interval_ms) {
		printf("%s: probe %s, %zu collector%s, %zu named type%s, %zu rule%s\n", c->file, p->name, p->collector_count,
			p->collector_count == 1 ? "" : "s", p->type_count, p->type_count == 1 ? "" : "s", p->rule_count,
			p->rule_count == 1 ? "" : "s");
		if (!c->telemetry.key_count)
			return;
	}
	printf("%s: collector %s, %zu router%s\n", c->file, c->name, c->router_count,
		c->router_count == 1 ? "" : "s");
	print_listens("telemetry", c->telemetry.listen, c->telemetry.listen_count);
	print_listens("bmp", c->bmp.listen, c->bmp.listen_count);
	print_listens("bgp", c->bgp.listen, c->bgp.listen_count);
	print_listens("http", c->http.listen, c->http.listen_count);
	printf("  store: %s\n  journal: %s\n", store_url_hidden(c->store.url, sizeof(store), store), c->journal.dir);
}

static int check(const char *file)
{
	struct error err = {0};
	struct config *c;
	if (config_load(file, &c, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILED;
	}
	print_summary(c);
	int r = config_check_files(c, print_line, NULL, &err);
	config_free(c);
	if (r < 0) {
		(void)fflush(stdout);
		fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILED;
	}
	puts("ok");
	return EXIT_DONE;
}

int command_check(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_check, "[FILE]", &o);
	if (r != OPTIONS_GO_ON)
		return r;
	if (!o.arguments[0] == !o.values[OPTION_options])
		return command_usage(argv[0], "FILE or --options is needed, and not both");
	if (o.arguments[0])
		return check(o.arguments[0]);
	config_print_options(stdout);
	return EXIT_DONE;
}
