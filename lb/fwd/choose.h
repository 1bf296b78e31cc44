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
#include "lb/fwd/persist.h"
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

/* The row as it was read once: another CPU may settle it meanwhile. */
struct choose_row {
	struct fwd_slot *slot;
	__u16 owner;
	__u16 base; /* of a moving row with a living base; else the owner */
	__u8 moving;
};

/* Members that lc compares for one new flow: all of them, where there are not more. */
#define CHOOSE_LEAST_MAX 32u

/* The number of this turn; where the run leaves no trace, of the next. */
FWD_INLINE __u32 choose_take_turn(struct fwd_port *port, __u32 *turn)
{
	return port_only_looks(port) ? FWD_LOAD(turn) : __sync_fetch_and_add(turn, 1);
}

/*
 * lc: the least (flows + 1) / weight, where flows are those of the last report and those sent since.
 * Because the latter count at once and on every CPU, nobody is flooded between two reports for
 * having looked idle in the last. Comparing begins one member later each time, so that equal
 * ones take turns; of more than CHOOSE_LEAST_MAX members each flow sees a window that wanders
 * (d choices: Mitzenmacher, 2001).
 */
FWD_INLINE __u16 choose_least(struct fwd_port *port, const struct fwd_service *service, __u32 turn)
{
	__u64 least = 0, least_weight = 0;
	__u16 backend = 0;

	for (__u32 i = 0; i < CHOOSE_LEAST_MAX && i < service->n_turns; i++) {
		__u16 candidate =
			port_turn_backend(port, service->id, (turn + i) % service->n_turns);
		const struct fwd_load *load = port_load(port, service->id, candidate);
		__u64 flows, weight;

		if (!load)
			continue;
		flows = (__u64)FWD_LOAD(&load->established) + FWD_LOAD(&load->sent) + 1;
		weight = FWD_LOAD(&load->weight);
		if (weight == 0 || (backend && flows * least_weight >= least * weight))
			continue;
		least = flows;
		least_weight = weight;
		backend = candidate;
	}
	return backend;
}

/*
 * The backend of a flow that begins, as the scheduler says. What only asks about a flow gets the row's owner: it must not
 * take a turn, and a flow without a record went by its row.
 */
FWD_INLINE __u16 choose_scheduled(struct fwd_port *port, const struct fwd_service *service,
	const struct choose_flow *flow, __u16 owner, struct fwd_result *result)
{
	__u32 *turn = 0;
	__u16 backend;

	if (service->n_turns && !flow->only_asks)
		turn = port_turn(port, service->id);
	if (!turn)
		return owner;
	if (service->flags & FWD_SERVICE_LEAST_LOADED)
		backend = choose_least(port, service, choose_take_turn(port, turn));
	else
		backend = port_turn_backend(
			port, service->id, choose_take_turn(port, turn) % service->n_turns);
	if (!backend)
		return owner;
	result->how = FWD_HOW_NONE;
	return backend;
}

/* The backend of a flow that begins: the client's own, under persistence, else the scheduler's. */
FWD_CALL __u16 choose_new(struct fwd_port *port, const struct fwd_service *service,
	const struct choose_flow *flow, __u16 owner, struct fwd_result *result)
{
	struct persist persist = { 0 };
	__u32 now_s = port_now_s(port);
	__u16 backend;

	if (!service->persistence_s || flow->only_asks)
		return choose_scheduled(port, service, flow, owner, result);
	persist_find(port, service, flow->client, flow->is_ip6, now_s, &persist);
	backend = persist_backend(port, &persist);
	if (backend)
		result->how = FWD_HOW_PERSISTENCE;
	else
		backend = choose_scheduled(port, service, flow, owner, result);
	for (__u32 i = 0; backend && i < PERSIST_TRIES; i++) {
		__u16 written;

		persist_note(port, &persist, flow->is_ip6, backend, now_s);
		persist_find(port, service, flow->client, flow->is_ip6, now_s, &persist);
		written = persist_backend(port, &persist);
		if (written || port_only_looks(port))
			return written ? written : backend;
	}
	return backend;
}

