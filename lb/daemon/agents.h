/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of agents: from the sockets to the sessions, and the sessions' answers out. Logs who is refused,
 * a line a minute for each source.
 */
#pragma once

#include "lb/session/session.h"

struct balancer;
struct agents;

/* `balancer` outlives it; its sessions are made with agents_calls(). NULL: out of memory. */
struct agents *agents_new(struct balancer *balancer);
struct agents *agents_free(struct agents *agents);
struct session_calls agents_calls(struct agents *agents);
/*
 * Opens the sockets on each interface to backends, anew when that is another one now; call again when links changed
 * and each second. 0, also while the interface or the address to listen on is not there, which is logged once; or
 * negative errno, logged once.
 */
int agents_listen(struct agents *agents);

/* Whether messages come faster than they are taken: who is not heard may have spoken. */
bool agents_are_crowded(const struct agents *agents);

struct agents_status {
	bool is_listening;  /* on every interface to backends */
	const char *reason; /* why not, "" while it is; the agents' */
};
struct agents_status agents_status(const struct agents *agents);
