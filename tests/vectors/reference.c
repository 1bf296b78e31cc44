/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second opinion, see reference.h. Positions are bytes from the beginning of the frame. */
#include "tests/vectors/reference.h"

#include <assert.h>

#include "tests/vectors/reference_world.h"

/* An IP packet, or one that is quoted. */
struct packet {
	bool is_ip6;
	uint8_t source[16], destination[16];
	size_t at;    /* where IP begins */
	size_t end;   /* where it says that it ends */
	size_t l4_at; /* behind all headers of IP */
	unsigned int proto;
	bool is_first, is_later; /* of several fragments */
	uint32_t id;
	size_t offset_bytes;
};

struct judgement {
	struct reference *memory;
	const struct reference_frame *frame;
	struct reference_answer *answer;
	struct packet packet;
	unsigned int flags; /* of TCP; of SCTP what stands for them */
};

static unsigned int byte(const struct judgement *judgement, size_t at)
{
	assert(at < judgement->frame->readable_bytes);
	return judgement->frame->bytes[at];
}

static unsigned int two(const struct judgement *judgement, size_t at)
{
	return byte(judgement, at) * 256 + byte(judgement, at + 1);
}

static uint32_t four(const struct judgement *judgement, size_t at)
{
	return (uint32_t)two(judgement, at) * 65536 + two(judgement, at + 2);
}

static void copy(const struct judgement *judgement, size_t at, uint8_t *to, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		to[i] = (uint8_t)byte(judgement, at + i);
}

/* Whether so many bytes are there to be read before `end`. */
static bool there(const struct judgement *judgement, size_t at, size_t size_bytes, size_t end)
{
	return at + size_bytes <= end && at + size_bytes <= judgement->frame->readable_bytes;
}

static bool has_ports(unsigned int proto)
{
	return proto == TCP || proto == UDP || proto == SCTP;
}

static bool is_vip(const struct packet *packet)
{
	ARRAY_FOREACH (binding, bindings, ARRAY_LEN(bindings))
		if (binding->is_ip6 == packet->is_ip6 &&
			same(binding->vip, packet->destination, 16))
			return true;
	return false;
}

/* 0: none. The bindings of the world do not overlap. */
static unsigned int service_of(
	bool is_ip6, const uint8_t vip[16], unsigned int proto, unsigned int port)
{
	ARRAY_FOREACH (binding, bindings, ARRAY_LEN(bindings))
		if (binding->is_ip6 == is_ip6 && same(binding->vip, vip, 16) &&
			binding->proto == proto && port >= binding->first_port &&
			port <= binding->last_port)
			return binding->service;
	return 0;
}

static unsigned int echo_service_of(const struct packet *packet)
{
	ARRAY_FOREACH (binding, bindings, ARRAY_LEN(bindings))
		if (binding->is_ip6 == packet->is_ip6 &&
			same(binding->vip, packet->destination, 16))
			return binding->service;
	return 0;
}

/* The addresses at packet->at; false: not all of the fixed header is there. */
static bool read_addresses(const struct judgement *judgement, struct packet *packet, size_t end)
{
	memset(packet->source, 0, sizeof(packet->source));
	memset(packet->destination, 0, sizeof(packet->destination));
	if (!there(judgement, packet->at, packet->is_ip6 ? 40 : 20, end))
		return false;
	if (packet->is_ip6) {
		copy(judgement, packet->at + 8, packet->source, 16);
		copy(judgement, packet->at + 24, packet->destination, 16);
	} else {
		copy(judgement, packet->at + 12, packet->source, 4);
		copy(judgement, packet->at + 16, packet->destination, 4);
	}
	return true;
}

/* RFC 791 §3.1. A quoted packet ends where the quote does, whatever its length says. */
static unsigned int read_ip4(
	const struct judgement *judgement, struct packet *packet, size_t end, bool is_quote)
{
	size_t header_bytes = (size_t)(byte(judgement, packet->at) % 16) * 4;
	size_t total_bytes = two(judgement, packet->at + 2);
	unsigned int fragment = two(judgement, packet->at + 6);
	bool no_total = judgement->frame->gso && total_bytes == 0 && !is_quote;

	if (byte(judgement, packet->at) / 16 != 4 || header_bytes < 20)
		return FWD_REASON_BAD_IP;
	packet->end = end;
	if (!is_quote && !no_total) {
		if (total_bytes < header_bytes)
			return FWD_REASON_BAD_IP;
		if (packet->at + total_bytes > end)
			return FWD_REASON_TRUNCATED;
		packet->end = packet->at + total_bytes;
	}
	if (!there(judgement, packet->at, header_bytes, packet->end))
		return FWD_REASON_TRUNCATED;
	packet->proto = byte(judgement, packet->at + 9);
	packet->id = two(judgement, packet->at + 4);
	packet->offset_bytes = (size_t)(fragment % 0x2000) * 8;
	packet->is_later = packet->offset_bytes > 0;
	packet->is_first = !packet->is_later && (fragment & 0x2000);
	packet->l4_at = packet->at + header_bytes;
	return 0;
}