/* A flow is proven now, and so is the client. */
FWD_CALL void choose_prove_client(
	struct fwd_port *port, const struct fwd_service *service, const struct choose_flow *flow)
{
	struct persist persist = { 0 };

	persist_find(port, service, flow->client, flow->is_ip6, port_now_s(port), &persist);
	persist_prove(port, &persist);
}

/* A flow was given to the backend: lc counts it until the next report does. */
FWD_INLINE void choose_note_sent(
	struct fwd_port *port, const struct fwd_service *service, __u16 backend)
{
	struct fwd_load *load;

	if (!(service->flags & FWD_SERVICE_LEAST_LOADED) || port_only_looks(port))
		return;
	load = port_load(port, service->id, backend);
	if (load)
		(void)__sync_fetch_and_add(&load->sent, 1);
}

/*
 * A packet of a recorded flow. A dead backend's flow moves to where a new one would go, and stays
 * there; so does another connection on the ports of one that has ended.
 */
FWD_INLINE __u16 choose_recorded(struct fwd_port *port, const struct fwd_service *service,
	const struct choose_flow *flow, const struct flow_found *found, __u16 owner, __u32 now_s,
	struct fwd_result *result)
{
	__u8 state = flow_meta_state(found->meta);
	__u16 backend = flow_meta_backend(found->meta);
	int again = choose_is_syn(flow) && (state == FLOW_TCP_FIN || state == FLOW_TCP_RESET);

	if (!again && flow_backend_lives(port, backend)) {
		result->how = FWD_HOW_FLOW;
		choose_update(port, flow, found, backend, choose_next_state(flow, state), now_s);
		if (service->persistence_s && !flow->only_asks && flow_state_is_unproven(state) &&
			!flow_state_is_unproven(choose_next_state(flow, state)))
			choose_prove_client(port, service, flow);
		return backend;
	}
	backend = choose_new(port, service, flow, owner, result);
	if (!backend)
		return 0;
	choose_update(port, flow, found, backend,
		again ? FLOW_TCP_SYN : choose_next_state(flow, state), now_s);
	if (!flow->only_asks)
		choose_note_sent(port, service, backend);
	result->recorded = again != 0;
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

/* For packets that may have, or need, a record. */
FWD_INLINE __u16 choose_tracked(struct fwd_port *port, const struct fwd_service *service,
	const struct choose_flow *flow, const struct choose_row *row, __u64 *bucket,
	const __u32 key_words, struct fwd_result *result)
{
	int records_all = flow->is_udp || (service->flags & FWD_SERVICE_RECORD_TCP);
	int opens = flow->is_udp || choose_is_syn(flow);
	__u16 backend = row->base;
	int records;
	struct flow_key key = { .service = service->id, .is_udp = flow->is_udp };
	struct flow_found found = { 0 };
	__u32 now_s = port_now_s(port);

	flow_key_make(&key, flow->client, flow->client_port, flow->vip_port, key_words > 1);
	if (bucket)
		found = flow_find(bucket, &key, key_words, service, now_s);
	if (found.meta_at)
		return choose_recorded(port, service, flow, &found, row->owner, now_s, result);
	if (opens)
		backend = bucket ? choose_new(port, service, flow, row->owner, result) : row->owner;
	records = records_all ||
		(opens && (backend != row->base || (service->flags & FWD_SERVICE_RECORD_SYN)));
	if (backend && !flow->only_asks && records) {
		if (choose_record(port, flow, bucket, &key, key_words, backend, now_s, result)) {
			choose_note_sent(port, service, backend);
		} else {
			/* Without a record TCP is found again at the base alone, UDP at the owner. */
			backend = flow->is_udp ? row->owner : row->base;
			result->how = FWD_HOW_HASH;
		}
	}
	if (row->moving && !flow->is_udp && backend == row->base)
		choose_seen(port, flow, row->slot, now_s);
	return backend;
}

FWD_CALL __u16 choose_by_family(struct fwd_port *port, const struct fwd_service *service,
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
