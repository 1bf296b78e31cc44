/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several interfaces to backends: with whose MAC a frame goes out, for which it is too big, and what comes back by each. */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/world.h"

#define SHORT_MTU_BYTES 1400u
#define LONG_MTU_BYTES  9000u
#define OVERHEAD_BYTES  40u /* IPv4 and TCP */

/* Rows are backend 1's; backends 1 and 2 are on links 0 and 5. */
struct bench {
	struct vector_world *world;
	struct snapshot *snapshot;
};

static struct fwd_settings two_links(void)
{
	struct fwd_settings settings = { .mtu_bytes = SHORT_MTU_BYTES, .mtus_differ = 1 };

	settings.links[0] = (struct fwd_link){ .ifindex = 10, .mtu_bytes = SHORT_MTU_BYTES };
	settings.links[5] = (struct fwd_link){ .ifindex = 15, .mtu_bytes = LONG_MTU_BYTES };
	settings.links[0].mac[5] = 0xa0;
	settings.links[5].mac[5] = 0xa5;
	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	return settings;
}

static void serve(struct bench *bench, struct fwd_settings settings, uint16_t owner)
{
	struct fwd_service service = { .id = 1, .flags = FWD_SERVICE_SESSIONLESS, .n_members = 2 };
	static const uint8_t links[] = { 0, 5 };

	for (struct fwd_slot *row = bench->world->rows.rows, *end = row + FWD_ROWS; row < end;
		row++)
		row->owner = row->base = owner;
	snapshot_free(bench->snapshot);
	assert_int_equal(snapshot_new(&settings, NULL, &bench->snapshot), 0);
	assert_int_equal(snapshot_add_table(bench->snapshot, &bench->world->rows, -1, NULL, NULL,
				 &service.table),
		0);
	assert_int_equal(snapshot_add_service(bench->snapshot, &service), 0);
	for (uint16_t id = 1; id <= 2; id++) {
		struct fwd_backend backend = { .flags = FWD_BACKEND_FLOWS, .link = links[id - 1] };

		memcpy(backend.mac, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1), FWD_MAC_BYTES);
		assert_int_equal(snapshot_add_backend(bench->snapshot, id, &backend), 0);
	}
	vector_world_bind(bench->snapshot, "198.51.100.10", 6, 80, 80, 1);
}

/* As publication does it: whatever has either link's MAC as its source was sent by ourselves, and each member's own MAC is known. */
static void know_macs(struct bench *bench)
{
	const struct fwd_settings settings = two_links();
	struct mac mac;

	for (uint16_t id = 1; id <= 2; id++) {
		memcpy(mac.bytes, settings.links[id == 1 ? 0 : 5].mac, FWD_MAC_BYTES);
		assert_int_equal(snapshot_add_mac(bench->snapshot, &mac,
					 (struct fwd_mac){ FWD_MAC_BALANCER, 0 }),
			0);
		memcpy(mac.bytes, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1), FWD_MAC_BYTES);
		assert_int_equal(snapshot_add_mac(bench->snapshot, &mac,
					 (struct fwd_mac){ FWD_MAC_BACKEND, id }),
			0);
		snapshot_add_member(bench->snapshot, 1, id);
	}
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	bench->world = aligned_alloc(64, sizeof(*bench->world));
	vector_world_reset(bench->world);
	memset(bench->world->rows.settled, 0, sizeof(bench->world->rows.settled));
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	snapshot_free(bench->snapshot);
	free(bench->world);
	free(bench);
	return 0;
}

/* A packet of so many bytes from IP on. */
static struct fwd_result run(struct bench *bench, uint32_t size_bytes, uint8_t *bytes)
{
	struct fwd_port port = { .snapshot = bench->snapshot, .now_s = VECTOR_NOW_S };
	const struct vector_packet packet = { .tcp_flags = WIRE_TCP_ACK,
		.payload_bytes = size_bytes - OVERHEAD_BYTES };
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(&packet, bytes) };
	struct fwd_result result;

	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	return result;
}

static void frame_leaves_with_the_mac_of_its_backends_link(void **state)
{
	static uint8_t bytes[16384];
	struct bench *bench = *state;

	for (uint16_t id = 1; id <= 2; id++) {
		serve(bench, two_links(), id);
		assert_int_equal(run(bench, 1000, bytes).reason, FWD_REASON_FORWARDED);
		assert_memory_equal(
			bytes, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1), FWD_MAC_BYTES);
		assert_int_equal(bytes[11], id == 1 ? 0xa0 : 0xa5);
		assert_int_equal(image_link(snapshot_image(bench->snapshot), id)->ifindex,
			id == 1 ? 10 : 15);
	}
}

