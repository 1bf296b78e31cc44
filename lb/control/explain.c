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

static int explain_parse_endpoint(
	const char *what, const char *text, struct addr_port *ret_endpoint, char *ret_why)
{
	struct addr_port endpoint;

	if (addr_port_parse(text, false, &endpoint) < 0 || endpoint.port == 0) {
		snprintf(ret_why, EXPLAIN_WHY_BYTES,
			"%s %.64s: not ADDRESS:PORT, for instance 192.0.2.1:80 or [2001:db8::1]:80",
			what, text);
		return -EINVAL;
	}
	*ret_endpoint = endpoint;
	return 0;
}

int explain_parse(const char *client, const char *vip, const char *protocol,
	struct explain_question *ret_question, char *ret_why)
{
	struct explain_question question = { 0 };

	if (explain_parse_endpoint("client", client, &question.client, ret_why) < 0 ||
		explain_parse_endpoint("VIP", vip, &question.vip, ret_why) < 0)
		return -EINVAL;
	if (question.client.addr.family != question.vip.addr.family) {
		snprintf(ret_why, EXPLAIN_WHY_BYTES,
			"client %.64s and VIP %.64s are not of one address family", client, vip);
		return -EINVAL;
	}
	if (streq(protocol, "tcp")) {
		question.proto = FWD_PROTO_TCP;
	} else if (streq(protocol, "udp")) {
		question.proto = FWD_PROTO_UDP;
	} else {
		snprintf(ret_why, EXPLAIN_WHY_BYTES, "protocol %.64s: tcp or udp", protocol);
		return -EINVAL;
	}
	*ret_question = question;
	return 0;
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
	} l4;
};

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

static void explain_take_row(const struct snapshot *snapshot, struct explain_answer *answer)
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
		explain_take_row(snapshot, &answer);
	*ret_answer = answer;
}
