/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/rules.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_rules_init(struct http_rules *r)
{
	*r = (struct http_rules){.hosts = NULL};
	(void)pthread_mutex_init(&r->lock, NULL);
}

static void hosts_free(char **hosts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(hosts[i]);
	free(hosts);
}

void http_rules_done(struct http_rules *r)
{
	hosts_free(r->hosts, r->host_count);
	(void)pthread_mutex_destroy(&r->lock);
}

static char **hosts_copy(const char *const *hosts, size_t count)
{
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(hosts[i]);
		if (copy[i])
			continue;
		hosts_free(copy, i);
		copy = NULL;
	}
	return copy;
}

static int token_digest(const char *token, struct http_token *ret, struct error *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	if (!*token)
		return error_set(err, -EINVAL, "http: the token is empty");
	if (!EVP_Digest(token, strlen(token), digest, NULL, EVP_sha256(), NULL))
		return error_set(err, -ENOMEM, "http: cannot compute the token's digest");
	ret->needed = true;
	memcpy(ret->digest, digest, sizeof(ret->digest));
	return 0;
}

int http_rules_set(struct http_rules *r, const char *token, const char *const *hosts, size_t host_count, struct error *err)
{
	struct http_token new_token = {.needed = false};
	int rc = token ? token_digest(token, &new_token, err) : 0;
	if (rc < 0)
		return rc;
	char **new_hosts = hosts_copy(hosts, host_count);
	if (!new_hosts)
		return error_set(err, -ENOMEM, "http: out of memory");
	(void)pthread_mutex_lock(&r->lock);
	char **old_hosts = r->hosts;
	size_t old_count = r->host_count;
	r->token = new_token;
	r->hosts = new_hosts;
	r->host_count = host_count;
	(void)pthread_mutex_unlock(&r->lock);
	hosts_free(old_hosts, old_count);
	return 0;
}

struct http_token http_rules_token(struct http_rules *r)
{
	(void)pthread_mutex_lock(&r->lock);
	struct http_token token = r->token;
	(void)pthread_mutex_unlock(&r->lock);
	return token;
}

bool http_rules_has_host(struct http_rules *r, const char *name)
{
	bool found = false;
	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->host_count && !found; i++)
		found = strcasecmp(name, r->hosts[i]) == 0;
	(void)pthread_mutex_unlock(&r->lock);
	return found;
}
