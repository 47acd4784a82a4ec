/* SPDX-License-Identifier: BSD-2-Clause */

/* A slow disk that forgets: preloaded (LD_PRELOAD) into a program, it makes each fsync and fdatasync take up
 * to WHERETO_SYNC_MS, so that a kill often hits what is accepted, or written, and not yet durable. How far
 * a file named *.wj was when it was last synced stands in a file of the same name in WHERETO_SYNC_DIR: a
 * test that cuts it there after a kill -9 sees what a power cut would have left. */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fsync(int fd);
int fdatasync(int fd);

static void wait_somewhat(void)
{
	const char *max = getenv("WHERETO_SYNC_MS");
	uint32_t dice = 0;
	(void)!getrandom(&dice, sizeof(dice), 0);
	long us = dice % ((max ? strtol(max, NULL, 10) : 0) * 1000 + 1);
	(void)nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}

/* In one write, so that a kill leaves the old number or the new one. */
static void note_size(int fd, off_t size)
{
	char link[64], path[4096], note[8192], text[24];
	const char *dir = getenv("WHERETO_SYNC_DIR");
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (!dir || n < 3 || memcmp(path + n - 3, ".wj", 3) != 0)
		return;
	path[n] = '\0';
	(void)snprintf(note, sizeof(note), "%s%s", dir, strrchr(path, '/'));
	int out = open(note, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)!pwrite(out, text, (size_t)snprintf(text, sizeof(text), "%020lld", (long long)size), 0);
	(void)close(out);
}

static int slow_sync(long call, int fd)
{
	struct stat st;
	int known = fstat(fd, &st); /* before: what comes meanwhile may not be in it */
	wait_somewhat();
	int r = (int)syscall(call, fd);
	if (r == 0 && known == 0)
		note_size(fd, st.st_size);
	return r;
}

int fsync(int fd)
{
	return slow_sync(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return slow_sync(SYS_fdatasync, fd);
}
