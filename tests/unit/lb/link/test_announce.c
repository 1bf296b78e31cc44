/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Announcing: frames as bytes of the RFCs, and the sockets over a veth pair in a network namespace
 * of the test's own, where the test is the prober at the other end.
 */
#include "lb/link/announce.h"

#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "lb/link/announce_frame.h"
#include "lb/link/claims.h"
#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (20 * US_PER_S)

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac asker_mac = { { 2, 0, 0, 0, 0, 9 } };

/* RFC 826: 02:…:09 at 198.51.100.9 asks who has 198.51.100.10. */
static const uint8_t arp_request[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, /* Ethernet */
	0, 1, 8, 0, 6, 4, 0, 1,                                     /* request */
	2, 0, 0, 0, 0, 9, 198, 51, 100, 9,                          /* sender */
	0, 0, 0, 0, 0, 0, 198, 51, 100, 10,                         /* target */
};
static const uint8_t arp_reply[] = {
	2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 6, /* Ethernet */
	0, 1, 8, 0, 6, 4, 0, 2,                   /* reply */
	2, 0, 0, 0, 0, 1, 198, 51, 100, 10,       /* sender */
	2, 0, 0, 0, 0, 9, 198, 51, 100, 9,        /* target */
};
/* RFC 4861 §4.3: fe80::9 asks for 2001:db8::10; the checksum is filled in. */
static const uint8_t solicitation[] = {
	0x33, 0x33, 0xff, 0, 0, 0x10, 2, 0, 0, 0, 0, 9, 0x86, 0xdd, /* Ethernet */
	0x60, 0, 0, 0, 0, 32, 58, 255,                              /* IPv6 */
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,       /* source */
	0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0x10,    /* destination */
	135, 0, 0, 0, 0, 0, 0, 0,                                   /* solicitation */
	0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, /* target */
	1, 1, 2, 0, 0, 0, 0, 9,                                     /* source address */
};
#define SOLICITATION_IP    14u
#define SOLICITATION_TYPE  54u
#define SOLICITATION_SUM   56u
#define SOLICITATION_PLAIN (sizeof(solicitation) - 8u) /* without its option */

static struct addr address(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

/* Sum over an even number of bytes, not folded: written apart from the code under test. */
static uint32_t sum_words(const uint8_t *data, size_t size_bytes)
{
	uint32_t sum = 0;

	for (size_t idx = 0; idx + 1 < size_bytes; idx += 2)
		sum += (uint32_t)(data[idx] * 256 + data[idx + 1]);
	return sum;
}

static uint16_t icmp6_sum(const uint8_t *frame, size_t size_bytes)
{
	size_t message_bytes = size_bytes - SOLICITATION_TYPE;
	uint32_t sum = sum_words(frame + SOLICITATION_IP + 8, 32) +
		sum_words(frame + SOLICITATION_TYPE, message_bytes) + (uint32_t)message_bytes + 58;

	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)(0xffff - sum);
}

/* Copies the solicitation with `size_bytes` of it, its length and checksum made right. */
static void solicitation_make(uint8_t *frame, size_t size_bytes)
{
	uint16_t sum;

	frame[SOLICITATION_IP + 5] = (uint8_t)(size_bytes - SOLICITATION_TYPE);
	frame[SOLICITATION_SUM] = frame[SOLICITATION_SUM + 1] = 0;
	sum = icmp6_sum(frame, size_bytes);
	frame[SOLICITATION_SUM] = (uint8_t)(sum >> 8);
	frame[SOLICITATION_SUM + 1] = (uint8_t)sum;
}

static enum announce_kind kind_of(const uint8_t *frame, size_t size_bytes)
{
	struct announce_frame parsed;

	announce_frame_parse(frame, size_bytes, &parsed);
	return parsed.kind;
}