static struct fwd_result run_from(struct bench *bench, const uint8_t *mac)
{
	struct fwd_port port = { .snapshot = bench->snapshot, .now_s = VECTOR_NOW_S };
	const struct vector_packet packet = { .tcp_flags = WIRE_TCP_ACK };
	static uint8_t bytes[16384];
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(&packet, bytes) };
	struct fwd_result result;

	memcpy(((struct wire_ethernet *)(void *)bytes)->source, mac, FWD_MAC_BYTES);
	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	return result;
}

/* Whichever link the packet would go out by: what we or a member sent by any of them is not sent again. */
static void loop_is_cut_on_each_link(void **state)
{
	const struct fwd_settings settings = two_links();
	struct bench *bench = *state;

	for (uint16_t owner = 1; owner <= 2; owner++) {
		serve(bench, settings, owner);
		/* Before the MACs are known only what would go back to whom it came from is a loop. */
		assert_int_equal(
			run_from(bench, settings.links[0].mac).reason, FWD_REASON_FORWARDED);
		for (uint16_t id = 1; id <= 2; id++)
			assert_int_equal(
				run_from(bench, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1))
					.reason,
				id == owner ? FWD_REASON_LOOP : FWD_REASON_FORWARDED);
		know_macs(bench);
		assert_int_equal(run_from(bench, settings.links[0].mac).reason, FWD_REASON_LOOP);
		assert_int_equal(run_from(bench, settings.links[5].mac).reason, FWD_REASON_LOOP);
		for (uint16_t id = 1; id <= 2; id++)
			assert_int_equal(
				run_from(bench, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1))
					.reason,
				FWD_REASON_LOOP);
		assert_int_equal(run_from(bench, vector_mac_bytes(VECTOR_MAC_ROUTER)).reason,
			FWD_REASON_FORWARDED);
	}
}

static void frame_is_too_big_for_its_backends_link_alone(void **state)
{
	static const uint32_t mtus_bytes[] = { SHORT_MTU_BYTES, LONG_MTU_BYTES };
	static uint8_t bytes[16384], before[16384];
	struct bench *bench = *state;

	for (uint16_t id = 1; id <= 2; id++) {
		uint32_t mtu_bytes = mtus_bytes[id - 1];
		struct fwd_result result;

		serve(bench, two_links(), id);
		assert_int_equal(run(bench, mtu_bytes, bytes).reason, FWD_REASON_FORWARDED);
		result = run(bench, mtu_bytes + 1, bytes);
		assert_int_equal(result.reason, FWD_REASON_TOO_BIG);
		assert_int_equal(result.verdict, FWD_SLOW_PATH);
		/* Whoever answers learns which link it is, and the frame is as it came. */
		assert_int_equal(image_mtu_bytes(snapshot_image(bench->snapshot), result.backend),
			mtu_bytes);
		vector_build(&(struct vector_packet){ .tcp_flags = WIRE_TCP_ACK,
				     .payload_bytes = mtu_bytes + 1 - OVERHEAD_BYTES },
			before);
		assert_memory_equal(bytes, before, mtu_bytes + 1 + 14);
	}
}

static void frame_is_too_big_before_anything_is_chosen_where_all_links_are_alike(void **state)
{
	static uint8_t bytes[16384];
	struct bench *bench = *state;
	struct fwd_settings settings = two_links();
	struct fwd_result result;

	settings.mtus_differ = 0;
	serve(bench, settings, 2);
	result = run(bench, SHORT_MTU_BYTES + 1, bytes);
	assert_int_equal(result.reason, FWD_REASON_TOO_BIG);
	assert_int_equal(result.backend, 0);
	assert_int_equal(
		image_mtu_bytes(snapshot_image(bench->snapshot), result.backend), SHORT_MTU_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(frame_leaves_with_the_mac_of_its_backends_link),
		TEST(loop_is_cut_on_each_link),
		TEST(frame_is_too_big_for_its_backends_link_alone),
		TEST(frame_is_too_big_before_anything_is_chosen_where_all_links_are_alike),
	};

	return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
