/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes as bytes of the RFCs, and answers to them. */
#include "lb/link/path/path_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac backend = { { 2, 0, 0, 0, 0, 9 } };

/* RFC 9293 §3.1: 192.0.2.2:4660 asks 198.51.100.10:80 with 0x01020304; checksums worked out by hand's rule below. */
static const uint8_t syn4[] = {
	2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0,          /* Ethernet */
	0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0,        /* IPv4 */
	192, 0, 2, 2, 198, 51, 100, 10,                    /* addresses */
	0x12, 0x34, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0,         /* ports, numbers */
	0x60, 2, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 0x05, 0xb4, /* SYN, MSS 1460 */
};
#define IP4_SUM 24u
#define TCP_SUM 50u

static struct addr address(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

/* Sum over an even number of bytes, written apart from the code under test. */
static uint32_t sum_words(const uint8_t *data, size_t size_bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size_bytes; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] * 256;
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

/* Right checksums make 0xffff of all words together (RFC 1071). */
static void assert_sums(const uint8_t *frame, size_t size_bytes)
{
	bool ip4 = frame[12] == 8;
	size_t at = ip4 ? 34 : 54, addresses = ip4 ? 26 : 22;
	uint8_t proto = frame[ip4 ? 23 : 20];
	uint32_t sum = sum_words(frame + at, size_bytes - at);

	if (ip4)
		assert_int_equal(fold(sum_words(frame + 14, 20)), 0xffff);
	if (proto != 1)
		sum += sum_words(frame + addresses, at - addresses) + proto +
			(uint32_t)(size_bytes - at);
	assert_int_equal(fold(sum), 0xffff);
}

static struct path_frame probe_of(enum path_kind kind, bool ip4)
{
	return (struct path_frame){
		.kind = kind,
		.from = own,
		.to = backend,
		.source = address(ip4 ? "192.0.2.2" : "2001:db8::2"),
		.vip = address(ip4 ? "198.51.100.10" : "2001:db8::10"),
		.source_port = 0x1234,
		.port = 80,
		.sequence = 0x01020304,
		.payload = kind == PATH_TCP ? NULL : "hello",
		.payload_bytes = kind == PATH_TCP ? 0 : 5,
	};
}

static void frame_is_a_syn_as_rfc_9293(void **state)
{
	struct path_frame probe = probe_of(PATH_TCP, true);
	uint8_t buffer[PATH_FRAME_MAX_BYTES];
	size_t size_bytes = path_frame_build(&probe, buffer);

	assert_int_equal(size_bytes, sizeof(syn4));
	assert_sums(buffer, size_bytes);
	memset(buffer + IP4_SUM, 0, 2);
	memset(buffer + TCP_SUM, 0, 2);
	assert_memory_equal(buffer, syn4, sizeof(syn4));
}

static void frame_has_right_checksums(void **state)
{
	static const enum path_kind kinds[] = { PATH_TCP, PATH_UDP, PATH_ECHO };
	uint8_t buffer[PATH_FRAME_MAX_BYTES];

	for (size_t i = 0; i < 2 * ARRAY_LEN(kinds); i++) {
		struct path_frame probe = probe_of(kinds[i / 2], i % 2);
		size_t size_bytes = path_frame_build(&probe, buffer);

		assert_sums(buffer, size_bytes);
		assert_sums(buffer, path_frame_build_reset(&probe, buffer));
	}
}

/* A probe with its ends changed is the frame of a server; returns its bytes. */
static size_t answer_build(const struct path_frame *probe, uint8_t *buffer)
{
	struct path_frame answer = *probe;

	answer.from = probe->to;
	answer.to = probe->from;
	answer.source = probe->vip;
	answer.vip = probe->source;
	if (probe->kind != PATH_ECHO) {
		answer.source_port = probe->port;
		answer.port = probe->source_port;
	}
	return path_frame_build(&answer, buffer);
}

static void tcp_answer_build(const struct path_frame *probe, uint8_t flags, uint8_t *buffer,
	struct path_answer *ret_answer)
{
	static const uint8_t acknowledged[4] = { 1, 2, 3, 5 };
	size_t size_bytes = answer_build(probe, buffer),
	       at = probe->vip.family == AF_INET ? 34 : 54;

	memcpy(buffer + at + 8, acknowledged, sizeof(acknowledged));
	buffer[at + 13] = flags;
	path_frame_parse(buffer, size_bytes, ret_answer);
}

static void answer_of_tcp_says_what_it_acknowledges(void **state)
{
	static const struct {
		uint8_t flags;
		enum path_answer_kind kind;
	} cases[] = { { 0x12, PATH_ANSWER_SYN_ACK }, { 0x14, PATH_ANSWER_RESET },
		{ 0x10, PATH_ANSWER_ACK }, { 0x04, PATH_ANSWER_NONE }, { 0x02, PATH_ANSWER_NONE } };
	uint8_t buffer[PATH_FRAME_MAX_BYTES];

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct path_frame probe = probe_of(PATH_TCP, i % 2);
		struct path_answer answer;

		tcp_answer_build(&probe, cases[i / 2].flags, buffer, &answer);
		assert_int_equal(answer.kind, cases[i / 2].kind);
		if (answer.kind == PATH_ANSWER_NONE)
			continue;
		assert_int_equal(answer.sequence, probe.sequence);
		assert_true(addr_equal(&answer.vip, &probe.vip));
		assert_true(addr_equal(&answer.own, &probe.source));
		assert_int_equal(answer.port, 80);
		assert_int_equal(answer.own_port, 0x1234);
		assert_true(mac_equal(&answer.from, &backend));
		assert_true(mac_equal(&answer.to, &own));
	}
}

