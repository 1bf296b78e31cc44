/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a status says of many VIPs, and PART: there and back, their ends, and what is no such thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/proto/proto.h"
#include "common/proto/vips.h"

static struct addr numbered(unsigned int number)
{
	struct addr addr;

	assert_int_equal(addr_parse(number % 2 ? "2001:db8::" : "10.1.0.0", &addr), 0);
	addr.bytes[addr_size_bytes(&addr) - 2] = (uint8_t)(number >> 8);
	addr.bytes[addr_size_bytes(&addr) - 1] = (uint8_t)(number | 1);
	addr.bytes[1] ^= (uint8_t)(number % 4 / 2);
	return addr;
}

static struct proto_message report(size_t n_vips)
{
	struct proto_message message = { .version = PROTO_VERSION, .type = PROTO_ANSWER };

	message.report.session = (struct proto_session){ 1, 1, 1 };
	message.report.status.n_vips = (uint16_t)n_vips;
	return message;
}

static struct proto_message part(size_t n_vips, unsigned int number)
{
	struct proto_message message = { .version = PROTO_VERSION, .type = PROTO_PART };

	memset(message.part.nonce_agent, 1, PROTO_NONCE_BYTES);
	memset(message.part.nonce_balancer, 2, PROTO_NONCE_BYTES);
	snprintf(message.part.key_id, sizeof(message.part.key_id), "k");
	snprintf(message.part.name, sizeof(message.part.name), "web");
	message.part.n_vips = (uint16_t)n_vips;
	message.part.part = (uint8_t)number;
	for (unsigned int i = 0; i < vips_in_part(n_vips, number); i++)
		message.part.vips[i] = numbered(number * PROTO_VIPS_PART + i);
	return message;
}

/* Written, read and written again it is the same; the size of it. */
static int there_and_back(const struct proto_message *message, struct proto_message *ret_read)
{
	uint8_t bytes[PROTO_MESSAGE_MAX], again[PROTO_MESSAGE_MAX];
	int size = proto_write(message, bytes);

	assert_true(size > 0);
	assert_int_equal(proto_parse(bytes, (size_t)size, ret_read), PROTO_OK);
	assert_int_equal(proto_write(ret_read, again), size);
	assert_memory_equal(bytes, again, size);
	return size;
}

static void vips_of_a_status_come_back(void **state)
{
	static const size_t lens[] = { 1, PROTO_VIPS_WHOLE, PROTO_VIPS_WHOLE + 1, 65, 1000,
		PROTO_VIPS_MAX };

	ARRAY_FOREACH (len, lens, ARRAY_LEN(lens)) {
		struct proto_message message = report(*len), read;
		uint32_t established[PROTO_VIPS_MAX], count;

		for (size_t idx = 0; idx < *len; idx++) {
			const struct proto_vip_status vip = { idx % 3 != 0, idx % 7 != 1,
				(uint32_t)idx };

			vips_say(&message.report.status, idx, &vip);
			established[idx] = (uint32_t)idx;
		}
		if (vips_are_many(*len))
			assert_int_equal(vips_say_counts(&message.report.status, established, 3,
						 VIPS_COUNTS_HEAD_BYTES + 4 * 20 + 3),
				23);
		there_and_back(&message, &read);
		for (size_t idx = 0; idx <= *len; idx++) {
			bool has = idx < *len;

			assert_int_equal(
				vips_are_present(&read.report.status, idx), has && idx % 3);
			assert_int_equal(
				vips_are_silent(&read.report.status, idx), has && idx % 7 != 1);
			assert_int_equal(vips_count(&read.report.status, idx, &count),
				vips_are_many(*len) ? idx >= 3 && idx < 23 : has);
		}
	}
}

/* One that goes bad among 1,024 is in the next message, whoever's turn it is to be counted. */
static void vips_that_are_not_well_are_always_told(void **state)
{
	struct proto_message message = report(PROTO_VIPS_MAX), read;
	int well = there_and_back(&message, &read), ill;

	for (size_t idx = 0; idx < PROTO_VIPS_MAX; idx++) {
		message = report(PROTO_VIPS_MAX);
		vips_say(&message.report.status, idx, &(struct proto_vip_status){ false, true, 0 });
		ill = there_and_back(&message, &read);
		assert_int_equal(ill, well + PROTO_VIPS_MAX / 8);
		for (size_t other = 0; other < PROTO_VIPS_MAX; other++)
			assert_int_equal(vips_are_fit(&read.report.status, other), other != idx);
	}
	assert_true(well < 80);
}

