/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registration with one balancer: a state machine from (state, event, time) to datagrams and
 * a deadline. Pure: no socket, clock or log; randomness comes in as a seed. One object for each
 * balancer in the configuration. doc/protocol.md is the specification.
 *
 * The caller: register_start() once the host is verified; every datagram into
 * register_receive(); register_run_due() when the deadline that it returned has come, and after
 * every other call here (deadlines may have moved nearer); register_set_status() whenever
 * something changed or was counted anew.
 */
#pragma once

#include "agent/registration/register_identity.h"
#include "agent/registration/register_random.h"
#include "agent/registration/register_view.h"
#include "common/proto/ports.h"

#define REGISTER_NEVER_US       UINT64_MAX
#define REGISTER_RETRY_FIRST_US (200 * US_PER_MS)
#define REGISTER_RETRY_MAX_US   (5 * US_PER_S)
#define REGISTER_RETRY_KNOWN_US \
	(800 * US_PER_MS) /* of a balancer that was registered with: 1 s with jitter */
#define REGISTER_REFUSED_RETRY_US (15 * US_PER_S)
#define REGISTER_CLONE_RETRY_US   (2 * US_PER_S)
#define REGISTER_LEAVE_TRIES      6u
/*
 * A balancer that speaks an older version is asked so often whether it speaks the newest now; soon at first, as the
 * HELLO in the newest may only have been lost.
 */
#define REGISTER_NEWER_US (300 * US_PER_S)

/* Sends one datagram to the balancer with hop limit 255. */
typedef void (*register_send_fn)(
	void *context, const struct addr_port *balancer, const uint8_t *data, size_t size_bytes);

typedef void register_count_fn(void *context);

struct registration;

/* `seed` is random, of its own for each object and process. NULL: out of memory. */
struct registration *register_new(const struct addr_port *balancer,
	const uint8_t seed[REGISTER_SEED_BYTES], register_send_fn send, void *context,
	uint64_t now_us);
struct registration *register_free(struct registration *registration); /* wipes the keys */
DEFINE_CLEANUP(struct registration *, register_free)

/*
 * Sets or changes the identity; a change of any of it while registered or connecting begins
 * anew. `status->n_vips` of what register_set_status() says must be the identity's n_vips.
 */
void register_set_identity(struct registration *registration,
	const struct register_identity *identity, uint64_t now_us);
/*
 * Takes the local truth. While registered, a change of anything but the `established` counts
 * goes out as an UPDATE at once, repeated until acknowledged; the counts ride on the ANSWERs.
 * -EINVAL: not a status that could be sent (see proto.h); nothing changes.
 */
int register_set_status(
	struct registration *registration, const struct proto_status *status, uint64_t now_us);
/*
 * Established sockets of each VIP, where they are more than a status tells: they are read whenever it is said. Borrowed;
 * NULL, as at first: not known. `count` is called with the context of register_new(), after a HEARTBEAT was found
 * authentic and new, and before the ANSWER to it is made: nobody else has this host count. It may call
 * register_set_status(). NULL, as at first: nobody counts then.
 */
void register_use_counts(
	struct registration *registration, const uint32_t *established, register_count_fn *count);
/* The ports that the balancer asks about now, and what was answered last. */
const struct ports *register_asked(const struct registration *registration);
/*
 * Takes what is known of these ports. A change of anything but the counts goes out at once, as of the status.
 * -ESTALE: it is of other ports than those asked about now, and was not taken.
 */
int register_set_ports(
	struct registration *registration, const struct proto_ports_status *ports, uint64_t now_us);
/* The other balancers, which are named in turns. */
void register_set_others(
	struct registration *registration, const struct proto_other *others, size_t n_others);
/* Tells the balancer what `other` said of its table, if they speak a version that has a place for it. */
void register_relay(struct registration *registration, const struct addr *other,
	const struct proto_table *table);
/* Begins (again), at once. Needs identity and status. */
void register_start(struct registration *registration, uint64_t now_us);
/* Leaves: a LEAVE repeated until acknowledged, REGISTER_LEAVE_TRIES times; then `left`. */
void register_leave(struct registration *registration, uint64_t now_us);

struct register_datagram {
	struct addr_port source;
	int hop_limit; /* -1: the kernel did not tell it */
	const void *data;
	size_t size_bytes;
};
enum register_refusal register_receive(struct registration *registration,
	const struct register_datagram *datagram, uint64_t now_us);
/* Does what is due; returns the next deadline, REGISTER_NEVER_US for none. */
uint64_t register_run_due(struct registration *registration, uint64_t now_us);

const struct register_view *register_view(const struct registration *registration);
/* True when nothing that the balancer should know is unacknowledged. */
bool register_is_settled(const struct registration *registration);