static void answer_carries_what_was_sent(void **state)
{
	uint8_t buffer[PATH_FRAME_MAX_BYTES];

	for (int i = 0; i < 4; i++) {
		struct path_frame probe = probe_of(i / 2 ? PATH_ECHO : PATH_UDP, i % 2);
		size_t size_bytes = answer_build(&probe, buffer);
		struct path_answer answer;

		if (i / 2)
			buffer[i % 2 ? 34 : 54] = i % 2 ? 0 : 129;
		/* Ethernet's padding is no part of it. */
		path_frame_parse(buffer, size_bytes + 3, &answer);
		assert_int_equal(answer.kind, i / 2 ? PATH_ANSWER_ECHO : PATH_ANSWER_DATAGRAM);
		assert_int_equal(answer.probe, probe.kind);
		assert_int_equal(answer.own_port, 0x1234);
		assert_int_equal(answer.port, 80);
		assert_int_equal(answer.payload_bytes, 5);
		assert_memory_equal(answer.payload, "hello", 5);
	}
}

/* An ICMP error with the first bytes of the probe; returns its bytes. */
static size_t error_build(const struct path_frame *probe, uint8_t type, uint8_t code,
	size_t quoted_bytes, uint8_t *buffer)
{
	bool ip4 = probe->vip.family == AF_INET;
	uint8_t quoted[PATH_FRAME_MAX_BYTES];
	struct path_frame error = *probe;

	(void)path_frame_build(probe, quoted);
	error.kind = PATH_ECHO;
	error.from = backend;
	error.to = own;
	error.source = probe->vip;
	error.vip = probe->source;
	error.payload = quoted + 14;
	error.payload_bytes = quoted_bytes;
	(void)path_frame_build(&error, buffer);
	buffer[ip4 ? 34 : 54] = type;
	buffer[ip4 ? 35 : 55] = code;
	return (ip4 ? 42 : 62) + quoted_bytes;
}

