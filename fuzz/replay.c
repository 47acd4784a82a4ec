/* SPDX-License-Identifier: BSD-2-Clause */

/* Runs a fuzz target over every file of the folders given, each also cut in half and with its last byte
 * changed, so that the ordinary test run covers the corpus with any compiler. */

#include <dirent.h>
#include <string.h>

#include "fuzz.h"

/* A copy of exactly the input's size, so that a sanitizer sees a read past its end. */
static void run(const uint8_t *data, size_t size, uint8_t change)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (size)
		copy[size - 1] ^= change;
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int replay_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	size_t size = fread(data, 1, sizeof(data), f);
	(void)fclose(f);
	run(data, size, 0);
	run(data, size / 2, 0);
	run(data, size, 0xff);
	return 0;
}

/* How many files the folder has; negative when it cannot be read. */
static int replay_folder(const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort), files = 0;
	if (n < 0) {
		perror(folder);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char path[4096];
		int len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (files >= 0 && names[i]->d_name[0] != '.' && len < (int)sizeof(path))
			files = replay_file(path) < 0 ? -1 : files + 1;
		free(names[i]);
	}
	free(names);
	return files;
}

int main(int argc, char **argv)
{
	int files = 0;
	for (int i = 1; i < argc; i++) {
		int n = replay_folder(argv[i]);
		if (n < 0)
			return 1;
		files += n;
	}
	fprintf(stderr, "%d files\n", files);
	return files ? 0 : 1; /* a corpus that is not there tests nothing */
}
