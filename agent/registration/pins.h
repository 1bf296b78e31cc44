/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where this host's answers to its balancers go. While it is registered with one, the balancer's entry in the
 * kernel's neighbour table is permanent, ours (PINS_PROTOCOL), and as the balancer itself said it: so nobody can
 * lead the answers away by forged ARP or neighbour advertisements. Entries of others stay as they are. Called by
 * balancers.c. Must not know what a registration is.
 */
#pragma once

#include "common/proto/message.h"

#define PINS_PROTOCOL 218u /* in rtm_protocol's numbers: "ip neigh show proto 218" */

struct pins;

enum pins_state {
	PINS_LEARNED, /* as ARP or neighbour discovery says */
	PINS_PINNED,
	PINS_FOREIGN, /* fixed by somebody else: it stays */
	PINS_STATE_N_
};

/* Deletes what a killed process left behind. 0 or negative errno. */
int pins_new(struct pins **ret_pins);
/* Deletes all entries of ours. */
struct pins *pins_free(struct pins *pins);
DEFINE_CLEANUP(struct pins *, pins_free)

/* The interface that faces the balancers, for link-local addresses; 0: not known. */
void pins_face(struct pins *pins, unsigned int ifindex);
/*
 * The balancer is at this place, with its other addresses; looks whether its entries are so, and makes them so. What
 * cannot be done is logged, once for each reason.
 */
void pins_hold(struct pins *pins, const struct addr *balancer, const struct proto_place *place);
/* Its entries are the kernel's again. */
void pins_release(struct pins *pins, const struct addr *balancer);
/* Of the address that the balancer is spoken to at. */
enum pins_state pins_state(const struct pins *pins, const struct addr *balancer);
const char *pins_state_name(enum pins_state state);
