/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core, compiled in once more, on a frame of our own making. */
#include "lb/control/explain.h"

#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

static const char *const verdict_names[] = {
	[FWD_PASS] = "pass",
	[FWD_FORWARD] = "forward",
	[FWD_DROP] = "drop",
	[FWD_SLOW_PATH] = "exception",
};
_Static_assert(ARRAY_LEN(verdict_names) == FWD_VERDICT_N_, "a name for each verdict");

static const char *const how_names[] = {
	[FWD_HOW_NONE] = "none",
	[FWD_HOW_FLOW] = "flow",
	[FWD_HOW_HASH] = "hash",
	[FWD_HOW_PERSISTENCE] = "persistence",
};
_Static_assert(ARRAY_LEN(how_names) == FWD_HOW_N_, "a name for each way");

static const struct {
	const char *name;
	const char *text;
} reasons[] = {
#define EXPLAIN_REASON(id, name, verdict, text) [FWD_REASON_##id] = { name, text },
	FWD_REASONS(EXPLAIN_REASON)
#undef EXPLAIN_REASON
};
_Static_assert(ARRAY_LEN(reasons) == FWD_REASON_N_, "a name for each reason");

const char *explain_verdict_name(enum fwd_verdict verdict)
{
	return verdict_names[verdict];
}

const char *explain_reason_name(enum fwd_reason reason)
{
	return reasons[reason].name;
}

const char *explain_how_name(enum fwd_how how)
{
	return how_names[how];
}

/* The IANA's numbers; those with two names have the one that is shown first. */
static const struct {
	const char *name;
	uint8_t number;
	bool has_ports;
} protocols[] = {
	{ "tcp", FWD_PROTO_TCP, true },
	{ "udp", FWD_PROTO_UDP, true },
	{ "sctp", FWD_PROTO_SCTP, true },
	{ "dccp", 33, true },
	{ "udplite", 136, true },
	{ "icmp", FWD_PROTO_ICMP, false },
	{ "icmpv6", FWD_PROTO_ICMPV6, false },
	{ "ipv6-icmp", FWD_PROTO_ICMPV6, false },
	{ "igmp", 2, false },
	{ "ipip", 4, false },
	{ "ipv6", 41, false },
	{ "gre", 47, false },
	{ "esp", 50, false },
	{ "ah", 51, false },
	{ "ospf", 89, false },
	{ "pim", 103, false },
	{ "vrrp", 112, false },
	{ "l2tp", 115, false },
};

const char *explain_proto_name(uint8_t proto, char *buffer)
{
	snprintf(buffer, EXPLAIN_PROTO_BYTES, "%u", proto);
	for (size_t i = ARRAY_LEN(protocols); i-- > 0;)
		if (protocols[i].number == proto)
			snprintf(buffer, EXPLAIN_PROTO_BYTES, "%s", protocols[i].name);
	return buffer;
}

bool explain_has_ports(uint8_t proto)
{
	ARRAY_FOREACH (each, protocols, ARRAY_LEN(protocols))
		if (each->number == proto)
			return each->has_ports;
	return false;
}

static int explain_parse_proto(const char *text, uint8_t *ret_proto, char *ret_why)
{
	unsigned int number;
	char end;

	ARRAY_FOREACH (each, protocols, ARRAY_LEN(protocols))
		if (streq(each->name, text)) {
			*ret_proto = each->number;
			return 0;
		}
	if (text[0] < '0' || text[0] > '9' || strlen(text) > 3 ||
		sscanf(text, "%u%c", &number, &end) != 1 || number > UINT8_MAX) {
		snprintf(ret_why, EXPLAIN_WHY_BYTES,
			"protocol %.64s: tcp, udp, sctp, the name of another one, or its number",
			text);
		return -EINVAL;
	}
	*ret_proto = (uint8_t)number;
	return 0;
}

static int explain_parse_endpoint(
	const char *what, const char *text, struct addr_port *ret_endpoint, char *ret_why)
{
	if (addr_port_parse(text, false, ret_endpoint) == 0)
		return 0;
	snprintf(ret_why, EXPLAIN_WHY_BYTES,
		"%s %.64s: not ADDRESS or ADDRESS:PORT, for instance 192.0.2.1:80 or [2001:db8::1]:80",
		what, text);
	return -EINVAL;
}

