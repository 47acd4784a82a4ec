/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/cgroup.h"

#include <errno.h>
#include <fts.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int cgroup_mount(char ret[static PATH_MAX])
{
	FILE *mounts = setmntent("/proc/mounts", "re");
	struct mntent *m;
	int r = -ENOENT;
	while (mounts && r < 0 && (m = getmntent(mounts)))
		if (strcmp(m->mnt_type, "cgroup2") == 0)
			r = snprintf(ret, PATH_MAX, "%s", m->mnt_dir) < PATH_MAX ? 0 : -ENAMETOOLONG;
	if (mounts)
		(void)endmntent(mounts);
	return r;
}

void cgroup_walk(const char *path, void (*fn)(void *ctx, uint64_t id), void *ctx)
{
	char root[PATH_MAX], full[PATH_MAX + PATH_MAX];
	if (cgroup_mount(root) < 0)
		return;
	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	char *paths[] = {full, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;
	while (tree && (e = fts_read(tree)))
		if (e->fts_info == FTS_D)
			fn(ctx, e->fts_statp->st_ino);
	if (tree)
		(void)fts_close(tree);
}
