/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarding core: everything that is decided about a frame. Include after a definition of
 * all of port.h. Restricted C: bounded loops, no libc, no state of its own.
 *
 * The order of judgement: what is not for us or for a VIP is passed whatever else is wrong with
 * it; then senders that cannot be; then the headers, outside in; then the virtual server; then
 * loops, size and fragments; then the rate of SYNs; then the backend. Functions return a reason;
 * FWD_REASON_FORWARDED, which is 0, means "go on".
 */
#pragma once

#include "lb/fwd/choose.h"
#include "lb/fwd/hash.h"
#include "lb/fwd/parse.h"
#include "lb/fwd/port.h"
#include "lb/fwd/rate.h"
#include "lb/fwd/reason.h"

/* ICMP (RFC 792) and ICMPv6 (RFC 4443) types that the core knows. */
#define CORE_ICMP4_UNREACHABLE   3u
#define CORE_ICMP4_ECHO          8u
#define CORE_ICMP4_TIME_EXCEEDED 11u
#define CORE_ICMP4_PARAMETER     12u
#define CORE_ICMP6_UNREACHABLE   1u
#define CORE_ICMP6_PARAMETER     4u /* 2 is packet-too-big, 3 time exceeded */
#define CORE_ICMP6_ECHO          128u

struct core {
	struct fwd_port *port;
	struct wire_ethernet *ethernet;
	const struct fwd_vip *vip;
	const struct fwd_service *service;
	struct fwd_result *result;
	struct cursor cursor;
	struct packet packet;
};

FWD_INLINE int core_mac_equal(const __u8 *a, const __u8 *b)
{
	__u32 differs = 0;

	for (__u32 i = 0; i < FWD_MAC_BYTES; i++)
		differs |= a[i] ^ b[i];
	return differs == 0;
}

/*
 * An IPv4 VIP is looked up as ::ffff:a.b.c.d. That address in an IPv6 packet is not the VIP: it stands for
 * an IPv4 node inside a host and is nobody's on the wire (RFC 4291 §2.5.5.2, RFC 4942 §2.2).
 */
FWD_INLINE int core_is_mapped(const struct fwd_addr *address)
{
	return address->word[0] == 0 && address->word[1] == 0 &&
		address->word[2] == WIRE_32(0xffffu);
}

/* Ethernet to VIP: the cursor stands on the IP header, whose fixed part is there. */
FWD_INLINE enum fwd_reason core_receive(struct core *core)
{
	const struct wire_ethernet *ethernet = (const void *)core->cursor.at;
	enum fwd_reason reason;
	__u16 type = 0;

	if (!cursor_has(&core->cursor, sizeof(*ethernet)))
		return FWD_REASON_TRUNCATED;
	if (!core_mac_equal(ethernet->destination, port_settings(core->port)->own_mac))
		return FWD_REASON_NOT_OURS;
	core->ethernet = (void *)core->cursor.at;
	reason = parse_ethernet(&core->cursor, &type);
	if (reason)
		return reason;
	reason = parse_addresses(&core->cursor, type, &core->packet);
	if (reason)
		return reason;
	if (core->packet.is_ip6 && core_is_mapped(&core->packet.destination))
		return FWD_REASON_NOT_VIP;
	core->vip = port_vip(core->port, &core->packet.destination);
	return core->vip ? FWD_REASON_FORWARDED : FWD_REASON_NOT_VIP;
}

FWD_INLINE enum fwd_reason core_check_sender(const struct core *core)
{
	const struct packet *packet = &core->packet;
	__u32 differs = 0;

	if (core->ethernet->source[0] & 1)
		return FWD_REASON_MULTICAST_SOURCE;
	for (__u32 i = 0; i < 4; i++)
		differs |= packet->source.word[i] ^ packet->destination.word[i];
	return differs ? FWD_REASON_FORWARDED : FWD_REASON_LAND;
}

