/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of the packet engine. A packet socket is a tap: what the engine takes, the host's own stack
 * looks up, too, only to find that it is for nobody. A program at tc's ingress, behind the sockets, drops
 * it there. Where a VIP is an address of the host, the stack would answer clients: there it must be.
 * Elsewhere it only saves time. Called by lb/engine/packet/engine_packet.c.
 */
#pragma once

struct engine_config;
struct guard;
struct snapshot;
struct why;

/*
 * Puts a guard that lets everything pass on the client interface, in place of one of a previous run; on
 * failure that one is removed, and `ret_why` says which step failed.
 */
int guard_new(const struct engine_config *config, struct guard **ret_guard, struct why *ret_why);
/* And takes it away. NULL is legal, here and below. */
struct guard *guard_free(struct guard *guard);
/*
 * Puts it back where somebody took it away: 1; 0: nobody did. Negative errno: it is away, and `ret_why` says
 * which step failed; the next call tries again.
 */
int guard_repair(struct guard *guard, struct why *ret_why);
/* Removes the guard that a previous run left on the client interface. */
void guard_sweep(const struct engine_config *config);

/*
 * The snapshot `from` makes way for `to`: before that, what is for VIPs of both is dropped; after it, what
 * is for VIPs of `to` alone.
 */
void guard_add(struct guard *guard, const struct snapshot *from, const struct snapshot *to);
void guard_remove(struct guard *guard, const struct snapshot *from, const struct snapshot *to);
