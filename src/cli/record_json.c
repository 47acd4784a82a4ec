/* SPDX-License-Identifier: BSD-2-Clause */

/* Strict on purpose: whoever writes a sender by hand learns of a misspelt member at once, not from
 * figures that are missing a week later. A line costs about three microseconds, nearly all of them in
 * jansson, which is enough for a program that reads its standard input. */

#include "cli/record_json.h"

#include <errno.h>

#include "base/clock.h"

static int parse_address(json_t *value, const char *name, struct addr *ret, struct error *err)
{
	const char *text = json_string_value(value);
	if (!text)
		return error_set(err, -EINVAL, "\"%s\" must be an address in a string", name);
	if (addr_parse(text, ret) < 0)
		return error_set(err, -EINVAL, "\"%s\": '%.60s' is not an IP address", name, text);
	return 0;
}

static int parse_time(json_t *value, uint64_t *ret, struct error *err)
{
	const char *text = json_string_value(value);
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*ret = (uint64_t)json_integer_value(value) * 1000;
		return 0;
	}
	if (!text || time_parse(text, ret) < 0)
		return error_set(err, -EINVAL, "\"time\" must be RFC 3339, like \"2026-11-23T10:00:00Z\", or seconds since 1970");
	return 0;
}

static int parse_type(json_t *value, char *buf, struct view *ret, struct error *err)
{
	if (json_is_null(value))
		return 0;
	size_t len = json_string_length(value);
	if (!json_is_string(value) || len > RECORD_TYPE_MAX)
		return error_set(err, -EINVAL, "\"type\" must be a string of at most %d bytes", RECORD_TYPE_MAX);
	memcpy(buf, json_string_value(value), len);
	*ret = (struct view){(const uint8_t *)buf, len};
	return 0;
}

static int parse_rtt(json_t *value, struct record *rec, struct error *err)
{
	if (!json_is_array(value) || json_array_size(value) > RECORD_RTT_MAX)
		return error_set(err, -EINVAL, "\"rtt_us\" must be a list of at most %d numbers", RECORD_RTT_MAX);
	size_t i;
	json_t *item;
	json_array_foreach(value, i, item) {
		json_int_t us = json_integer_value(item);
		if (!json_is_integer(item) || us < 0 || us > UINT32_MAX)
			return error_set(err, -EINVAL, "\"rtt_us\" must hold whole numbers of microseconds");
		rec->rtt_us[i] = (uint32_t)us;
	}
	rec->rtt_count = (uint8_t)json_array_size(value);
	return 0;
}

static int parse_figure(const char *name, json_t *value, struct record *rec, struct error *err)
{
	for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
		if (strcmp(name, record_field_name(i)) != 0)
			continue;
		json_int_t n = json_integer_value(value);
		if (!json_is_integer(value) || n < 0 || (uint64_t)n > RECORD_VALUE_MAX)
			return error_set(err, -EINVAL, "\"%s\" must be a whole number from 0 to 2^50", name);
		rec->values[i] = (uint64_t)n;
		return 0;
	}
	return error_set(err, -EINVAL, "\"%.60s\" is not a member of a record", name);
}

static int parse_member(const char *name, json_t *value, char *type_buf, struct record *rec, struct error *err)
{
	if (strcmp(name, "client") == 0)
		return parse_address(value, name, &rec->client, err);
	if (strcmp(name, "server") == 0)
		return parse_address(value, name, &rec->server, err);
	if (strcmp(name, "time") == 0)
		return parse_time(value, &rec->time_ms, err);
	if (strcmp(name, "type") == 0)
		return parse_type(value, type_buf, &rec->type, err);
	if (strcmp(name, "rtt_us") == 0)
		return parse_rtt(value, rec, err);
	if (strcmp(name, "approximate") == 0) {
		rec->approximate = json_is_true(value);
		return json_is_boolean(value) ? 0 : error_set(err, -EINVAL, "\"approximate\" must be true or false");
	}
	return parse_figure(name, value, rec, err);
}

/* Where the sender does not say it: connections whose record shows retransmits are counted here. */
static void derive_with_retransmit(struct record *rec)
{
	uint64_t connections = rec->values[FIELD_connections], packets = rec->values[FIELD_packets_retransmitted];
	rec->values[FIELD_connections_with_retransmit] = packets < connections ? packets : connections;
}

int record_json_parse(const char *line, size_t len, uint64_t now_ms, char type_buf[static RECORD_TYPE_MAX],
	struct record *ret, struct error *err)
{
	json_error_t why;
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why), *value;
	if (!object)
		return error_set(err, -EINVAL, "not JSON: %s, at column %d", why.text, why.column);
	struct record rec = {.time_ms = now_ms};
	const char *name;
	int r = json_is_object(object) ? 0 : error_set(err, -EINVAL, "not a JSON object");
	bool figure = false, told = false;
	if (r == 0) {
		json_object_foreach(object, name, value) {
			r = parse_member(name, value, type_buf, &rec, err);
			if (r < 0)
				break;
			told |= strcmp(name, "connections_with_retransmit") == 0;
		}
	}
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		figure |= rec.values[i] != 0 || json_object_get(object, record_field_name(i));
	json_decref(object);
	if (r == 0 && (rec.client.family == ADDR_NONE || rec.server.family == ADDR_NONE))
		r = error_set(err, -EINVAL, "\"client\" and \"server\" are needed");
	if (r == 0 && !figure && !rec.rtt_count)
		r = error_set(err, -EINVAL, "at least one figure is needed, like \"bytes_sent\"");
	if (r < 0)
		return r;
	if (!told)
		derive_with_retransmit(&rec);
	*ret = rec;
	return 0;
}

static void set_address(json_t *object, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	(void)json_object_set_new(object, name, json_string(addr_format(a, text)));
}

json_t *record_json_make(const struct record *rec)
{
	char time[TIME_TEXT_MAX];
	json_t *o = json_object();
	if (!o)
		return NULL;
	(void)json_object_set_new(o, "time", json_string(time_format(rec->time_ms, time)));
	set_address(o, "client", &rec->client);
	set_address(o, "server", &rec->server);
	if (rec->type.len)
		(void)json_object_set_new(o, "type", json_stringn((const char *)rec->type.data, rec->type.len));
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		if (rec->values[i])
			(void)json_object_set_new(o, record_field_name(i), json_integer((json_int_t)rec->values[i]));
	if (rec->approximate)
		(void)json_object_set_new(o, "approximate", json_true());
	json_t *rtt = rec->rtt_count ? json_array() : NULL;
	for (int i = 0; i < rec->rtt_count; i++)
		(void)json_array_append_new(rtt, json_integer(rec->rtt_us[i]));
	if (rtt)
		(void)json_object_set_new(o, "rtt_us", rtt);
	return o;
}