static void announce_answers_arp_as_rfc_826(void **state)
{
	struct addr vip = address("198.51.100.10"), asker = address("198.51.100.9");
	uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES];
	struct announce_frame frame;

	announce_frame_parse(arp_request, sizeof(arp_request), &frame);
	assert_int_equal(frame.kind, ANNOUNCE_REQUEST);
	assert_true(addr_equal(&frame.target, &vip));
	assert_true(addr_equal(&frame.asker, &asker));
	assert_true(mac_equal(&frame.mac, &asker_mac));
	assert_int_equal(announce_frame_build(&vip, &own, &frame, buffer), sizeof(arp_reply));
	assert_memory_equal(buffer, arp_reply, sizeof(arp_reply));
}

static void announce_sends_gratuitous_arp_as_rfc_5227(void **state)
{
	struct addr vip = address("198.51.100.10");
	uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES];
	struct announce_frame frame;

	assert_int_equal(announce_frame_build(&vip, &own, NULL, buffer), 42);
	assert_memory_equal(buffer, "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x08\x06", 14);
	assert_memory_equal(buffer + 20, "\0\x01", 2);
	assert_memory_equal(buffer + 28, vip.bytes, 4);
	assert_memory_equal(buffer + 32, "\0\0\0\0\0\0", 6);
	assert_memory_equal(buffer + 38, vip.bytes, 4);
	announce_frame_parse(buffer, 42, &frame);
	assert_int_equal(frame.kind, ANNOUNCE_CLAIM);
	assert_true(mac_equal(&frame.mac, &own));
	announce_frame_parse(arp_reply, sizeof(arp_reply), &frame);
	assert_int_equal(frame.kind, ANNOUNCE_CLAIM);
	assert_true(addr_equal(&frame.target, &vip));
}

static void announce_answers_solicitations_as_rfc_4861(void **state)
{
	struct addr vip = address("2001:db8::10"), asker = address("fe80::9");
	uint8_t question[sizeof(solicitation)], answer[ANNOUNCE_FRAME_MAX_BYTES];
	struct announce_frame frame, claim;

	memcpy(question, solicitation, sizeof(question));
	solicitation_make(question, sizeof(question));
	announce_frame_parse(question, sizeof(question), &frame);
	assert_int_equal(frame.kind, ANNOUNCE_REQUEST);
	assert_true(addr_equal(&frame.target, &vip));
	assert_true(addr_equal(&frame.asker, &asker));
	assert_int_equal(announce_frame_build(&vip, &own, &frame, answer), 86);
	assert_memory_equal(answer, "\x02\0\0\0\0\x09\x02\0\0\0\0\x01\x86\xdd", 14);
	assert_int_equal(answer[SOLICITATION_IP + 7], 255);
	assert_memory_equal(answer + SOLICITATION_IP + 8, vip.bytes, 16);
	assert_memory_equal(answer + SOLICITATION_IP + 24, asker.bytes, 16);
	assert_int_equal(answer[SOLICITATION_TYPE], 136);
	/* Solicited and Override, not Router. */
	assert_int_equal(answer[58], 0x60);
	assert_memory_equal(answer + 62, vip.bytes, 16);
	assert_memory_equal(answer + 78, "\x02\x01\x02\0\0\0\0\x01", 8);
	assert_int_equal(icmp6_sum(answer, 86), 0);
	announce_frame_parse(answer, 86, &claim);
	assert_int_equal(claim.kind, ANNOUNCE_CLAIM);
	assert_true(mac_equal(&claim.mac, &own));
}

static void announce_answers_duplicate_detection_to_all_nodes(void **state)
{
	struct addr vip = address("2001:db8::10"), all = address("ff02::1");
	uint8_t question[sizeof(solicitation)], answer[ANNOUNCE_FRAME_MAX_BYTES];
	struct announce_frame frame;

	memcpy(question, solicitation, sizeof(question));
	memset(question + SOLICITATION_IP + 8, 0, 16);
	solicitation_make(question, SOLICITATION_PLAIN);
	announce_frame_parse(question, SOLICITATION_PLAIN, &frame);
	assert_int_equal(frame.kind, ANNOUNCE_REQUEST);
	assert_int_equal(announce_frame_build(&vip, &own, &frame, answer), 86);
	assert_memory_equal(answer, "\x33\x33\0\0\0\x01", 6);
	assert_memory_equal(answer + SOLICITATION_IP + 24, all.bytes, 16);
	assert_int_equal(answer[58], 0x20);
	assert_int_equal(icmp6_sum(answer, 86), 0);
	/* With a source address option it is malformed: RFC 4861 §7.1.1. */
	solicitation_make(question, sizeof(question));
	assert_int_equal(kind_of(question, sizeof(question)), ANNOUNCE_OTHER);
	/* And so it is when sent to another address than the group. */
	question[SOLICITATION_IP + 24 + 1] = 0x0e;
	solicitation_make(question, SOLICITATION_PLAIN);
	assert_int_equal(kind_of(question, SOLICITATION_PLAIN), ANNOUNCE_OTHER);
}

