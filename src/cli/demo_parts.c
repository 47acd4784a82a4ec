/* SPDX-License-Identifier: BSD-2-Clause */

/* All files are named relative to the folder, which both programs run in, so no path has to be quoted.
 *
 * The collector's ports are chosen by the kernel and read from its ready line. nginx cannot tell what the
 * kernel chose, so a port that is free on every server address is looked for first; should somebody
 * else take it in between, nginx ends and another one is tried.
 *
 * nginx serves when it accepts connections. Asking costs one connection without a request, which nginx
 * does not log and the module does not count. */

#include "cli/demo_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/demo_bmp.h"
#include "cli/demo_data.h"
#include "cli/demo_folder.h"
#include "wire/key.h"

#define MODULE     "ngx_http_whereto_module.so"
#define START_MS   30000
#define STEP_MS    50
#define PORT_TRIES 5
#define READY_MAX  512

void demo_parts_init(struct demo_parts *p)
{
	*p = (struct demo_parts){.module_fd = -1};
}

void demo_parts_done(struct demo_parts *p)
{
	close_p(&p->module_fd);
}

/* ---- finding ---- */

static int find_nginx(struct demo_parts *p, struct error *err)
{
	const char *path = getenv("PATH");
	CLEANUP(free_p) char *list = NULL;
	if (asprintf(&list, "/usr/sbin:%s", path ? path : "") < 0)
		return error_set(err, -ENOMEM, "out of memory");
	char *rest = list;
	for (char *dir; (dir = strsep(&rest, ":"));) {
		int n = snprintf(p->nginx_file, sizeof(p->nginx_file), "%s/nginx", dir);
		if (*dir == '/' && (size_t)n < sizeof(p->nginx_file) && access(p->nginx_file, X_OK) == 0)
			return 0;
	}
	return error_set(err, -ENOENT, "there is no nginx in /usr/sbin or PATH; `make deps build` in whereto's "
		"sources installs Debian's and builds the module for it");
}

/* The folder of this program's file, and behind it each place where the module may be. */
static int open_own_module(struct demo_parts *p, struct error *err)
{
	static const char *const places[] = {"/nginx/" MODULE, "/../lib/nginx/modules/" MODULE};
	char exe[3072], file[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		return error_set(err, -errno, "/proc/self/exe: %s", strerror(errno));
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places) && p->module_fd < 0; i++) {
		(void)snprintf(file, sizeof(file), "%s%s", exe, places[i]);
		p->module_fd = open(file, O_RDONLY | O_CLOEXEC);
	}
	if (p->module_fd >= 0)
		return 0;
	return error_set(err, -ENOENT, "there is no nginx module at %s%s; `make deps build` in whereto's sources "
		"builds it, --module FILE names another place", exe, places[0]);
}

int demo_parts_find(struct demo_parts *p, const char *module, struct error *err)
{
	int r = find_nginx(p, err);
	if (r < 0 || !module)
		return r < 0 ? r : open_own_module(p, err);
	p->module_fd = open(module, O_RDONLY | O_CLOEXEC);
	return p->module_fd < 0 ? error_set(err, -errno, "%s: %s", module, strerror(errno)) : 0;
}

/* ---- the collector ---- */

static const char collector_config[] =
	"name: demo\n"
	"telemetry: {listen: [\"127.0.0.1:0\"], keys: [{id: 1, file: telemetry.key}]}\n"
	"bmp: {listen: [\"127.0.0.1:0\"]}\n"
	"countries: [{rir: {files: [countries.txt]}}]\n"
	"asnames: {file: asnames.txt}\n"
	"store: {url: \"sqlite:whereto.db\"}\n"
	"journal: {dir: journal, max_size: 1GiB}\n"
	"http:\n"
	"  listen: [\"127.0.0.1:0\"]\n"
	"  notice: \"Sample data: all networks are invented. Behind edge1 and edge2 is a real nginx on this machine; "
	"ams, nyc and sin, their tables and what they report are made up.\"\n"
	"routers:\n";

