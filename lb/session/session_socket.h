/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of the control protocol on the backend interface: IPv4 and IPv6, TTL 255 sent and
 * the arriving TTL known, answers leave from the address that was asked. Under sd-event;
 * bytes only.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/os/udp.h"
#include "common/why.h"

struct session_socket;

/*
 * `mac_is_source`, of a REGISTER: its frame came from the MAC that it says. A datagram that is too long has
 * PROTO_MESSAGE_MAX + 1 bytes.
 */
typedef void session_socket_receive_fn(
	const struct udp_datagram *datagram, bool mac_is_source, void *context);

struct session_socket_config {
	const char *interface;
	const struct addr_port *listen; /* address AF_UNSPEC: any, of both families */
	session_socket_receive_fn *fn;
	void *context;
};

/* Binds them on the interface. 0, or negative errno with what failed. */
int session_socket_open(sd_event *event, const struct session_socket_config *config,
	struct session_socket **ret_sockets, struct why *ret_why);
struct session_socket *session_socket_free(struct session_socket *sockets);
DEFINE_CLEANUP(struct session_socket *, session_socket_free)
/*
 * Whether messages come faster than they are taken. Then all else goes before them, and what an agent said may
 * be late, or lost.
 */
bool session_socket_is_crowded(const struct session_socket *sockets);
/* From `local` (AF_UNSPEC: the kernel chooses) to `target`; never blocks. 0 or negative errno. */
int session_socket_send(struct session_socket *sockets, const struct addr *local,
	const struct addr_port *target, const uint8_t *data, size_t size_bytes);