static bool is_extension(unsigned int proto)
{
	return proto == HOP || proto == ROUTING || proto == FRAGMENT || proto == AH ||
		proto == DESTINATION;
}

/* RFC 8200 §4.5; an atomic fragment is whole (RFC 6946). */
static void read_fragment_header(const struct judgement *judgement, struct packet *packet)
{
	unsigned int word = two(judgement, packet->l4_at + 2);

	packet->offset_bytes = (size_t)(word / 8) * 8;
	packet->is_later = packet->offset_bytes > 0;
	packet->is_first = !packet->is_later && word % 2;
	packet->id = four(judgement, packet->l4_at + 4);
}

/* RFC 8200 §4; AH counts words of four bytes (RFC 4302 §2.2). */
static unsigned int read_extension(
	const struct judgement *judgement, struct packet *packet, unsigned int position)
{
	unsigned int kind = packet->proto;
	size_t size_bytes = 8;

	if (kind == HOP && position > 0)
		return FWD_REASON_BAD_EXTENSION;
	if (!there(judgement, packet->l4_at, 8, packet->end))
		return FWD_REASON_TRUNCATED;
	if (kind == FRAGMENT && packet->is_first)
		return FWD_REASON_BAD_EXTENSION;
	if (kind == AH)
		size_bytes = (size_t)(byte(judgement, packet->l4_at + 1) + 2u) * 4;
	else if (kind != FRAGMENT)
		size_bytes = (size_t)(byte(judgement, packet->l4_at + 1) + 1u) * 8;
	if (packet->l4_at + size_bytes > packet->end)
		return FWD_REASON_BAD_EXTENSION;
	if (!there(judgement, packet->l4_at, size_bytes, packet->end))
		return FWD_REASON_TRUNCATED;
	if (kind == FRAGMENT)
		read_fragment_header(judgement, packet);
	packet->proto = byte(judgement, packet->l4_at);
	packet->l4_at += size_bytes;
	return 0;
}

static unsigned int read_ip6(
	const struct judgement *judgement, struct packet *packet, size_t end, bool is_quote)
{
	size_t payload_bytes = two(judgement, packet->at + 4);
	unsigned int position = 0, reason;

	if (byte(judgement, packet->at) / 16 != 6)
		return FWD_REASON_BAD_IP;
	packet->end = end;
	if (!is_quote && !(judgement->frame->gso && payload_bytes == 0)) {
		if (packet->at + 40 + payload_bytes > end)
			return FWD_REASON_TRUNCATED;
		packet->end = packet->at + 40 + payload_bytes;
	}
	packet->proto = byte(judgement, packet->at + 6);
	packet->l4_at = packet->at + 40;
	packet->is_first = packet->is_later = false;
	packet->offset_bytes = 0;
	while (is_extension(packet->proto) && !packet->is_later) {
		if (position == IP6_CHAIN_MAX)
			return FWD_REASON_BAD_EXTENSION;
		reason = read_extension(judgement, packet, position++);
		if (reason)
			return reason;
	}
	return 0;
}

static unsigned int read_ip(
	const struct judgement *judgement, struct packet *packet, size_t end, bool is_quote)
{
	return packet->is_ip6 ? read_ip6(judgement, packet, end, is_quote)
			      : read_ip4(judgement, packet, end, is_quote);
}