static int explain_check(
	const struct explain_question *question, const char *protocol, char *ret_why)
{
	if (question->client.addr.family != question->vip.addr.family)
		snprintf(
			ret_why, EXPLAIN_WHY_BYTES, "client and VIP are not of one address family");
	else if (!explain_has_ports(question->proto) &&
		(question->client.port || question->vip.port))
		snprintf(ret_why, EXPLAIN_WHY_BYTES,
			"protocol %.64s has no ports, so give addresses alone", protocol);
	else
		return 0;
	return -EINVAL;
}

int explain_parse(const char *client, const char *vip, const char *protocol,
	struct explain_question *ret_question, char *ret_why)
{
	struct explain_question question = { 0 };

	if (explain_parse_endpoint("client", client, &question.client, ret_why) < 0 ||
		explain_parse_endpoint("VIP", vip, &question.vip, ret_why) < 0 ||
		explain_parse_proto(protocol, &question.proto, ret_why) < 0 ||
		explain_check(&question, protocol, ret_why) < 0)
		return -EINVAL;
	/* Whoever says icmp of an IPv6 address means its own. */
	if (question.proto == FWD_PROTO_ICMP && question.vip.addr.family == AF_INET6)
		question.proto = FWD_PROTO_ICMPV6;
	if (explain_has_ports(question.proto) && question.client.port == 0) {
		question.client.port = EXPLAIN_CLIENT_PORT;
		question.client_port_assumed = true;
	}
	*ret_question = question;
	return 0;
}

uint16_t explain_alternative(const struct explain_answer *answer)
{
	if (!answer->moving || answer->owner == answer->base)
		return 0;
	return answer->result.backend == answer->owner ? answer->base : answer->owner;
}

struct explain_frame {
	struct wire_ethernet ethernet;
	union {
		struct wire_ip4 ip4;
		struct wire_ip6 ip6;
	} ip;
	union {
		struct wire_tcp tcp;
		struct wire_udp udp;
		struct wire_sctp sctp;
		uint8_t other[12]; /* an echo request; ports, and what follows them */
	} l4;
};

/* What begins with ports, or an echo request, or zeros; returns its size in bytes. */
static size_t explain_build_other(const struct explain_question *question, void *at)
{
	uint8_t bytes[12] = { 0 };
	__be16 ports[2] = { htons(question->client.port), htons(question->vip.port) };

	if (question->proto == FWD_PROTO_ICMP || question->proto == FWD_PROTO_ICMPV6)
		bytes[0] = question->proto == FWD_PROTO_ICMP ? 8 : 128; /* RFC 792, RFC 4443 §4.1 */
	else if (explain_has_ports(question->proto))
		memcpy(bytes, ports, sizeof(ports));
	memcpy(at, bytes, sizeof(bytes));
	return sizeof(bytes);
}

/* The L4 header of a question at `at`; returns its size in bytes. */
static size_t explain_build_l4(const struct explain_question *question, void *at)
{
	if (question->proto == FWD_PROTO_TCP) {
		struct wire_tcp tcp = {
			.source_port = htons(question->client.port),
			.destination_port = htons(question->vip.port),
			.offset_words = sizeof(tcp) / 4 << 4,
			.flags = WIRE_TCP_SYN,
		};

		memcpy(at, &tcp, sizeof(tcp));
		return sizeof(tcp);
	}
	if (question->proto == FWD_PROTO_SCTP) {
		struct wire_sctp sctp = {
			.source_port = htons(question->client.port),
			.destination_port = htons(question->vip.port),
			.chunk = WIRE_SCTP_INIT,
			.chunk_bytes = htons(20),
		};

		memcpy(at, &sctp, sizeof(sctp));
		return sizeof(sctp);
	}
	if (question->proto != FWD_PROTO_UDP)
		return explain_build_other(question, at);
	struct wire_udp udp = {
		.source_port = htons(question->client.port),
		.destination_port = htons(question->vip.port),
		.length_bytes = htons(sizeof(udp)),
	};

	memcpy(at, &udp, sizeof(udp));
	return sizeof(udp);
}

