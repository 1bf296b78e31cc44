/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a PEERS may be. That it is kept, byte by byte, test_proto.c shows. */
#include "common/proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct proto_message peers(void)
{
	struct proto_message message = { .version = PROTO_VERSION, .type = PROTO_PEERS };

	message.peers = (struct proto_peers){ .session = { 1, 1, 0 },
		.named_mac = { PROTO_NAMED_MAC_FIRST, 1, 2, 3 },
		.after = 5,
		.change = 7,
		.n_items = 2,
		.items = { { 1, { { 2, 0, 0, 0, 0, 1 } } }, { 65535, { { 0 } } } } };
	return message;
}

static int write_of(const struct proto_message *message)
{
	uint8_t bytes[PROTO_MESSAGE_MAX];

	return proto_write(message, bytes);
}

static void peers_are_hosts_with_ids(void **state)
{
	struct proto_message message = peers();

	assert_true(write_of(&message) > 0);
	message.peers.items[1].id = 0;
	assert_int_equal(write_of(&message), -EINVAL);
	message = peers();
	message.peers.items[0].mac.bytes[0] = 3;
	assert_int_equal(write_of(&message), -EINVAL);
}

static void peers_are_not_too_many_nor_none(void **state)
{
	struct proto_message message = peers(), parsed;
	uint8_t bytes[PROTO_MESSAGE_MAX];
	int size = proto_write(&message, bytes);
	size_t n_at = (size_t)size - PROTO_TAG_BYTES - 2 * (size_t)8 - 1;

	assert_int_equal(bytes[n_at], 2);
	message.peers.n_items = 0;
	assert_int_equal(write_of(&message), -EINVAL);
	message.peers.n_items = PROTO_PEERS_MAX + 1;
	assert_int_equal(write_of(&message), -EINVAL);
	bytes[n_at] = 1;
	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_ERROR_LONG);
	bytes[n_at] = 3;
	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_ERROR_TRUNCATED);
	bytes[n_at] = PROTO_PEERS_MAX + 1;
	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_ERROR_VALUE);
}

static void peers_go_forward(void **state)
{
	struct proto_message message = peers();

	message.peers.after = message.peers.change;
	assert_int_equal(write_of(&message), -EINVAL);
	message.peers.change++;
	assert_true(write_of(&message) > 0);
	message.session.echo = 1;
	assert_int_equal(write_of(&message), -EINVAL);
}

static void peers_are_named_by_macs_that_no_vendor_has(void **state)
{
	struct proto_message message = peers();
	uint8_t one[PROTO_NAMED_MAC_BYTES], other[PROTO_NAMED_MAC_BYTES];

	message.peers.named_mac[0] = 0x02;
	assert_int_equal(write_of(&message), -EINVAL);
	/* IEEE 802c: locally administered, unicast, and of the quadrant that administrators have. */
	assert_int_equal(PROTO_NAMED_MAC_FIRST & 0x0f, 0x02);
	/* Every part of the boot id tells balancers apart. */
	for (unsigned int bit = 0; bit < 64; bit++) {
		proto_named_mac(0x0123456789abcdef, one);
		proto_named_mac(0x0123456789abcdef ^ UINT64_C(1) << bit, other);
		assert_int_equal(one[0], PROTO_NAMED_MAC_FIRST);
		assert_memory_not_equal(one, other, PROTO_NAMED_MAC_BYTES);
	}
}

static void peers_are_not_told_in_former_versions(void **state)
{
	uint8_t bytes[PROTO_MESSAGE_MAX];
	struct proto_message message = peers(), parsed;
	int size = proto_write(&message, bytes);

	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_OK);
	bytes[PROTO_VERSION_OFFSET] = PROTO_VERSION_TABLE;
	assert_int_equal(proto_parse(bytes, (size_t)size, &parsed), PROTO_ERROR_TYPE);
	message.version = PROTO_VERSION_TABLE;
	assert_int_equal(write_of(&message), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_are_hosts_with_ids),
		cmocka_unit_test(peers_are_not_too_many_nor_none),
		cmocka_unit_test(peers_go_forward),
		cmocka_unit_test(peers_are_named_by_macs_that_no_vendor_has),
		cmocka_unit_test(peers_are_not_told_in_former_versions),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