/* The hash of lb/fwd/hash.h, written a second time from its description: its upper half. */
static uint32_t hash_of(
	const uint64_t seed[2], bool is_ip6, const uint8_t address[16], uint64_t last_word)
{
	uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };
	uint64_t hash = seed[0], words[3] = { 0 };
	uint32_t halves[4];

	memcpy(mapped + 12, address, 4);
	memcpy(halves, is_ip6 ? address : mapped, sizeof(halves));
	words[0] = (uint64_t)halves[0] << 32 | halves[1];
	words[1] = (uint64_t)halves[2] << 32 | halves[3];
	words[2] = last_word;
	ARRAY_FOREACH (word, words, ARRAY_LEN(words)) {
		hash ^= *word;
		hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccd;
	}
	hash ^= seed[1];
	hash = (hash ^ hash >> 29) * 0xc4ceb9fe1a85ec53;
	hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccd;
	return (uint32_t)((hash ^ hash >> 32) >> 32);
}

static uint32_t row_of(const struct reference_flow *flow, bool with_port)
{
	static const uint64_t seed[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };
	uint8_t port_bytes[2] = { (uint8_t)(flow->client_port >> 8), (uint8_t)flow->client_port };
	uint16_t port;

	memcpy(&port, port_bytes, sizeof(port));
	return (uint32_t)((uint64_t)hash_of(
				  seed, flow->is_ip6, flow->client, with_port ? port : 0) *
			65537 >>
		32);
}

/* The bucket of a /24 or /56, one of 65536. */
static uint32_t syn_bucket_of(const struct reference_flow *flow)
{
	static const uint64_t seed[2] = { 0x1122334455667788, 0x8877665544332211 };
	uint8_t network[16] = { 0 };

	memcpy(network, flow->client, flow->is_ip6 ? 7 : 3);
	return hash_of(seed, flow->is_ip6, network, flow->service) / 65536;
}

static bool is_same_flow(const struct reference_flow *a, const struct reference_flow *b)
{
	return a->is_ip6 == b->is_ip6 && a->is_udp == b->is_udp && a->is_sctp == b->is_sctp &&
		a->service == b->service && same(a->client, b->client, 16) &&
		a->client_port == b->client_port && a->vip_port == b->vip_port;
}

/* Whether the flow is known; one that is and was not `begins` to be. */
static bool is_recorded(struct reference *memory, const struct reference_flow *flow, bool begins)
{
	ARRAY_FOREACH (known, memory->flows, memory->n_flows)
		if (is_same_flow(known, flow))
			return true;
	if (!begins)
		return false;
	assert(memory->n_flows < REFERENCE_FRAMES_MAX);
	memory->flows[memory->n_flows++] = *flow;
	return true;
}

/*
 * A row that moves: what begins a flow, so also a datagram of one that nobody has seen, goes to the new owner and
 * is recorded, what is recorded follows, all else goes where the row was. Errors leave no trace.
 */
static unsigned int backend_of_flow(struct judgement *judgement)
{
	struct reference_answer *answer = judgement->answer;
	bool opens = answer->service == MOVING &&
		(judgement->packet.proto == UDP ||
			((judgement->flags & 0x02) && !(judgement->flags & 0x14)));

	answer->records = is_recorded(judgement->memory, &answer->flow, opens);
	if (answer->service != MOVING)
		return answer->row % 3 + 1;
	/* Of TCP alone the beginning of a flow is known for certain; of fragments only the first would tell the name. */
	if (!answer->records && !answer->flow.is_udp && !answer->flow.is_sctp &&
		!judgement->packet.is_first)
		answer->alternative = OWNER_OF_MOVING;
	return answer->records ? OWNER_OF_MOVING : BASE_OF_MOVING;
}

static unsigned int backend_of(struct judgement *judgement)
{
	struct reference_answer *answer = judgement->answer;
	bool is_sessionless = answer->service == ANY || answer->service == ANY6;

	answer->has_row = true;
	answer->row = row_of(&answer->flow, answer->has_flow && !is_sessionless);
	if (answer->service == EMPTY)
		return 0;
	if (answer->has_flow && !is_sessionless)
		return backend_of_flow(judgement);
	return answer->service == MOVING ? OWNER_OF_MOVING : answer->row % 3 + 1;
}

/*
 * What opens a connection is metered: under CLOSED and CLOSED_SOURCE none is let through; METERED lets one
 * of a source through and two of all, time standing still. A source spends its own first.
 */