/* The configuration, whose last section is the list of routers. */
static int write_collector_config(const struct demo_parts *p, struct error *err)
{
	char *text = NULL, address[ADDR_TEXT_MAX];
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return error_set(err, -ENOMEM, "out of memory");
	fputs(collector_config, out);
	for (unsigned i = 0; i < DEMO_ROUTERS; i++) {
		struct addr server = demo_data_server(i);
		fprintf(out, "  - {name: %s, serves: [%s/32], sources: [", demo_data_router(i), addr_format(&server, address));
		struct addr from = demo_bmp_from(i);
		if (demo_data_live(i))
			fprintf(out, "{bmp: {from: %s}}, ", addr_format(&from, address));
		fprintf(out, "{mrt: {file: %s.mrt}}]}\n", demo_data_router(i));
	}
	int r = fclose(out) != 0 ? error_set(err, -ENOMEM, "out of memory")
				 : demo_folder_write(p->folder, "whereto.yaml", text, len, 0, err);
	free(text);
	return r;
}

/* The program's first line, from the pipe; what it writes later finds nobody. */
static int read_line(struct demo_process *program, int fd, char *buf, size_t size, struct error *err)
{
	size_t len = 0;
	uint64_t end = clock_mono_ns() + START_MS * NS_PER_MS;
	*buf = '\0';
	while (!strchr(buf, '\n') && len + 1 < size) {
		struct pollfd pfd = {fd, POLLIN, 0};
		if (demo_process_interrupted())
			return error_set(err, -EINTR, "interrupted");
		if (clock_mono_ns() > end)
			return error_set(err, -ETIMEDOUT, "%s is not ready after %d s", program->name,
				START_MS / 1000);
		if (poll(&pfd, 1, STEP_MS) <= 0)
			continue;
		ssize_t n = read(fd, buf + len, size - 1 - len);
		if (n <= 0 && !demo_process_running(program))
			return error_set(err, -ECHILD, "%s ended before it was ready", program->name);
		len += n > 0 ? (size_t)n : 0;
		buf[len] = '\0';
	}
	return 0;
}

/* "ready telemetry=127.0.0.1:4711 http=127.0.0.1:4712 bmp=127.0.0.1:4713" */
static int parse_ready(struct demo_parts *p, char *line, struct error *err)
{
	static const char telemetry[] = "telemetry=", http[] = "http=", bmp[] = "bmp=";
	char *rest = line;
	for (char *word; (word = strsep(&rest, " \n"));) {
		if (strncmp(word, telemetry, strlen(telemetry)) == 0)
			(void)snprintf(p->telemetry, sizeof(p->telemetry), "%s", word + strlen(telemetry));
		else if (strncmp(word, http, strlen(http)) == 0)
			(void)snprintf(p->http, sizeof(p->http), "%s", word + strlen(http));
		else if (strncmp(word, bmp, strlen(bmp)) == 0)
			(void)snprintf(p->bmp, sizeof(p->bmp), "%s", word + strlen(bmp));
	}
	if (*p->telemetry && *p->http && *p->bmp)
		return 0;
	return error_set(err, -EPROTO, "the collector's first line is not its ready line");
}

int demo_parts_start_collector(struct demo_parts *p, struct error *err)
{
	static const char *const argv[] = {"/proc/self/exe", "collector", "-c", "whereto.yaml", NULL};
	char line[READY_MAX], key[4096];
	CLEANUP(close_p) int out = -1;
	(void)snprintf(key, sizeof(key), "%s/telemetry.key", p->folder);
	int r = key_generate(key, err);
	if (r >= 0)
		r = write_collector_config(p, err);
	if (r >= 0)
		r = demo_process_start(&p->collector, "collector", argv, p->folder, &out, err);
	if (r >= 0)
		r = read_line(&p->collector, out, line, sizeof(line), err);
	return r < 0 ? r : parse_ready(p, line, err);
}

/* ---- nginx ---- */

static const struct {
	const char *name;
	size_t bytes;
} web_files[] = {
	{"www/index.html", 6000}, {"www/style.css", 18000}, {"www/photo.jpg", 140000},
	{"video/240p.m4s", 120000}, {"video/480p.m4s", 360000}, {"video/720p.m4s", 900000},
};

