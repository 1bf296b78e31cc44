/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fields that versions after 2 added. That they are kept, byte by byte, test_proto.c shows. */
#include "common/proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct mac mac = { { 0x02, 0, 0, 0, 0, 0x02 } };

static struct proto_message heartbeat(unsigned int version)
{
	struct proto_message message = { .version = version, .type = PROTO_HEARTBEAT };

	message.heartbeat.session = (struct proto_session){ 1, 1, 0 };
	return message;
}

/* A message of the newest version without fields, with these bytes where fields stand. */
static enum proto_error parse_fields(const struct proto_message *message, unsigned int version,
	const uint8_t *fields, size_t size_bytes, struct proto_message *ret_parsed)
{
	uint8_t bytes[PROTO_MESSAGE_MAX] = { 0 };
	size_t size = (size_t)proto_write(message, bytes);

	bytes[PROTO_VERSION_OFFSET] = (uint8_t)version;
	memcpy(bytes + size - PROTO_TAG_BYTES, fields, size_bytes);
	return proto_parse(bytes, size + size_bytes, ret_parsed);
}

static void fields_have_the_balancers_place_in_a_heartbeat(void **state)
{
	static const uint8_t said[] = { 6, 0, 6, 0x02, 0, 0, 0, 0, 0x02 };
	static const uint8_t zero[] = { 6, 0, 6, 0, 0, 0, 0, 0, 0 };
	static const uint8_t group[] = { 6, 0, 6, 0x03, 0, 0, 0, 0, 0x02 };
	static const uint8_t shorter[] = { 6, 0, 5, 0x02, 0, 0, 0, 0 };
	static const uint8_t longer[] = { 6, 0, 7, 0x02, 0, 0, 0, 0, 0x02, 0 };
	static const uint8_t address[] = { 6, 0, 11, 0x02, 0, 0, 0, 0, 0x02, 4, 192, 0, 2, 2 };
	static const uint8_t twice[] = { 6, 0, 16, 0x02, 0, 0, 0, 0, 0x02, 4, 192, 0, 2, 2, 4, 192,
		0, 2, 2 };
	static const uint8_t multicast[] = { 6, 0, 11, 0x02, 0, 0, 0, 0, 0x02, 4, 224, 0, 0, 1 };
	struct proto_message message = heartbeat(PROTO_VERSION), parsed;

	assert_int_equal(
		parse_fields(&message, PROTO_VERSION, said, sizeof(said), &parsed), PROTO_OK);
	assert_true(mac_equal(&parsed.heartbeat.place.mac, &mac));
	assert_int_equal(parse_fields(&message, PROTO_VERSION, zero, sizeof(zero), &parsed),
		PROTO_ERROR_VALUE);
	assert_int_equal(parse_fields(&message, PROTO_VERSION, group, sizeof(group), &parsed),
		PROTO_ERROR_VALUE);
	assert_int_equal(parse_fields(&message, PROTO_VERSION, shorter, sizeof(shorter), &parsed),
		PROTO_ERROR_VALUE);
	assert_int_equal(parse_fields(&message, PROTO_VERSION, longer, sizeof(longer), &parsed),
		PROTO_ERROR_VALUE);
	assert_int_equal(
		parse_fields(&message, PROTO_VERSION, address, sizeof(address), &parsed), PROTO_OK);
	assert_int_equal(parsed.heartbeat.place.n_addresses, 1);
	assert_int_equal(parse_fields(&message, PROTO_VERSION, twice, sizeof(twice), &parsed),
		PROTO_ERROR_VALUE);
	assert_int_equal(
		parse_fields(&message, PROTO_VERSION, multicast, sizeof(multicast), &parsed),
		PROTO_ERROR_VALUE);
	message.type = PROTO_ACK;
	message.session.echo = 1;
	assert_int_equal(parse_fields(&message, PROTO_VERSION, said, sizeof(said), &parsed),
		PROTO_ERROR_VALUE);
}

static void fields_have_no_place_in_former_versions(void **state)
{
	static const uint8_t said[] = { 6, 0, 6, 0x02, 0, 0, 0, 0, 0x02 };
	uint8_t bytes[PROTO_MESSAGE_MAX];
	struct proto_message parsed;

	for (unsigned int version = PROTO_VERSION_1; version < PROTO_VERSION_PLACE; version++) {
		struct proto_message message = heartbeat(version);

		assert_int_not_equal(
			parse_fields(&message, version, said, sizeof(said), &parsed), PROTO_OK);
		message.heartbeat.place.mac = mac;
		assert_int_equal(proto_write(&message, bytes), -EINVAL);
	}
}