static unsigned int judge_rate(struct judgement *judgement)
{
	struct reference *memory = judgement->memory;
	unsigned int service = judgement->answer->service;
	uint32_t bucket;

	if (!(judgement->flags & 0x02) || (judgement->flags & 0x14))
		return 0;
	if (service == CLOSED || service == CLOSED_SOURCE)
		return service == CLOSED ? FWD_REASON_SYN_RATE : FWD_REASON_SYN_RATE_SOURCE;
	if (service != METERED)
		return 0;
	bucket = syn_bucket_of(&judgement->answer->flow);
	ARRAY_FOREACH (spent, memory->syn_buckets, memory->n_syn_buckets)
		if (*spent == bucket)
			return FWD_REASON_SYN_RATE_SOURCE;
	assert(memory->n_syn_buckets < REFERENCE_FRAMES_MAX);
	memory->syn_buckets[memory->n_syn_buckets++] = bucket;
	return memory->n_syns++ < 2 ? 0 : FWD_REASON_SYN_RATE;
}

/* Loops: our own MACs and another balancer's, and those of the three that serve. */
static bool is_loop(const struct judgement *judgement)
{
	static const uint8_t balancers[5] = { 2, 0, 0, 0, 0 }, backends[5] = { 2, 0, 0, 0, 1 };
	const uint8_t *source = judgement->frame->bytes + 6;

	if (source[5] < 1 || source[5] > 3)
		return false;
	return same(source, balancers, sizeof(balancers)) ||
		(same(source, backends, sizeof(backends)) && judgement->answer->service != EMPTY);
}

/*
 * What becomes of a first fragment becomes of those that follow, but for one whose own header is
 * at fault.
 */
static void remember_first(const struct judgement *judgement, unsigned int reason)
{
	struct reference *memory = judgement->memory;
	const struct packet *packet = &judgement->packet;
	size_t idx = memory->n_firsts;

	if (!packet->is_first || reason == FWD_REASON_FRAGMENT_TINY || reason == FWD_REASON_BAD_L4)
		return;
	memory->n_firsts++;
	assert(idx < REFERENCE_FRAMES_MAX);
	memory->firsts[idx].is_ip6 = packet->is_ip6;
	memcpy(memory->firsts[idx].source, packet->source, 16);
	memcpy(memory->firsts[idx].vip, packet->destination, 16);
	memory->firsts[idx].proto = (uint8_t)packet->proto;
	memory->firsts[idx].id = packet->id;
	memory->firsts[idx].service = judgement->answer->service;
	memory->firsts[idx].backend = judgement->answer->backend;
	memory->firsts[idx].reason = reason;
}

static unsigned int judge_size_and_loop(const struct judgement *judgement)
{
	const struct packet *packet = &judgement->packet;

	if (is_loop(judgement))
		return FWD_REASON_LOOP;
	if (!judgement->frame->gso && packet->end - packet->at > LINK_MTU_BYTES)
		return FWD_REASON_TOO_BIG;
	return 0;
}

/* What has a service: to its backend. */
static unsigned int judge_service(struct judgement *judgement, unsigned int service)
{
	struct reference_answer *answer = judgement->answer;
	unsigned int reason;

	answer->service = service;
	answer->flow.service = service;
	if (service == 0)
		return FWD_REASON_NO_SERVICE;
	if (!is_taken(&answer->flow))
		return FWD_REASON_CLIENT_DENIED;
	reason = judge_size_and_loop(judgement);
	if (reason)
		return reason;
	if ((judgement->packet.is_first || judgement->packet.is_later) && service == WHOLE)
		return FWD_REASON_FRAGMENT_DROPPED;
	reason = judge_rate(judgement);
	if (reason)
		return reason;
	answer->backend = backend_of(judgement);
	return answer->backend ? 0 : FWD_REASON_NO_BACKEND;
}

/* Whether the first fragment, unseen yet, could be for a service of this VIP. */
static bool may_be_served(const struct packet *packet)
{
	unsigned int icmp = packet->is_ip6 ? ICMP6 : ICMP4;

	if (!has_ports(packet->proto))
		return packet->proto == icmp || (packet->is_ip6 && is_extension(packet->proto));
	ARRAY_FOREACH (binding, bindings, ARRAY_LEN(bindings))
		if (binding->is_ip6 == packet->is_ip6 && binding->proto == packet->proto &&
			same(binding->vip, packet->destination, 16))
			return true;
	return false;
}

