/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who listens on this host: TCP sockets in LISTEN and UDP sockets that take from anybody, by the kernel's socket
 * dump. Called by the daemon each check-interval, and when a balancer asks. Must not know who asks.
 */
#pragma once

#include "common/addr.h"
#include "common/os/nl.h"
#include "common/why.h"

#define LISTENERS_MAX 4096u /* more are left out */

struct listener {
	struct addr address; /* AF_UNSPEC: any of the families below */
	bool takes4, takes6; /* of a wildcard */
	uint8_t protocol;    /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t port;
	uint32_t inode;
};

struct listeners;

/* Opens its NETLINK_SOCK_DIAG socket. 0 or negative errno. */
int listeners_new(struct listeners **ret_listeners);
struct listeners *listeners_free(struct listeners *listeners);
DEFINE_CLEANUP(struct listeners *, listeners_free)
/* Looks anew. 0, or negative errno: what was seen before stands. */
int listeners_refresh(struct listeners *listeners);
/* All of them, by protocol and port; borrowed until the next look. */
const struct listener *listeners_all(const struct listeners *listeners, size_t *ret_len);
/* Whether it takes what arrives for this address. */
bool listener_takes(const struct listener *listener, const struct addr *address);
/* Whether somebody listens there. */
bool listeners_have(
	const struct listeners *listeners, const struct addr_port *place, uint8_t protocol);
/* Words for a place where nobody does, with who listens on that port elsewhere. */
void listeners_say(const struct listeners *listeners, const struct addr_port *place,
	uint8_t protocol, struct why *ret_why);
