/* SPDX-License-Identifier: BSD-2-Clause */

/* The manual of all options, from the option table. */

#include <stdlib.h>
#include <string.h>

#include "collector/config_load.h"

static const char *const type_names[OPTION_TYPES] = {
	[OPTION_TEXT] = "text",
	[OPTION_PATH] = "file name",
	[OPTION_URL] = "URL",
	[OPTION_NUMBER] = "number",
	[OPTION_ADDRESS] = "IP address",
	[OPTION_ADDRESS_V4] = "IPv4 address",
	[OPTION_TABLE] = "name",
	[OPTION_BACKEND] = "name",
	[OPTION_TAGGING] = "name",
	[OPTION_NETWORK] = "network",
	[OPTION_DURATION] = "duration",
	[OPTION_SECONDS] = "duration",
	[OPTION_KEEP] = "duration",
	[OPTION_SIZE] = "size",
	[OPTION_LISTENS] = "list of \"ADDRESS:PORT\"",
	[OPTION_PREFIXES] = "list of networks",
	[OPTION_PATHS] = "list of file names",
	[OPTION_NAMES] = "list of host names",
	[OPTION_TEXTS] = "list of texts",
	[OPTION_ONE_PATH] = "file name",
	[OPTION_MAPS] = "list of maps",
	[OPTION_KINDS] = "list of maps with one key each",
	[OPTION_MAP] = "map",
	[OPTION_KIND] = "map",
};

static void print_type(FILE *out, const struct option *o)
{
	char min[QUANTITY_TEXT_MAX], max[QUANTITY_TEXT_MAX];
	fputs(type_names[o->type], out);
	switch (o->type) {
	case OPTION_TEXT:
		fprintf(out, ", %u to %u bytes", (unsigned)o->min, (unsigned)o->max);
		break;
	case OPTION_NUMBER:
		fprintf(out, ", %u to %u", (unsigned)o->min, (unsigned)o->max);
		break;
	case OPTION_DURATION:
	case OPTION_SECONDS:
	case OPTION_KEEP:
		fprintf(out, ", %s to %s", duration_format(o->min, min), duration_format(o->max, max));
		break;
	case OPTION_SIZE:
		fprintf(out, ", at least %s", size_format(o->min, min));
		break;
	case OPTION_TEXTS:
		fprintf(out, ", at most %zu of %u bytes", o->most, (unsigned)o->max);
		break;
	default:
		if (o->min && o->type != OPTION_ONE_PATH && o->type != OPTION_KIND)
			fputs(", not empty", out);
	}
}

static void print_default(FILE *out, const struct option *o)
{
	if (!o->fallback)
		fputs("none", out);
	else if (o->fallback == option_required || o->fallback == option_host_name)
		fputs(o->fallback, out);
	else if (o->type == OPTION_MAP)
		fputs("defaults of its keys", out);
	else
		fprintf(out, "`%s`", o->fallback);
}

static void print_section(FILE *out, enum section s)
{
	bool kinds = false;
	for (size_t i = 0; i < option_count; i++)
		kinds |= option_table[i].section == s && option_table[i].type == OPTION_KIND;
	fprintf(out, "### %s\n\n", section_table[s].doc);
	fputs(kinds ? "| key | meaning |\n| --- | --- |\n" :
		      "| key | type | default | meaning |\n| --- | --- | --- | --- |\n",
		out);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];
		if (o->section != s)
			continue;
		fprintf(out, "| `%s` | ", o->key);
		if (!kinds) {
			print_type(out, o);
			fputs(" | ", out);
			print_default(out, o);
			fputs(" | ", out);
		}
		fprintf(out, "%s |\n", o->doc);
	}
	fputc('\n', out);
}

void config_print_options(FILE *out)
{
	for (int s = 0; s < SECTION_COUNT; s++)
		print_section(out, (enum section)s);
}

const char *config_option_doc(const char *section, const char *key)
{
	for (size_t i = 0; i < option_count; i++)
		if (strcmp(section_table[option_table[i].section].path, section) == 0 && strcmp(option_table[i].key, key) == 0)
			return option_table[i].doc;
	return "";
}
