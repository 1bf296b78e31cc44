/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the real servers without an agent are. An ARP or NA is never authentic, so one that says that such a
 * server has another MAC is not believed at once: the old place is asked first, and as long as it answers
 * nothing has moved. Only then is the new place asked. A MAC that somebody else is known to have is
 * never believed. Pure: what is to be asked is answered, and done by lb/link/neigh/neigh.c, its owner.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

/* Silence of a place: the kernel asks at once and a second later. */
#define NEIGH_MOVES_WAIT_US (1200 * US_PER_MS)

enum neigh_moves_phase {
	NEIGH_MOVES_SETTLED,
	NEIGH_MOVES_ASKING_OLD,
	NEIGH_MOVES_ASKING_NEW,
};

struct neigh_move {
	struct addr address;
	struct mac believed;  /* zero: it never answered */
	struct mac left;      /* where it was before; zero: nowhere */
	struct mac candidate; /* zero: what was said is somebody else's */
	enum neigh_moves_phase phase;
	uint64_t due_us; /* of the two phases of asking */
	bool silent;     /* the kernel asked where it is believed to be, in vain */
};

/* Zeroed: nobody is watched. */
struct neigh_moves {
	struct neigh_move *items; /* by address */
	size_t len;
};

/* What is to be done about something heard. */
enum neigh_moves_verdict {
	NEIGH_MOVES_NOTHING,
	NEIGH_MOVES_TELL,    /* it is there: its callers may know */
	NEIGH_MOVES_REFUSED, /* the same, and it has not moved to where somebody said */
	NEIGH_MOVES_ASK_OLD, /* have the kernel ask at `believed` */
	NEIGH_MOVES_ASK_NEW, /* have the kernel ask at `candidate` */
	NEIGH_MOVES_ANEW,    /* have the kernel forget it, and ask everybody */
};

void neigh_moves_clear(struct neigh_moves *moves);
/* NULL: not watched. */
struct neigh_move *neigh_moves_find(const struct neigh_moves *moves, const struct addr *address);
/* From now on it is watched; `believed` is where it was, zero if nobody knows. 0; -ENOMEM; -ENOSPC. */
int neigh_moves_watch(
	struct neigh_moves *moves, const struct addr *address, const struct mac *believed);
void neigh_moves_drop(struct neigh_moves *moves, const struct addr *address);
/*
 * Another one that is at this MAC and did not leave the same place as `move`; NULL: none. Addresses of one
 * host share a MAC, and move together.
 */
const struct neigh_move *neigh_moves_other(
	const struct neigh_moves *moves, const struct neigh_move *move, const struct mac *mac);

/* Something said that it is at `mac`, which somebody else has (`owned`), or nobody. */
enum neigh_moves_verdict neigh_moves_learnt(
	struct neigh_move *move, const struct mac *mac, bool owned, uint64_t now_us);
/* The same, of an answer to the kernel's question: but that may be forged too. */
enum neigh_moves_verdict neigh_moves_answered(
	struct neigh_move *move, const struct mac *mac, bool owned, uint64_t now_us);
/* The kernel asked in vain. */
enum neigh_moves_verdict neigh_moves_failed(struct neigh_move *move, uint64_t now_us);
/* Time has passed. */
enum neigh_moves_verdict neigh_moves_run(struct neigh_move *move, uint64_t now_us);
/* When the next one is due; UINT64_MAX: none. */
uint64_t neigh_moves_due_us(const struct neigh_moves *moves);
