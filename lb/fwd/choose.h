/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which backend a packet goes to: the row of its client, and just enough tracking.
 *
 * A settled row remembers flows by itself: its owner has not changed since any living flow began,
 * so nothing is looked up and nothing recorded. In a moving row a flow is where its record says,
 * else at the row's base. That holds because a flow which begins in a moving row is either
 * recorded or sent to the base, and because a row settles only when neither a packet for
 * its base nor a disagreeing record has been seen for the flows' timeout.
 *
 * That a flow begins is told by TCP's SYN, SCTP's INIT, and of UDP by the filter of flows seen (seen.h): each
 * datagram marks its flow there, unless the flow has a record. What is recorded where a row moves is not
 * marked: a flow whose record is lost before its second datagram is a new one again, and goes to the
 * same owner.
 */
#pragma once

#include "lb/fwd/flow_ops.h"
#include "lb/fwd/hash.h"
#include "lb/fwd/parse.h"
#include "lb/fwd/persist.h"
#include "lb/fwd/port.h"
#include "lb/fwd/seen.h"
#include "lb/fwd/wire.h"

FWD_INLINE int choose_is_syn(const struct packet_flow *flow)
{
	return flow->kind != FWD_UDP && !flow->only_asks &&
		(flow->tcp_flags & (WIRE_TCP_SYN | WIRE_TCP_ACK | WIRE_TCP_RST)) == WIRE_TCP_SYN;
}

/*
 * The state after one more packet of the client. Resets are not authenticated, so a later segment
 * takes one back; a FIN stays, because the client of a half-closed connection goes on to
 * acknowledge what it receives.
 */
FWD_INLINE __u8 choose_next_state(const struct packet_flow *flow, __u8 state)
{
	__u8 sctp = flow->kind == FWD_SCTP ? FLOW_SCTP : 0;

	if (flow->kind == FWD_UDP)
		return FLOW_UDP_ESTABLISHED;
	if (flow->tcp_flags & WIRE_TCP_RST)
		return FLOW_TCP_RESET + sctp;
	if (flow->tcp_flags & WIRE_TCP_FIN)
		return FLOW_TCP_FIN + sctp;
	if ((flow->tcp_flags & WIRE_TCP_SYN) || state == FLOW_TCP_FIN + sctp)
		return state;
	return FLOW_TCP_ESTABLISHED + sctp;
}

/* Of a flow that a packet begins. */
FWD_INLINE __u8 choose_first_state(const struct packet_flow *flow)
{
	return flow->kind == FWD_UDP     ? FLOW_UDP_NEW
		: flow->kind == FWD_SCTP ? FLOW_SCTP_INIT
					 : FLOW_TCP_SYN;
}

FWD_INLINE void choose_update(struct fwd_port *port, const struct packet_flow *flow,
	const struct flow_key *key, const struct flow_found *found, __u16 backend, __u8 state,
	__u32 now_s)
{
	if (flow->only_asks || port_only_looks(port))
		return;
	flow_update(
		port, key, found, flow_meta(flow_meta_service(found->meta), backend, state, now_s));
}

/* The row as it was read once: another CPU may settle it meanwhile. */
struct choose_row {
	__u32 index;
	__u16 owner;
	__u16 base; /* of a moving row with a living base; else the owner */
	__u8 moving;
	__u8 proves; /* choose_known(): the flow is proven by this packet */
	__u8 again;  /* choose_known(): another connection on the ports of one that has ended */
	__u8 begins; /* choose_unrecorded(): the flow begins with this packet */
	__u64 hash;  /* hash_client() */
	struct flow_found found; /* choose_known(): the flow's record */
};

/* Members that lc compares for one new flow: all of them, where there are not more. */
#define CHOOSE_LEAST_MAX 32u

/* The number of this position; where the run leaves no trace, of the next. */
FWD_INLINE __u32 choose_take_position(struct fwd_port *port, __u32 *position)
{
	return port_only_looks(port) ? FWD_LOAD(position) : __sync_fetch_and_add(position, 1);
}

/*
 * lc: the least (flows + 1) / weight, where flows are those of the last report and those sent since, less those that
 * clients ended since. Because the latter count at once and on every CPU, nobody is flooded between two reports for
 * having looked idle in the last, nor starved for having looked busy. Comparing begins one member later each time, so that equal
 * ones take turns; of more than CHOOSE_LEAST_MAX members each flow sees a window that wanders
 * (d choices: Mitzenmacher, 2001).
 */