static void announce_discards_what_the_rfcs_discard(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		bool sum_too;
	} cases[] = {
		{ SOLICITATION_IP + 7, 254, false }, /* hop limit */
		{ SOLICITATION_IP, 0x40, false },    /* version */
		{ SOLICITATION_IP + 6, 0, false },   /* hop-by-hop options */
		{ SOLICITATION_SUM, 0x55, false },   /* checksum */
		{ SOLICITATION_TYPE, 134, true },    /* router advertisement */
		{ SOLICITATION_TYPE + 1, 1, true },  /* code */
		{ 62, 0xff, true },                  /* multicast target */
		{ 79, 0, true },                     /* option of length 0 */
		{ 79, 2, true },                     /* option over the end */
		{ SOLICITATION_IP + 8, 0xff, true }, /* multicast source */
	};
	uint8_t frame[sizeof(solicitation)];

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		memcpy(frame, solicitation, sizeof(frame));
		solicitation_make(frame, sizeof(frame));
		frame[test->offset] = test->value;
		if (test->sum_too)
			solicitation_make(frame, sizeof(frame));
		assert_int_equal(kind_of(frame, sizeof(frame)), ANNOUNCE_OTHER);
	}
	memcpy(frame, solicitation, sizeof(frame));
	solicitation_make(frame, sizeof(frame));
	for (size_t size_bytes = 0; size_bytes < sizeof(frame); size_bytes++)
		assert_int_equal(kind_of(frame, size_bytes), ANNOUNCE_OTHER);
	for (size_t size_bytes = 0; size_bytes < sizeof(arp_request); size_bytes++)
		assert_int_equal(kind_of(arp_request, size_bytes), ANNOUNCE_OTHER);
}

static void announce_ignores_malformed_arp(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
	} cases[] = { { 15, 15 }, { 16, 9 }, { 18, 8 }, { 19, 16 }, { 21, 3 } };
	uint8_t frame[sizeof(arp_request)];

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		memcpy(frame, arp_request, sizeof(frame));
		frame[test->offset] = test->value;
		assert_int_equal(kind_of(frame, sizeof(frame)), ANNOUNCE_OTHER);
	}
	/* A probe has no sender address (RFC 5227 §1.1): a question, no claim. */
	memcpy(frame, arp_request, sizeof(frame));
	memset(frame + 28, 0, 4);
	assert_int_equal(kind_of(frame, sizeof(frame)), ANNOUNCE_REQUEST);
}

struct live {
	sd_event *event;
	struct announce *announce;
	struct announce_config config;
	struct addr vips[2];
	int fd; /* the prober's */
	unsigned int n_claimed;
	struct mac claimed_mac;
};

static void live_claimed(const struct addr *vip, const struct mac *mac, void *context)
{
	struct live *live = context;

	live->n_claimed++;
	live->claimed_mac = *mac;
}

/* What holds VIPs back has tests of its own. */
static const struct announce_callbacks live_callbacks = { .claimed = live_claimed };

static int live_setup(void **state)
{
	struct live *live = calloc(1, sizeof(*live));

	live->fd = -1;
	*state = live;
	if (!namespace_make() ||
		system("ip link add client0 address 02:00:00:00:00:01 type veth peer name client1 "
		       "address 02:00:00:00:00:09 && ip link set client0 up && "
		       "ip link set client1 up") != 0)
		return 0;
	WIRE_WAIT(wire_is_running("client0"));
	live->fd = wire_open("client1");
	live->vips[0] = address("198.51.100.10");
	live->vips[1] = address("2001:db8::10");
	live->config = (struct announce_config){ .ifindex = if_nametoindex("client0"),
		.mac = own,
		.vips = live->vips,
		.n_vips = 2,
		.own6 = address("fe80::1") };
	assert_true(sd_event_new(&live->event) >= 0);
	assert_int_equal(announce_start(live->event, &live_callbacks, live, &live->announce), 0);
	return 0;
}

