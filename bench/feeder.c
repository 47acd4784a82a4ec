/* SPDX-License-Identifier: BSD-2-Clause */

/* A router that tells a table written by bench/full_table.c as fast as it is taken:
 *
 *     feeder FROM HOST:PORT FILE
 *
 * Connects from the address FROM. A file that ends in .bgp goes out over a BGP session of AS 64500, of which only
 * the first messages are read; anything else is a BMP stream and goes out as it is. When all of it is sent,
 * "sent" is printed, and the session is kept until the process is killed or the other side closes. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/cursor.h"

#define AS           64500u
#define HOLD_S       180u
#define KEEPALIVE_MS 20000
#define TRIES        200 /* to connect, 50 ms each */

enum { OPEN = 1, NOTIFICATION = 3, KEEPALIVE = 4, HEADER_BYTES = 19 };

static void fail(const char *what)
{
	fprintf(stderr, "feeder: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int connect_from(const char *from, const char *to)
{
	struct addr a;
	uint16_t port;
	struct error err;
	struct sockaddr_storage local, remote;
	if (addr_parse(from, &a) < 0)
		fail(from);
	socklen_t local_len = addr_to_sockaddr(&a, 0, &local);
	if (hostport_parse(to, &a, &port, &err) < 0)
		fail(to);
	socklen_t remote_len = addr_to_sockaddr(&a, port, &remote);
	for (int i = 0; i < TRIES; i++) {
		int fd = socket(local.ss_family, SOCK_STREAM, 0), on = 1;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&local, local_len) < 0)
			fail(from);
		if (connect(fd, (struct sockaddr *)&remote, remote_len) == 0)
			return fd;
		close(fd);
		(void)poll(NULL, 0, 50);
	}
	fail(to);
	return -1;
}

static void send_message(int fd, uint8_t type, const struct wr *body)
{
	uint8_t bytes[256];
	struct wr w = wr_make(bytes, sizeof(bytes));
	for (unsigned i = 0; i < 16; i++)
		wr_u8(&w, 0xff);
	wr_u16(&w, (uint16_t)(HEADER_BYTES + wr_len(body)));
	wr_u8(&w, type);
	wr_bytes(&w, body->start, wr_len(body));
	if (send(fd, bytes, wr_len(&w), MSG_NOSIGNAL) != (ssize_t)wr_len(&w))
		fail("send");
}

static void send_open(int fd, const char *from)
{
	static const uint8_t capabilities[] = {1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4, 0, 0, AS >> 8, AS & 0xff};
	uint8_t bytes[64];
	struct addr id;
	struct wr w = wr_make(bytes, sizeof(bytes));
	if (addr_parse(from, &id) < 0)
		fail(from);
	wr_u8(&w, 4);
	wr_u16(&w, AS);
	wr_u16(&w, HOLD_S);
	wr_bytes(&w, id.bytes, 4);
	wr_u8(&w, 2 + sizeof(capabilities));
	wr_u8(&w, 2);
	wr_u8(&w, sizeof(capabilities));
	wr_bytes(&w, capabilities, sizeof(capabilities));
	send_message(fd, OPEN, &w);
}

static uint8_t read_message(int fd)
{
	uint8_t bytes[4096], type;
	if (recv(fd, bytes, HEADER_BYTES, MSG_WAITALL) != HEADER_BYTES)
		fail("closed");
	struct rd r = rd_make(bytes + 16, 3);
	size_t rest = rd_u16(&r) - (size_t)HEADER_BYTES;
	type = rd_u8(&r);
	if (rest > sizeof(bytes) || (rest && recv(fd, bytes, rest, MSG_WAITALL) != (ssize_t)rest))
		fail("closed");
	if (type == NOTIFICATION) {
		fprintf(stderr, "feeder: it sent a NOTIFICATION, %d/%d\n", bytes[0], bytes[1]);
		exit(1);
	}
	return type;
}

static void establish(int fd, const char *from)
{
	struct wr empty = wr_make(NULL, 0);
	send_open(fd, from);
	while (read_message(fd) != OPEN)
		;
	send_message(fd, KEEPALIVE, &empty);
	while (read_message(fd) != KEEPALIVE)
		;
}

/* Reads away what is there; false when there will be no more. */
static bool read_over(int fd)
{
	uint8_t bytes[65536];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void send_file(int fd, const char *path)
{
	struct stat st;
	off_t at = 0;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0)
		fail(path);
	while (at < st.st_size) {
		if (sendfile(fd, file, &at, (size_t)(st.st_size - at)) < 0)
			fail("sendfile");
		if (!read_over(fd))
			fail("closed");
	}
	close(file);
}

static void stay(int fd, bool bgp)
{
	struct wr empty = wr_make(NULL, 0);
	struct pollfd p = {fd, POLLIN, 0};
	for (;;) {
		int r = poll(&p, 1, KEEPALIVE_MS);
		if (r > 0 && !read_over(fd))
			return;
		if (r == 0 && bgp)
			send_message(fd, KEEPALIVE, &empty);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: feeder FROM HOST:PORT FILE\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	const char *end = strrchr(argv[3], '.');
	bool bgp = end && strcmp(end, ".bgp") == 0;
	int fd = connect_from(argv[1], argv[2]);
	if (bgp)
		establish(fd, argv[1]);
	send_file(fd, argv[3]);
	(void)puts("sent");
	(void)fflush(stdout);
	stay(fd, bgp);
	close(fd);
	return 0;
}
