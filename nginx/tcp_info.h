/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the kernel knows about one TCP connection: totals since it was opened. A file of its own
 * because struct tcp_info in <netinet/tcp.h>, which nginx's headers bring in, ends at
 * tcpi_total_retrans and cannot be included together with the complete one of <linux/tcp.h>. */

#include <stdint.h>

struct tcp_reading {
	uint32_t segments_sent;          /* with payload, retransmissions included */
	uint32_t segments_retransmitted; /* SYN-ACK, FIN and loss probes included */
	uint64_t bytes_retransmitted;    /* payload */
	uint32_t segments_spurious;      /* duplicates that the peer reported (DSACK) */
	uint32_t rtt_min_us;             /* 0: no sample yet */
};

/* 0 or -errno (-EOPNOTSUPP: not TCP). What an older kernel doesn't tell is 0. */
int tcp_info_read(int fd, struct tcp_reading *ret) __attribute__((warn_unused_result));
