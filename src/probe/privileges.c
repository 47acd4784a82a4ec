/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define GROUPS_MAX 1024

/* Where the plain names mean ids of 16 bits. */
#ifdef SYS_setresuid32
#define SET_GROUPS SYS_setgroups32
#define SET_GIDS   SYS_setresgid32
#define SET_UIDS   SYS_setresuid32
#else
#define SET_GROUPS SYS_setgroups
#define SET_GIDS   SYS_setresgid
#define SET_UIDS   SYS_setresuid
#endif

#define WORD(cap) ((cap) / 32)
#define BIT(cap)  (1u << (cap) % 32)

struct caps {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2];
};

static int caps_get(struct caps *ret)
{
	*ret = (struct caps){.head = {.version = _LINUX_CAPABILITY_VERSION_3}};
	return syscall(SYS_capget, &ret->head, ret->data) < 0 ? -errno : 0;
}

static int limit(void)
{
	struct caps c;
	int r = caps_get(&c);
	if (r < 0)
		return r;
	/* Without the right to, this fails, and there is nothing to take away then. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (cap != CAP_BPF)
			(void)prctl(PR_CAPBSET_DROP, cap);
	for (int i = 0; i < 2; i++) {
		uint32_t keep = i == WORD(CAP_BPF) ? c.data[i].permitted & BIT(CAP_BPF) : 0;
		c.data[i] = (struct __user_cap_data_struct){.effective = keep, .permitted = keep};
	}
	if (syscall(SYS_capset, &c.head, c.data) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int find_user(const char *user, const struct passwd **ret, struct error *err)
{
	errno = 0;
	*ret = getpwnam(user);
	return *ret ? 0 : error_set(err, errno ? -errno : -ENOENT, "no user '%s'", user);
}

/* A file that has another name elsewhere is not this folder's to give: it may have been put in to be got hold of. */
static int give_files(DIR *d, uid_t uid, gid_t gid)
{
	struct dirent *e;
	struct stat st;
	while ((e = readdir(d))) {
		CLEANUP(close_p) int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid == uid)
			continue;
		if (fchown(fd, uid, gid) < 0)
			return -errno;
	}
	return 0;
}

int privileges_give(const char *dir, const char *user, struct error *err)
{
	const struct passwd *pw = NULL;
	int r = user ? find_user(user, &pw, err) : 0;
	if (r < 0 || (!user && geteuid() != 0))
		return r;
	uid_t uid = pw ? pw->pw_uid : 0;
	gid_t gid = pw ? pw->pw_gid : getegid();
	DIR *d = opendir(dir);
	/* First its own, so that nobody changes names meanwhile. */
	if (!d || fchown(dirfd(d), geteuid(), getegid()) < 0)
		r = -errno;
	if (r == 0)
		r = give_files(d, uid, gid);
	if (r == 0 && fchown(dirfd(d), uid, gid) < 0)
		r = -errno;
	if (d)
		(void)closedir(d);
	return r < 0 ? error_set(err, r, "%s cannot be given to user '%s': %s", dir, user ? user : "root", strerror(-r)) : 0;
}

/* By the kernel's own calls, which change this thread: the library's change all, and end the process when one that has
 * given up its rights cannot follow. */
static int become(const char *user, struct error *err)
{
	const struct passwd *pw;
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX, r = find_user(user, &pw, err);
	if (r < 0)
		return r;
	uid_t uid = pw->pw_uid;
	gid_t gid = pw->pw_gid;
	if (getgrouplist(user, gid, groups, &count) < 0)
		return error_set(err, -E2BIG, "user '%s' is in more than %d groups", user, GROUPS_MAX);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || syscall(SET_GROUPS, (size_t)count, groups) < 0 ||
		syscall(SET_GIDS, gid, gid, gid) < 0 || syscall(SET_UIDS, uid, uid, uid) < 0)
		return error_set(err, -errno, "cannot become user '%s': %s", user, strerror(errno));
	return 0;
}

int privileges_drop(const char *user, struct error *err)
{
	int r = user ? become(user, err) : 0;
	if (r < 0)
		return r;
	r = limit();
	return r < 0 ? error_set(err, r, "capabilities cannot be given up: %s", strerror(-r)) : 0;
}

const char *privileges_text(char buf[static PRIVILEGES_TEXT_MAX])
{
	struct caps c;
	bool bpf = caps_get(&c) == 0 && c.data[WORD(CAP_BPF)].effective & BIT(CAP_BPF);
	bool others = c.data[0].effective || c.data[1].effective & ~BIT(CAP_BPF);
	(void)snprintf(buf, PRIVILEGES_TEXT_MAX, "%s%s", bpf ? "CAP_BPF" : others ? "" : "none",
		others ? " and others" : "");
	return buf;
}