static int live_teardown(void **state)
{
	struct live *live = *state;

	announce_free(live->announce);
	sd_event_unref(live->event);
	util_close(live->fd);
	free(live);
	return 0;
}

static void live_require(const struct live *live)
{
	if (live->fd >= 0)
		return;
	print_message("skipped: needs root (a network namespace with a veth pair)\n");
	skip();
}

/* The next frame that concerns a VIP, or a failure after the deadline. */
static void live_next(struct live *live, enum announce_kind kind, const struct addr *target,
	struct announce_frame *ret_frame)
{
	uint64_t begin_us, now_us;

	begin_us = clock_now_us();
	for (now_us = begin_us; now_us < begin_us + DEADLINE_US; now_us = clock_now_us()) {
		uint8_t frame[2048];
		ssize_t n = recv(live->fd, frame, sizeof(frame), MSG_DONTWAIT);

		if (n < 0) {
			(void)sd_event_run(live->event, US_PER_MS);
			continue;
		}
		announce_frame_parse(frame, (size_t)n, ret_frame);
		if (ret_frame->kind == kind && addr_equal(&ret_frame->target, target))
			return;
	}
	fail_msg("no such frame came");
}

static void live_send(struct live *live, const uint8_t *frame, size_t size_bytes)
{
	assert_int_equal(send(live->fd, frame, size_bytes, 0), size_bytes);
}

/* Runs until the counters have at least these values. */
static void live_await(struct live *live, uint64_t answered, uint64_t claims)
{
	struct announce_counters counters;

	for (unsigned int i = 0; i < 5000; i++) {
		announce_counters(live->announce, &counters);
		if (counters.answered >= answered &&
			announce_claims(live->announce)->seen >= claims)
			return;
		(void)sd_event_run(live->event, US_PER_MS);
	}
	fail_msg("the counters did not move");
}

static void announce_tells_the_link_three_times(void **state)
{
	struct live *live = *state;
	struct announce_counters counters;
	struct announce_frame frame;

	live_require(live);
	assert_int_equal(announce_set(live->announce, &live->config), 0);
	for (unsigned int i = 0; i < 3; i++) {
		live_next(live, ANNOUNCE_CLAIM, &live->vips[0], &frame);
		assert_true(mac_equal(&frame.mac, &own));
		live_next(live, ANNOUNCE_CLAIM, &live->vips[1], &frame);
		assert_true(mac_equal(&frame.mac, &own));
	}
	announce_counters(live->announce, &counters);
	assert_int_equal(counters.sent, 6);
	/* Setting the same again says nothing anew. */
	assert_int_equal(announce_set(live->announce, &live->config), 0);
	(void)sd_event_run(live->event, 0);
	announce_counters(live->announce, &counters);
	assert_int_equal(counters.sent, 6);
}

static void announce_answers_on_the_link(void **state)
{
	uint8_t question[sizeof(solicitation)];
	struct live *live = *state;
	struct announce_counters before, after;
	uint64_t claims = announce_claims(live->announce)->seen;
	struct announce_frame frame;

	live_require(live);
	announce_counters(live->announce, &before);
	live_send(live, arp_request, sizeof(arp_request));
	live_next(live, ANNOUNCE_CLAIM, &live->vips[0], &frame);
	assert_true(mac_equal(&frame.mac, &own));
	memcpy(question, solicitation, sizeof(question));
	solicitation_make(question, sizeof(question));
	live_send(live, question, sizeof(question));
	live_next(live, ANNOUNCE_CLAIM, &live->vips[1], &frame);
	assert_true(mac_equal(&frame.mac, &own));
	announce_counters(live->announce, &after);
	assert_int_equal(after.answered, before.answered + 2);
	assert_int_equal(announce_claims(live->announce)->seen, claims);
}

