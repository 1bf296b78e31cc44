/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_await.h. Called by path_probe.c. */
#include "lb/link/path/path_await.h"

/* Of TCP the upper half of the sequence number, which is the same for all of a request. */
#define KEY_SHIFT 16u
/* Never set in the number of a request, so that its bytes do not reach the upper half. */
#define ROOM_BIT 0x8000u
_Static_assert(PATH_FRAME_PAYLOAD_MAX + 2 < ROOM_BIT, "a request's numbers have one upper half");

static size_t bucket_of(enum path_kind kind, uint32_t sequence, uint16_t own_port, uint16_t port)
{
	bool is_tcp = kind == PATH_TCP || kind == PATH_HTTP;
	uint32_t key = is_tcp ? sequence >> KEY_SHIFT : (uint32_t)own_port << 16 | port;

	key = (key ^ (uint32_t)(is_tcp ? PATH_TCP : kind)) * UINT32_C(0x9e3779b1);
	return (key >> 16) % PATH_AWAIT_BUCKETS;
}

uint32_t path_await_secret(enum path_kind kind, uint32_t random)
{
	return kind == PATH_HTTP ? random & ~ROOM_BIT : random;
}

void path_await_add(struct path_await *await, struct probe *probe)
{
	struct probe **bucket = &await->buckets[bucket_of(
		probe->kind, probe->secret, probe->own_port, path_target_wire_port(probe))];

	probe->awaiting = true;
	probe->backend->n_awaiting++;
	probe->next = *bucket;
	probe->link = bucket;
	if (probe->next)
		probe->next->link = &probe->next;
	*bucket = probe;
}

void path_await_remove(struct probe *probe)
{
	if (!probe->awaiting)
		return;
	probe->awaiting = false;
	probe->backend->n_awaiting--;
	*probe->link = probe->next;
	if (probe->next)
		probe->next->link = probe->link;
}

static bool is_answered(const struct probe *probe, const struct path_answer *answer)
{
	enum path_kind kind = probe->kind == PATH_HTTP ? PATH_TCP : probe->kind;

	if (kind != answer->probe || !addr_equal(&probe->vip, &answer->vip) ||
		!addr_equal(&probe->own, &answer->own) || probe->own_port != answer->own_port ||
		path_target_wire_port(probe) != answer->port)
		return false;
	if (probe->kind == PATH_HTTP)
		return answer->sequence - probe->secret <= probe->payload_bytes;
	if (probe->kind == PATH_TCP)
		return probe->secret == answer->sequence;
	/* A server may answer by another card than it is asked at; what it knows proves that it was asked. */
	if (answer->kind == PATH_ANSWER_ECHO)
		return answer->payload_bytes == PATH_TARGET_ECHO_BYTES &&
			memcmp(answer->payload, probe->echo, PATH_TARGET_ECHO_BYTES) == 0;
	return mac_equal(&answer->from, &probe->backend->mac);
}

struct probe *path_await_find(const struct path_await *await, const struct path_answer *answer)
{
	struct probe *probe = await->buckets[bucket_of(
		answer->probe, answer->sequence, answer->own_port, answer->port)];

	while (probe && !is_answered(probe, answer))
		probe = probe->next;
	return probe;
}
