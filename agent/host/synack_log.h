/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SYN-ACKs that this host sends, as netfilter shows them, and some of the SYNs that come by an interface by which no
 * way leads back (IPv4; those that a strict rp_filter drops): a table of nftables whose two rules log them to a group that
 * we read (doc/adr/0009, doc/adr/0012). The table belongs to our socket: the kernel takes it away with it, after a crash too,
 * and nobody else's flush takes it. Wants CAP_NET_ADMIN and nothing more. For accepts.c.
 */
#pragma once

#include "common/util.h"

#define SYNACK_FLAG_SYN       UINT8_C(0x02)
#define SYNACK_FLAGS          UINT8_C(0x12) /* SYN and ACK */
#define SYNACK_LOG_SNAP_BYTES 96u           /* IPv4 with options, or IPv6, and the begin of TCP */

struct synack_log;

/*
 * 0, or the negative errno of whatever the kernel refused: -EOPNOTSUPP, -ENOENT where it has no nftables. Where it only lacks
 * nft_fib, SYN-ACKs alone are shown.
 */
int synack_log_open(struct synack_log **ret_log);
struct synack_log *synack_log_free(struct synack_log *log);
DEFINE_CLEANUP(struct synack_log *, synack_log_free)
/* To be watched for input; not blocking. */
int synack_log_fd(const struct synack_log *log);

/* A packet from its IP header on; `ifindex` is where it came in, 0 for one that is sent. */
typedef void synack_log_fn(
	const uint8_t *packet, size_t size_bytes, unsigned int ifindex, void *context);
/* Reads what waits, and no more than a busy server is not held up by: call again while it returns true. */
bool synack_log_read(struct synack_log *log, synack_log_fn *fn, void *context);
