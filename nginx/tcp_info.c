/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcp_info.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define KNOWN(len, field)                                                                          \
	((len) >= offsetof(struct tcp_info, field) + sizeof(((struct tcp_info *)0)->field))

int tcp_info_read(int fd, struct tcp_reading *ret)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;

	struct tcp_reading r = {0};
	if (KNOWN(len, tcpi_total_retrans))
		r.segments_retransmitted = info.tcpi_total_retrans;
	if (KNOWN(len, tcpi_min_rtt) && info.tcpi_min_rtt != UINT32_MAX)
		r.rtt_min_us = info.tcpi_min_rtt;
	if (KNOWN(len, tcpi_data_segs_out))
		r.segments_sent = info.tcpi_data_segs_out;
	if (KNOWN(len, tcpi_bytes_retrans))
		r.bytes_retransmitted = info.tcpi_bytes_retrans;
	if (KNOWN(len, tcpi_dsack_dups))
		r.segments_spurious = info.tcpi_dsack_dups;
	*ret = r;
	return 0;
}
