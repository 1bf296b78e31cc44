/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the backends of agents are, and what of that changed since an agent heard of it last: for agents that pass on
 * what is not theirs (doc/adr/0015-second-chance.md). Changes are numbered by a clock that goes on over
 * restarts, so that a new process has news for everybody. For session.c alone. Pure.
 */
#pragma once

#include "common/proto/message.h"
#include "lb/registry/backend/backend.h"

/* And so many that are gone, of which not every agent may have heard: the oldest give way. */
#define SESSION_PEERS_MAX (REGISTRY_BACKENDS_MAX + 256u)
/* Over all agents: 200 messages a second. */
#define SESSION_PEERS_PAUSE_US (5 * US_PER_MS)

struct session_peers_item {
	uint64_t change;
	struct proto_peer peer;
};

/* Zeroed: nobody. */
struct session_peers {
	struct session_peers_item items[SESSION_PEERS_MAX]; /* each backend once, by `change` */
	size_t len;
	uint64_t told_us;
};

/* The backend is there now; a zero MAC: it is gone. Nothing new changes nothing. */
void session_peers_set(
	struct session_peers *peers, uint16_t backend, const struct mac *mac, uint64_t now_us);
/*
 * Fills in what comes after the change that the agent heard last, as much as one message takes. False: there is nothing,
 * or another message went out just now.
 */
bool session_peers_next(struct session_peers *peers, uint64_t heard, uint64_t now_us,
	struct proto_peers *ret_message);
