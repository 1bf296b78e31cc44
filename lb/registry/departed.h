/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends that left: what administrators said of them, which holds when they come back, and the
 * sessions that ended, whose REGISTERs may be replayed.
 */
#pragma once

#include "lb/registry/entry.h"

/* The backend's session ends: its REGISTER is stale from here on. */
void departed_end_session(
	struct departed *departed, const struct backend *backend, uint64_t now_us);
/* A REGISTER of this address, with a challenge of this time, is of a session that ended. */
bool departed_is_stale(
	const struct departed *departed, const struct addr *address, uint64_t challenge_us);
/* By name, or else by address; either may be NULL. NULL: nothing was said, or is remembered. */
struct registry_override *departed_find(
	struct departed *departed, const char *name, const struct addr *address);
/* The same by a text that is a name or an address. */
struct registry_override *departed_find_text(struct departed *departed, const char *text);
/* An approval holds for the name and the key, and where that is not bound to the name, for the address. */
bool departed_approves(const struct registry_override *override, const struct backend *backend);
/* One more, whose words are taken over; where there is no room, the oldest goes. */
void departed_add(struct departed *departed, const struct registry_override *override);
/* Frees what is remembered of weights. */
void departed_clear(struct departed *departed);
/* The backend goes on elsewhere, and is approved no more; whoever comes back to where it was is, as if it had left. */
void departed_keep_approval(struct registry *registry, struct backend *backend);
/* The backend is where it was approved while somebody else had its name, whatever was said of the name since. */
void departed_take_approval(struct departed *departed, struct backend *backend);
/* Gives the backend what was said of its name or address, and forgets it here. */
void departed_restore(struct departed *departed, struct backend *backend);
/* The entry leaves: what was said of it is remembered, its session ends, and it is forgotten. */
void departed_leave(struct registry *registry, struct entry *entry, uint64_t now_us);
