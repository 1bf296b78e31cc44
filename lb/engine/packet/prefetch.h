/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks for the memory that deciding on a frame will read, some frames before it is decided. A row of
 * a table and a bucket of the flow table lie anywhere in megabytes: waiting for them is the larger
 * part of what the core costs. The guess is the service of the frames before; a wrong one
 * costs the asking and nothing else, for nothing is decided here.
 *
 * Included by the packet engine's worker alone, behind port_user.h.
 */
#pragma once

#include "lb/fwd/choose.h"
#include "lb/fwd/hash.h"
#include "lb/fwd/parse.h"
#include "lb/engine/port_user.h"

struct prefetch_flow {
	struct fwd_addr client;
	__be16 client_port;
	__be16 vip_port;
	bool is_ip6;
	bool is_udp;
};

/* Ports where they usually are: no VLAN tag, no option, no extension header. */
static inline bool prefetch_read(
	const uint8_t *data, uint32_t size_bytes, struct prefetch_flow *ret_flow)
{
	const struct wire_ethernet *ethernet = (const void *)data;
	const struct wire_ip4 *ip4 = (const void *)(ethernet + 1);
	const struct wire_ip6 *ip6 = (const void *)(ethernet + 1);
	const struct wire_udp *ports;

	if (size_bytes < sizeof(*ethernet) + sizeof(*ip6) + sizeof(*ports))
		return false;
	ret_flow->is_ip6 = ethernet->type == WIRE_16(WIRE_TYPE_IP6);
	if (ret_flow->is_ip6) {
		ports = (const void *)(ip6 + 1);
		ret_flow->is_udp = ip6->next == FWD_PROTO_UDP;
		memcpy(ret_flow->client.word, ip6->source, sizeof(ip6->source));
	} else if (ethernet->type == WIRE_16(WIRE_TYPE_IP4) && ip4->version_words == 0x45) {
		ports = (const void *)(ip4 + 1);
		ret_flow->is_udp = ip4->proto == FWD_PROTO_UDP;
		parse_map_ip4(&ret_flow->client, ip4->source);
	} else {
		return false;
	}
	ret_flow->client_port = ports->source_port;
	ret_flow->vip_port = ports->destination_port;
	return true;
}

/* What is read where the row says all: its owner, and of UDP the word of the filter that is marked. */
static inline void prefetch_row(
	struct fwd_port *port, const struct fwd_service *service, const struct prefetch_flow *flow)
{
	const struct fwd_settings *settings = port_settings(port);
	bool by_source = service->flags & FWD_SERVICE_HASH_SOURCE;
	uint64_t hash = hash_client(settings, &flow->client, by_source ? 0 : flow->client_port);
	struct seen_place place;

	__builtin_prefetch(
		snapshot_settled(port->snapshot, service->table, hash_reduce(hash, FWD_ROWS)));
	if (!flow->is_udp || !settings->seen_words || (service->flags & FWD_SERVICE_SESSIONLESS))
		return;
	place = seen_place_of(settings, hash, service->id, flow->client_port, flow->vip_port);
	__builtin_prefetch(seen_word(port, &place, FWD_LOAD(port_seen(port, SEEN_GENERATION))));
}

static inline void prefetch_frame(struct fwd_port *port, const struct fwd_service *service,
	const uint8_t *data, uint32_t size_bytes)
{
	const struct fwd_settings *settings = port_settings(port);
	struct prefetch_flow flow;
	const uint32_t *among;
	uint32_t hash;

	if (!prefetch_read(data, size_bytes, &flow))
		return;
	if (!choose_records_all(service->flags)) {
		prefetch_row(port, service, &flow);
		return;
	}
	hash = (uint32_t)(hash_flow(settings, &flow.client, flow.client_port, flow.vip_port,
				  service->id) >>
		32);
	among = flow.is_ip6 ? settings->flow6_among : settings->flow4_among;
	if (flow.is_ip6)
		__builtin_prefetch(port_flow6(port, flow_home(hash, among[0], among[1])), 1);
	else
		__builtin_prefetch(port_flow4(port, flow_home(hash, among[0], among[1])), 1);
}