/* A later fragment goes where the newest first one of its datagram went (RFC 791 §2.3, RFC 8200 §4.5). */
static unsigned int judge_later(struct judgement *judgement)
{
	const struct packet *packet = &judgement->packet;
	struct reference *memory = judgement->memory;
	unsigned int reason;

	if (!may_be_served(packet))
		return FWD_REASON_NO_SERVICE;
	/* RFC 1858 §4.2 and RFC 3128: nothing may lie over the flags of TCP. */
	if ((packet->proto == TCP || packet->proto == SCTP) && packet->offset_bytes < 16)
		return FWD_REASON_FRAGMENT_TINY;
	for (size_t i = memory->n_firsts; i > 0; i--) {
		__auto_type first = &memory->firsts[i - 1];

		if (first->is_ip6 != packet->is_ip6 || !same(first->source, packet->source, 16) ||
			!same(first->vip, packet->destination, 16) || first->id != packet->id)
			continue;
		if (!packet->is_ip6 && first->proto != packet->proto)
			continue;
		judgement->answer->service = first->service;
		if (first->reason)
			return first->reason;
		reason = judge_size_and_loop(judgement);
		judgement->answer->backend = reason ? 0 : first->backend;
		return reason;
	}
	return FWD_REASON_FRAGMENT_EARLY;
}

/* The L4 header does not fit: the first fragment must hold it (RFC 1858 §3, RFC 7112 §5). */
static unsigned int too_short(const struct packet *packet)
{
	return packet->is_first ? FWD_REASON_FRAGMENT_TINY : FWD_REASON_TRUNCATED;
}

/* RFC 9260 §3.2: INIT begins an association, ABORT and SHUTDOWN COMPLETE end it. */
static unsigned int flags_of_chunk(unsigned int type)
{
	return type == 1 ? 0x02 : type == 6 ? 0x04 : type == 14 ? 0x01 : 0x10;
}

/* RFC 9293 §3.1, RFC 768, RFC 9260 §3.1. */
static unsigned int judge_ports(struct judgement *judgement)
{
	const struct packet *packet = &judgement->packet;
	struct reference_flow *flow = &judgement->answer->flow;
	size_t l4_bytes = packet->end - packet->l4_at;
	bool is_tcp = packet->proto == TCP, is_sctp = packet->proto == SCTP;

	if (!there(judgement, packet->l4_at, is_tcp ? 20 : is_sctp ? 16 : 8, packet->end))
		return too_short(packet);
	if (is_tcp) {
		size_t header_bytes = (size_t)(byte(judgement, packet->l4_at + 12) / 16) * 4;

		if (header_bytes < 20)
			return FWD_REASON_BAD_L4;
		if (header_bytes > l4_bytes)
			return packet->is_first ? FWD_REASON_FRAGMENT_TINY : FWD_REASON_BAD_L4;
		judgement->flags = byte(judgement, packet->l4_at + 13);
	} else if (is_sctp) {
		judgement->flags = flags_of_chunk(byte(judgement, packet->l4_at + 12));
	} else {
		size_t length_bytes = two(judgement, packet->l4_at + 4);

		if (length_bytes < 8 || (length_bytes > l4_bytes && !packet->is_first))
			return FWD_REASON_BAD_L4;
	}
	judgement->answer->has_flow = true;
	flow->is_udp = packet->proto == UDP;
	flow->is_sctp = is_sctp;
	flow->client_port = (uint16_t)two(judgement, packet->l4_at);
	flow->vip_port = (uint16_t)two(judgement, packet->l4_at + 2);
	return judge_service(judgement,
		service_of(packet->is_ip6, packet->destination, packet->proto, flow->vip_port));
}

/* An error is about a packet of the VIP to a client (RFC 792, RFC 4443 §3). */
static unsigned int judge_error(struct judgement *judgement)
{
	const struct packet *packet = &judgement->packet;
	struct reference_flow *flow = &judgement->answer->flow;
	struct packet quoted = { .is_ip6 = packet->is_ip6, .at = packet->l4_at + 8 };
	unsigned int service;

	if (!read_addresses(judgement, &quoted, packet->end) ||
		read_ip(judgement, &quoted, packet->end, true) || quoted.is_later)
		return FWD_REASON_NOT_FORWARDED_ICMP;
	if (!has_ports(quoted.proto) || !there(judgement, quoted.l4_at, 8, packet->end) ||
		!same(quoted.source, packet->destination, 16))
		return FWD_REASON_NOT_FORWARDED_ICMP;
	flow->vip_port = (uint16_t)two(judgement, quoted.l4_at);
	flow->client_port = (uint16_t)two(judgement, quoted.l4_at + 2);
	memcpy(flow->client, quoted.destination, 16);
	flow->is_udp = quoted.proto == UDP;
	flow->is_sctp = quoted.proto == SCTP;
	service = service_of(packet->is_ip6, packet->destination, quoted.proto, flow->vip_port);
	if (service == 0)
		return FWD_REASON_NOT_FORWARDED_ICMP;
	judgement->answer->has_flow = true;
	return judge_service(judgement, service);
}

