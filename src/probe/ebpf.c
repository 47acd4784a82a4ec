/* SPDX-License-Identifier: BSD-2-Clause */

/* The programs in the kernel (probe.bpf.c), loaded, attached and listened to.
 *
 * What must not end with the process is pinned: everything that tells of connections (the attached program, the
 * ring, the sockets' snapshots) stays in a folder of the bpf file system, named after the program's content. The
 * next run of the same program takes it over as it stands: what closed meanwhile waits in the ring, what lived on is told
 * by the next look. Without a bpf file system, and after a change of the program, a start takes the connections it finds as
 * told: what they did before is not told, and they don't count as connections.
 *
 * The hook for tags is pinned, too: it refuses them while the probe isn't there (which it sees by the time in the page), and
 * so learns whose server counts a connection itself then. The iterator is not, it does nothing by itself. A kernel that
 * refuses the hook's program still gets the others. */

#include "probe/backend.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/cgroup.h"
#include "probe/namespaces.h"
#include "probe/pins.h"
#include "probe/probe.skel.h"
#include "wire/tag.h"

#define PIN_STATE_LINK "state_link"
#define PIN_TAG_LINK   "tag_link"

_Static_assert(PROBE_TAG_LEVEL == TAG_LEVEL && PROBE_TAG_OPTION == TAG_OPTION && PROBE_TAG_OPTION_OWN == TAG_OPTION_OWN,
	"what servers use is what the program takes");

struct backend {
	struct namespaces *namespaces;
	struct probe_bpf *skel;
	struct bpf_link *state_link, *look_link, *tag_link;
	struct ring_buffer *ring;
	struct probe_page *page;
	struct pins pins;
	bool pinned;
	bool resumed;
	bool ended;
	bool known[NAMESPACES_MAX]; /* resumed, and this namespace was watched before */
	int state_fd, tag_fd;       /* of the attached programs; -1 */
	uint64_t looks, look_ns;
	char note[256];
	void (*fn)(void *ctx, const struct probe_event *e); /* while reading */
	void *ctx;
};

/* ---- what libbpf says ---- */

static char libbpf_said[ERROR_TEXT_MAX]; /* the first warning since it was cleared */

__attribute__((format(printf, 2, 0)))
static int listen_to_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && !*libbpf_said) {
		(void)vsnprintf(libbpf_said, sizeof(libbpf_said), fmt, ap);
		libbpf_said[strcspn(libbpf_said, "\n")] = '\0';
	}
	return 0;
}

static int fail(struct error *err, int r, const char *what)
{
	if (*libbpf_said)
		return error_set(err, r, "%s: %s (%.300s)", what, strerror(-r), libbpf_said);
	return error_set(err, r, "%s: %s", what, strerror(-r));
}

__attribute__((format(printf, 2, 3)))
static void add_note(struct backend *b, const char *fmt, ...)
{
	va_list ap;
	size_t used = strlen(b->note);
	if (used)
		used += (size_t)snprintf(b->note + used, sizeof(b->note) - used, "; ");
	va_start(ap, fmt);
	if (used < sizeof(b->note))
		(void)vsnprintf(b->note + used, sizeof(b->note) - used, fmt, ap);
	va_end(ap);
}

/* ---- loading ---- */

static uint64_t program_id(void)
{
	size_t size;
	const uint8_t *elf = probe_bpf__elf_bytes(&size);
	uint64_t id = 14695981039346656037u; /* FNV-1a: the same in every run */
	for (size_t i = 0; i < size; i++)
		id = (id ^ elf[i]) * 1099511628211u;
	return id;
}

/* The maps that another run has left are used instead of new ones. False when not all are there. */
static bool take_maps(struct backend *b)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	bpf_object__for_each_map(map, b->skel->obj) {
		CLEANUP(close_p) int fd = bpf_obj_get(pins_path(&b->pins, bpf_map__name(map), path));
		if (fd < 0 || bpf_map__reuse_fd(map, fd) < 0)
			return false;
	}
	return true;
}

