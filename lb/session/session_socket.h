/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of the control protocol on the backend interface: IPv4 and IPv6, TTL 255 sent and
 * the arriving TTL known, answers leave from the address that was asked. Under sd-event;
 * bytes only.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

struct udp;

/* One datagram: who sent it, to which of our addresses, with which TTL or hop limit. */
struct udp_datagram {
	struct addr_port source;
	struct addr local;
	uint8_t ttl;
	const uint8_t *data;
	size_t size_bytes;
};

typedef void udp_receive_fn(const struct udp_datagram *datagram, void *context);

/*
 * Binds `listen` (address AF_UNSPEC: any, of both families) on the interface. 0 or negative errno with
 * the failing step in `ret_why` (256 bytes).
 */
int udp_open(sd_event *event, const char *interface, const struct addr_port *listen,
	udp_receive_fn *fn, void *context, struct udp **ret_udp, char *ret_why);
struct udp *udp_free(struct udp *udp);
DEFINE_CLEANUP(struct udp *, udp_free)
/* From `local` (AF_UNSPEC: the kernel chooses) to `target`; never blocks. 0 or negative errno. */
int udp_send(struct udp *udp, const struct addr *local, const struct addr_port *target,
	const uint8_t *data, size_t size_bytes);
