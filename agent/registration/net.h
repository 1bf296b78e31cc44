/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP socket on the real IP, by which the balancers are spoken to: bound to exactly this
 * address and port, sends with hop limit 255 and tells the hop limit of what arrives.
 *
 * What strangers send is handed on like everything else, so that it is counted, while it is no flood. In one the
 * kernel drops it for some time: their datagrams would be read at the price of the balancers', for which no room is left.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/os/udp.h"
#include "common/os/udp_admit.h"

#define NET_FLOOD_HZ 20000u /* datagrams: all balancers together do not send a twentieth of it */
#define NET_GUARD_US (3 * US_PER_S) /* so long is nobody else heard, before it is looked again */

struct net;

struct net_options {
	struct addr_port local;
	unsigned int scope_ifindex; /* counts for link-local IPv6 only */
	udp_receive_fn *receive; /* of a datagram that is too long, PROTO_MESSAGE_MAX + 1 bytes */
	void *context;
	unsigned int flood_hz; /* 0: NET_FLOOD_HZ */
	uint64_t guard_us;     /* 0: NET_GUARD_US */
};

/* 0 or negative errno: -EADDRNOTAVAIL (the address is not on this host), -EADDRINUSE. */
int net_open(sd_event *event, const struct net_options *options, struct net **ret_net);
struct net *net_free(struct net *net);
DEFINE_CLEANUP(struct net *, net_free)
const struct addr_port *net_local(const struct net *net);
/* Who is heard in a flood: these and nobody else, at most UDP_ADMIT_MAX. Nobody at first. */
void net_expect(struct net *net, const struct addr *sources, size_t n_sources);
/* Whether that is so now. */
bool net_is_guarded(const struct net *net);
/* One datagram; 0 or negative errno. Never blocks: a full queue loses it (-EAGAIN). */
int net_send(
	struct net *net, const struct addr_port *destination, const void *data, size_t size_bytes);
