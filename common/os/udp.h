/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP sockets that know the hop limit of what arrives (the generalised TTL security mechanism, RFC 5082).
 * Bytes only: knows no protocol.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

/* In one turn of the event loop, so that a flood of datagrams starves neither timers nor netlink. */
#define UDP_DATAGRAMS_A_TURN 64u

#define UDP_HOP_LIMIT_UNKNOWN (-1)

struct udp_datagram {
	struct addr_port source;
	struct addr local; /* AF_UNSPEC: not asked for, or not told */
	int hop_limit;     /* TTL or hop limit; UDP_HOP_LIMIT_UNKNOWN: the kernel did not tell it */
	const uint8_t *data;
	size_t size_bytes;
};

/* Must not close the socket. */
typedef void udp_receive_fn(const struct udp_datagram *datagram, void *context);

/*
 * A non-blocking socket, not bound, that sends with this hop limit and is told the hop limit of what arrives,
 * with `tell_local` also the address that it was sent to. IPv6 is IPv6 alone. 0 or negative errno; the
 * caller closes it.
 */
int udp_open(sa_family_t family, int hop_limit, bool tell_local, int *ret_fd);
/*
 * Hands the datagrams that are waiting to `receive`, at most UDP_DATAGRAMS_A_TURN. Each is read into the
 * caller's buffer; a longer one arrives cut to `size_bytes`. True: those were all; false: more may be waiting.
 */
bool udp_receive(
	int fd, uint8_t *buffer, size_t size_bytes, udp_receive_fn *receive, void *context);
/*
 * One datagram from `local` (NULL, or of another family: the kernel chooses). The interface is the scope of
 * link-local IPv6 addresses. Never blocks: 0 or negative errno, -EAGAIN when the queue is full.
 */
int udp_send(int fd, const struct addr *local, const struct addr_port *target,
	unsigned int scope_ifindex, const void *data, size_t size_bytes);