FWD_CALL int choose_least(struct fwd_port *port, const struct fwd_service *service, __u32 position)
{
	__u64 least = 0, least_weight = 0;
	__u16 backend = 0;

	if (FWD_NEVER(!port || !service))
		return 0;
	for (__u32 i = 0; i < CHOOSE_LEAST_MAX && i < service->order_len; i++) {
		__u16 candidate =
			port_order_backend(port, service, (position + i) % service->order_len);
		const struct fwd_load *load = port_load(port, service->id, candidate);
		__u64 flows, weight;
		__s64 open;

		if (!load)
			continue;
		open = (__s64)FWD_LOAD(&load->established) + (__s32)FWD_LOAD(&load->sent);
		/* An end that the report knew already counts twice until the next. */
		flows = open > 0 ? (__u64)open + 1 : 1;
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
 * The backend of a flow that begins, as the scheduler says. What only asks about a flow gets the
 * row's owner: it must not take a position, and a flow without a record went by its row.
 */
FWD_INLINE __u16 choose_scheduled(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, __u16 owner, struct fwd_result *result)
{
	__u32 *position = 0;
	__u16 backend;

	if (service->order_len && !flow->only_asks)
		position = port_position(port, service);
	if (!position)
		return owner;
	if (service->flags & FWD_SERVICE_LEAST_LOADED)
		backend = (__u16)choose_least(port, service, choose_take_position(port, position));
	else
		backend = port_order_backend(
			port, service, choose_take_position(port, position) % service->order_len);
	if (!backend)
		return owner;
	result->how = FWD_HOW_NONE;
	return backend;
}

/* What choose_client() is to do, but for a backend's id: a new connection of the client goes there; it
 * gives the backend that is written then. */
#define CHOOSE_CLIENT_FIND  0u         /* gives its backend; 0: it has none that takes it */
#define CHOOSE_CLIENT_PROVE (1u << 16) /* a flow of it is proven, so it is */

/* Persistence of the packet's client: see persist.h. */
FWD_CALL int choose_client(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, __u32 act)
{
	struct persist persist = { 0 };
	__u16 written;
	__u32 now_s;

	if (FWD_NEVER(!port || !service || !flow))
		return 0;
	now_s = port_now_s(port);
	persist_find(port, service, &flow->client, flow->is_ip6, now_s, &persist);
	if (act == CHOOSE_CLIENT_PROVE) {
		persist_prove(port, &persist);
		return 0;
	}
	written = persist_backend(port, &persist);
	/* Another CPU met the client meanwhile: what it wrote holds. */
	if (act == CHOOSE_CLIENT_FIND || (written && written != act))
		return written;
	persist_note(port, &persist, (__u16)act, now_s);
	persist.found = (struct flow_found){ 0 };
	(void)flow_find(port, &persist.key, service, now_s, &persist.found);
	return persist_backend(port, &persist);
}

/* The backend of a flow that begins: the client's own, under persistence, else the scheduler's. */
FWD_INLINE __u16 choose_new(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, __u16 owner, struct fwd_result *result)
{
	const struct fwd_settings *settings = port_settings(port);
	__u16 backend = 0;

	/* What cannot be recorded must be found again by its hash. */
	if (!(flow->is_ip6 ? settings->flow6_buckets : settings->flow4_buckets))
		return owner;
	if (!service->persistence_s || flow->only_asks)
		return choose_scheduled(port, service, flow, owner, result);
	backend = (__u16)choose_client(port, service, flow, CHOOSE_CLIENT_FIND);
	if (backend)
		result->how = FWD_HOW_PERSISTENCE;
	else
		backend = choose_scheduled(port, service, flow, owner, result);
	for (__u32 i = 0; backend && i < PERSIST_TRIES; i++) {
		__u16 written = (__u16)choose_client(port, service, flow, backend);

		if (written || port_only_looks(port))
			return written ? written : backend;
	}
	return backend;
}

/* A flow was given to the backend, or (-1) ended there: lc counts it until the next report does. */
FWD_INLINE void choose_note_flow(
	struct fwd_port *port, const struct fwd_service *service, __u16 backend, __s32 more)
{
	struct fwd_load *load;

	if (!(service->flags & FWD_SERVICE_LEAST_LOADED) || port_only_looks(port))
		return;
	load = port_load(port, service->id, backend);
	if (load)
		(void)__sync_fetch_and_add(&load->sent, more);
}

FWD_INLINE int choose_has_ended(__u8 state)
{
	state = flow_state_plain(state);
	return state == FLOW_TCP_FIN || state == FLOW_TCP_RESET;
}

FWD_INLINE void choose_key(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, struct flow_key *ret_key)
{
	ret_key->service = service->id;
	ret_key->kind = flow->kind;
	flow_key_make(
		port, ret_key, &flow->client, flow->client_port, flow->vip_port, flow->is_ip6);
}

/*
 * Whether another connection on the ports of one that has ended stays where that was. It does while the
 * backend takes new ones: what said that the old one has ended is not authenticated, and two forged segments
 * must not move a connection that lives, of a client that persists elsewhere by now neither.
 */
FWD_INLINE int choose_stays(struct fwd_port *port, const struct fwd_service *service, __u16 backend)
{
	return flow_backend_takes_new(port, service->id, backend);
}

/*
 * Looks for the record of the packet's flow and, where its backend lives, brings it up to date and
 * gives the backend. 0: there is no record, or (row->found) its backend is dead, or its connection has
 * ended and this is the next one, which does not stay there.
 */
FWD_CALL int choose_known(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, struct choose_row *row, struct fwd_result *result)
{
	struct flow_key key = { 0 };
	__u16 backend;
	__u32 now_s;
	__u8 state, next;

	if (FWD_NEVER(!port || !service || !flow || !row || !result))
		return 0;
	now_s = port_now_s(port);
	choose_key(port, service, flow, &key);
	if (!flow_find(port, &key, service, now_s, &row->found))
		return 0;
	state = flow_meta_state(row->found.meta);
	backend = flow_meta_backend(row->found.meta);
	row->again = choose_is_syn(flow) && choose_has_ended(state);
	if (row->again ? !choose_stays(port, service, backend) : !flow_backend_lives(port, backend))
		return 0;
	next = row->again ? choose_first_state(flow) : choose_next_state(flow, state);
	result->how = FWD_HOW_FLOW;
	row->proves =
		!flow->only_asks && flow_state_is_unproven(state) && !flow_state_is_unproven(next);
	choose_update(port, flow, &key, &row->found, backend, next, now_s);
	if (row->again)
		choose_note_flow(port, service, backend, 1);
	else if (!flow->only_asks && choose_has_ended(next) != choose_has_ended(state))
		choose_note_flow(port, service, backend, choose_has_ended(next) ? -1 : 1);
	result->recorded = row->again;
	return backend;
}

/* A recorded flow goes on at another backend, and stays there. */
FWD_CALL int choose_move(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, const struct choose_row *row, __u32 backend)
{
	struct flow_key key = { 0 };
	__u8 state;

	if (FWD_NEVER(!port || !service || !flow || !row))
		return 0;
	choose_key(port, service, flow, &key);
	state = row->again ? choose_first_state(flow)
			   : choose_next_state(flow, flow_meta_state(row->found.meta));
	choose_update(port, flow, &key, &row->found, (__u16)backend, state, port_now_s(port));
	return 0;
}

/* A packet went to the base of a moving row: the base is still needed. */
FWD_INLINE void choose_seen(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, const struct choose_row *row)
{
	struct fwd_slot *slot;
	__u32 seen_s;

	if (flow->only_asks || port_only_looks(port))
		return;
	seen_s = port_now_s(port);
	seen_s += seen_s == 0; /* 0 means settled */
	slot = port_slot(port, service->table, row->index);
	if (slot && FWD_LOAD(&slot->seen_s) != seen_s)
		FWD_STORE(&slot->seen_s, seen_s);
}

/*
 * Who else may have the flow of a segment that has no record and goes to the base of a moving row: another balancer
 * may have sent its SYN to the owner. 0: nobody, or none that could be told by a SYN.
 */
FWD_INLINE __u16 choose_alternative(const struct packet_flow *flow, const struct choose_row *row)
{
	return flow->kind == FWD_TCP && !row->begins && row->owner != row->base ? row->owner : 0;
}

/* Records a flow at `backend`. Non-zero: done. */
FWD_CALL int choose_record(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, __u32 backend, struct fwd_result *result)
{
	enum flow_put_result put = FLOW_PUT_FULL;
	struct flow_key key = { 0 };
	__u32 now_s;
	__u8 state;

	if (FWD_NEVER(!port || !service || !flow || !result))
		return 0;
	state = choose_first_state(flow);
	now_s = port_now_s(port);
	choose_key(port, service, flow, &key);
	/* Anybody can send a datagram: where the base takes what is not recorded, it costs no other a record. */
	key.takes_void = flow->kind == FWD_UDP && !(service->flags & FWD_SERVICE_RECORD_ALL);
	put = flow_put(port, &key, flow_meta(key.service, (__u16)backend, state, now_s), now_s);
	result->recorded = put != FLOW_PUT_FULL;
	result->evicted = put == FLOW_PUT_EVICTED;
	result->unrecorded = put == FLOW_PUT_FULL;
	return put != FLOW_PUT_FULL;
}

/* Whether a flow without a record is to have one, now that it goes to `backend`. */
FWD_INLINE int choose_wants_record(const struct fwd_service *service,
	const struct packet_flow *flow, const struct choose_row *row, __u16 backend)
{
	if (!backend || flow->only_asks)
		return 0;
	if (service->flags & FWD_SERVICE_RECORD_ALL)
		return 1;
	return row->begins && (backend != row->base || (service->flags & FWD_SERVICE_RECORD_NEW));
}

FWD_INLINE struct seen_place choose_seen_place(const struct fwd_settings *settings,
	const struct packet_flow *flow, __u64 hash, __u16 service)
{
	return seen_place_of(settings, hash, service, flow->client_port, flow->vip_port);
}

/* Of a flow without a record: whether it begins with this packet. */
FWD_CALL int choose_begins(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, const struct choose_row *row)
{
	struct seen_place place;

	if (FWD_NEVER(!port || !service || !flow || !row))
		return 0;
	if (flow->kind != FWD_UDP || (service->flags & FWD_SERVICE_RECORD_ALL))
		return flow->kind == FWD_UDP || choose_is_syn(flow);
	place = choose_seen_place(port_settings(port), flow, row->hash, service->id);
	return !flow->only_asks && !seen_before(port, &place);
}

/* A datagram goes by its row: the flow is an old one from now on. */
FWD_INLINE void choose_mark(
	struct fwd_port *port, const struct packet_flow *flow, __u64 hash, __u16 service)
{
	struct seen_place place;

	if (flow->only_asks || port_only_looks(port) || !port_settings(port)->seen_words)
		return;
	place = choose_seen_place(port_settings(port), flow, hash, service);
	seen_mark(port, &place);
}

/* The same, from where ways are many. */
FWD_CALL int choose_mark_at(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, const struct choose_row *row)
{
	if (FWD_NEVER(!port || !service || !flow || !row))
		return 0;
	choose_mark(port, flow, row->hash, service->id);
	return 0;
}

/* The backend that the flow's record names; 0: none, and row->found says whether there is a record. */
FWD_INLINE __u16 choose_recorded(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, struct choose_row *row, struct fwd_result *result)
{
	__u16 backend = (__u16)choose_known(port, service, flow, row, result);

	/* Another connection starts the client's time again, where the client is at this backend. */
	if (backend && service->persistence_s && (row->again || row->proves))
		(void)choose_client(
			port, service, flow, row->again ? backend : CHOOSE_CLIENT_PROVE);
	return backend;
}

/*
 * For packets that may need a record, or whose record does not hold. A dead backend's flow moves to where
 * a new one would go; so does another connection on the ports of one that has ended.
 */
FWD_INLINE __u16 choose_unrecorded(struct fwd_port *port, const struct fwd_service *service,
	const struct packet_flow *flow, struct choose_row *row, struct fwd_result *result)
{
	int by_owner = flow->kind == FWD_UDP && (service->flags & FWD_SERVICE_RECORD_ALL);
	__u16 backend = row->base;

	row->begins = row->found.at == 0 && choose_begins(port, service, flow, row);
	if (row->found.at || row->begins)
		backend = choose_new(port, service, flow, row->owner, result);
	if (row->found.at) {
		if (!backend)
			return 0;
		(void)choose_move(port, service, flow, row, backend);
		if (!flow->only_asks)
			choose_note_flow(port, service, backend, 1);
		result->recorded = row->again;
		return backend;
	}
	if (choose_wants_record(service, flow, row, backend)) {
		if (choose_record(port, service, flow, backend, result)) {
			choose_note_flow(port, service, backend, 1);
		} else {
			/* Without a record UDP of who records all is found again at the owner, all else at the base. */
			backend = by_owner ? row->owner : row->base;
			result->how = FWD_HOW_HASH;
		}
	}
	if (by_owner)
		return backend;
	if (row->moving && backend == row->base) {
		choose_seen(port, service, flow, row);
		result->alternative = choose_alternative(flow, row);
	}
	if (backend && flow->kind == FWD_UDP && !result->recorded)
		(void)choose_mark_at(port, service, flow, row);
	return backend;
}

/* Reads the row of a client in a service's table. 0: there is no such table. */
FWD_INLINE int choose_row(struct fwd_port *port, __u16 flags, __u32 table,
	const struct fwd_addr *client, __be16 client_port, struct choose_row *ret_row,
	struct fwd_result *result)
{
	__be16 port_counts = flags & FWD_SERVICE_HASH_SOURCE ? 0 : client_port;
	__u64 hash = hash_client(port_settings(port), client, port_counts);
	__u32 index = hash_reduce(hash, FWD_ROWS);
	const struct fwd_slot *slot;

	ret_row->hash = hash;
	ret_row->index = index;
	ret_row->owner = port_settled(port, table, index);
	ret_row->base = ret_row->owner;
	result->slot = index;
	if (ret_row->owner)
		return 1;
	slot = port_slot(port, table, index);
	if (!slot)
		return 0;
	ret_row->moving = FWD_LOAD(&slot->seen_s) != 0;
	ret_row->owner = FWD_LOAD(&slot->owner);
	ret_row->base = ret_row->moving ? FWD_LOAD(&slot->base) : ret_row->owner;
	result->moving = ret_row->moving;
	return 1;
}

/* Whether every flow has a record, by which it is found. */
FWD_INLINE int choose_records_all(__u16 flags)
{
	return !(flags & FWD_SERVICE_SESSIONLESS) && (flags & FWD_SERVICE_RECORD_ALL);
}

/*
 * The backend of a packet that is no fragment; 0: there is none. Fills how, slot (where the row was
 * read) and what was recorded. `flags` and `table` are the service's, which is not read where they suffice.
 */
FWD_INLINE __u16 choose_backend(struct fwd_port *port, const struct fwd_service *service,
	__u16 flags, __u32 table, const struct packet_flow *flow, struct fwd_result *result)
{
	int records_all = choose_records_all(flags);
	/* Who only looks is told the row, too. */
	int record_first = records_all && !port_only_looks(port);
	struct choose_row row = { 0 };
	__u16 backend = 0;

	result->how = FWD_HOW_HASH;
	if (record_first)
		backend = choose_recorded(port, service, flow, &row, result);
	if (backend)
		return backend;
	if (!choose_row(port, flags, table, &flow->client, flow->client_port, &row, result))
		return 0;
	if (flags & FWD_SERVICE_SESSIONLESS)
		return row.owner;
	if (!records_all && !row.moving) {
		if (flow->kind == FWD_UDP)
			choose_mark(port, flow, row.hash, result->service);
		return row.owner;
	}
	if (!record_first)
		backend = choose_recorded(port, service, flow, &row, result);
	if (backend)
		return backend;
	if (row.moving && !flow_backend_lives(port, row.base))
		row.base = row.owner;
	return choose_unrecorded(port, service, flow, &row, result);
}

/* Echo requests and protocols without ports or flow: the owner of the source address's row. */
FWD_INLINE __u16 choose_by_source(struct fwd_port *port, __u16 flags, __u32 table,
	const struct fwd_addr *client, struct fwd_result *result)
{
	struct choose_row row = { 0 };

	result->how = FWD_HOW_HASH;
	return choose_row(port, flags, table, client, 0, &row, result) ? row.owner : 0;
}