static void take_links(struct backend *b, bool tagging)
{
	char path[PATH_MAX];
	b->state_link = bpf_link__open(pins_path(&b->pins, PIN_STATE_LINK, path));
	b->resumed = b->state_link != NULL;
	(void)bpf_program__set_autoload(b->skel->progs.state, !b->resumed);
	(void)pins_path(&b->pins, PIN_TAG_LINK, path);
	if (!tagging)
		(void)unlink(path);
	else if (b->resumed)
		b->tag_link = bpf_link__open(path);
	(void)bpf_program__set_autoload(b->skel->progs.tag, tagging && !b->tag_link);
}

static int load(struct backend *b, bool tagging, bool with_pins, struct error *err)
{
	*libbpf_said = '\0';
	b->skel = probe_bpf__open();
	if (!b->skel)
		return fail(err, -errno, "the program cannot be opened");
	if (!tagging)
		(void)bpf_program__set_autoload(b->skel->progs.tag, false);
	if (with_pins && pins_exist(&b->pins) && take_maps(b))
		take_links(b, tagging);
	int r = probe_bpf__load(b->skel);
	return r < 0 ? fail(err, r, "the kernel does not take the program") : 0;
}

static void unload(struct backend *b)
{
	bpf_link__destroy(b->state_link);
	bpf_link__destroy(b->tag_link);
	probe_bpf__destroy(b->skel);
	b->state_link = b->tag_link = NULL;
	b->skel = NULL;
	b->resumed = false;
}

/* What was pinned is used whole or not at all. last: what fails now is the pins' fault, for there is no other way to try. */
static int load_with_pins(struct backend *b, bool tagging, bool last, struct error *err)
{
	int r = load(b, tagging, b->pinned, err);
	if (b->pinned && pins_exist(&b->pins) && (r < 0 ? last : !b->resumed)) {
		unload(b);
		pins_remove(&b->pins);
		r = load(b, tagging, false, err);
	}
	return r;
}

static int load_what_may_be(struct backend *b, enum probe_tagging tagging, struct error *err)
{
	int r = load_with_pins(b, tagging != PROBE_TAGGING_OFF, tagging != PROBE_TAGGING_AUTO, err);
	if (r == 0 || tagging != PROBE_TAGGING_AUTO)
		return r;
	char why[sizeof(err->text)];
	(void)snprintf(why, sizeof(why), "%s", err->text);
	unload(b);
	r = load_with_pins(b, false, true, err);
	if (r == 0)
		add_note(b, "no tags: %.150s", why);
	return r;
}

/* ---- attaching ---- */

static int attach_tag(struct backend *b, struct error *err)
{
	char path[PATH_MAX];
	if (cgroup_mount(path) < 0)
		return error_set(err, -ENOENT, "no cgroup2 file system is mounted");
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	b->tag_link = bpf_program__attach_cgroup(b->skel->progs.tag, fd);
	return b->tag_link ? 0 : fail(err, -errno, "the hook for tags cannot be attached");
}

static int attach(struct backend *b, enum probe_tagging tagging, struct error *err)
{
	*libbpf_said = '\0';
	if (!b->state_link)
		b->state_link = bpf_program__attach(b->skel->progs.state);
	if (!b->state_link)
		return fail(err, -errno, "the program cannot be attached");
	b->look_link = bpf_program__attach_iter(b->skel->progs.look, NULL);
	if (!b->look_link)
		return fail(err, -errno, "the iterator cannot be attached");
	if (tagging == PROBE_TAGGING_OFF || b->tag_link || !bpf_program__autoload(b->skel->progs.tag))
		return 0;
	struct error why = {0};
	int r = attach_tag(b, &why);
	if (r < 0 && tagging == PROBE_TAGGING_ON)
		return error_set(err, r, "%s", why.text);
	if (r < 0)
		add_note(b, "no tags: %.150s", why.text);
	return 0;
}

static int pin_link(struct backend *b, struct bpf_link *link, const char *name, struct error *err)
{
	char path[PATH_MAX];
	int r = link ? bpf_link__pin(link, pins_path(&b->pins, name, path)) : 0;
	return r < 0 ? fail(err, r, path) : 0;
}

static int pin_all(struct backend *b, struct error *err)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	int r = pins_make(&b->pins, err);
	if (r < 0)
		return r;
	bpf_object__for_each_map(map, b->skel->obj) {
		r = bpf_map__pin(map, pins_path(&b->pins, bpf_map__name(map), path));
		if (r < 0)
			return fail(err, r, path);
	}
	return pin_link(b, b->state_link, PIN_STATE_LINK, err);
}

