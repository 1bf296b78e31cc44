/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which backend a packet goes to: the row of its client, and just enough tracking.
 *
 * A settled row remembers TCP by itself: its owner has not changed since any living flow began,
 * so nothing is looked up and nothing recorded. In a moving row a flow is where its record says,
 * else at the row's base. That holds because a flow which begins in a moving row is either
 * recorded or sent to the base, and because a row settles only when neither a packet for
 * its base nor a disagreeing record has been seen for the flows' timeout.
 */
#pragma once

#include "lb/fwd/flow_ops.h"
#include "lb/fwd/hash.h"
#include "lb/fwd/port.h"
#include "lb/fwd/wire.h"

/* A flow as the chooser sees it; filled from a packet, or from what an ICMP error quotes. */
struct choose_flow {
	const struct fwd_addr *client;
	__be16 client_port;
	__be16 vip_port;
	__u8 is_ip6;
	__u8 is_udp;
	__u8 tcp_flags; /* TCP only */
	__u8 only_asks; /* an ICMP error about the flow: proves nothing, so leaves no trace */
};

FWD_INLINE int choose_is_syn(const struct choose_flow *flow)
{
	return !flow->is_udp && !flow->only_asks &&
		(flow->tcp_flags & (WIRE_TCP_SYN | WIRE_TCP_ACK | WIRE_TCP_RST)) == WIRE_TCP_SYN;
}

/*
 * The state after one more packet of the client. Resets are not authenticated, so a later segment
 * takes one back; a FIN stays, because the client of a half-closed connection goes on to
 * acknowledge what it receives.
 */
FWD_INLINE __u8 choose_next_state(const struct choose_flow *flow, __u8 state)
{
	if (flow->is_udp)
		return FLOW_UDP_ESTABLISHED;
	if (flow->tcp_flags & WIRE_TCP_RST)
		return FLOW_TCP_RESET;
	if (flow->tcp_flags & WIRE_TCP_FIN)
		return FLOW_TCP_FIN;
	if ((flow->tcp_flags & WIRE_TCP_SYN) || state == FLOW_TCP_FIN)
		return state;
	return FLOW_TCP_ESTABLISHED;
}

FWD_INLINE void choose_update(struct fwd_port *port, const struct choose_flow *flow,
	const struct flow_found *found, __u16 backend, __u8 state, __u32 now_s)
{
	if (flow->only_asks || port_only_looks(port))
		return;
	flow_update(found, flow_meta(flow_meta_service(found->meta), backend, state, now_s));
}

/* A packet of a recorded flow. A dead backend's flow moves to the row's owner and stays there. */
FWD_INLINE __u16 choose_recorded(struct fwd_port *port, const struct choose_flow *flow,
	const struct flow_found *found, __u16 owner, __u32 now_s, struct fwd_result *result)
{
	__u8 state = flow_meta_state(found->meta);
	__u16 backend = flow_meta_backend(found->meta);

	if (choose_is_syn(flow) && (state == FLOW_TCP_FIN || state == FLOW_TCP_RESET)) {
		/* The old connection has ended: this is another one on the same ports. */
		if (owner)
			choose_update(port, flow, found, owner, FLOW_TCP_SYN, now_s);
		result->recorded = owner != 0;
		return owner;
	}
	if (flow_backend_lives(port, backend))
		result->how = FWD_HOW_FLOW;
	else
		backend = owner;
	if (backend)
		choose_update(port, flow, found, backend, choose_next_state(flow, state), now_s);
	return backend;
}

/* A packet went to the base of a moving row: the base is still needed. */
FWD_INLINE void choose_seen(
	struct fwd_port *port, const struct choose_flow *flow, struct fwd_slot *slot, __u32 now_s)
{
	__u32 seen_s = now_s ? now_s : 1; /* 0 means settled */

	if (flow->only_asks || port_only_looks(port))
		return;
	if (FWD_LOAD(&slot->seen_s) != seen_s)
		FWD_STORE(&slot->seen_s, seen_s);
}

/* Records a flow at `backend`. Non-zero: done. */
FWD_INLINE int choose_record(struct fwd_port *port, const struct choose_flow *flow, __u64 *bucket,
	const struct flow_key *key, const __u32 key_words, __u16 backend, __u32 now_s,
	struct fwd_result *result)
{
	__u8 state = flow->is_udp ? FLOW_UDP_NEW : FLOW_TCP_SYN;
	enum flow_put_result put = FLOW_PUT_FULL;

	if (bucket)
		put = flow_put(port, bucket, key, key_words,
			flow_meta(key->service, backend, state, now_s), now_s);
	result->recorded = put != FLOW_PUT_FULL;
	result->evicted = put == FLOW_PUT_EVICTED;
	result->unrecorded = put == FLOW_PUT_FULL;
	return put != FLOW_PUT_FULL;
}