static void fields_have_so_many_addresses_of_a_place(void **state)
{
	struct proto_message message = heartbeat(PROTO_VERSION), parsed;
	uint8_t field[3 + MAC_LEN + 5 * (PROTO_PLACE_MAX + 1)] = { 6, 0 };

	memcpy(field + 3, mac.bytes, MAC_LEN);
	for (size_t i = 0; i <= PROTO_PLACE_MAX; i++)
		memcpy(field + 3 + MAC_LEN + 5 * i, (uint8_t[]){ 4, 192, 0, 2, (uint8_t)(i + 1) },
			5);
	field[2] = MAC_LEN + 5 * PROTO_PLACE_MAX;
	assert_int_equal(
		parse_fields(&message, PROTO_VERSION, field, sizeof(field) - 5, &parsed), PROTO_OK);
	assert_int_equal(parsed.heartbeat.place.n_addresses, PROTO_PLACE_MAX);
	field[2] += 5;
	assert_int_equal(parse_fields(&message, PROTO_VERSION, field, sizeof(field), &parsed),
		PROTO_ERROR_VALUE);
}

static struct proto_message answer(unsigned int version)
{
	struct proto_message message = { .version = version, .type = PROTO_ANSWER };

	message.report.session = (struct proto_session){ 1, 1, 1 };
	message.report.status.n_vips = 1;
	return message;
}

static void fields_say_who_wants_peers_and_what_was_heard(void **state)
{
	static const uint8_t none[] = { 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t some[] = { 7, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2 };
	static const uint8_t shorter[] = { 7, 0, 7, 0, 0, 0, 0, 0, 0, 1 };
	struct proto_message message = answer(PROTO_VERSION), parsed;
	uint8_t bytes[PROTO_MESSAGE_MAX];

	assert_int_equal(
		parse_fields(&message, PROTO_VERSION, none, sizeof(none), &parsed), PROTO_OK);
	assert_true(parsed.report.status.second_chance);
	assert_int_equal(parsed.report.peers_heard, 0);
	assert_int_equal(
		parse_fields(&message, PROTO_VERSION, some, sizeof(some), &parsed), PROTO_OK);
	assert_int_equal(parsed.report.peers_heard, 0x102);
	assert_int_equal(parse_fields(&message, PROTO_VERSION, shorter, sizeof(shorter), &parsed),
		PROTO_ERROR_VALUE);
	assert_int_not_equal(
		parse_fields(&message, PROTO_VERSION_TABLE, some, sizeof(some), &parsed), PROTO_OK);
	message = heartbeat(PROTO_VERSION);
	assert_int_equal(parse_fields(&message, PROTO_VERSION, none, sizeof(none), &parsed),
		PROTO_ERROR_VALUE);
	/* Nobody hears what he does not want. */
	message = answer(PROTO_VERSION);
	message.report.peers_heard = 5;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.report.status.second_chance = true;
	assert_true(proto_write(&message, bytes) > 0);
	message.version = PROTO_VERSION_TABLE;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
}

static void fields_refuse_ports_that_make_no_sense(void **state)
{
	const struct proto_port good = { 0, IPPROTO_TCP, 80, 80, false };
	const struct proto_port bad[] = { { PROTO_VIPS_MAX, IPPROTO_TCP, 80, 80, false },
		{ 0, IPPROTO_ICMP, 80, 80, false }, { 0, IPPROTO_TCP, 0, 80, false },
		{ 0, IPPROTO_TCP, 81, 80, false } };
	struct proto_message message = { .version = PROTO_VERSION, .type = PROTO_SERVE };
	uint8_t bytes[PROTO_MESSAGE_MAX];

	message.serve.session = (struct proto_session){ 1, 1, 0 };
	message.serve.n_ports = 1;
	ARRAY_FOREACH (port, bad, ARRAY_LEN(bad)) {
		message.serve.ports[0] = *port;
		assert_int_equal(proto_write(&message, bytes), -EINVAL);
	}
	message.serve.ports[0] = message.serve.ports[1] = good;
	assert_true(proto_write(&message, bytes) > 0);
	/* A position above 255 has no place before version 5, and neither has one that an agent had not then. */
	message.serve.ports[0].vip = PROTO_VIPS_WHOLE;
	assert_true(proto_write(&message, bytes) > 0);
	message.version = PROTO_VERSION_VIPS - 1;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.version = PROTO_VERSION;
	message.serve.ports[0] = good;
	message.serve.n_ports = 2; /* one twice */
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.serve.ports[0].first = message.serve.ports[0].last = 81; /* falling */
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.serve.n_ports = PROTO_PORTS_MAX + 1;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.version = PROTO_VERSION_1;
	message.serve.n_ports = 0;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_have_the_balancers_place_in_a_heartbeat),
		cmocka_unit_test(fields_have_so_many_addresses_of_a_place),
		cmocka_unit_test(fields_have_no_place_in_former_versions),
		cmocka_unit_test(fields_say_who_wants_peers_and_what_was_heard),
		cmocka_unit_test(fields_refuse_ports_that_make_no_sense),
	};

	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