static void keep(struct backend *b)
{
	struct error err = {0};
	bool has_tag_link = b->tag_link && bpf_link__pin_path(b->tag_link);
	if (!b->pinned || ((b->resumed || pin_all(b, &err) == 0) &&
		(has_tag_link || pin_link(b, b->tag_link, PIN_TAG_LINK, &err) == 0)))
		return;
	pins_remove(&b->pins);
	b->pinned = false;
	add_note(b, "connections are not carried over a restart: %.150s", err.text);
}

/* ---- what is watched ---- */

static bool is_wanted(const struct backend *b, uint32_t id)
{
	for (uint32_t i = 0; i < namespaces_count(b->namespaces); i++)
		if (namespaces_id(b->namespaces, i) == id)
			return true;
	return false;
}

static void forget_others(const struct backend *b, int fd)
{
	uint32_t id, last, *after = NULL;
	while (bpf_map_get_next_key(fd, after, &id) == 0) {
		if (!is_wanted(b, id)) {
			(void)bpf_map_delete_elem(fd, &id);
			after = NULL; /* what comes after one that is gone isn't known */
			continue;
		}
		last = id;
		after = &last;
	}
}

/* Those that were watched before are known, if what was there was looked at; they are so without a gap. */
static int watch(struct backend *b, struct error *err)
{
	int fd = bpf_map__fd(b->skel->maps.namespaces), r = 0;
	uint8_t yes = 1;
	for (uint32_t i = 0; i < namespaces_count(b->namespaces) && r == 0; i++) {
		uint32_t id = namespaces_id(b->namespaces, i);
		b->known[i] = b->resumed && b->page->active && bpf_map_lookup_elem(fd, &id, &yes) == 0;
		r = bpf_map_update_elem(fd, &id, &yes, BPF_ANY);
	}
	if (r == 0)
		forget_others(b, fd);
	return r < 0 ? fail(err, r, "namespaces") : 0;
}

static int on_event(void *ctx, void *data, size_t len)
{
	struct backend *b = ctx;
	if (len >= sizeof(struct probe_event))
		b->fn(b->ctx, data);
	return 0;
}

static int map_memory(struct backend *b, struct error *err)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	b->page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(b->skel->maps.page), 0);
	if (b->page == MAP_FAILED) {
		b->page = NULL;
		return fail(err, -errno, "the page of counters");
	}
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.ring), on_event, b, NULL);
	return b->ring ? 0 : fail(err, -errno, "the ring");
}

/* The attached program, to ask what it costs. */
static int open_program(const struct bpf_link *link)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	if (!link || bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &len) < 0)
		return -1;
	return bpf_prog_get_fd_by_id(info.prog_id);
}

/* ---- as a backend ---- */

static void ebpf_close(struct backend *b)
{
	if (!b)
		return;
	ring_buffer__free(b->ring);
	if (b->page) {
		b->page->alive_ns = 0;
		(void)munmap(b->page, (size_t)sysconf(_SC_PAGESIZE));
	}
	bpf_link__destroy(b->tag_link);
	bpf_link__destroy(b->look_link);
	bpf_link__destroy(b->state_link);
	probe_bpf__destroy(b->skel);
	close_p(&b->state_fd);
	close_p(&b->tag_fd);
	pins_close(&b->pins);
	namespaces_close(b->namespaces);
	free(b);
}

static int open_pins(struct backend *b, const char *dir, struct error *err)
{
	struct error why = {0};
	int r = pins_open(dir, program_id(), &b->pins, &why);
	if (r == -EBUSY)
		return error_set(err, r, "%s", why.text);
	b->pinned = r == 0;
	if (r < 0)
		add_note(b, "connections are not carried over a restart: %.150s", why.text);
	return 0;
}

