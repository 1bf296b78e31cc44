/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All balancers of the configuration: one registration each, fed with datagrams, times and the local
 * truth, and their words in the log. The glue between register.c (pure) and the event loop.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/registration/net.h"
#include "agent/registration/register.h"

#define PEERS_LEAVING_MAX 16u             /* taken out of the configuration, not yet left */
#define PEERS_TOLD_MAX    32u             /* sources whose refused datagrams are told of */
#define PEERS_TOLD_US     (60 * US_PER_S) /* one line a source in this time */

struct peers;

/* After a balancer's state changed. It must not free the peers. */
typedef void peers_changed_fn(void *context);

/* Takes no ownership. 0 or negative errno. */
int peers_new(sd_event *event, peers_changed_fn *changed, void *context, struct peers **ret_peers);
struct peers *peers_free(struct peers *peers);
DEFINE_CLEANUP(struct peers *, peers_free)

/* The socket to send by; NULL: none now. Borrowed. */
void peers_use_net(struct peers *peers, struct net *net);
/* A datagram from the socket: a net_receive_fn with the peers as context. */
void peers_receive(void *context, const struct addr_port *source, int hop_limit, const void *data,
	size_t size_bytes);

/*
 * The balancers wanted now: known ones go on, new ones are begun (when started), others are left.
 * -ENOMEM or the error of getrandom(): nothing has changed then.
 */
int peers_configure(struct peers *peers, const struct addr_port *balancers, size_t n_balancers);
/* Who we are and how; status->n_vips is identity->n_vips. */
void peers_set_identity(struct peers *peers, const struct register_identity *identity,
	const struct proto_status *status);
void peers_set_status(struct peers *peers, const struct proto_status *status);
/* Registers with all of them, now and those that come. Needs identity and status. */
void peers_start(struct peers *peers);
/* Leaves all; peers_have_left() says when. */
void peers_leave(struct peers *peers);
bool peers_have_left(const struct peers *peers);
/* Nothing that a balancer should know is unacknowledged. */
bool peers_are_settled(const struct peers *peers);

size_t peers_len(const struct peers *peers);
const struct register_view *peers_view(const struct peers *peers, size_t idx);
size_t peers_registered(const struct peers *peers);

struct peers_counters {
	uint64_t received; /* = accepted + all of rejected */
	uint64_t accepted;
	uint64_t rejected[REGISTER_REFUSAL_N_];
};
/* Of all balancers that there ever were, and of strangers. */
void peers_count(const struct peers *peers, struct peers_counters *ret_counters);