static bool asked_by(const struct live *live, const struct addr *vip, const char *asker)
{
	const struct announce_asked *asked = announce_asked(live->announce, vip);
	const struct addr expected = address(asker);

	return asked && asked->since_us > 0 && asked->asked_us >= asked->since_us &&
		addr_equal(&asked->asker, &expected);
}

/* A probe (RFC 5227 §1.1) asks for itself, and says nothing of a router. */
static void announce_knows_who_asked(void **state)
{
	const struct addr stranger = address("198.51.100.77");
	uint8_t probe[sizeof(arp_request)];
	struct live *live = *state;
	struct announce_frame frame;

	live_require(live);
	memcpy(probe, arp_request, sizeof(probe));
	memset(probe + 28, 0, 4);
	live_send(live, probe, sizeof(probe));
	live_next(live, ANNOUNCE_CLAIM, &live->vips[0], &frame);
	assert_true(asked_by(live, &live->vips[0], "198.51.100.9"));
	assert_true(asked_by(live, &live->vips[1], "fe80::9"));
	assert_null(announce_asked(live->announce, &stranger));
}

/* Whether the host says so itself, by MLD and at the NIC's filter. */
static bool file_has(const char *path, const char *words)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "client0") && strstr(line, words))
			return true;
	return false;
}

static void announce_joins_the_solicited_node_group(void **state)
{
	live_require(*state);
	assert_true(file_has("/proc/thread-self/net/igmp6", "ff0200000000000000000001ff000010"));
	assert_true(file_has("/proc/thread-self/net/dev_mcast", "3333ff000010"));
}

static void announce_does_not_answer_for_another_vlan(void **state)
{
	static const uint8_t tag[4] = { 0x81, 0, 0, 7 };
	uint8_t tagged[sizeof(arp_request) + 4];
	struct live *live = *state;
	struct announce_counters before, after;

	live_require(live);
	memcpy(tagged, arp_request, 12);
	memcpy(tagged + 12, tag, 4);
	memcpy(tagged + 16, arp_request + 12, sizeof(arp_request) - 12);
	announce_counters(live->announce, &before);
	live_send(live, tagged, sizeof(tagged));
	live_send(live, arp_request, sizeof(arp_request));
	live_await(live, before.answered + 1, 0);
	announce_counters(live->announce, &after);
	assert_int_equal(after.answered, before.answered + 1);
}

static void announce_tells_of_a_claim_once(void **state)
{
	static const uint8_t claimant[MAC_LEN] = { 0x02, 0, 0, 0, 0, 0x55 };
	uint8_t claim[sizeof(arp_reply)];
	struct live *live = *state;

	live_require(live);
	memcpy(claim, arp_reply, sizeof(claim));
	memset(claim, 0xff, MAC_LEN);
	memcpy(claim + MAC_LEN, claimant, MAC_LEN);
	memcpy(claim + 22, claimant, MAC_LEN);
	live_send(live, claim, sizeof(claim));
	live_send(live, claim, sizeof(claim));
	live_await(live, 0, 2);
	assert_int_equal(live->n_claimed, 1);
	assert_int_equal(live->claimed_mac.bytes[5], 0x55);
	/* A question that is asked in the VIP's name is a claim as well: routers learn from it. */
	memcpy(claim, arp_request, sizeof(claim));
	claim[27] = 0x56;
	memcpy(claim + 28, live->vips[0].bytes, 4);
	claim[41] = 77;
	live_send(live, claim, sizeof(claim));
	live_await(live, 0, 3);
	assert_int_equal(live->n_claimed, 2);
	assert_int_equal(live->claimed_mac.bytes[5], 0x56);
}

