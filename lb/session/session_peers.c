/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See session_peers.h. */
#include "lb/session/session_peers.h"

static void session_peers_drop(struct session_peers *peers, size_t at)
{
	peers->len--;
	memmove(&peers->items[at], &peers->items[at + 1],
		(peers->len - at) * sizeof(peers->items[0]));
}

/* The place of a backend; of none (0) the oldest that is gone; len: there is none. */
static size_t session_peers_find(const struct session_peers *peers, uint16_t backend)
{
	size_t at = 0;

	while (at < peers->len &&
		(backend ? peers->items[at].peer.id != backend
			 : !mac_is_zero(&peers->items[at].peer.mac)))
		at++;
	return at;
}

void session_peers_set(
	struct session_peers *peers, uint16_t backend, const struct mac *mac, uint64_t now_us)
{
	size_t at = session_peers_find(peers, backend);
	uint64_t last = peers->len > 0 ? peers->items[peers->len - 1].change : 0;

	if (at < peers->len ? mac_equal(&peers->items[at].peer.mac, mac) : mac_is_zero(mac))
		return;
	if (at == peers->len && peers->len == SESSION_PEERS_MAX)
		at = session_peers_find(peers, 0);
	if (at < peers->len)
		session_peers_drop(peers, at);
	else if (peers->len == SESSION_PEERS_MAX)
		return; /* more than the registry takes */
	last = MAX(now_us, last + 1);
	peers->items[peers->len++] = (struct session_peers_item){ last, { backend, *mac } };
}

/* The first change after `heard`. */
static size_t session_peers_after(const struct session_peers *peers, uint64_t heard)
{
	size_t low = 0, high = peers->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (peers->items[middle].change <= heard)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool session_peers_next(struct session_peers *peers, uint64_t heard, uint64_t now_us,
	struct proto_peers *ret_message)
{
	size_t at = session_peers_after(peers, heard);

	/* Who begins has nothing to forget. */
	while (heard == 0 && at < peers->len && mac_is_zero(&peers->items[at].peer.mac))
		at++;
	if (at == peers->len || now_us - peers->told_us < SESSION_PEERS_PAUSE_US)
		return false;
	peers->told_us = now_us;
	ret_message->after = heard;
	ret_message->n_items = 0;
	while (at < peers->len && ret_message->n_items < PROTO_PEERS_MAX) {
		ret_message->change = peers->items[at].change;
		ret_message->items[ret_message->n_items++] = peers->items[at++].peer;
	}
	return true;
}
