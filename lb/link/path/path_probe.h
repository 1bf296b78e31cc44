/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path probes: for each backend and service a SYN, a datagram, an echo request or an HTTP request to the VIP, in a frame to the
 * backend's MAC, as a client's, from an address of the balancer's own. Each begins an interval after the one before
 * began, and they never overlap. A connection that a server half opens is reset at once, so that nothing stays on it,
 * and that of a request when its answer has ended.
 * What comes back counts as an answer only if it knows what cannot be guessed: the SYN's sequence number, or what the
 * echo carried; a datagram, which carries nothing, must come from the backend's MAC. One timer wheel for all, under
 * sd-event, no thread. Knows no backend but by its id, and neither rise nor fall.
 */
#pragma once

#include <systemd/sd-event.h>

#include "lb/link/path/path_target.h"

struct path_probes;

struct path_result {
	uint16_t backend, service, check;
	uint16_t status; /* of PATH_STATUS */
	enum path_verdict verdict;
	uint64_t began_us;
	int error; /* of PATH_NOT_MADE, negative; 0: the interface is not up */
};

struct path_callbacks {
	/* A probe has ended. Not to call back. */
	void (*result)(const struct path_result *result, void *context);
	/* The last of several results was told; may call back, but not free. */
	void (*done)(void *context);
};

/* The interface to the backends, as it is. */
struct path_link {
	const char *interface;
	unsigned int ifindex; /* 0: it is not there */
	bool running;
	struct mac mac;
	const struct addr *addresses;      /* that probes may be sent from: own, and no VIPs */
	const struct addr_prefix *subnets; /* of the same */
	size_t n_addresses;
};

int path_probe_start(sd_event *event, const struct path_callbacks *callbacks, void *context,
	struct path_probes **ret_probes);
struct path_probes *path_probe_free(struct path_probes *probes);
DEFINE_CLEANUP(struct path_probes *, path_probe_free)
/*
 * The own address that VIPs of this family are probed from at a backend: on its subnet if there is one, a link-local
 * one as the last choice. NULL: none. Borrowed.
 */
const struct addr *path_probe_source(
	const struct path_probes *probes, const struct addr *backend, sa_family_t family);
/*
 * The interface is so from now on (copied). Sockets are opened where there is something to probe. 0 or negative
 * errno: no probe is made until it is set again.
 */
int path_probe_set_link(struct path_probes *probes, const struct path_link *link);
/*
 * Exactly these, in the order of their services and checks, are probed of the backend at this MAC; `address` is its own.
 * What is new is probed at once; what stays goes on. None: it is forgotten. No callback comes from within, nor later
 * of what goes. -ENOMEM: as it was.
 */
int path_probe_set(struct path_probes *probes, uint16_t backend, const struct mac *mac,
	const struct addr *address, const struct path_target *targets, size_t n_targets);
/*
 * The backend was just heard, so that the way to it is good at this moment: what waits for its answer is sent once more, and
 * the silence after that is its path's. Deadlines stay. May call back, as an answer does.
 */
void path_probe_again(struct path_probes *probes, uint16_t backend);
