/* SPDX-License-Identifier: BSD-2-Clause */

/* clickhouse://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?KEY=VALUE&KEY=VALUE
 *
 * Not libcurl's parser: it knows no lists of hosts. Every part may be percent-encoded. What is wrong is named, but
 * not quoted: it may be a password at the wrong place. */

#include "store/clickhouse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char form[] = "write clickhouse://USER@HOST:8123/DATABASE";

static int bad(struct error *err, const char *what)
{
	return error_set(err, -EINVAL, "the store's url cannot be read (%s); %s", what, form);
}

/* A part, decoded; *ret is replaced. */
static int take(const char *text, size_t len, char **ret, struct error *err)
{
	int n = 0;
	char *decoded = len ? curl_easy_unescape(NULL, text, (int)len, &n) : NULL;
	char *copy = decoded && strlen(decoded) == (size_t)n ? strdup(decoded) : NULL;
	curl_free(decoded);
	if (len && !copy)
		return bad(err, "a part of it cannot be decoded");
	free(*ret);
	*ret = copy;
	return 0;
}

static int take_user(struct ch_url *u, const char *text, size_t len, struct error *err)
{
	const char *colon = memchr(text, ':', len);
	size_t name = colon ? (size_t)(colon - text) : len;
	int r = take(text, name, &u->user, err);
	return r == 0 && colon ? take(colon + 1, len - name - 1, &u->password, err) : r;
}

/* HOST, HOST:PORT, [V6], [V6]:PORT */
static int take_host(struct ch_url *u, const char *text, size_t len, struct error *err)
{
	size_t host = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":,/?");
	const char *port = u->tls ? "8443" : "8123";
	size_t port_len = strlen(port);
	if (u->host_count == CH_HOSTS_MAX)
		return bad(err, "it has more than 16 hosts");
	if (host < len && text[host] == ':') {
		port = text + host + 1;
		port_len = len - host - 1;
	} else if (host != len) {
		return bad(err, "a host in it");
	}
	if (!host || !port_len || port_len > 5 || strspn(port, "0123456789") < port_len)
		return bad(err, "a host in it");
	if (host + port_len + 2 > CH_AT_MAX)
		return bad(err, "a host's name is too long");
	(void)snprintf(u->hosts[u->host_count++], CH_AT_MAX, "%.*s:%.*s", (int)host, text, (int)port_len, port);
	return 0;
}

static int take_hosts(struct ch_url *u, const char *text, size_t len, struct error *err)
{
	int r = 0;
	for (size_t at = 0; at <= len && r == 0;) {
		size_t n = strcspn(text + at, ",/?");
		r = n ? take_host(u, text + at, n, err) : bad(err, "the host is missing");
		at += n + 1;
	}
	return r;
}

static int set_tls(struct ch_url *u, const char *value, size_t len, struct error *err)
{
	if (len == 3 && strncmp(value, "yes", len) == 0)
		u->tls = true;
	else if (len != 2 || strncmp(value, "no", len) != 0)
		return bad(err, "tls is yes or no");
	return 0;
}

static int take_parameter(struct ch_url *u, const char *text, size_t len, struct error *err)
{
	const struct {
		const char *key;
		char **value;
	} keys[] = {{"password_file", &u->password_file}, {"cluster", &u->cluster}, {"ca_file", &u->ca_file}};
	size_t key = strcspn(text, "=&");
	if (key >= len)
		return bad(err, "a parameter without a value");
	if (key == 3 && strncmp(text, "tls", key) == 0)
		return set_tls(u, text + key + 1, len - key - 1, err);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strlen(keys[i].key) == key && strncmp(keys[i].key, text, key) == 0)
			return take(text + key + 1, len - key - 1, keys[i].value, err);
	return bad(err, "its parameters are password_file, cluster, tls, ca_file");
}

static int take_parameters(struct ch_url *u, const char *text, struct error *err)
{
	int r = 0;
	while (*text && r == 0) {
		size_t n = strcspn(text, "&");
		r = take_parameter(u, text, n, err);
		text += n + (text[n] == '&');
	}
	return r;
}

/* Names that need no quoting anywhere: they are also part of ZooKeeper's paths. A dash is for clusters. */
static bool is_name(const char *text)
{
	static const char letters[] = "-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	return text && *text && (*text < '0' || *text > '9') && strspn(text, letters) == strlen(text) && strlen(text) <= 64;
}

static int parse(const char *text, struct ch_url *u, struct error *err)
{
	if (strncmp(text, "clickhouse://", 13) != 0)
		return bad(err, "its beginning");
	text += 13;
	size_t place = strcspn(text, "/?"), rest = strcspn(text, "?");
	const char *at = memrchr(text, '@', place);
	int r = text[rest] ? take_parameters(u, text + rest + 1, err) : 0;
	if (r == 0 && at)
		r = take_user(u, text, (size_t)(at - text), err);
	at = at ? at + 1 : text;
	u->tls |= u->ca_file != NULL;
	if (r == 0)
		r = take_hosts(u, at, place - (size_t)(at - text), err);
	if (r == 0 && text[place] == '/')
		r = take(text + place + 1, rest - place - 1, &u->database, err);
	if (r == 0 && !u->user)
		r = take("default", 7, &u->user, err);
	if (r < 0)
		return r;
	if (!is_name(u->database) || strchr(u->database, '-'))
		return bad(err, "the database: letters, digits and _ make its name");
	if (u->cluster && !is_name(u->cluster))
		return bad(err, "the cluster: letters, digits, _ and - make its name");
	if (u->host_count > 1 && !u->cluster)
		return bad(err, "several hosts are ways into a cluster: name it, ?cluster=NAME");
	if (u->password && u->password_file)
		return bad(err, "a password, and a file with one");
	if (strpbrk(u->user, "\r\n") || (u->password && strpbrk(u->password, "\r\n")))
		return bad(err, "a line's end in a name or password");
	return 0;
}

int ch_url_parse(const char *text, struct ch_url *ret, struct error *err)
{
	*ret = (struct ch_url){0};
	int r = parse(text, ret, err);
	if (r < 0) {
		ch_url_done(ret);
		return r;
	}
	(void)snprintf(ret->name, sizeof(ret->name), "%.60s@%s/%s", ret->user, ret->hosts[0], ret->database);
	return 0;
}

void ch_url_done(struct ch_url *u)
{
	char **texts[] = {&u->user, &u->password, &u->password_file, &u->database, &u->cluster, &u->ca_file};
	if (u->password)
		explicit_bzero(u->password, strlen(u->password));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(*texts[i]);
	*u = (struct ch_url){0};
}
