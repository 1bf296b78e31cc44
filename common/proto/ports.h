/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list of ports that a balancer asks about, and what its agent answers: see SERVE in doc/protocol.md. The balancer has
 * one for each agent, and an agent one for each balancer. Pure.
 */
#pragma once

#include "common/proto/message.h"

/* Zeroed: nothing is asked, and nothing was answered. */
struct ports {
	size_t len;
	struct proto_port items[PROTO_PORTS_MAX]; /* in rising order */
	uint16_t owners[PROTO_PORTS_MAX];         /* whose each is, for the asking side */
	size_t n_sources;
	struct addr sources[PROTO_SOURCES_MAX]; /* whence the asking side probes: not counted */
	uint32_t digest;
	struct proto_ports_status answer; /* of whatever list; ports_are_answered() */
	uint64_t accepted
		[PROTO_PORTS_MAX]; /* of each item, summed over answers, for the asking side */
	bool is_based;   /* `answer` is of this session and list: what is more than there is new */
	uint32_t breaks; /* how often it was not: connections may have gone uncounted then */
};

/* The order of ports in a list: less than, equal to or greater than 0. */
int ports_compare(const struct proto_port *a, const struct proto_port *b);
/* What tells one list, with its sources, from another; 0 for one without ports alone. */
uint32_t ports_digest(
	const struct proto_port *items, size_t len, const struct addr *sources, size_t n_sources);

/* Begins an empty list; the answer stays. */
void ports_clear(struct ports *ports);
/* One more, at its place. -ENOSPC: there are PROTO_PORTS_MAX; -EEXIST: it is there. */
int ports_add(struct ports *ports, const struct proto_port *port, uint16_t owner);
/* From where the asking side probes; more than PROTO_SOURCES_MAX are left out. Copied. */
void ports_set_sources(struct ports *ports, const struct addr *sources, size_t len);
/* Writes the list into a SERVE. */
void ports_fill(const struct ports *ports, struct proto_serve *serve);
/* Takes the list of a SERVE, of no owners; true: it is another one than before, and not answered. */
bool ports_take(struct ports *ports, const struct proto_serve *serve);

/*
 * Takes an answer of whatever list; connections that are new since the answer before, in the same session, are added up.
 */
void ports_take_answer(struct ports *ports, const struct proto_ports_status *answer);
/* A new session: its agent may count from 0. */
void ports_rebase(struct ports *ports);
/* Those of one owner; false: the agent does not count all of them. */
bool ports_accepted(const struct ports *ports, uint16_t owner, uint64_t *ret_accepted);
/* Keeps of a former list the sums of the items that are in this one too. */
void ports_carry(struct ports *ports, const struct ports *former);

/* The answer is one to the list of now. */
bool ports_are_answered(const struct ports *ports);
/* Whether by the answer nobody listens on a port where somebody should. */
bool ports_is_missed(const struct ports *ports, size_t idx);
/* Whether an answer differs from the one that was taken in anything but counts. */
bool ports_answer_differs(const struct proto_ports_status *a, const struct proto_ports_status *b);
