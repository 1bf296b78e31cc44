/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions as bytes of the RFCs; sums were made by hand. What is parsed and answered: test_announce.c. And claims as
 * Linux believes them, as it was seen to (net/ipv4/arp.c, net/ipv6/ndisc.c), parsed and through the sockets' filters.
 */
#include "lb/link/announce_frame.h"

#include <net/if.h>

#include "common/packet/checksum.h"
#include "lb/link/announce.h"
#include "lb/link/claims.h"
#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

static const struct mac own = { { 2, 0, 0, 0, 0, 9 } }, backend = { { 2, 0, 0, 0, 0, 1 } };

/* RFC 826, at one MAC. */
static const uint8_t arp_to_one[] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 6, /* Ethernet */
	0, 1, 8, 0, 6, 4, 0, 1,                   /* request */
	2, 0, 0, 0, 0, 9, 198, 51, 100, 9,        /* sender */
	0, 0, 0, 0, 0, 0, 198, 51, 100, 10,       /* target */
};
/* RFC 5227 §1.1: a probe. */
static const uint8_t arp_to_all[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, /* Ethernet */
	0, 1, 8, 0, 6, 4, 0, 1,                                     /* request */
	2, 0, 0, 0, 0, 9, 0, 0, 0, 0,                               /* sender */
	0, 0, 0, 0, 0, 0, 198, 51, 100, 10,                         /* target */
};
/* RFC 4861 §4.3, §7.2.2. */
static const uint8_t solicitation_to_all[] = {
	0x33, 0x33, 0xff, 0, 0, 0x10, 2, 0, 0, 0, 0, 9, 0x86, 0xdd, /* Ethernet */
	0x60, 0, 0, 0, 0, 32, 58, 255,                              /* IPv6 */
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,       /* source */
	0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0x10,    /* destination */
	135, 0, 0x4b, 0x33, 0, 0, 0, 0,                             /* solicitation */
	0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, /* target */
	1, 1, 2, 0, 0, 0, 0, 9,                                     /* source address */
};
static const uint8_t solicitation_to_one[] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd,             /* Ethernet */
	0x60, 0, 0, 0, 0, 32, 58, 255,                              /* IPv6 */
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,       /* source */
	0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, /* destination */
	135, 0, 0x1b, 0x7f, 0, 0, 0, 0,                             /* solicitation */
	0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, /* target */
	1, 1, 2, 0, 0, 0, 0, 9,                                     /* source address */
};

static struct addr address(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static void assert_question(const char *vip, const char *from, const struct mac *to,
	const uint8_t *wanted, size_t size_bytes)
{
	const struct announce_question question = { own, address(from), *to };
	uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES];
	struct addr target = address(vip);
	struct announce_frame frame;

	assert_int_equal(announce_frame_ask(&target, &question, buffer), size_bytes);
	assert_memory_equal(buffer, wanted, size_bytes);
	announce_frame_parse(buffer, size_bytes, &frame);
	assert_int_equal(frame.kind, ANNOUNCE_REQUEST);
	assert_true(addr_equal(&frame.target, &target));
	assert_true(addr_equal(&frame.asker, &question.own_address));
}

static void announce_frame_asks_by_arp(void **state)
{
	static const struct mac everybody;

	assert_question("198.51.100.10", "198.51.100.9", &backend, arp_to_one, sizeof(arp_to_one));
	assert_question("198.51.100.10", "0.0.0.0", &everybody, arp_to_all, sizeof(arp_to_all));
}

static void announce_frame_asks_by_solicitation(void **state)
{
	static const struct mac everybody;

	assert_question("2001:db8::10", "fe80::9", &backend, solicitation_to_one,
		sizeof(solicitation_to_one));
	assert_question("2001:db8::10", "fe80::9", &everybody, solicitation_to_all,
		sizeof(solicitation_to_all));
}

/* An answer to another than who asked answers nothing. */
static void announce_frame_says_whom_a_claim_tells(void **state)
{
	struct addr vip = address("2001:db8::10"), asker = address("fe80::9");
	uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES];
	struct announce_frame frame;
	size_t size_bytes;

	announce_frame_parse(solicitation_to_one, sizeof(solicitation_to_one), &frame);
	size_bytes = announce_frame_build(&vip, &backend, &frame, buffer);
	announce_frame_parse(buffer, size_bytes, &frame);
	assert_int_equal(frame.kind, ANNOUNCE_CLAIM);
	assert_true(addr_equal(&frame.told, &asker));
	vip = address("198.51.100.10");
	asker = address("198.51.100.9");
	announce_frame_parse(arp_to_one, sizeof(arp_to_one), &frame);
	size_bytes = announce_frame_build(&vip, &backend, &frame, buffer);
	announce_frame_parse(buffer, size_bytes, &frame);
	assert_int_equal(frame.kind, ANNOUNCE_CLAIM);
	assert_true(addr_equal(&frame.told, &asker));
}

