/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports that path probes are sent from. They are bound, so that nothing else of this host has them, and whatever
 * comes to them is dropped in silence: the kernel, which knows of no connection, would otherwise answer a
 * server's SYN-ACK with a reset of its own, by the route to the VIP.
 */
#pragma once

#include "common/util.h"

#define PATH_PORTS 16u /* a power of two: `first` is a multiple of it */
/* For TCP: those of SYNs, and behind them those of requests, which so never meet on a server. */
#define PATH_PORTS_SYN 4u
#define PATH_PORTS_TCP PATH_PORTS

struct path_ports {
	uint16_t first; /* 0: none are bound */
	int fds[PATH_PORTS + PATH_PORTS_TCP];
	size_t n_fds;
};

/* Binds them on the interface, beginning the search at a place that `random` says. 0 or negative errno. */
int path_ports_open(struct path_ports *ports, const char *interface, uint32_t random);
/* Zeroed ones are legal. */
void path_ports_close(struct path_ports *ports);
