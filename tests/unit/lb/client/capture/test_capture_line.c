/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frame in words. */
#include "lb/client/capture/capture_line.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static json_t *frame_json(void)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "time_ns",
		(json_int_t)INT64_C(1700000000123456789), "direction", "in", "verdict", "forward",
		"reason", "forwarded", "how", "hash", "virtual_server", "web", "backend", "web1",
		"length_bytes", 74);
}

static void assert_line(const uint8_t *bytes, size_t size_bytes, const char *expected)
{
	char line[CAPTURE_LINE_BYTES];
	json_t *frame = frame_json();

	capture_line_format(frame, bytes, size_bytes, line);
	json_decref(frame);
	assert_string_equal(line, expected);
}

static void line_tells_who_whom_and_what_became_of_it(void **state)
{
	static const uint8_t tcp[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45, 0, 0, 40, 0,
		0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 7, 198, 51, 100, 10, 0x12, 0x67, 0, 80 };
	static const uint8_t tag[] = { 0x81, 0, 0, 5 };
	uint8_t later[sizeof(tcp)], other[sizeof(tcp)], tagged[sizeof(tcp) + 4];

	memcpy(later, tcp, sizeof(tcp));
	later[21] = 1; /* a fragment's offset */
	memcpy(other, tcp, sizeof(tcp));
	other[23] = 132;
	memcpy(tagged, tcp, 12);
	memcpy(tagged + 12, tag, sizeof(tag));
	memcpy(tagged + 16, tcp + 12, sizeof(tcp) - 12);
	assert_line(tcp, sizeof(tcp),
		"22:13:20.123456 in  192.0.2.7:4711 -> 198.51.100.10:80 tcp 74 bytes forward forwarded web1");
	assert_line(tagged, sizeof(tagged),
		"22:13:20.123456 in  192.0.2.7:4711 -> 198.51.100.10:80 tcp 74 bytes forward forwarded web1");
	assert_line(later, sizeof(later),
		"22:13:20.123456 in  192.0.2.7 -> 198.51.100.10 tcp 74 bytes forward forwarded web1");
	assert_line(other, sizeof(other),
		"22:13:20.123456 in  192.0.2.7 -> 198.51.100.10 protocol 132 74 bytes forward forwarded web1");
	assert_line(
		tcp, 33, "22:13:20.123456 in  ethertype 0x0800 74 bytes forward forwarded web1");
	assert_line(tcp, 3, "22:13:20.123456 in  ethertype 0x0000 74 bytes forward forwarded web1");
}

static void line_tells_of_ip6(void **state)
{
	uint8_t udp[62] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd, 0x60 };

	udp[20] = 17;
	udp[22] = udp[38] = 0x20;
	udp[37] = 7;
	udp[53] = 9;
	udp[55] = 1;
	udp[57] = 53;
	assert_line(udp, sizeof(udp),
		"22:13:20.123456 in  [2000::7]:1 -> [2000::9]:53 udp 74 bytes forward forwarded web1");
}

static void comment_leaves_out_what_does_not_apply(void **state)
{
	json_t *frame = frame_json();
	char comment[128];

	capture_comment_format(frame, comment, sizeof(comment));
	assert_string_equal(
		comment, "forward: forwarded; backend web1; virtual server web; by hash");
	json_object_set_new(frame, "backend", json_string(""));
	json_object_set_new(frame, "virtual_server", json_string(""));
	json_object_set_new(frame, "how", json_string("none"));
	json_object_set_new(frame, "verdict", json_string("pass"));
	json_object_set_new(frame, "reason", json_string("no-service"));
	capture_comment_format(frame, comment, sizeof(comment));
	assert_string_equal(comment, "pass: no-service");
	json_decref(frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_tells_who_whom_and_what_became_of_it),
		cmocka_unit_test(line_tells_of_ip6),
		cmocka_unit_test(comment_leaves_out_what_does_not_apply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
