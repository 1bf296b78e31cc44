/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarding core: everything that is decided about a frame. Include after a definition of
 * all of port.h. Restricted C: bounded loops, no libc, no state of its own.
 *
 * The frame is read first (parse.h). The order of judgement: what is not for us or for a VIP is
 * passed whatever else is wrong with it; then senders that cannot be; then the headers, outside in;
 * then the virtual server and whether it takes the client; then loops, size and fragments; then the rate of SYNs; then the backend.
 * Functions return a reason; FWD_REASON_FORWARDED, which is 0, means "go on".
 */
#pragma once

#include "lb/fwd/choose.h"
#include "lb/fwd/clients.h"
#include "lb/fwd/hash.h"
#include "lb/fwd/parse.h"
#include "lb/fwd/port.h"
#include "lb/fwd/rate.h"
#include "lb/fwd/reason.h"

struct core {
	struct fwd_port *port;
	const struct fwd_vip *vip;         /* NULL behind a binding */
	const struct fwd_service *service; /* its flags and table are those below */
	__u32 table;
	__u16 flags;
	struct fwd_result *result;
	struct packet packet;
};

/*
 * An IPv4 VIP is looked up as ::ffff:a.b.c.d. That address in an IPv6 packet is not the VIP: it stands for
 * an IPv4 node inside a host and is nobody's on the wire (RFC 4291 §2.5.5.2, RFC 4942 §2.2).
 */
FWD_INLINE int core_is_mapped(const struct fwd_addr *address)
{
	return address->word[0] == 0 && address->word[1] == 0 &&
		address->word[2] == WIRE_32(0xffffu);
}

FWD_INLINE void core_enter(struct core *core, const struct fwd_binding *binding)
{
	core->service = port_service_of(core->port, binding);
	core->table = binding->table;
	core->flags = binding->flags;
	core->result->service = binding->service;
}

/* The binding of a whole TCP or UDP packet, with which nothing is wrong so far; NULL: another way is needed. */
FWD_INLINE const struct fwd_binding *core_find_binding(const struct core *core)
{
	const struct packet *packet = &core->packet;

	if (packet->fault || packet->ip.fragment != PACKET_WHOLE)
		return 0;
	if (packet->ip.proto != FWD_PROTO_TCP && packet->ip.proto != FWD_PROTO_UDP)
		return 0;
	return port_binding(
		core->port, &packet->destination, packet->ip.proto, packet->flow.vip_port);
}

/* Whether the packet concerns a VIP, and comes from whom it may. */
FWD_INLINE enum fwd_reason core_receive(struct core *core, const struct wire_ethernet *ethernet)
{
	const struct packet *packet = &core->packet;
	const struct fwd_binding *binding;

	if (packet->flow.is_ip6 && core_is_mapped(&packet->destination))
		return FWD_REASON_NOT_VIP;
	binding = core_find_binding(core);
	if (binding)
		core_enter(core, binding);
	else
		core->vip = port_vip(core->port, &packet->destination);
	if (!binding && !core->vip)
		return FWD_REASON_NOT_VIP;
	if (ethernet->source[0] & 1)
		return FWD_REASON_MULTICAST_SOURCE;
	if (packet->is_land)
		return FWD_REASON_LAND;
	return (enum fwd_reason)packet->fault;
}

/* The id of the service of a VIP's port (host byte order) by range, else any; 0: none. */
FWD_CALL int core_service_at(
	struct fwd_port *port, const struct fwd_vip *vip, __u32 kind, __u32 number)
{
	__u16 first, id = 0;

	if (FWD_NEVER(!port || !vip))
		return 0;
	first = kind == FWD_TCP   ? vip->ranges_tcp
		: kind == FWD_UDP ? vip->ranges_udp
				  : vip->ranges_sctp;
	if (first)
		id = port_range(port, first, (__u16)number);
	if (id)
		return id;
	return kind == FWD_TCP ? vip->any_tcp : kind == FWD_UDP ? vip->any_udp : vip->any_sctp;
}