static void vips_counts_take_the_room_there_is(void **state)
{
	struct proto_message message = report(PROTO_VIPS_MAX), read;
	uint32_t established[PROTO_VIPS_MAX] = { [1023] = 7 }, count;
	uint8_t bytes[PROTO_MESSAGE_MAX];
	size_t next = 0, turns = 0;

	do {
		next = vips_say_counts(&message.report.status, established, next, SIZE_MAX);
		there_and_back(&message, &read);
		turns++;
	} while (next < PROTO_VIPS_MAX);
	assert_int_equal(turns, PROTO_VIPS_MAX / PROTO_COUNTS_MAX);
	assert_true(vips_count(&read.report.status, 1023, &count));
	assert_int_equal(count, 7);
	/* After the last comes the first. */
	assert_int_equal(vips_say_counts(&message.report.status, established, next, 3 + 4 * 5), 5);
	assert_int_equal(vips_say_counts(&message.report.status, established, 5, 6), 5);
	assert_int_equal(message.report.status.many.n_counts, 0);
	there_and_back(&message, &read);
	/* Ill in every way and with all that there is to say it fits just so, and without a count. */
	for (size_t idx = 0; idx < PROTO_VIPS_MAX; idx++)
		vips_say(&message.report.status, idx, &(struct proto_vip_status){ 0 });
	message.report.status.state = PROTO_STATE_DOWN;
	memset(message.report.status.reason, 'x', PROTO_REASON_MAX);
	message.report.status.max_connections = 1;
	message.report.status.second_chance = true;
	message.report.ports.n_ports = PROTO_PORTS_MAX;
	message.report.ports.digest = 1;
	memset(message.report.ports.why, 'x', PROTO_REASON_MAX);
	message.report.other.address = numbered(1);
	memset(message.report.other.name, 'x', PROTO_NAME_MAX);
	assert_int_equal(there_and_back(&message, &read), PROTO_MESSAGE_MAX);
	vips_say_counts(&message.report.status, established, 0, 3 + 4);
	assert_int_equal(proto_write(&message, bytes), -EMSGSIZE);
}

static void vips_beyond_the_limits_are_none(void **state)
{
	struct proto_message message = report(PROTO_VIPS_MAX + 1);
	uint8_t bytes[PROTO_MESSAGE_MAX];

	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = report(PROTO_VIPS_WHOLE + 1);
	assert_true(proto_write(&message, bytes) > 0);
	message.report.status.many.missing[PROTO_VIPS_WHOLE / 8] =
		2; /* of the one after the last */
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	for (unsigned int version = PROTO_VERSION_1; version < PROTO_VERSION_VIPS; version++) {
		message = report(PROTO_VIPS_WHOLE + 1);
		message.version = version;
		assert_int_equal(proto_write(&message, bytes), -EINVAL);
		message = report(PROTO_VIPS_WHOLE);
		message.version = version;
		assert_true(proto_write(&message, bytes) > 0);
		message = part(100, 0);
		message.version = version;
		assert_int_equal(proto_write(&message, bytes), -EINVAL);
	}
}

