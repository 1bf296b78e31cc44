/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of ports and answers: see ports.h. */
#include "common/proto/ports.h"

#include <endian.h>

static uint64_t ports_rank(const struct proto_port *port)
{
	return (uint64_t)port->vip << 48 | (uint64_t)port->protocol << 40 |
		(uint64_t)port->first << 24 | (uint64_t)port->last << 8 | port->counts;
}

int ports_compare(const struct proto_port *a, const struct proto_port *b)
{
	uint64_t rank_a = ports_rank(a), rank_b = ports_rank(b);

	return rank_a < rank_b ? -1 : rank_a > rank_b;
}

/* FNV-1a: it tells apart lists of one balancer, and whoever makes them holds the session's key. */
uint32_t ports_digest(
	const struct proto_port *items, size_t len, const struct addr *sources, size_t n_sources)
{
	uint32_t digest = UTIL_FNV_32_BASIS;

	if (len == 0)
		return 0;
	ARRAY_FOREACH (port, items, len) {
		uint64_t rank = htole64(ports_rank(port));

		digest = util_fnv_32(digest, &rank, port->vip > UINT8_MAX ? 8 : 7);
	}
	ARRAY_FOREACH (source, sources, n_sources)
		digest = util_fnv_32(digest, source->bytes, addr_size_bytes(source));
	return digest ? digest : 1;
}

static void ports_seal(struct ports *ports)
{
	ports->digest = ports_digest(ports->items, ports->len, ports->sources, ports->n_sources);
}

void ports_clear(struct ports *ports)
{
	ports->len = 0;
	ports->digest = 0;
}

int ports_add(struct ports *ports, const struct proto_port *port, uint16_t owner)
{
	size_t at = ports->len;

	while (at > 0 && ports_compare(&ports->items[at - 1], port) > 0)
		at--;
	if (at > 0 && ports_compare(&ports->items[at - 1], port) == 0)
		return -EEXIST;
	if (ports->len == PROTO_PORTS_MAX)
		return -ENOSPC;
	memmove(&ports->items[at + 1], &ports->items[at], (ports->len - at) * sizeof(*port));
	memmove(&ports->owners[at + 1], &ports->owners[at], (ports->len - at) * sizeof(owner));
	ports->items[at] = *port;
	ports->owners[at] = owner;
	ports->len++;
	ports_seal(ports);
	return 0;
}

void ports_set_sources(struct ports *ports, const struct addr *sources, size_t len)
{
	ports->n_sources = MIN(len, (size_t)PROTO_SOURCES_MAX);
	for (size_t i = 0; i < ports->n_sources; i++)
		ports->sources[i] = sources[i];
	ports_seal(ports);
}

void ports_fill(const struct ports *ports, struct proto_serve *serve)
{
	serve->n_ports = (uint8_t)ports->len;
	memcpy(serve->ports, ports->items, ports->len * sizeof(*ports->items));
	serve->n_sources = (uint8_t)ports->n_sources;
	memcpy(serve->sources, ports->sources, ports->n_sources * sizeof(*ports->sources));
}

bool ports_take(struct ports *ports, const struct proto_serve *serve)
{
	uint32_t digest =
		ports_digest(serve->ports, serve->n_ports, serve->sources, serve->n_sources);

	if (digest == ports->digest)
		return false;
	ports->len = serve->n_ports;
	memcpy(ports->items, serve->ports, serve->n_ports * sizeof(*serve->ports));
	ports->n_sources = serve->n_sources;
	memcpy(ports->sources, serve->sources, serve->n_sources * sizeof(*serve->sources));
	ports->digest = digest;
	ports->answer = (struct proto_ports_status){ 0 };
	return true;
}

void ports_take_answer(struct ports *ports, const struct proto_ports_status *answer)
{
	bool same = ports->is_based && ports_are_answered(ports) &&
		answer->digest == ports->digest && answer->n_ports == ports->len;

	for (size_t i = 0; same && i < ports->len; i++)
		if (answer->items[i].counted && ports->answer.items[i].counted)
			ports->accepted[i] += (uint32_t)(answer->items[i].accepted -
				ports->answer.items[i].accepted);
	ports->breaks += !same;
	ports->answer = *answer;
	ports->is_based = true;
}

void ports_rebase(struct ports *ports)
{
	ports->is_based = false;
}

bool ports_accepted(const struct ports *ports, uint16_t owner, uint64_t *ret_accepted)
{
	uint64_t accepted = 0;
	bool known = false;

	if (!ports_are_answered(ports))
		return false;
	for (size_t i = 0; i < ports->len; i++) {
		if (ports->owners[i] != owner)
			continue;
		if (!ports->answer.items[i].counted)
			return false;
		known = true;
		accepted += ports->accepted[i];
	}
	*ret_accepted = accepted;
	return known;
}

void ports_carry(struct ports *ports, const struct ports *former)
{
	for (size_t i = 0; i < ports->len; i++) {
		ports->accepted[i] = 0;
		for (size_t k = 0; k < former->len; k++)
			if (ports_compare(&ports->items[i], &former->items[k]) == 0)
				ports->accepted[i] = former->accepted[k];
	}
}

bool ports_are_answered(const struct ports *ports)
{
	return ports->answer.digest == ports->digest && ports->answer.n_ports == ports->len;
}

bool ports_is_missed(const struct ports *ports, size_t idx)
{
	return !ports->items[idx].counts && !ports->answer.items[idx].listening;
}

bool ports_answer_differs(const struct proto_ports_status *a, const struct proto_ports_status *b)
{
	if (a->digest != b->digest || a->n_ports != b->n_ports || !streq(a->why, b->why))
		return true;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->items[i].listening != b->items[i].listening ||
			a->items[i].counted != b->items[i].counted)
			return true;
	return false;
}
