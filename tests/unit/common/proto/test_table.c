/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TABLE and RELAY: what is refused. That the rest is kept, byte by byte, test_proto.c shows. */
#include "common/proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct proto_message told(enum proto_type type)
{
	struct proto_message message = { .version = PROTO_VERSION, .type = type };

	message.told = (struct proto_told){ .session = { 1, 1, type == PROTO_RELAY },
		.table = { .name = "web", .version = "1" } };
	if (type == PROTO_RELAY)
		assert_int_equal(addr_parse("192.0.2.3", &message.told.other), 0);
	return message;
}

static void table_of_another_balancer_has_its_address(void **state)
{
	uint8_t bytes[PROTO_MESSAGE_MAX];
	struct proto_message message = told(PROTO_RELAY);

	assert_true(proto_write(&message, bytes) > 0);
	message.told.other.bytes[0] = 127;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.told.other = (struct addr){ 0 };
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = told(PROTO_RELAY);
	message.type = PROTO_TABLE;
	message.told.session.echo = 0;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.told.other = (struct addr){ 0 };
	assert_true(proto_write(&message, bytes) > 0);
}

static void table_has_a_name_and_a_version(void **state)
{
	uint8_t bytes[PROTO_MESSAGE_MAX];
	struct proto_message message = told(PROTO_TABLE);

	message.told.table.name[0] = '-';
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = told(PROTO_TABLE);
	message.told.table.name[0] = '\0';
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message = told(PROTO_TABLE);
	message.told.table.version[0] = '\0';
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
	message.told.table.version[0] = '\n';
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
}

static void table_is_not_told_in_former_versions(void **state)
{
	uint8_t bytes[PROTO_MESSAGE_MAX];
	struct proto_message message = told(PROTO_TABLE), parsed;
	int size = proto_write(&message, bytes);

	assert_true(size > 0);
	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_OK);
	bytes[PROTO_VERSION_OFFSET] = PROTO_VERSION_SERVE;
	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_ERROR_TYPE);
	message.version = PROTO_VERSION_SERVE;
	assert_int_equal(proto_write(&message, bytes), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_another_balancer_has_its_address),
		cmocka_unit_test(table_has_a_name_and_a_version),
		cmocka_unit_test(table_is_not_told_in_former_versions),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