/* ---- claims ---- */

#define VIP4   198, 51, 100, 10
#define VIP6   0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10
#define IP6_AT 14u

/* One that is no answer, but believed. The sum of ICMPv6 is filled in. */
struct said {
	const char *name;
	uint8_t bytes[112];
	size_t size_bytes;
	size_t icmp6_at; /* 0: it is ARP */
	struct mac mac;
};

#define ARP(hardware, operation, ...) \
	{ \
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0x66, 8, 6, 0, hardware, 8, 0, \
			6, 4, 0, operation, __VA_ARGS__, VIP4, 0, 0, 0, 0, 0, 0, VIP4 \
	}
#define IP6(size_bytes, header, ...) \
	{ \
		0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x66, 0x86, 0xdd, 0x60, 0, 0, 0, 0, \
			size_bytes, header, 255, VIP6, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
			0, 0, 1, __VA_ARGS__ \
	}
#define NA(...)   136, 0, 0, 0, 0x20, 0, 0, 0, VIP6, __VA_ARGS__
#define NS(...)   135, 0, 0, 0, 0, 0, 0, 0, VIP6, __VA_ARGS__
#define RS(...)   133, 0, 0, 0, 0, 0, 0, 0, __VA_ARGS__
#define PAD(next) next, 0, 1, 4, 0, 0, 0, 0 /* as a header of options */
#define STRANGER  2, 0, 0, 0, 0, 0x66

static const struct said believed[] = {
	{ "IEEE 802", ARP(6, 1, STRANGER), 42, 0, { { STRANGER } } },
	{ "reply, IEEE 802", ARP(6, 2, STRANGER), 42, 0, { { STRANGER } } },
	{ "broadcast", ARP(1, 2, 255, 255, 255, 255, 255, 255), 42, 0,
		{ { 255, 255, 255, 255, 255, 255 } } },
	{ "multicast", ARP(1, 1, 1, 0, 0x5e, 0, 0, 1), 42, 0, { { 1, 0, 0x5e, 0, 0, 1 } } },
	{ "zero", ARP(1, 2, 0, 0, 0, 0, 0, 0), 42, 0, { { 0 } } },
	{ "NA, broadcast", IP6(32, 58, NA(2, 1, 255, 255, 255, 255, 255, 255)), 86, 54,
		{ { 255, 255, 255, 255, 255, 255 } } },
	{ "NA, zero", IP6(32, 58, NA(2, 1, 0, 0, 0, 0, 0, 0)), 86, 54, { { 0 } } },
	{ "NS, multicast", IP6(32, 58, NS(1, 1, 1, 0, 0x5e, 0, 0, 1)), 86, 54,
		{ { 1, 0, 0x5e, 0, 0, 1 } } },
	{ "NA, destination options", IP6(40, 60, PAD(58), NA(2, 1, STRANGER)), 94, 62,
		{ { STRANGER } } },
	{ "NA, both options", IP6(48, 0, PAD(60), PAD(58), NA(2, 1, STRANGER)), 102, 70,
		{ { STRANGER } } },
	{ "NA, the first of two", IP6(40, 58, NA(2, 1, STRANGER), 2, 1, 2, 0, 0, 0, 0, 1), 94, 54,
		{ { STRANGER } } },
	{ "RS", IP6(16, 58, RS(1, 1, STRANGER)), 70, 54, { { STRANGER } } },
};

/* What Linux drops. */
static const struct said dropped[] = {
	{ "another hardware", ARP(15, 2, STRANGER), 42, 0, { { 0 } } },
	{ "RS without its MAC", IP6(8, 58, RS(0)), 62, 54, { { 0 } } },
	{ "a fragment", IP6(40, 44, 58, 0, 0, 0, 0, 0, 0, 1, NA(2, 1, STRANGER)), 94, 62,
		{ { 0 } } },
	{ "a way", IP6(40, 43, 58, 0, 0, 0, 0, 0, 0, 0, NA(2, 1, STRANGER)), 94, 62, { { 0 } } },
	{ "hop-by-hop, not the first", IP6(48, 60, PAD(0), PAD(58), NA(2, 1, STRANGER)), 102, 70,
		{ { 0 } } },
	{ "options over the end", IP6(40, 60, 58, 9, 1, 4, 0, 0, 0, 0, NA(2, 1, STRANGER)), 94, 62,
		{ { 0 } } },
};