static int ebpf_open(const struct config_probe *config, struct backend **ret, struct error *err)
{
	struct backend *b = calloc(1, sizeof(*b));
	if (!b)
		return error_set(err, -ENOMEM, "out of memory");
	b->state_fd = b->tag_fd = b->pins.lock_fd = -1;
	(void)libbpf_set_print(listen_to_libbpf);
	int r = namespaces_open(config->namespaces, config->namespace_count, config->user, &b->namespaces, err);
	if (r == 0 && config->pin_dir)
		r = open_pins(b, config->pin_dir, err);
	if (r == 0)
		r = load_what_may_be(b, config->tagging, err);
	if (r == 0)
		r = map_memory(b, err);
	if (r == 0)
		r = watch(b, err);
	if (r == 0)
		r = attach(b, config->tagging, err);
	if (r < 0) {
		ebpf_close(b);
		return r;
	}
	keep(b);
	b->state_fd = open_program(b->state_link);
	b->tag_fd = open_program(b->tag_link);
	*ret = b;
	return 0;
}

static int look_here(void *ctx)
{
	struct backend *b = ctx;
	char text[4096];
	ssize_t n;
	CLEANUP(close_p) int fd = bpf_iter_create(bpf_link__fd(b->look_link));
	if (fd < 0)
		return -errno;
	do
		n = read(fd, text, sizeof(text));
	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	return n < 0 ? -errno : 0;
}

static int ebpf_start(struct backend *b, struct error *err)
{
	int r = 0;
	b->page->look = PROBE_LOOK_BASELINE;
	for (uint32_t i = 0; i < namespaces_count(b->namespaces) && r == 0; i++)
		if (!b->known[i])
			r = namespaces_run(b->namespaces, i, look_here, b);
	b->page->look = PROBE_LOOK_NEW;
	b->page->alive_ns = clock_mono_ns();
	__atomic_store_n(&b->page->active, 1, __ATOMIC_RELEASE);
	return r < 0 ? error_set(err, r, "the first look at all connections: %s", strerror(-r)) : 0;
}

static int ebpf_fd(const struct backend *b)
{
	return ring_buffer__epoll_fd(b->ring);
}

static int ebpf_read(struct backend *b, void (*fn)(void *ctx, const struct probe_event *e), void *ctx)
{
	b->fn = fn;
	b->ctx = ctx;
	b->page->alive_ns = b->ended ? 0 : clock_mono_ns();
	int r = ring_buffer__consume(b->ring);
	return r < 0 ? r : 0;
}

static int ebpf_look(struct backend *b)
{
	uint64_t start_ns = clock_mono_ns(), delayed = b->page->delayed;
	int r = 0;
	for (uint32_t i = 0; i < namespaces_count(b->namespaces) && r == 0; i++)
		r = namespaces_run(b->namespaces, i, look_here, b);
	b->looks++;
	b->look_ns += clock_mono_ns() - start_ns;
	return r < 0 ? r : b->page->delayed != delayed;
}

static int ebpf_end(struct backend *b)
{
	b->ended = true;
	b->page->alive_ns = 0;
	return ebpf_look(b);
}

static uint64_t ebpf_take_lost(struct backend *b)
{
	uint64_t lost = b->page->lost, fresh = lost - b->page->lost_told;
	b->page->lost_told = lost;
	return fresh;
}

/* What the kernel knows of a program; zeros where it doesn't say. */
static struct bpf_prog_info info_of(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	if (fd >= 0)
		(void)bpf_obj_get_info_by_fd(fd, &info, &len);
	return info;
}

static void ebpf_stats(const struct backend *b, struct backend_stats *ret)
{
	struct bpf_prog_info state = info_of(b->state_fd), tag = info_of(b->tag_fd);
	*ret = (struct backend_stats){
		.events = b->page->events,
		.lost = b->page->lost,
		.delayed = b->page->delayed,
		.empty = b->page->empty,
		.tags = b->page->tags,
		.looks = b->looks,
		.look_ns = b->look_ns,
		.missed = state.recursion_misses,
		.kernel_ns = state.run_time_ns + tag.run_time_ns,
		.tagging = b->tag_link != NULL,
		.resumed = b->resumed,
	};
	(void)snprintf(ret->note, sizeof(ret->note), "%s", b->note);
}

const struct backend_ops backend_ebpf = {
	.name = "ebpf",
	.open = ebpf_open,
	.start = ebpf_start,
	.fd = ebpf_fd,
	.read = ebpf_read,
	.look = ebpf_look,
	.end = ebpf_end,
	.take_lost = ebpf_take_lost,
	.stats = ebpf_stats,
	.close = ebpf_close,
};