FWD_INLINE enum fwd_reason core_set_service(struct core *core, const struct fwd_service *service)
{
	core->service = service;
	if (!service)
		return FWD_REASON_NO_SERVICE;
	core->table = service->table;
	core->flags = service->flags;
	core->result->service = service->id;
	return FWD_REASON_FORWARDED;
}

/* enum fwd_reason: of a service with a list of clients. What is not known to be taken is not. */
FWD_CALL int core_judge_client(
	struct fwd_port *port, const struct fwd_service *service, const struct packet_flow *flow)
{
	const struct fwd_clients *clients;

	if (FWD_NEVER(!port || !service || !flow))
		return FWD_REASON_CLIENT_DENIED;
	clients = port_clients(port);
	if (!clients || !clients_take(clients, service->clients, &flow->client, flow->is_ip6))
		return FWD_REASON_CLIENT_DENIED;
	return FWD_REASON_FORWARDED;
}

/* Bytes that have to fit a link: of a super-frame, those of each segment. */
FWD_INLINE __u32 core_size_bytes(const struct core *core, __u32 gso)
{
	return gso ? core->packet.ip.header_bytes + gso : core->packet.ip.total_bytes;
}

/* Loops, and packets that no link to backends takes. */
FWD_INLINE enum fwd_reason core_check_service(
	const struct core *core, const struct wire_ethernet *ethernet, __u32 gso)
{
	struct fwd_mac mac = port_mac(core->port, ethernet->source);
	const struct fwd_settings *settings = port_settings(core->port);

	if (mac.kind == FWD_MAC_BALANCER)
		return FWD_REASON_LOOP;
	if (mac.kind == FWD_MAC_BACKEND &&
		port_is_member(core->port, core->result->service, mac.backend))
		return FWD_REASON_LOOP;
	if (!settings->mtus_differ && core_size_bytes(core, gso) > settings->mtu_bytes)
		return FWD_REASON_TOO_BIG;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE void core_fragment_key(const struct packet *packet, struct fwd_fragment_key *ret_key)
{
	ret_key->source = packet->source;
	ret_key->vip = packet->destination;
	ret_key->id = packet->ip.fragment_id;
	ret_key->proto = packet->flow.is_ip6 ? 0 : packet->ip.proto;
}

/*
 * What became of a first fragment is what will become of those that follow it, unless its own
 * header was at fault: such a one says nothing of the datagram, and anybody could have made it.
 */
FWD_CALL int core_note_first(struct fwd_port *port, const struct packet *packet,
	const struct fwd_result *result, __u32 reason)
{
	struct fwd_fragment_key key = { 0 };
	struct fwd_fragment fragment = { 0 };

	if (FWD_NEVER(!port || !packet || !result))
		return 0;
	if (port_only_looks(port) || reason == FWD_REASON_FRAGMENT_TINY ||
		reason == FWD_REASON_BAD_L4)
		return 0;
	fragment.service = result->service;
	fragment.backend = result->backend;
	fragment.seen_s = port_now_s(port);
	fragment.reason = reason;
	core_fragment_key(packet, &key);
	port_fragment_put(port, &key, &fragment);
	return 0;
}

/* Another CPU's clock may be a moment ahead: a record from the future is new. */
FWD_INLINE int core_fragment_is_old(struct fwd_port *port, const struct fwd_fragment *fragment)
{
	__s32 age_s = (__s32)(port_now_s(port) - fragment->seen_s);

	return age_s > (__s32)FWD_FRAGMENT_TIMEOUT_S;
}

/* What became of the first fragment of this one's datagram; 0: nobody knows. */
FWD_CALL int core_find_first(
	struct fwd_port *port, const struct packet *packet, struct fwd_fragment *ret_fragment)
{
	struct fwd_fragment_key key = { 0 };

	if (FWD_NEVER(!port || !packet || !ret_fragment))
		return 0;
	core_fragment_key(packet, &key);
	return port_fragment_get(port, &key, ret_fragment) &&
		!core_fragment_is_old(port, ret_fragment);
}

/* Whether any first fragment of this protocol could concern a service of the VIP. */
FWD_INLINE int core_vip_may_serve(const struct core *core)
{
	__u8 protos = core->vip->protos;

	switch (core->packet.ip.proto) {
	case FWD_PROTO_TCP:
		return (protos & FWD_VIP_TCP) != 0;
	case FWD_PROTO_UDP:
		return (protos & FWD_VIP_UDP) != 0;
	case FWD_PROTO_SCTP:
		return (protos & FWD_VIP_SCTP) != 0;
	default:
		return 1; /* ICMP, or begins in the middle of a chain of extension headers */
	}
}

/* A fragment that is not the first goes where the first went. */
FWD_INLINE enum fwd_reason core_decide_later(
	struct core *core, const struct wire_ethernet *ethernet, __u32 gso, __u16 *ret_backend)
{
	struct fwd_fragment fragment = { 0 };
	enum fwd_reason reason;

	if (!core_vip_may_serve(core))
		return FWD_REASON_NO_SERVICE;
	/* It would write over the flags of the first, or its chunk (RFC 1858 §4.2, RFC 3128). */
	if ((core->packet.ip.proto == FWD_PROTO_TCP || core->packet.ip.proto == FWD_PROTO_SCTP) &&
		core->packet.ip.fragment_offset_bytes < 16)
		return FWD_REASON_FRAGMENT_TINY;
	if (!core_find_first(core->port, &core->packet, &fragment))
		return FWD_REASON_FRAGMENT_EARLY;
	if (fragment.reason) {
		core->result->service = fragment.service;
		return (enum fwd_reason)fragment.reason;
	}
	if (core_set_service(core, port_service(core->port, fragment.service)))
		return FWD_REASON_FRAGMENT_EARLY;
	if (core->flags & FWD_SERVICE_DROP_FRAGMENTS)
		return FWD_REASON_FRAGMENT_DROPPED;
	reason = core_check_service(core, ethernet, gso);
	if (reason)
		return reason;
	if (!flow_backend_lives(core->port, fragment.backend))
		return FWD_REASON_FRAGMENT_EARLY;
	core->result->how = FWD_HOW_FLOW;
	*ret_backend = fragment.backend;
	return FWD_REASON_FORWARDED;
}

/* Between the service and its backend: loops, size, fragments that it does not want. */
FWD_INLINE enum fwd_reason core_admit(
	const struct core *core, const struct wire_ethernet *ethernet, __u32 gso)
{
	enum fwd_reason reason = core_check_service(core, ethernet, gso);

	if (reason)
		return reason;
	if (core->packet.ip.fragment != PACKET_WHOLE && (core->flags & FWD_SERVICE_DROP_FRAGMENTS))
		return FWD_REASON_FRAGMENT_DROPPED;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason core_set_service_of(struct core *core, __u16 id)
{
	return core_set_service(core, id ? port_service(core->port, id) : 0);
}

/* The service of a flow's port, of a packet that came by no binding. */
FWD_INLINE enum fwd_reason core_enter_by_vip(struct core *core, const struct packet_flow *flow)
{
	__u32 proto = flow->kind == FWD_TCP ? FWD_PROTO_TCP
		: flow->kind == FWD_UDP     ? FWD_PROTO_UDP
					    : FWD_PROTO_SCTP;
	const struct fwd_binding *binding =
		port_binding(core->port, &core->packet.destination, proto, flow->vip_port);

	if (!binding)
		return core_set_service_of(core,
			(__u16)core_service_at(
				core->port, core->vip, flow->kind, WIRE_16(flow->vip_port)));
	core_enter(core, binding);
	return FWD_REASON_FORWARDED;
}

/* The service of the packet's flow. Echo and protocols without ports have none: they go by their source. */
FWD_INLINE enum fwd_reason core_find_service(struct core *core)
{
	const struct packet *packet = &core->packet;
	enum fwd_reason reason = FWD_REASON_NO_SERVICE;

	if (packet->kind == PACKET_NO_PORTS)
		return core_set_service_of(
			core, core->vip->protos & FWD_VIP_OTHERS ? core->vip->any_tcp : 0);
	if (packet->kind == PACKET_ICMP_ECHO)
		reason = core_set_service_of(core, core->vip->echo);
	else if (packet->kind != PACKET_ICMP_OTHER)
		reason = core_enter_by_vip(core, &packet->flow);
	return reason && packet->kind != PACKET_PORTS ? FWD_REASON_NOT_FORWARDED_ICMP : reason;
}

/* Nothing more is asked where nothing is metered. */
FWD_INLINE enum fwd_reason core_meter_syn(const struct core *core, const struct packet_flow *flow)
{
	const struct fwd_service *service = core->service;

	if (!service->syn_rate.per_s && !service->syn_rate_source.per_s)
		return FWD_REASON_FORWARDED;
	return (enum fwd_reason)rate_judge_syn(core->port, service, &flow->client, flow->is_ip6);
}

/* Folds all bytes, so that neighbours in a subnet have numbers of their own. */
FWD_INLINE __u32 core_client_number(const struct fwd_addr *client)
{
	__u32 fold = client->word[0] ^ client->word[1] ^ client->word[2] ^ client->word[3];

	fold ^= fold >> 16;
	fold ^= fold >> 8;
	return (fold ^ (fold & 0xff) >> 6) & (FWD_CLIENTS - 1);
}

/* From the VIP to the backend. */
FWD_INLINE enum fwd_reason core_decide(
	struct core *core, const struct wire_ethernet *ethernet, __u32 gso, __u16 *ret_backend)
{
	const struct packet *packet = &core->packet;
	const struct packet_flow *flow = &packet->flow;
	enum fwd_reason reason = FWD_REASON_FORWARDED;

	if (core->vip) {
		if (packet->ip.fragment == PACKET_LATER && packet->kind == PACKET_PORTS)
			return core_decide_later(core, ethernet, gso, ret_backend);
		reason = core_find_service(core);
	}
	if (!reason && (core->flags & FWD_SERVICE_CLIENTS))
		reason = (enum fwd_reason)core_judge_client(core->port, core->service, flow);
	if (!reason)
		reason = core_admit(core, ethernet, gso);
	if (!reason && choose_is_syn(flow))
		reason = core_meter_syn(core, flow);
	if (reason)
		return reason;
	if (packet->kind == PACKET_ICMP_ECHO || packet->kind == PACKET_NO_PORTS) {
		*ret_backend = choose_by_source(
			core->port, core->flags, core->table, &flow->client, core->result);
		return FWD_REASON_FORWARDED;
	}
	*ret_backend = choose_backend(
		core->port, core->service, core->flags, core->table, flow, core->result);
	/* Of SCTP nobody reports what comes of it. */
	if (choose_is_syn(flow) && flow->kind == FWD_TCP)
		core->result->syn = (__u8)(FWD_SYN | core_client_number(&flow->client) << 1);
	return FWD_REASON_FORWARDED;
}

/*
 * Second chance (doc/adr/0015-second-chance.md): the source MAC names the alternative, as far as the backend's agent
 * knows what to do with it, and both are on one link. A fragment would go on without its datagram's others.
 */
FWD_INLINE void core_name_alternative(
	struct core *core, struct wire_ethernet *ethernet, const struct fwd_backend *backend)
{
	__u16 id = core->result->alternative;
	const struct fwd_backend *alternative = port_backend(core->port, id);
	fwd_half *source = (fwd_half *)(void *)ethernet->source;
	const fwd_half *prefix =
		(const fwd_half *)(const void *)port_settings(core->port)->named_mac;

	core->result->alternative = 0;
	if (!(backend->flags & FWD_BACKEND_PASSES_ON) || core->packet.ip.fragment != PACKET_WHOLE)
		return;
	if (!alternative || alternative->link != backend->link ||
		(~alternative->flags & (FWD_BACKEND_NAMED | FWD_BACKEND_FLOWS)))
		return;
	source[0] = prefix[0];
	source[1] = prefix[1];
	source[2] = WIRE_16(id);
	core->result->alternative = id;
}

/*
 * A frame that would go back to where it came from is a loop whoever is known to be there: one backend may say
 * that it is where clients' frames come from.
 */
FWD_INLINE enum fwd_reason core_rewrite(
	struct core *core, struct wire_ethernet *ethernet, __u32 gso, __u16 id)
{
	const struct fwd_settings *settings = port_settings(core->port);
	const struct fwd_backend *backend = id ? port_backend(core->port, id) : 0;

	if (!backend)
		return FWD_REASON_NO_BACKEND;
	if (fwd_mac_equal(ethernet->source, backend->mac))
		return FWD_REASON_LOOP;
	core->result->backend = id;
	if (settings->mtus_differ &&
		core_size_bytes(core, gso) > fwd_link(settings, backend->link)->mtu_bytes)
		return FWD_REASON_TOO_BIG;
	fwd_mac_copy(ethernet->destination, backend->mac);
	fwd_mac_copy(ethernet->source, fwd_link(settings, backend->link)->mac);
	if (core->result->alternative)
		core_name_alternative(core, ethernet, backend);
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason core_judge(struct core *core, struct wire_ethernet *ethernet, __u32 gso)
{
	enum fwd_reason reason;
	__u16 backend = 0;

	reason = core_receive(core, ethernet);
	if (reason)
		return reason;
	reason = core_decide(core, ethernet, gso, &backend);
	if (!reason)
		reason = core_rewrite(core, ethernet, gso, backend);
	if (core->packet.ip.fragment == PACKET_FIRST)
		(void)core_note_first(core->port, &core->packet, core->result, reason);
	return reason;
}

/*
 * Decides one Ethernet frame and, when it is to be forwarded, rewrites its two MAC addresses in
 * place (nothing else is ever written). `data` … `data_end` is what is readable of the frame in one
 * piece, and what `context` reads is the same frame. It may be shorter than frame->length_bytes.
 * Fills `*result` completely.
 */
FWD_INLINE void core_run(struct fwd_port *port, struct fwd_context *context, void *data,
	void *data_end, const struct fwd_frame *frame, struct fwd_result *result)
{
	struct core core = { .port = port, .result = result };
	struct wire_ethernet *ethernet = data;
	enum fwd_reason reason = FWD_REASON_TRUNCATED;

	*result = (struct fwd_result){ 0 };
	if ((void *)(ethernet + 1) <= data_end && frame->length_bytes >= sizeof(*ethernet)) {
		if (!fwd_mac_equal(ethernet->destination, port_settings(port)->own_mac)) {
			reason = FWD_REASON_NOT_OURS;
		} else {
			if (!parse_plain(ethernet, data_end, frame->length_bytes, &core.packet)) {
				core.packet = (struct packet){ 0 };
				(void)parse_any(context, frame->length_bytes, frame->gso,
					frame->n_tags, &core.packet);
			}
			reason = core.packet.unread ? (enum fwd_reason)core.packet.unread
						    : core_judge(&core, ethernet, frame->gso);
		}
	}
	result->reason = reason;
	result->verdict = FWD_REASON_VERDICTS >> (2 * reason) & 3;
	if (reason) {
		result->how = FWD_HOW_NONE;
		result->alternative = 0;
	}
}

#ifndef __bpf__
/* The same over memory. */
FWD_INLINE void fwd_run(struct fwd_port *port, void *data, void *data_end,
	const struct fwd_frame *frame, struct fwd_result *result)
{
	struct fwd_context context = { data, (__u32)((__u8 *)data_end - (__u8 *)data) };

	core_run(port, &context, data, data_end, frame, result);
}
#endif
