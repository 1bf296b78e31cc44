/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps what is in force equal to what is known: follows links and role, builds snapshots, keeps the
 * document, hands the snapshot over to the dataplane, announces the VIPs. Whoever changes something only
 * marks what is due; it is done by update_run() or update_flush() at the end of the turn, once for all
 * that changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr;
struct balancer;
struct update;

/* Of publications, from the first look at the registry until workers have the snapshot. */
struct update_status {
	uint64_t n, last_us, longest_us;
	uint64_t
		changes; /* also of links and roles: whoever remembers the number knows whether to look again */
	const char *advice; /* what is odd about the interfaces (link_advice.h), ""; the update's */
};

/* `balancer` outlives it. 0 or negative errno. */
int update_new(struct balancer *balancer, struct update **ret_update);
struct update *update_free(struct update *update);

/* Links, addresses or the administrator's word changed: follows them, and marks what is due. */
void update_follow(struct update *update);
/* The tables are due; `urgent`: at once, else they may be joined with more. */
void update_mark(struct update *update, bool urgent);
/*
 * The VIPs all of whose virtual servers are ready now (sorted, each once): with announce = route they are announced, and no
 * others. Takes ownership of the array.
 */
void update_take_ready(struct update *update, struct addr *vips, size_t n_vips);
/* The document is due. */
void update_mark_save(struct update *update);
/* Does what is due and may be done now; for the rest it sets a timer. */
void update_run(struct update *update);
/* Does all that is due: what changed is in force when this returns, unless it failed. */
void update_flush(struct update *update);
/* Each second: follows, tries again what failed, looks whether rows settle. */
void update_housekeeping(struct update *update);
/* Keeps the document, at the end. */
void update_save(struct update *update);
struct update_status update_status(const struct update *update);