static void announce_limits_what_it_tells(void **state)
{
	uint8_t claim[sizeof(arp_reply)];
	struct live *live = *state;
	uint64_t seen = announce_claims(live->announce)->seen;
	unsigned int already = live->n_claimed;

	live_require(live);
	memcpy(claim, arp_reply, sizeof(claim));
	for (unsigned int i = 0; i < CLAIMS_MAX + 1; i++) {
		claim[26] = 0xaa;
		claim[27] = (uint8_t)i;
		memset(claim, 0xff, 6);
		live_send(live, claim, sizeof(claim));
		live_await(live, 0, seen + i + 1);
	}
	assert_int_equal(announce_claims(live->announce)->len, CLAIMS_MAX);
	assert_int_equal(live->n_claimed, CLAIMS_MAX);
	assert_true(already < CLAIMS_MAX);
}

/* An advertisement of the VIP by 02:…:66, to all nodes. */
static size_t claim_make(const struct addr *vip, uint8_t claim[ANNOUNCE_FRAME_MAX_BYTES])
{
	static const struct mac claimant = { { 2, 0, 0, 0, 0, 0x66 } };

	return announce_frame_build(vip, &claimant, NULL, claim);
}

static void live_drain(struct live *live)
{
	uint8_t frame[2048];

	while (recv(live->fd, frame, sizeof(frame), MSG_DONTWAIT) > 0)
		;
}

static void announce_defends_a_claimed_vip_at_once(void **state)
{
	uint8_t claim[ANNOUNCE_FRAME_MAX_BYTES];
	struct live *live = *state;
	struct announce_frame frame;
	uint64_t before_us;

	live_require(live);
	ARRAY_FOREACH (vip, live->vips, 2) {
		/* What was due is sent, and the pace allows the next. */
		before_us = clock_now_us();
		while (clock_now_us() < before_us + 2 * ANNOUNCE_DEFEND_US)
			(void)sd_event_run(live->event, US_PER_MS);
		live_drain(live);
		live_send(live, claim, claim_make(vip, claim));
		before_us = clock_now_us();
		live_next(live, ANNOUNCE_CLAIM, vip, &frame);
		assert_true(mac_equal(&frame.mac, &own));
		assert_true(clock_now_us() < before_us + US_PER_S);
	}
}

static void announce_paces_its_defence(void **state)
{
	uint8_t claim[ANNOUNCE_FRAME_MAX_BYTES];
	struct live *live = *state;
	struct announce_counters before, after;
	uint64_t seen, begin_us;

	live_require(live);
	announce_counters(live->announce, &before);
	begin_us = clock_now_us();
	for (unsigned int i = 0; i < 1000; i++) {
		seen = announce_claims(live->announce)->seen;
		live_send(live, claim, claim_make(&live->vips[i % 2], claim));
		live_await(live, 0, seen + 1);
	}
	/* The last one has its answer too. */
	while (clock_now_us() < begin_us + 3 * ANNOUNCE_DEFEND_US)
		(void)sd_event_run(live->event, US_PER_MS);
	announce_counters(live->announce, &after);
	assert_true(after.sent >= before.sent + 2);
	assert_true(after.sent <=
		before.sent + 2 * (1 + (clock_now_us() - begin_us) / ANNOUNCE_DEFEND_US));
}

/* Whose entry is wrong until the next turn sends frames astray for so long. */
static void announce_answers_each_of_some_claims_in_a_row(void **state)
{
	enum { CLAIMS = 20 };
	uint8_t claim[ANNOUNCE_FRAME_MAX_BYTES];
	struct live *live = *state;
	struct announce_counters before, after;
	uint64_t begin_us;

	live_require(live);
	announce_counters(live->announce, &before);
	for (unsigned int i = 0; i < CLAIMS; i++) {
		live_send(live, claim, claim_make(&live->vips[1], claim));
		begin_us = clock_now_us();
		while (clock_now_us() < begin_us + 40 * US_PER_MS)
			(void)sd_event_run(live->event, US_PER_MS);
	}
	announce_counters(live->announce, &after);
	assert_true(after.sent >= before.sent + CLAIMS);
}

static void announce_asks_the_link_for_each_vip(void **state)
{
	struct live *live = *state;
	struct announce_frame frame;

	live_require(live);
	assert_int_equal(announce_set(live->announce, &live->config), 0);
	live_next(live, ANNOUNCE_REQUEST, &live->vips[0], &frame);
	assert_true(addr_equal(&frame.asker, &(const struct addr){ .family = AF_INET }));
	live_next(live, ANNOUNCE_REQUEST, &live->vips[1], &frame);
	assert_true(addr_equal(&frame.asker, &live->config.own6));
}

