/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends' MAC addresses, by the kernel's neighbour table on the backend interface: resolution and
 * confirmation are asked for over netlink, answers and changes arrive as events. Also the link's
 * own facts (MAC, MTU, subnets, up or gone) of both interfaces. Under sd-event.
 */
#pragma once

#include <systemd/sd-event.h>

#include "lb/link/neigh/neigh_link.h"

/* For who asks of no neighbours. */
#define NEIGH_NO_INTERFACE ""

struct neigh;

struct neigh_callbacks {
	/*
	 * A neighbour on the backend interface has just answered, or is fixed by the
	 * administrator. Zero MAC: it failed or was deleted. A MAC that the kernel merely learnt
	 * or that has aged is confirmed first; that of a real server that neigh_probe() asked for is
	 * told only when its old place is silent, and never when somebody else has it.
	 */
	void (*neighbour)(const struct addr *address, const struct mac *mac, void *context);
	/* One of the two links changed: MAC, MTU, state, index; or an address of any link. */
	void (*link)(void *context);
};

/*
 * Opens netlink, joins events, dumps links and addresses. The two names may be equal, and their
 * interfaces may come later. No callback is called before the event loop runs. 0 or negative errno.
 */
int neigh_start(sd_event *event, const char *interface, const char *backend_interface,
	const struct neigh_callbacks *callbacks, void *context, struct neigh **ret_neigh);
struct neigh *neigh_free(struct neigh *neigh);
DEFINE_CLEANUP(struct neigh *, neigh_free)
const struct neigh_link *neigh_client_link(const struct neigh *neigh);
const struct neigh_link *neigh_backend_link(const struct neigh *neigh);
/*
 * Asks the kernel to resolve the address (no entry, failed) or to confirm it (known: unicast
 * probe). The answer comes through `neighbour`, never from within this call. From the first time on it
 * is a real server without an agent, which was at `believed` (zero: nobody knows): see neigh_moves.h.
 * 0; -ENODEV: the backend interface is not there; another negative errno.
 */
int neigh_probe(struct neigh *neigh, const struct addr *address, const struct mac *believed);
/*
 * Keeps the neighbour at this MAC, whatever ARP says: its entry is made permanent, and marked with
 * NEIGH_ROUTE_PROTOCOL. Asks the kernel only where the entry does not stand already. An
 * administrator's own permanent entry stays as it is. 0; -ENODEV: the backend interface is not
 * there; -EPERM: a gateway has the address, as far as routes were read; another negative errno. All pins end with neigh_free(), and those that a killed process left are
 * deleted soon after neigh_start().
 */
int neigh_pin(struct neigh *neigh, const struct addr *address, const struct mac *mac);
/* The kernel resolves it again. */
void neigh_unpin(struct neigh *neigh, const struct addr *address);
/* It is nobody's any more: neither pinned nor watched. */
void neigh_forget(struct neigh *neigh, const struct addr *address);
/* Whether an address is configured on this host, on any interface (active-when, guard). */
bool neigh_has_address(const struct neigh *neigh, const struct addr *address);
/*
 * The addresses by way of which routes of the two interfaces lead, some more than once; to free. What cannot
 * be read is left out.
 */
void neigh_list_gateways(struct neigh *neigh, struct addr **ret_gateways, size_t *ret_len);
/* The MACs at which ARP and ND say that they are, up to `max`; returns how many. Routes are read each 10 s at most. */
size_t neigh_list_gateway_macs(struct neigh *neigh, struct mac *macs, size_t max);
/*
 * Blackhole routes that keep this host's kernel from forwarding packets to a VIP, in the main table
 * under NEIGH_ROUTE_PROTOCOL. Adding adopts one of ours that is there already, and is content with
 * somebody else's blackhole; -EEXIST: somebody else's route leads elsewhere. Removing takes away ours
 * alone, and is 0 when there is none.
 */
int neigh_blackhole_add(struct neigh *neigh, const struct addr *vip);
/* Around many: then routes that are there already are asked for once, not for each. */
void neigh_blackholes_begin(struct neigh *neigh);
void neigh_blackholes_end(struct neigh *neigh);
/* Puts it back where there is no route to the VIP alone; somebody else's is left. 0 or negative errno. */
int neigh_blackhole_mend(struct neigh *neigh, const struct addr *vip, bool *ret_was_gone);
int neigh_blackhole_remove(struct neigh *neigh, const struct addr *vip);
