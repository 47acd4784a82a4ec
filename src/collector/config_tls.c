/* SPDX-License-Identifier: BSD-2-Clause */

/* The HTTP side's certificate and key, read and looked at here, where errors can name the file: GnuTLS, which serves them,
 * only says yes or no. */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "collector/config.h"
#include "place/slurp.h"

#define PEM_BYTES_MAX (1u << 20)

static int read_pem(const char *file, char **ret, struct error *err)
{
	CLEANUP(slurp_done) struct slurp text = {0};
	int r = slurp_file(file, PEM_BYTES_MAX, &text, err);
	if (r < 0)
		return r;
	*ret = strdup(text.data);
	explicit_bzero(text.data, text.len);
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

/* Asked for by a key with a password: there is none. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
	return -1;
}

static int check_pair(const struct config *c, const char *certificate, const char *key, struct error *err)
{
	BIO *in = BIO_new_mem_buf(certificate, -1), *key_in = BIO_new_mem_buf(key, -1);
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	EVP_PKEY *k = key_in ? PEM_read_bio_PrivateKey(key_in, NULL, no_password, NULL) : NULL;
	int r = 0;
	if (!x)
		r = error_set(err, -EINVAL, "%s: is no certificate in PEM", c->http.certificate_file);
	else if (!k)
		r = error_set(err, -EINVAL, "%s: is no private key in PEM without a password", c->http.key_file);
	else if (X509_check_private_key(x, k) != 1)
		r = error_set(err, -EINVAL, "%s: is not the key of the certificate in %s", c->http.key_file, c->http.certificate_file);
	else if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		r = error_set(err, -EINVAL, "%s: the certificate has expired", c->http.certificate_file);
	ERR_clear_error();
	EVP_PKEY_free(k);
	X509_free(x);
	BIO_free(in);
	BIO_free(key_in);
	return r;
}

int config_tls(const struct config *c, char **ret_certificate, char **ret_key, struct error *err)
{
	char *certificate = NULL, *key = NULL;
	int r = c->http.certificate_file ? read_pem(c->http.certificate_file, &certificate, err) : 0;
	if (r == 0 && certificate)
		r = read_pem(c->http.key_file, &key, err);
	if (r == 0 && certificate)
		r = check_pair(c, certificate, key, err);
	if (r == 0) {
		*ret_certificate = certificate;
		*ret_key = key;
		return 0;
	}
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	free(certificate);
	return r;
}