static const char nginx_config[] =
	"%sload_module " MODULE ";\n"
	"daemon off;\n"
	"pid nginx.pid;\n"
	"error_log stderr notice;\n"
	"worker_processes 2;\n"
	"events { worker_connections 1024; }\n"
	"http {\n"
	"	access_log off;\n"
	"	client_body_temp_path temporary/client_body;\n"
	"	proxy_temp_path temporary/proxy;\n"
	"	fastcgi_temp_path temporary/fastcgi;\n"
	"	uwsgi_temp_path temporary/uwsgi;\n"
	"	scgi_temp_path temporary/scgi;\n"
	"	sendfile on;\n"
	"	whereto_collector %s;\n"
	"	whereto_key telemetry.key;\n"
	"	whereto_name demo-nginx;\n"
	"	whereto on;\n"
	"	server {\n"
	"		listen 127.0.1.1:%u; listen 127.0.2.1:%u;\n"
	"		server_name www.example; root www; whereto_type web;\n"
	"	}\n"
	"	server {\n"
	"		listen 127.0.1.1:%u; listen 127.0.2.1:%u;\n"
	"		server_name video.example; root video; whereto_type video;\n"
	"	}\n"
	"}\n";

static int write_site(struct demo_parts *p, struct error *err)
{
	int r = demo_folder_write(p->folder, "temporary/.keep", "", 0, 0, err);
	for (size_t i = 0; i < ARRAY_LEN(web_files) && r == 0; i++)
		r = demo_folder_write(p->folder, web_files[i].name, "", 0, web_files[i].bytes, err);
	return r < 0 ? r : demo_folder_copy(p->folder, MODULE, p->module_fd, err);
}

static int write_nginx_config(struct demo_parts *p, struct error *err)
{
	char text[2 * sizeof(nginx_config)];
	unsigned port = p->web_port;
	/* Only where rights could not be given up: nginx would look for a user of its own. */
	const char *user = geteuid() == 0 ? "user root root;\n" : "";
	int n = snprintf(text, sizeof(text), nginx_config, user, p->telemetry, port, port, port, port);
	return demo_folder_write(p->folder, "nginx.conf", text, (size_t)n, 0, err);
}

/* A connection to, or with listens a socket bound to, the n-th server address. */
static int try_address(unsigned edge, uint16_t *port, bool binds)
{
	struct sockaddr_storage sa;
	struct addr a = demo_data_server(edge);
	socklen_t len = addr_to_sockaddr(&a, *port, &sa);
	CLEANUP(close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || (binds ? bind : connect)(fd, (struct sockaddr *)&sa, len) < 0)
		return -errno;
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && binds)
		(void)addr_from_sockaddr((struct sockaddr *)&sa, port);
	return 0;
}

static int try_all(uint16_t *port, bool binds)
{
	int r = 0;
	for (unsigned edge = 0; edge < DEMO_EDGES && r == 0; edge++)
		r = try_address(edge, port, binds);
	return r;
}

static int wait_for_nginx(struct demo_parts *p, struct error *err)
{
	uint64_t end = clock_mono_ns() + START_MS * NS_PER_MS;
	while (demo_process_running(&p->nginx)) {
		if (try_all(&p->web_port, false) == 0)
			return 0;
		if (demo_process_interrupted())
			return error_set(err, -EINTR, "interrupted");
		if (clock_mono_ns() > end)
			return error_set(err, -ETIMEDOUT, "nginx does not serve after %d s", START_MS / 1000);
		(void)poll(NULL, 0, STEP_MS);
	}
	return error_set(err, -ECHILD, "nginx ended before it served");
}

static int start_nginx_once(struct demo_parts *p, struct error *err)
{
	const char *const argv[] = {p->nginx_file, "-p", ".", "-c", "nginx.conf", "-e", "stderr", NULL};
	p->web_port = 0;
	int r = try_all(&p->web_port, true);
	if (r < 0)
		return error_set(err, r, "no port is free on 127.0.1.1 and 127.0.2.1: %s", strerror(-r));
	r = write_nginx_config(p, err);
	if (r == 0)
		r = demo_process_start(&p->nginx, "nginx", argv, p->folder, NULL, err);
	return r < 0 ? r : wait_for_nginx(p, err);
}

int demo_parts_start_nginx(struct demo_parts *p, struct error *err)
{
	int r = write_site(p, err);
	if (r < 0)
		return r;
	for (int i = 0; i < PORT_TRIES; i++) {
		r = start_nginx_once(p, err);
		if (r != -ECHILD && r != -EADDRINUSE)
			break;
	}
	return r;
}
