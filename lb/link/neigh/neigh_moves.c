/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See neigh_moves.h. */
#include "lb/link/neigh/neigh_moves.h"

#include "common/grow.h"
#include "common/search.h"
#include "lb/link/neigh/neigh_link.h"

static int neigh_moves_compare(const void *key, const void *element)
{
	return addr_compare(key, &((const struct neigh_move *)element)->address);
}

static bool neigh_moves_search(
	const struct neigh_moves *moves, const struct addr *address, size_t *ret_idx)
{
	return search_find(address, moves->items, moves->len, sizeof(*moves->items),
		neigh_moves_compare, ret_idx);
}

void neigh_moves_clear(struct neigh_moves *moves)
{
	free(moves->items);
	*moves = (struct neigh_moves){ 0 };
}

struct neigh_move *neigh_moves_find(const struct neigh_moves *moves, const struct addr *address)
{
	size_t idx;

	return neigh_moves_search(moves, address, &idx) ? &moves->items[idx] : NULL;
}

int neigh_moves_watch(
	struct neigh_moves *moves, const struct addr *address, const struct mac *believed)
{
	size_t idx;

	if (neigh_moves_search(moves, address, &idx))
		return 0;
	if (moves->len == NEIGH_KNOWN_MAX)
		return -ENOSPC;
	if (GROW(moves->items, moves->len) < 0)
		return -ENOMEM;
	memmove(&moves->items[idx + 1], &moves->items[idx],
		(moves->len - idx) * sizeof(*moves->items));
	moves->len++;
	moves->items[idx] = (struct neigh_move){ .address = *address, .believed = *believed };
	return 0;
}

void neigh_moves_drop(struct neigh_moves *moves, const struct addr *address)
{
	size_t idx;

	if (!neigh_moves_search(moves, address, &idx))
		return;
	moves->len--;
	memmove(&moves->items[idx], &moves->items[idx + 1],
		(moves->len - idx) * sizeof(*moves->items));
}

const struct neigh_move *neigh_moves_other(
	const struct neigh_moves *moves, const struct neigh_move *move, const struct mac *mac)
{
	/* Where one is first heard of, it may well be another address of a known host. */
	if (mac_is_zero(&move->believed))
		return NULL;
	ARRAY_FOREACH (other, moves->items, moves->len)
		if (other != move && mac_equal(&other->believed, mac) &&
			!mac_equal(&other->left, &move->believed))
			return other;
	return NULL;
}

/* Asks at the old place; one that is known to be silent, or that never was, need not be asked. */
static enum neigh_moves_verdict neigh_moves_doubt(
	struct neigh_move *move, const struct mac *mac, bool owned, uint64_t now_us)
{
	bool asks_old = !move->silent && !mac_is_zero(&move->believed);

	/* A second voice while the old place is asked buys nobody time. */
	if (move->phase != NEIGH_MOVES_ASKING_OLD)
		move->due_us = now_us + NEIGH_MOVES_WAIT_US;
	move->candidate = *mac;
	if (owned)
		move->candidate = (struct mac){ 0 };
	move->phase = asks_old || owned ? NEIGH_MOVES_ASKING_OLD : NEIGH_MOVES_ASKING_NEW;
	if (asks_old)
		return NEIGH_MOVES_ASK_OLD;
	return owned ? NEIGH_MOVES_NOTHING : NEIGH_MOVES_ASK_NEW;
}

enum neigh_moves_verdict neigh_moves_learnt(
	struct neigh_move *move, const struct mac *mac, bool owned, uint64_t now_us)
{
	if (mac_equal(mac, &move->believed))
		return NEIGH_MOVES_NOTHING;
	if (move->phase == NEIGH_MOVES_ASKING_NEW && mac_equal(mac, &move->candidate))
		return NEIGH_MOVES_NOTHING;
	return neigh_moves_doubt(move, mac, owned, now_us);
}

enum neigh_moves_verdict neigh_moves_answered(
	struct neigh_move *move, const struct mac *mac, bool owned, uint64_t now_us)
{
	bool asked = move->phase == NEIGH_MOVES_ASKING_NEW && mac_equal(mac, &move->candidate);
	bool doubted = move->phase != NEIGH_MOVES_SETTLED;

	if (mac_equal(mac, &move->believed)) {
		move->phase = NEIGH_MOVES_SETTLED;
		move->silent = false;
		return doubted ? NEIGH_MOVES_REFUSED : NEIGH_MOVES_TELL;
	}
	/* The kernel has asked the old place itself, three times, or there is none. */
	if (!asked && move->phase == NEIGH_MOVES_SETTLED)
		asked = move->silent || mac_is_zero(&move->believed);
	if (owned || !asked)
		return neigh_moves_doubt(move, mac, owned, now_us);
	move->left = move->believed;
	move->believed = *mac;
	move->phase = NEIGH_MOVES_SETTLED;
	move->silent = false;
	return NEIGH_MOVES_TELL;
}

static enum neigh_moves_verdict neigh_moves_next(struct neigh_move *move, uint64_t now_us)
{
	if (move->phase == NEIGH_MOVES_ASKING_OLD && !mac_is_zero(&move->candidate)) {
		move->phase = NEIGH_MOVES_ASKING_NEW;
		move->due_us = now_us + NEIGH_MOVES_WAIT_US;
		return NEIGH_MOVES_ASK_NEW;
	}
	/* Neither the old place nor the new one answers: then anybody may. */
	move->silent = true;
	move->phase = NEIGH_MOVES_SETTLED;
	return NEIGH_MOVES_ANEW;
}

enum neigh_moves_verdict neigh_moves_failed(struct neigh_move *move, uint64_t now_us)
{
	if (move->phase != NEIGH_MOVES_SETTLED)
		return neigh_moves_next(move, now_us);
	move->silent = true;
	return NEIGH_MOVES_TELL;
}

enum neigh_moves_verdict neigh_moves_run(struct neigh_move *move, uint64_t now_us)
{
	if (move->phase == NEIGH_MOVES_SETTLED || now_us < move->due_us)
		return NEIGH_MOVES_NOTHING;
	return neigh_moves_next(move, now_us);
}

uint64_t neigh_moves_due_us(const struct neigh_moves *moves)
{
	uint64_t due_us = UINT64_MAX;

	ARRAY_FOREACH (move, moves->items, moves->len)
		if (move->phase != NEIGH_MOVES_SETTLED)
			due_us = MIN(due_us, move->due_us);
	return due_us;
}