/* From IP on; returns the size in bytes. Checksums stay 0: the core does not look at them. */
static size_t explain_build_ip(const struct explain_question *question, uint8_t *at)
{
	size_t l4_bytes;

	if (question->vip.addr.family == AF_INET) {
		struct wire_ip4 ip = { .version_words = 0x45, .ttl = 64, .proto = question->proto };

		l4_bytes = explain_build_l4(question, at + sizeof(ip));
		ip.total_bytes = htons((uint16_t)(sizeof(ip) + l4_bytes));
		memcpy(&ip.source, &question->client.addr.ip4, sizeof(ip.source));
		memcpy(&ip.destination, &question->vip.addr.ip4, sizeof(ip.destination));
		memcpy(at, &ip, sizeof(ip));
		return sizeof(ip) + l4_bytes;
	}
	struct wire_ip6 ip = {
		.version_flow = htonl(6u << 28),
		.next = question->proto,
		.hop_limit = 64,
	};

	l4_bytes = explain_build_l4(question, at + sizeof(ip));
	ip.payload_bytes = htons((uint16_t)l4_bytes);
	memcpy(ip.source, &question->client.addr.ip6, sizeof(ip.source));
	memcpy(ip.destination, &question->vip.addr.ip6, sizeof(ip.destination));
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip) + l4_bytes;
}

/* The source MAC stays zero: nobody's, so no loop. */
static size_t explain_build(const struct fwd_settings *settings,
	const struct explain_question *question, uint8_t *frame)
{
	struct wire_ethernet ethernet = {
		.type = htons(question->vip.addr.family == AF_INET ? WIRE_TYPE_IP4 : WIRE_TYPE_IP6),
	};

	memcpy(ethernet.destination, settings->own_mac, sizeof(ethernet.destination));
	memcpy(frame, &ethernet, sizeof(ethernet));
	return sizeof(ethernet) + explain_build_ip(question, frame + sizeof(ethernet));
}

static void explain_take_row(
	const struct snapshot *snapshot, uint32_t now_s, struct explain_answer *answer)
{
	const struct fwd_service *service = snapshot_service(snapshot, answer->result.service);
	const struct fwd_slot *row =
		service ? snapshot_slot(snapshot, service->table, answer->result.slot) : NULL;

	if (!row)
		return;
	answer->has_slot = true;
	answer->moving = answer->result.moving;
	answer->owner = FWD_LOAD(&row->owner);
	answer->base = answer->moving ? FWD_LOAD(&row->base) : answer->owner;
	if (answer->moving && (int32_t)(now_s - FWD_LOAD(&row->seen_s)) > 0)
		answer->base_idle_s = now_s - FWD_LOAD(&row->seen_s);
}

void explain_run(const struct snapshot *snapshot, struct rates rates,
	const struct explain_question *question, uint64_t now_us, struct explain_answer *ret_answer)
{
	struct fwd_port port = {
		.snapshot = snapshot,
		.rates = rates,
		.now_ns = now_us * 1000,
		.now_s = (uint32_t)(now_us / US_PER_S),
		.only_looks = 1,
	};
	struct explain_answer answer = { 0 };
	uint8_t bytes[sizeof(struct explain_frame)] = { 0 };
	struct fwd_frame frame = {
		.length_bytes =
			(uint32_t)explain_build(snapshot_settings(snapshot), question, bytes),
	};
	const struct fwd_backend *backend;

	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &answer.result);
	answer.verdict = verdict_names[answer.result.verdict];
	answer.reason = reasons[answer.result.reason].name;
	answer.text = reasons[answer.result.reason].text;
	answer.how = how_names[answer.result.how];
	backend = answer.result.backend ? snapshot_backend(snapshot, answer.result.backend) : NULL;
	if (backend)
		memcpy(answer.mac.bytes, backend->mac, sizeof(answer.mac.bytes));
	if (answer.result.reason == FWD_REASON_FORWARDED ||
		answer.result.reason == FWD_REASON_NO_BACKEND)
		explain_take_row(snapshot, port.now_s, &answer);
	*ret_answer = answer;
}
