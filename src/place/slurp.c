/* SPDX-License-Identifier: BSD-2-Clause */
#include "place/slurp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bgp/unpack.h"

#define BLOCK_BYTES 65536

void slurp_done(struct slurp *s)
{
	free(s->data);
	*s = (struct slurp){0};
}

static void unpack_close_p(struct unpack **u)
{
	unpack_close(*u);
}

static int open_regular(const char *file, struct unpack **ret, struct error *err)
{
	struct stat st;
	if (stat(file, &st) < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: is not a regular file", file);
	/* "-" alone would be standard input. */
	return unpack_open(strcmp(file, "-") == 0 ? "./-" : file, ret, err);
}

/* Room for at least one block and the final NUL. */
static int grow(struct slurp *s, size_t *cap, const char *file, struct error *err)
{
	if (*cap - s->len > BLOCK_BYTES)
		return 0;
	size_t wanted = *cap ? *cap * 2 : 4 * BLOCK_BYTES;
	char *data = realloc(s->data, wanted);
	if (!data)
		return error_set(err, -ENOMEM, "%s: out of memory", file);
	s->data = data;
	*cap = wanted;
	return 0;
}

int slurp_file(const char *file, size_t max, struct slurp *ret, struct error *err)
{
	CLEANUP(unpack_close_p) struct unpack *u = NULL;
	CLEANUP(slurp_done) struct slurp s = {0};
	size_t cap = 0;
	int r = open_regular(file, &u, err);
	for (ssize_t n = 1; r == 0 && n > 0;) {
		r = grow(&s, &cap, file, err);
		if (r < 0)
			break;
		n = unpack_read(u, s.data + s.len, cap - s.len - 1, err);
		if (n < 0) {
			(void)error_prefix(err, "%s: after %zu bytes of content", file, s.len);
			return (int)n;
		}
		s.len += (size_t)n;
		if (s.len > max)
			return error_set(err, -EFBIG, "%s: is larger than %zu MiB", file, max >> 20);
	}
	if (r < 0)
		return r;
	s.data[s.len] = '\0';
	*ret = s;
	s = (struct slurp){0};
	return 0;
}