/* The row as it was read once: another CPU may settle it meanwhile. */
struct choose_row {
	struct fwd_slot *slot;
	__u16 owner;
	__u16 base; /* of a moving row with a living base; else the owner */
	__u8 moving;
};

/* For packets that may have, or need, a record. */
FWD_INLINE __u16 choose_tracked(struct fwd_port *port, const struct fwd_service *service,
	const struct choose_flow *flow, const struct choose_row *row, __u64 *bucket,
	const __u32 key_words, struct fwd_result *result)
{
	int records_all = flow->is_udp || (service->flags & FWD_SERVICE_RECORD_TCP);
	int opens = flow->is_udp || choose_is_syn(flow);
	__u16 backend = opens ? row->owner : row->base;
	int records = records_all ||
		(opens && (backend != row->base || (service->flags & FWD_SERVICE_RECORD_SYN)));
	struct flow_key key = { .service = service->id, .is_udp = flow->is_udp };
	struct flow_found found = { 0 };
	__u32 now_s = port_now_s(port);

	flow_key_make(&key, flow->client, flow->client_port, flow->vip_port, key_words > 1);
	if (bucket)
		found = flow_find(bucket, &key, key_words, service, now_s);
	if (found.meta_at)
		return choose_recorded(port, flow, &found, row->owner, now_s, result);
	if (backend && !flow->only_asks && records &&
		!choose_record(port, flow, bucket, &key, key_words, backend, now_s, result) &&
		!flow->is_udp) {
		/* A TCP flow without a record is found again at the base alone. */
		backend = row->base;
	}
	if (row->moving && !flow->is_udp && backend == row->base)
		choose_seen(port, flow, row->slot, now_s);
	return backend;
}

FWD_INLINE __u16 choose_by_family(struct fwd_port *port, const struct fwd_service *service,
	const struct choose_flow *flow, const struct choose_row *row, struct fwd_result *result)
{
	const struct fwd_settings *settings = port_settings(port);
	__u64 hash =
		hash_flow(settings, flow->client, flow->client_port, flow->vip_port, service->id);

	if (flow->is_ip6) {
		struct flow6_bucket *bucket = settings->flow6_buckets
			? port_flow6(port, hash_reduce(hash, settings->flow6_buckets))
			: 0;

		return choose_tracked(port, service, flow, row, bucket ? bucket->words : 0,
			FLOW6_KEY_WORDS, result);
	}
	struct flow4_bucket *bucket = settings->flow4_buckets
		? port_flow4(port, hash_reduce(hash, settings->flow4_buckets))
		: 0;

	return choose_tracked(
		port, service, flow, row, bucket ? bucket->words : 0, FLOW4_KEY_WORDS, result);
}

/* The row of a client in the service's table; 0: the service has no such table. */
FWD_INLINE int choose_row(struct fwd_port *port, const struct fwd_service *service,
	const struct fwd_addr *client, __be16 client_port, struct choose_row *ret_row,
	struct fwd_result *result)
{
	__be16 port_counts = service->flags & FWD_SERVICE_HASH_SOURCE ? 0 : client_port;
	__u32 index = hash_row(port_settings(port), client, port_counts);
	struct fwd_slot *slot = port_slot(port, service->table, index);

	if (!slot)
		return 0;
	ret_row->slot = slot;
	ret_row->moving = FWD_LOAD(&slot->seen_s) != 0;
	ret_row->owner = FWD_LOAD(&slot->owner);
	ret_row->base = ret_row->owner;
	result->slot = index;
	result->moving = ret_row->moving;
	return 1;
}

/* The backend of a packet that is no fragment; 0: there is none. Fills how, slot and what was recorded. */
FWD_INLINE __u16 choose_backend(struct fwd_port *port, const struct fwd_service *service,
	const struct choose_flow *flow, struct fwd_result *result)
{
	struct choose_row row = { 0 };

	result->how = FWD_HOW_HASH;
	if (!choose_row(port, service, flow->client, flow->client_port, &row, result))
		return 0;
	if (service->flags & FWD_SERVICE_SESSIONLESS)
		return row.owner;
	if (!flow->is_udp && !row.moving && !(service->flags & FWD_SERVICE_RECORD_TCP))
		return row.owner;
	if (row.moving) {
		__u16 base = FWD_LOAD(&row.slot->base);

		if (flow_backend_lives(port, base))
			row.base = base;
	}
	return choose_by_family(port, service, flow, &row, result);
}

/* Echo requests and others without ports or flow: the owner of the source address's row. */
FWD_INLINE __u16 choose_by_source(struct fwd_port *port, const struct fwd_service *service,
	const struct fwd_addr *client, struct fwd_result *result)
{
	struct choose_row row = { 0 };

	result->how = FWD_HOW_HASH;
	return choose_row(port, service, client, 0, &row, result) ? row.owner : 0;
}