/* The service of a VIP's port: exact, else by range, else any. 0: none. */
FWD_INLINE __u16 core_service_id(const struct core *core, __u8 proto, __be16 port)
{
	struct fwd_service_key key = { .vip_id = core->vip->vip_id, .port = port, .proto = proto };
	__u16 id = port_service_id(core->port, &key);
	__u16 number = WIRE_16(port);

	if (id)
		return id;
	for (__u32 i = 0; i < FWD_RANGES_MAX && i < core->vip->n_ranges; i++) {
		const struct fwd_range *range = &core->vip->ranges[i];

		if (range->proto == proto && range->first_port <= number &&
			number <= range->last_port)
			return range->service;
	}
	return proto == FWD_PROTO_TCP ? core->vip->any_tcp : core->vip->any_udp;
}

FWD_INLINE enum fwd_reason core_set_service(struct core *core, __u16 id)
{
	core->service = id ? port_service(core->port, id) : 0;
	if (!core->service)
		return FWD_REASON_NO_SERVICE;
	core->result->service = id;
	return FWD_REASON_FORWARDED;
}

/* Loops, and packets that the link to the backends does not take. */
FWD_INLINE enum fwd_reason core_check_service(
	const struct core *core, const struct fwd_frame *frame)
{
	struct fwd_mac mac = port_mac(core->port, core->ethernet->source);

	if (mac.kind == FWD_MAC_BALANCER)
		return FWD_REASON_LOOP;
	if (mac.kind == FWD_MAC_BACKEND &&
		port_is_member(core->port, core->result->service, mac.backend))
		return FWD_REASON_LOOP;
	if (!frame->gso && core->packet.ip_bytes > port_settings(core->port)->mtu_bytes)
		return FWD_REASON_TOO_BIG;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE void core_fragment_key(const struct core *core, struct fwd_fragment_key *ret_key)
{
	const struct packet *packet = &core->packet;

	ret_key->source = packet->source;
	ret_key->vip = packet->destination;
	ret_key->id = packet->fragment_id;
	ret_key->proto = packet->is_ip6 ? 0 : packet->proto;
}

/*
 * What became of a first fragment is what will become of those that follow it, unless its own
 * header was at fault: such a one says nothing of the datagram, and anybody could have made it.
 */
FWD_INLINE void core_note_first(const struct core *core, enum fwd_reason reason)
{
	struct fwd_fragment fragment = {
		.service = core->result->service,
		.backend = core->result->backend,
		.seen_s = port_now_s(core->port),
		.reason = reason,
	};
	struct fwd_fragment_key key = { 0 };

	if (core->packet.fragment != PACKET_FIRST || port_only_looks(core->port))
		return;
	if (reason == FWD_REASON_FRAGMENT_TINY || reason == FWD_REASON_BAD_L4)
		return;
	core_fragment_key(core, &key);
	port_fragment_put(core->port, &key, &fragment);
}

FWD_INLINE int core_proto_is_served(const struct packet *packet)
{
	if (packet->is_ip6 && parse_is_extension(packet->proto))
		return 1; /* a later fragment begins in the middle of the chain */
	return packet->proto == FWD_PROTO_TCP || packet->proto == FWD_PROTO_UDP ||
		packet->proto == (packet->is_ip6 ? FWD_PROTO_ICMPV6 : FWD_PROTO_ICMP);
}

/* Whether any first fragment of this protocol could concern a service of the VIP. */
FWD_INLINE int core_vip_may_serve(const struct core *core)
{
	if (!core_proto_is_served(&core->packet))
		return 0;
	if (core->packet.proto == FWD_PROTO_TCP)
		return (core->vip->protos & FWD_VIP_TCP) != 0;
	if (core->packet.proto == FWD_PROTO_UDP)
		return (core->vip->protos & FWD_VIP_UDP) != 0;
	return 1;
}

/* Another CPU's clock may be a moment ahead: a record from the future is new. */
FWD_INLINE int core_fragment_is_old(const struct core *core, const struct fwd_fragment *fragment)
{
	__s32 age_s = (__s32)(port_now_s(core->port) - fragment->seen_s);

	return age_s > (__s32)FWD_FRAGMENT_TIMEOUT_S;
}

/* A fragment that is not the first goes where the first went. */
FWD_INLINE enum fwd_reason core_decide_later(
	struct core *core, const struct fwd_frame *frame, __u16 *ret_backend)
{
	struct fwd_fragment fragment = { 0 };
	struct fwd_fragment_key key = { 0 };
	enum fwd_reason reason;

	if (!core_vip_may_serve(core))
		return FWD_REASON_NO_SERVICE;
	/* It would write over the flags of the first (RFC 1858 §4.2, RFC 3128). */
	if (core->packet.proto == FWD_PROTO_TCP && core->packet.fragment_offset_bytes < 16)
		return FWD_REASON_FRAGMENT_TINY;
	core_fragment_key(core, &key);
	if (!port_fragment_get(core->port, &key, &fragment) ||
		core_fragment_is_old(core, &fragment))
		return FWD_REASON_FRAGMENT_EARLY;
	if (fragment.reason) {
		core->result->service = fragment.service;
		return fragment.reason;
	}
	if (core_set_service(core, fragment.service))
		return FWD_REASON_FRAGMENT_EARLY;
	if (core->service->flags & FWD_SERVICE_DROP_FRAGMENTS)
		return FWD_REASON_FRAGMENT_DROPPED;
	reason = core_check_service(core, frame);
	if (reason)
		return reason;
	if (!flow_backend_lives(core->port, fragment.backend))
		return FWD_REASON_FRAGMENT_EARLY;
	core->result->how = FWD_HOW_FLOW;
	*ret_backend = fragment.backend;
	return FWD_REASON_FORWARDED;
}

/* Between the service and its backend: fragments that it does not want, loops, size. */
FWD_INLINE enum fwd_reason core_admit(
	struct core *core, __u16 service_id, const struct fwd_frame *frame)
{
	enum fwd_reason reason = core_set_service(core, service_id);

	if (reason)
		return reason;
	reason = core_check_service(core, frame);
	if (reason)
		return reason;
	if (core->packet.fragment == PACKET_FIRST &&
		(core->service->flags & FWD_SERVICE_DROP_FRAGMENTS))
		return FWD_REASON_FRAGMENT_DROPPED;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE int core_icmp_is_echo(const struct packet *packet, const struct wire_icmp *icmp)
{
	return icmp->type == (packet->is_ip6 ? CORE_ICMP6_ECHO : CORE_ICMP4_ECHO) &&
		icmp->code == 0;
}

FWD_INLINE int core_icmp_is_error(const struct packet *packet, const struct wire_icmp *icmp)
{
	if (packet->is_ip6)
		return icmp->type >= CORE_ICMP6_UNREACHABLE && icmp->type <= CORE_ICMP6_PARAMETER;
	return icmp->type == CORE_ICMP4_UNREACHABLE || icmp->type == CORE_ICMP4_TIME_EXCEEDED ||
		icmp->type == CORE_ICMP4_PARAMETER;
}

/*
 * Takes the flow that an ICMP error quotes, seen from the client: the error concerns a packet
 * that a backend sent, so the quoted source is the VIP and the quoted destination the client.
 */
FWD_INLINE int core_take_quote(struct core *core, struct packet *quoted)
{
	__u32 differs = 0;

	if (!parse_quote(&core->cursor, core->packet.is_ip6, quoted))
		return 0;
	for (__u32 i = 0; i < 4; i++)
		differs |= quoted->source.word[i] ^ core->packet.destination.word[i];
	return differs == 0;
}

FWD_INLINE enum fwd_reason core_decide_icmp(struct core *core, const struct fwd_frame *frame,
	struct choose_flow *ret_flow, struct packet *quoted)
{
	const struct wire_icmp *icmp = (const void *)core->cursor.at;
	__u16 id;

	if (!cursor_has(&core->cursor, sizeof(*icmp)))
		return parse_short(&core->packet);
	if (core_icmp_is_echo(&core->packet, icmp))
		return core->vip->echo ? core_admit(core, core->vip->echo, frame)
				       : FWD_REASON_NOT_FORWARDED_ICMP;
	if (!core_icmp_is_error(&core->packet, icmp))
		return FWD_REASON_NOT_FORWARDED_ICMP;
	cursor_advance(&core->cursor, sizeof(*icmp));
	if (!core_take_quote(core, quoted))
		return FWD_REASON_NOT_FORWARDED_ICMP;
	id = core_service_id(core, quoted->proto, quoted->source_port);
	if (!id)
		return FWD_REASON_NOT_FORWARDED_ICMP;
	ret_flow->client = &quoted->destination;
	ret_flow->client_port = quoted->destination_port;
	ret_flow->vip_port = quoted->source_port;
	ret_flow->is_udp = quoted->proto == FWD_PROTO_UDP;
	ret_flow->only_asks = 1;
	return core_admit(core, id, frame);
}

FWD_INLINE enum fwd_reason core_decide_ports(
	struct core *core, const struct fwd_frame *frame, struct choose_flow *ret_flow)
{
	struct packet *packet = &core->packet;
	enum fwd_reason reason;

	reason = packet->proto == FWD_PROTO_TCP ? parse_tcp(&core->cursor, packet)
						: parse_udp(&core->cursor, packet);
	if (reason)
		return reason;
	ret_flow->client = &packet->source;
	ret_flow->client_port = packet->source_port;
	ret_flow->vip_port = packet->destination_port;
	ret_flow->is_udp = packet->proto == FWD_PROTO_UDP;
	ret_flow->tcp_flags = packet->tcp_flags;
	return core_admit(
		core, core_service_id(core, packet->proto, packet->destination_port), frame);
}

/* From the IP header to the backend. */
FWD_INLINE enum fwd_reason core_decide(
	struct core *core, const struct fwd_frame *frame, __u16 *ret_backend)
{
	struct packet *packet = &core->packet;
	struct choose_flow flow = { .is_ip6 = packet->is_ip6 };
	struct packet quoted = { 0 };
	enum fwd_reason reason;

	if (packet->fragment == PACKET_LATER)
		return core_decide_later(core, frame, ret_backend);
	if (packet->proto == FWD_PROTO_TCP || packet->proto == FWD_PROTO_UDP)
		reason = core_decide_ports(core, frame, &flow);
	else if (core_proto_is_served(packet))
		reason = core_decide_icmp(core, frame, &flow, &quoted);
	else
		reason = FWD_REASON_NO_SERVICE;
	if (!reason && flow.client && choose_is_syn(&flow))
		reason = rate_judge_syn(core->port, core->service, flow.client, flow.is_ip6);
	if (reason)
		return reason;
	*ret_backend = flow.client
		? choose_backend(core->port, core->service, &flow, core->result)
		: choose_by_source(core->port, core->service, &packet->source, core->result);
	core->result->syn = flow.client && choose_is_syn(&flow);
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason core_rewrite(struct core *core, __u16 id)
{
	const struct fwd_settings *settings = port_settings(core->port);
	const struct fwd_backend *backend = id ? port_backend(core->port, id) : 0;

	if (!backend)
		return FWD_REASON_NO_BACKEND;
	for (__u32 i = 0; i < FWD_MAC_BYTES; i++) {
		core->ethernet->destination[i] = backend->mac[i];
		core->ethernet->source[i] = settings->out_mac[i];
	}
	core->result->backend = id;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason core_judge(struct core *core, const struct fwd_frame *frame)
{
	enum fwd_reason reason;
	__u16 backend = 0;

	reason = core_receive(core);
	if (reason)
		return reason;
	reason = core_check_sender(core);
	if (reason)
		return reason;
	reason = parse_ip(&core->cursor, &core->packet, frame->gso);
	if (reason)
		return reason;
	reason = core_decide(core, frame, &backend);
	if (!reason)
		reason = core_rewrite(core, backend);
	core_note_first(core, reason);
	return reason;
}

/*
 * Decides one Ethernet frame and, when it is to be forwarded, rewrites its two MAC addresses in
 * place (nothing else is ever written). `data` … `data_end` is the readable frame, which may be
 * shorter than frame->length_bytes. Fills `*result` completely.
 */
FWD_INLINE void fwd_run(struct fwd_port *port, void *data, void *data_end,
	const struct fwd_frame *frame, struct fwd_result *result)
{
	struct core core = {
		.port = port,
		.result = result,
		.cursor = {
			.at = data,
			.data_end = data_end,
			.remaining_bytes = frame->length_bytes,
		},
	};
	enum fwd_reason reason;

	*result = (struct fwd_result){ 0 };
	reason = core_judge(&core, frame);
	result->reason = reason;
	result->verdict = FWD_REASON_VERDICTS >> (2 * reason) & 3;
	if (reason)
		result->how = FWD_HOW_NONE;
}