static void answer_of_icmp_is_of_what_it_quotes(void **state)
{
	static const struct {
		bool ip4;
		uint8_t type, code;
		enum path_answer_kind kind;
		enum path_error error;
	} cases[] = {
		{ true, 3, 3, PATH_ANSWER_ERROR, PATH_ERROR_PORT },
		{ true, 3, 13, PATH_ANSWER_ERROR, PATH_ERROR_PROHIBITED },
		{ true, 3, 1, PATH_ANSWER_ERROR, PATH_ERROR_OTHER },
		{ true, 11, 0, PATH_ANSWER_ERROR, PATH_ERROR_OTHER },
		{ true, 3, 4, PATH_ANSWER_NONE, PATH_ERROR_OTHER }, /* too big for a link */
		{ true, 5, 1, PATH_ANSWER_NONE, PATH_ERROR_OTHER }, /* a redirect */
		{ false, 1, 4, PATH_ANSWER_ERROR, PATH_ERROR_PORT },
		{ false, 1, 1, PATH_ANSWER_ERROR, PATH_ERROR_PROHIBITED },
		{ false, 1, 3, PATH_ANSWER_ERROR, PATH_ERROR_OTHER },
		{ false, 2, 0, PATH_ANSWER_NONE, PATH_ERROR_OTHER }, /* too big for a link */
		{ false, 135, 0, PATH_ANSWER_NONE, PATH_ERROR_OTHER },
	};
	static const enum path_kind kinds[] = { PATH_TCP, PATH_UDP, PATH_ECHO };
	uint8_t buffer[PATH_FRAME_MAX_BYTES];
	struct path_answer answer;

	for (size_t i = 0; i < ARRAY_LEN(kinds) * ARRAY_LEN(cases); i++) {
		size_t k = i / ARRAY_LEN(kinds);
		struct path_frame probe = probe_of(kinds[i % ARRAY_LEN(kinds)], cases[k].ip4);
		size_t least = (cases[k].ip4 ? 20 : 40) + 8;

		path_frame_parse(buffer,
			error_build(&probe, cases[k].type, cases[k].code, least, buffer), &answer);
		assert_int_equal(answer.kind, cases[k].kind);
		if (answer.kind == PATH_ANSWER_NONE)
			continue;
		assert_int_equal(answer.probe, probe.kind);
		assert_int_equal(answer.error, cases[k].error);
		assert_int_equal(answer.own_port, 0x1234);
		assert_int_equal(answer.port, 80);
		assert_true(addr_equal(&answer.vip, &probe.vip));
		if (probe.kind == PATH_TCP)
			assert_int_equal(answer.sequence, probe.sequence);
		path_frame_parse(buffer,
			error_build(&probe, cases[k].type, cases[k].code, least - 1, buffer),
			&answer);
		assert_int_equal(answer.kind, PATH_ANSWER_NONE);
	}
}

static void answer_is_a_whole_packet_of_a_known_kind(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
	} cases[] = { { 12, 9 }, { 14, 0x55 }, { 14, 0x44 }, { 17, 19 }, { 20, 0x20 }, { 21, 1 },
		{ 23, 47 } };
	struct path_frame probe = probe_of(PATH_TCP, true);
	uint8_t buffer[PATH_FRAME_MAX_BYTES];
	struct path_answer answer;

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		tcp_answer_build(&probe, 0x12, buffer, &answer);
		assert_int_equal(answer.kind, PATH_ANSWER_SYN_ACK);
		buffer[test->offset] = test->value;
		path_frame_parse(buffer, sizeof(syn4), &answer);
		assert_int_equal(answer.kind, PATH_ANSWER_NONE);
	}
	tcp_answer_build(&probe, 0x12, buffer, &answer);
	for (size_t size_bytes = 0; size_bytes < 54; size_bytes++) {
		path_frame_parse(buffer, size_bytes, &answer);
		assert_int_equal(answer.kind, PATH_ANSWER_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_is_a_syn_as_rfc_9293),
		cmocka_unit_test(frame_has_right_checksums),
		cmocka_unit_test(answer_of_tcp_says_what_it_acknowledges),
		cmocka_unit_test(answer_carries_what_was_sent),
		cmocka_unit_test(answer_of_icmp_is_of_what_it_quotes),
		cmocka_unit_test(answer_is_a_whole_packet_of_a_known_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
