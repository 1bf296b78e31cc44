/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of the packet engine. A packet socket is a tap: what the engine takes, the host's own stack
 * looks up, too, only to find that it is for nobody. A program at tc's ingress, behind the sockets, drops
 * it there. Only a saving: the engine does the same without one. Called by engine_packet.c.
 */
#pragma once

#include "lb/engine/engine.h"

struct engine_guard;

/*
 * Puts a guard that lets everything pass on the client interface, in place of one of a former life; on
 * failure that one is removed, and `ret_why` (ENGINE_WHY_BYTES) says which step failed.
 */
int engine_guard_new(
	const struct engine_config *config, struct engine_guard **ret_guard, char *ret_why);
/* And takes it away. NULL is legal, here and below. */
struct engine_guard *engine_guard_free(struct engine_guard *guard);

/*
 * The snapshot `from` makes way for `to`: before that, what is for VIPs of both is dropped; after it, what
 * is for VIPs of `to` alone.
 */
void engine_guard_add(
	struct engine_guard *guard, const struct snapshot *from, const struct snapshot *to);
void engine_guard_remove(
	struct engine_guard *guard, const struct snapshot *from, const struct snapshot *to);