static void announce_is_silent_without_vips(void **state)
{
	struct live *live = *state;
	struct announce_config config = live->config;
	struct announce_counters before, after;

	live_require(live);
	announce_counters(live->announce, &before);
	config.n_vips = 0;
	assert_int_equal(announce_set(live->announce, &config), 0);
	live_send(live, arp_request, sizeof(arp_request));
	for (unsigned int i = 0; i < 20; i++)
		(void)sd_event_run(live->event, US_PER_MS);
	announce_counters(live->announce, &after);
	assert_int_equal(after.answered, before.answered);
	/* And speaks at once when they come back. */
	assert_int_equal(announce_set(live->announce, &live->config), 0);
	announce_counters(live->announce, &after);
	assert_int_equal(after.sent, before.sent + 2);
}

/* More groups than one socket's optmem_max has room for. */
static void announce_joins_thousands_of_groups(void **state)
{
	struct live *live = *state;
	struct announce_config config = live->config;
	struct addr *vips = calloc(5000, sizeof(*vips));

	live_require(live);
	for (size_t idx = 0; idx < 5000; idx++) {
		vips[idx] = address("2001:db8::");
		vips[idx].bytes[14] = (uint8_t)(idx >> 8);
		vips[idx].bytes[15] = (uint8_t)idx;
	}
	config.vips = vips;
	config.n_vips = 5000;
	assert_int_equal(announce_set(live->announce, &config), 0);
	assert_true(file_has("/proc/thread-self/net/igmp6", "ff0200000000000000000001ff001387"));
	assert_int_equal(announce_set(live->announce, &live->config), 0);
	assert_false(file_has("/proc/thread-self/net/igmp6", "ff0200000000000000000001ff001387"));
	free(vips);
}

static void announce_fails_without_its_interface(void **state)
{
	struct live *live = *state;
	struct announce_config config = live->config;

	live_require(live);
	config.ifindex = 9999;
	assert_int_equal(announce_set(live->announce, &config), -ENODEV);
	assert_int_equal(announce_set(live->announce, &live->config), 0);
	live_send(live, arp_request, sizeof(arp_request));
	live_await(live, 1, 0);
}

int main(void)
{
	const struct CMUnitTest frames[] = {
		cmocka_unit_test(announce_answers_arp_as_rfc_826),
		cmocka_unit_test(announce_sends_gratuitous_arp_as_rfc_5227),
		cmocka_unit_test(announce_answers_solicitations_as_rfc_4861),
		cmocka_unit_test(announce_answers_duplicate_detection_to_all_nodes),
		cmocka_unit_test(announce_discards_what_the_rfcs_discard),
		cmocka_unit_test(announce_ignores_malformed_arp),
	};
	const struct CMUnitTest link[] = {
		cmocka_unit_test(announce_tells_the_link_three_times),
		cmocka_unit_test(announce_answers_on_the_link),
		cmocka_unit_test(announce_knows_who_asked),
		cmocka_unit_test(announce_joins_the_solicited_node_group),
		cmocka_unit_test(announce_does_not_answer_for_another_vlan),
		cmocka_unit_test(announce_tells_of_a_claim_once),
		cmocka_unit_test(announce_limits_what_it_tells),
		cmocka_unit_test(announce_defends_a_claimed_vip_at_once),
		cmocka_unit_test(announce_paces_its_defence),
		cmocka_unit_test(announce_answers_each_of_some_claims_in_a_row),
		cmocka_unit_test(announce_asks_the_link_for_each_vip),
		cmocka_unit_test(announce_is_silent_without_vips),
		cmocka_unit_test(announce_joins_thousands_of_groups),
		cmocka_unit_test(announce_fails_without_its_interface),
	};
	int failed = cmocka_run_group_tests_name("announce frames", frames, NULL, NULL);

	return failed +
		cmocka_run_group_tests_name("announce link", link, live_setup, live_teardown);
}