static bool is_other(const struct packet *packet)
{
	return !has_ports(packet->proto) && packet->proto != (packet->is_ip6 ? ICMP6 : ICMP4) &&
		!(packet->is_later && packet->is_ip6 && is_extension(packet->proto));
}

/* Who has a VIP of any protocol; all others pass. */
static unsigned int other_service_of(const struct packet *packet)
{
	unsigned int service = echo_service_of(packet);

	return service == ANY || service == ANY6 ? service : 0;
}

static unsigned int judge_icmp(struct judgement *judgement)
{
	const struct packet *packet = &judgement->packet;
	unsigned int type, code;

	if (!there(judgement, packet->l4_at, 8, packet->end))
		return too_short(packet);
	type = byte(judgement, packet->l4_at);
	code = byte(judgement, packet->l4_at + 1);
	if (type == (packet->is_ip6 ? 128 : 8) && code == 0)
		return judge_service(judgement, echo_service_of(packet));
	if (packet->is_ip6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12)
		return judge_error(judgement);
	return FWD_REASON_NOT_FORWARDED_ICMP;
}

/* From the IP header on, which is there, to a VIP of ours. */
static unsigned int judge_packet(struct judgement *judgement)
{
	struct packet *packet = &judgement->packet;
	unsigned int reason;

	if (byte(judgement, 6) % 2)
		return FWD_REASON_MULTICAST_SOURCE;
	if (same(packet->source, packet->destination, 16))
		return FWD_REASON_LAND;
	reason = read_ip(judgement, packet, judgement->frame->length_bytes, false);
	if (reason)
		return reason;
	/* No datagram is longer than 65535 bytes (RFC 791 §3.1), so no fragment ends behind that. */
	if (!judgement->frame->gso && packet->offset_bytes + packet->end - packet->l4_at > 65535)
		return FWD_REASON_BAD_IP;
	judgement->answer->flow.is_ip6 = packet->is_ip6;
	memcpy(judgement->answer->flow.client, packet->source, 16);
	if (is_other(packet))
		reason = judge_service(judgement, other_service_of(packet));
	else if (packet->is_later)
		return judge_later(judgement);
	else if (has_ports(packet->proto))
		reason = judge_ports(judgement);
	else
		reason = judge_icmp(judgement);
	remember_first(judgement, reason);
	return reason;
}

static unsigned int judge_frame(struct judgement *judgement)
{
	size_t end = judgement->frame->length_bytes, type_at = 12;
	struct packet *packet = &judgement->packet;

	if (!there(judgement, 0, 14, end))
		return FWD_REASON_TRUNCATED;
	if (!same(judgement->frame->bytes, own_mac, sizeof(own_mac)))
		return FWD_REASON_NOT_OURS;
	while (type_at < 20 &&
		(two(judgement, type_at) == 0x8100 || two(judgement, type_at) == 0x88a8)) {
		type_at += 4;
		if (!there(judgement, type_at, 2, end))
			return FWD_REASON_TRUNCATED;
	}
	if (two(judgement, type_at) != 0x0800 && two(judgement, type_at) != 0x86dd)
		return FWD_REASON_NOT_IP;
	packet->is_ip6 = two(judgement, type_at) == 0x86dd;
	packet->at = type_at + 2;
	if (!read_addresses(judgement, packet, end))
		return FWD_REASON_TRUNCATED;
	return is_vip(packet) ? judge_packet(judgement) : FWD_REASON_NOT_VIP;
}

void reference_decide(struct reference *reference, const struct reference_frame *frame,
	struct reference_answer *ret_answer)
{
	struct judgement judgement = { .memory = reference, .frame = frame, .answer = ret_answer };

	*ret_answer = (struct reference_answer){ 0 };
	ret_answer->reason = judge_frame(&judgement);
}
