/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions as bytes of the RFCs; sums were made by hand. What is parsed and answered: test_announce.c. */
#include "lb/link/announce_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announce_frame_asks_by_arp),
		cmocka_unit_test(announce_frame_asks_by_solicitation),
		cmocka_unit_test(announce_frame_says_whom_a_claim_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