/* Byte 36 of an ANSWER without a reason is its number of VIPs; of many it is 0, and a word follows. */
static void vips_have_one_encoding(void **state)
{
	static const struct {
		enum proto_error error;
		uint8_t tail[12];
		size_t len;
	} cases[] = {
		{ PROTO_OK, { 0, 0, 41 }, 3 },
		{ PROTO_ERROR_VALUE, { 0, 0, 40 }, 3 }, /* would be told whole */
		{ PROTO_ERROR_VALUE, { 0, 0, 0 }, 3 },
		{ PROTO_ERROR_VALUE, { 0, 4, 1 }, 3 }, /* 1,025 */
		{ PROTO_OK, { 0, 4, 0 }, 3 },
		{ PROTO_ERROR_VALUE, { 0, 0x10, 41 }, 3 }, /* unknown flags */
		{ PROTO_ERROR_VALUE, { 0, 0x08, 41 }, 3 },
		{ PROTO_ERROR_VALUE, { 0, 0x80, 41, 0, 0, 0, 0, 0, 0 }, 9 }, /* a map of nobody */
		{ PROTO_OK, { 0, 0x80, 41, 0, 0, 0, 0, 0, 1 }, 9 },
		{ PROTO_OK, { 0, 0x40, 41, 0, 0, 0, 0, 0, 1 }, 9 },
		{ PROTO_ERROR_VALUE, { 0, 0x80, 41, 0, 0, 0, 0, 0, 2 }, 9 }, /* of the 42nd of 41 */
		{ PROTO_ERROR_TRUNCATED, { 0, 0x80, 41, 1, 0, 0, 0, 0 }, 8 },
		{ PROTO_OK, { 0, 0x20, 41, 0, 40, 1, 0, 0, 0, 9 }, 10 },
		{ PROTO_ERROR_VALUE, { 0, 0x20, 41, 0, 41, 1, 0, 0, 0, 9 }, 10 }, /* of the 42nd */
		{ PROTO_ERROR_VALUE, { 0, 0x20, 41, 0, 0, 0 }, 6 },               /* of nobody */
		{ PROTO_ERROR_TRUNCATED, { 0, 0x20, 41, 0, 0, 1, 0, 0, 0 }, 9 },
	};
	const size_t at = PROTO_HEADER_BYTES + 3 * 8 + 1 + 2 + 1;
	struct proto_message message = report(1), read;

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		uint8_t bytes[PROTO_MESSAGE_MAX] = { 0 };

		assert_true(proto_write(&message, bytes) > 0);
		memcpy(bytes + at, each->tail, each->len);
		memset(bytes + at + each->len, 0, PROTO_TAG_BYTES);
		assert_int_equal(
			proto_parse(bytes, at + each->len + PROTO_TAG_BYTES, &read), each->error);
		bytes[PROTO_VERSION_OFFSET] = PROTO_VERSION_VIPS - 1;
		assert_int_not_equal(
			proto_parse(bytes, at + each->len + PROTO_TAG_BYTES, &read), PROTO_OK);
	}
}

static void parts_come_back(void **state)
{
	struct proto_message message, read;
	uint8_t bytes[PROTO_MESSAGE_MAX];
	int size;

	assert_int_equal(vips_parts(PROTO_VIPS_WHOLE), 0);
	assert_int_equal(vips_parts(PROTO_VIPS_WHOLE + 1), 1);
	assert_int_equal(vips_parts(65), 2);
	assert_int_equal(vips_parts(PROTO_VIPS_MAX), PROTO_PARTS_MAX);
	assert_int_equal(vips_in_part(65, 1), 1);
	assert_int_equal(vips_in_part(65, 2), 0);
	for (unsigned int number = 0; number < PROTO_PARTS_MAX; number++) {
		message = part(PROTO_VIPS_MAX, number);
		size = there_and_back(&message, &read);
		assert_memory_equal(read.part.vips, message.part.vips, sizeof(read.part.vips));
		assert_int_equal(proto_write(&message, bytes), size);
		assert_int_equal(proto_peek_session(bytes, (size_t)size), 0);
		assert_int_not_equal(proto_parse(bytes, (size_t)size - 1, &read), PROTO_OK);
	}
	message = part(65, 1);
	there_and_back(&message, &read);
}

static void parts_that_make_no_sense_are_refused(void **state)
{
	struct proto_message message = part(PROTO_VIPS_MAX, PROTO_PARTS_MAX);
	uint8_t bytes[PROTO_MESSAGE_MAX];

	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = part(PROTO_VIPS_WHOLE, 0); /* its REGISTER has them */
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = part(PROTO_VIPS_MAX + 1, 0);
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = part(100, 1);
	message.part.vips[3] = message.part.vips[2];
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = part(100, 1);
	message.part.name[0] = '\0';
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vips_of_a_status_come_back),
		cmocka_unit_test(vips_that_are_not_well_are_always_told),
		cmocka_unit_test(vips_counts_take_the_room_there_is),
		cmocka_unit_test(vips_beyond_the_limits_are_none),
		cmocka_unit_test(vips_have_one_encoding),
		cmocka_unit_test(parts_come_back),
		cmocka_unit_test(parts_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
