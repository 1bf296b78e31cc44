/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All balancers of the configuration: one registration each, fed with datagrams, times and the local
 * truth, and their words in the log. The glue between register.c (pure) and the event loop.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/registration/net.h"
#include "agent/registration/register.h"

#define BALANCERS_MAX 32u /* with those taken out of the configuration and not yet left */

struct events;
struct pins;
struct balancers;

/* After a balancer's state changed. It must not free the balancers. */
typedef void balancers_changed_fn(void *context);

/* After a balancer asked about other ports than before. It must not free the balancers. */
typedef void balancers_asked_fn(void *context);

/*
 * A balancer told where other servers are, what was not known yet; NULL: it is a balancer of ours no more. It must not
 * free the balancers.
 */
typedef void balancers_peers_fn(
	void *context, const struct addr *balancer, const struct proto_peers *peers);

/* Takes no ownership. 0 or negative errno. */
int balancers_new(sd_event *event, struct events *events, balancers_changed_fn *changed,
	void *context, struct balancers **ret_balancers);
struct balancers *balancers_free(struct balancers *balancers);
DEFINE_CLEANUP(struct balancers *, balancers_free)

/* With the same context. */
void balancers_on_asked(struct balancers *balancers, balancers_asked_fn *asked);
/* Before an authentic heartbeat is answered: what the answer says can be looked at anew, and balancers_set_counts() tells it. */
void balancers_on_heartbeat(struct balancers *balancers, balancers_asked_fn *heartbeat);
void balancers_on_peers(struct balancers *balancers, balancers_peers_fn *peers);

/* The socket to send by; NULL: none now. Borrowed. */
void balancers_use_net(struct balancers *balancers, struct net *net);
/* Where the balancers' neighbour entries are held; NULL, as at first: nowhere. Borrowed. */
void balancers_use_pins(struct balancers *balancers, struct pins *pins);
/* A datagram from the socket: a udp_receive_fn with the balancers as context. */
void balancers_receive(const struct udp_datagram *datagram, void *context);

/*
 * The balancers wanted now: known ones go on, new ones are begun (when started), others are left.
 * -ENOMEM, -ENOSPC (too many are still being left) or the error of getrandom(): nothing has changed
 * then.
 */
int balancers_configure(
	struct balancers *balancers, const struct addr_port *addresses, size_t n_addresses);
/* Who we are and how; status->n_vips is identity->n_vips. */
void balancers_set_identity(struct balancers *balancers, const struct register_identity *identity,
	const struct proto_status *status);
/* As register_use_counts(); for those that come, too. */
void balancers_use_counts(struct balancers *balancers, const uint32_t *established);
void balancers_set_status(struct balancers *balancers, const struct proto_status *status);
/* The same of a status of which the counts alone have changed. Nothing is sent and nobody called. */
void balancers_set_counts(struct balancers *balancers, const struct proto_status *status);
/* Registers with all of them, now and those that come. Needs identity and status. */
void balancers_start(struct balancers *balancers);
/* Leaves all; balancers_have_left() says when. */
void balancers_leave(struct balancers *balancers);
bool balancers_have_left(const struct balancers *balancers);
/* Nothing that a balancer should know is unacknowledged. */
bool balancers_are_settled(const struct balancers *balancers);

size_t balancers_len(const struct balancers *balancers);
const struct register_view *balancers_view(const struct balancers *balancers, size_t idx);
/* The ports that it asks about, and what was answered. */
const struct ports *balancers_asked(const struct balancers *balancers, size_t idx);
/* Answers; an answer to other ports than are asked about now is not sent. */
void balancers_set_ports(
	struct balancers *balancers, size_t idx, const struct proto_ports_status *answer);
size_t balancers_registered(const struct balancers *balancers);

struct balancers_counters {
	uint64_t received; /* = accepted + all of rejected */
	uint64_t accepted;
	uint64_t rejected[REGISTER_REFUSAL_N_];
};
/* Of all balancers that there ever were, and of strangers. */
void balancers_count(const struct balancers *balancers, struct balancers_counters *ret_counters);