/* RFC 8200 §8.1. */
static void said_make(const struct said *said, uint8_t frame[112])
{
	size_t size_bytes = said->size_bytes - said->icmp6_at;
	uint64_t sum;
	uint16_t finished;

	memcpy(frame, said->bytes, 112);
	if (said->icmp6_at == 0)
		return;
	sum = checksum_add(size_bytes + IPPROTO_ICMPV6, frame + IP6_AT + 8, 32);
	finished = htobe16(checksum_finish(checksum_add(sum, frame + said->icmp6_at, size_bytes)));
	memcpy(frame + said->icmp6_at + 2, &finished, sizeof(finished));
}

/* Of the VIP, by whom it is said; also of a question in its name, which is a claim beside. */
static bool claims(const struct announce_frame *frame, const struct said *said)
{
	struct addr vip = address(said->icmp6_at ? "2001:db8::10" : "198.51.100.10");

	return frame->kind == ANNOUNCE_CLAIM && addr_equal(&frame->target, &vip) &&
		mac_equal(&frame->mac, &said->mac);
}

static void announce_frame_sees_whatever_claim_linux_believes(void **state)
{
	struct announce_frame parsed;
	uint8_t frame[112];

	ARRAY_FOREACH (said, believed, ARRAY_LEN(believed)) {
		said_make(said, frame);
		announce_frame_parse(frame, said->size_bytes, &parsed);
		if (!claims(&parsed, said))
			fail_msg("%s", said->name);
		/* Wherever it comes from; then it is no answer to anybody. */
		frame[6] |= 1;
		announce_frame_parse(frame, said->size_bytes, &parsed);
		if (!claims(&parsed, said) || parsed.told.family != AF_UNSPEC)
			fail_msg("%s by a group", said->name);
	}
	ARRAY_FOREACH (said, dropped, ARRAY_LEN(dropped)) {
		said_make(said, frame);
		announce_frame_parse(frame, said->size_bytes, &parsed);
		if (parsed.kind != ANNOUNCE_OTHER)
			fail_msg("%s", said->name);
	}
}

/* A question from where no host is has no answer, and without an address it is nothing. */
static void announce_frame_answers_no_group(void **state)
{
	struct announce_frame parsed;
	uint8_t frame[sizeof(arp_to_one)];

	memcpy(frame, arp_to_one, sizeof(frame));
	frame[15] = 6;
	announce_frame_parse(frame, sizeof(frame), &parsed);
	assert_int_equal(parsed.kind, ANNOUNCE_REQUEST);
	frame[22] |= 1;
	announce_frame_parse(frame, sizeof(frame), &parsed);
	assert_int_equal(parsed.kind, ANNOUNCE_CLAIM);
	memset(frame + 28, 0, 4);
	announce_frame_parse(frame, sizeof(frame), &parsed);
	assert_int_equal(parsed.kind, ANNOUNCE_OTHER);
}

static void on_claimed(const struct addr *vip, const struct mac *mac, void *context)
{
}

/* Through the filters of the sockets. */
static void announce_hears_whatever_claim_linux_believes(void **state)
{
	static const struct announce_callbacks callbacks = { .claimed = on_claimed };
	const struct addr vips[] = { address("198.51.100.10"), address("2001:db8::10") };
	struct announce_config config = { .mac = own, .vips = vips, .n_vips = 2 };
	struct announce *announce = NULL;
	sd_event *event = NULL;
	uint8_t frame[112];
	uint64_t n = 0;
	int fd;

	if (!namespace_make())
		skip();
	wire_run("ip link add client0 address 02:00:00:00:00:09 type veth peer name client1");
	wire_run("ip link set client0 up && ip link set client1 up");
	WIRE_WAIT(wire_is_running("client0"));
	fd = wire_open("client1");
	config.ifindex = if_nametoindex("client0");
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(announce_start(event, &callbacks, NULL, &announce), 0);
	assert_int_equal(announce_set(announce, &config), 0);
	ARRAY_FOREACH (said, believed, ARRAY_LEN(believed)) {
		said_make(said, frame);
		wire_send(fd, frame, said->size_bytes);
		n++;
		LOOP_UNTIL(event, 20 * US_PER_S, announce_claims(announce)->seen == n);
	}
	announce_free(announce);
	sd_event_unref(event);
	util_close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announce_frame_asks_by_arp),
		cmocka_unit_test(announce_frame_asks_by_solicitation),
		cmocka_unit_test(announce_frame_says_whom_a_claim_tells),
		cmocka_unit_test(announce_frame_sees_whatever_claim_linux_believes),
		cmocka_unit_test(announce_frame_answers_no_group),
		cmocka_unit_test(announce_hears_whatever_claim_linux_believes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
