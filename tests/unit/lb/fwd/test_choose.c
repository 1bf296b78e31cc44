/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second chance: which frames name an alternative, and how. Rows move from backend 1 to backend 2; what has no record
 * goes to 1.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/world.h"

#define SYN    WIRE_TCP_SYN
#define ACK    WIRE_TCP_ACK
#define TAKES  (FWD_BACKEND_FLOWS | FWD_BACKEND_PASSES_ON)
#define TOLD   (FWD_BACKEND_FLOWS | FWD_BACKEND_NAMED)
#define ID_MAX 0xfffe /* another backend with both bytes of its id set */

struct bench {
	struct vector_world *world;
	struct snapshot *snapshot;
	uint8_t bytes[256]; /* of the frame that was run last */
};

static struct bench bench;

static void add_backend(uint16_t id, uint8_t flags, uint8_t link)
{
	struct fwd_backend backend = { .flags = flags, .link = link };

	memcpy(backend.mac,
		vector_mac_bytes(id == ID_MAX ? VECTOR_MAC_BACKEND3 : VECTOR_MAC_BACKEND1 + id - 1),
		FWD_MAC_BYTES);
	assert_int_equal(snapshot_add_backend(bench.snapshot, id, &backend), 0);
}

/* Backend 1 is the base; `owner` is another one. */
static void open_bench(uint16_t owner, uint8_t base_flags, uint8_t owner_flags, uint8_t owner_link)
{
	const struct flows_table flows = { bench.world->flow4, bench.world->flow6,
		ARRAY_LEN(bench.world->flow4), ARRAY_LEN(bench.world->flow6), bench.world->seen,
		VECTOR_SEEN_WORDS };
	struct fwd_settings settings = { .mtu_bytes = VECTOR_MTU_BYTES,
		.named_mac = { 0xd2, 1, 2, 3 } };
	struct fwd_service service = { .id = 1, .tcp_timeout_s = 900, .udp_timeout_s = 300 };

	vector_world_reset(bench.world);
	for (size_t i = 0; i < FWD_ROWS; i++)
		bench.world->moving_rows.rows[i] = (struct fwd_slot){ owner, 1, VECTOR_NOW_S - 10 };
	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	memcpy(settings.links[0].mac, vector_mac_bytes(VECTOR_MAC_OUT), FWD_MAC_BYTES);
	snapshot_free(bench.snapshot);
	assert_int_equal(snapshot_new(&settings, &flows, &bench.snapshot), 0);
	snapshot_add_table(
		bench.snapshot, &bench.world->moving_rows, -1, NULL, NULL, &service.table);
	assert_int_equal(snapshot_add_service(bench.snapshot, &service), 0);
	add_backend(1, base_flags, 0);
	if (owner != 1)
		add_backend(owner, owner_flags, owner_link);
	vector_world_bind(bench.snapshot, "198.51.100.10", 6, 80, 80, 1);
	vector_world_bind(bench.snapshot, "198.51.100.10", 17, 53, 53, 1);
	vector_world_bind(bench.snapshot, "2001:db8::10", 6, 80, 80, 1);
}

static int setup(void **state)
{
	bench.world = aligned_alloc(64, sizeof(*bench.world));
	return bench.world ? 0 : -1;
}

static int teardown(void **state)
{
	bench.snapshot = snapshot_free(bench.snapshot);
	free(bench.world);
	return 0;
}

static struct fwd_result run(const struct vector_packet *packet)
{
	struct fwd_port port = { .snapshot = bench.snapshot, .now_s = VECTOR_NOW_S };
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(packet, bench.bytes) };
	struct fwd_result result;

	fwd_run(&port, bench.bytes, bench.bytes + frame.length_bytes, &frame, &result);
	return result;
}

static struct fwd_result tcp(uint8_t flags)
{
	return run(&(struct vector_packet){ .tcp_flags = flags });
}

static void assert_not_named(const struct fwd_result *result)
{
	assert_int_equal(result->reason, FWD_REASON_FORWARDED);
	assert_int_equal(result->alternative, 0);
	assert_memory_equal(bench.bytes + 6, vector_mac_bytes(VECTOR_MAC_OUT), 6);
}

static void choose_names_the_owner_of_a_row_that_moves(void **state)
{
	static const uint8_t second[6] = { 0xd2, 1, 2, 3, 0, 2 };
	static const uint8_t largest[6] = { 0xd2, 1, 2, 3, 0xff, 0xfe };
	struct fwd_result result;

	open_bench(2, TAKES, TOLD, 0);
	result = tcp(ACK);
	assert_int_equal(result.backend, 1);
	assert_int_equal(result.alternative, 2);
	assert_memory_equal(bench.bytes, vector_mac_bytes(VECTOR_MAC_BACKEND1), 6);
	assert_memory_equal(bench.bytes + 6, second, 6);
	result = run(&(struct vector_packet){ .ip6 = true, .tcp_flags = WIRE_TCP_FIN | ACK });
	assert_int_equal(result.alternative, 2);
	assert_memory_equal(bench.bytes + 6, second, 6);
	open_bench(ID_MAX, TAKES, TOLD, 0);
	assert_int_equal(tcp(ACK).alternative, ID_MAX);
	assert_memory_equal(bench.bytes + 6, largest, 6);
}

static void choose_names_nobody_for_what_is_known(void **state)
{
	struct fwd_result result;

	open_bench(2, TAKES, TOLD, 0);
	result = tcp(SYN);
	assert_int_equal(result.backend, 2);
	assert_not_named(&result);
	result = tcp(ACK);
	assert_int_equal(result.how, FWD_HOW_FLOW);
	assert_not_named(&result);
	result = run(&(struct vector_packet){ .proto = 17 });
	assert_not_named(&result);
	/* The owner has come back to the base. */
	open_bench(1, TAKES | FWD_BACKEND_NAMED, 0, 0);
	result = tcp(ACK);
	assert_int_equal(result.moving, 1);
	assert_not_named(&result);
	/* A row that is settled. */
	open_bench(2, TAKES, TOLD, 0);
	for (size_t i = 0; i < FWD_ROWS; i++)
		bench.world->moving_rows.rows[i] = (struct fwd_slot){ 2, 2, 0 };
	table_list_settled(&bench.world->moving_rows);
	result = tcp(ACK);
	assert_int_equal(result.backend, 2);
	assert_not_named(&result);
}

/* Whether the servers pass on or not, not a bit of a frame is another one where rows are settled. */
static void choose_leaves_frames_of_settled_rows_as_they_are(void **state)
{
	static const uint8_t flags[] = { SYN, ACK, ACK | WIRE_TCP_FIN };
	const uint8_t both = TAKES | FWD_BACKEND_NAMED;
	uint8_t without[sizeof(bench.bytes)];

	ARRAY_FOREACH (each, flags, ARRAY_LEN(flags)) {
		for (unsigned int with = 0; with <= 1; with++) {
			memset(bench.bytes, 0, sizeof(bench.bytes));
			open_bench(2, with ? both : FWD_BACKEND_FLOWS,
				with ? both : FWD_BACKEND_FLOWS, 0);
			for (size_t i = 0; i < FWD_ROWS; i++)
				bench.world->moving_rows.rows[i] = (struct fwd_slot){ 2, 2, 0 };
			table_list_settled(&bench.world->moving_rows);
			assert_int_equal(tcp(*each).backend, 2);
			if (with)
				assert_memory_equal(bench.bytes, without, sizeof(without));
			else
				memcpy(without, bench.bytes, sizeof(without));
		}
	}
}

/* Each condition alone. */
static void choose_names_nobody_who_could_not_be_reached(void **state)
{
	static const struct {
		uint8_t base, owner, link;
	} cases[] = {
		{ FWD_BACKEND_FLOWS, TOLD, 0 },  /* the base would not pass it on */
		{ TAKES, FWD_BACKEND_FLOWS, 0 }, /* nobody was told where the owner is */
		{ TAKES, FWD_BACKEND_NAMED, 0 }, /* the owner is down */
		{ TAKES, TOLD, 1 },              /* another link */
	};

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		struct fwd_result result;

		open_bench(2, each->base, each->owner, each->link);
		result = tcp(ACK);
		assert_int_equal(result.backend, 1);
		assert_not_named(&result);
	}
	/* The base is down: the owner has what is left. */
	open_bench(2, FWD_BACKEND_PASSES_ON, TOLD, 0);
	assert_int_equal(tcp(ACK).backend, 2);
	assert_int_equal(tcp(ACK).alternative, 0);
}

/* Whoever forges the source MAC of such a frame is a client as any other. */
static void choose_takes_a_frame_from_such_a_mac_as_a_clients(void **state)
{
	struct fwd_result result;

	open_bench(2, TAKES, TOLD, 0);
	result = run(&(struct vector_packet){ .tcp_flags = SYN, .from = VECTOR_MAC_NAMED2 });
	assert_int_equal(result.backend, 2);
	assert_not_named(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choose_names_the_owner_of_a_row_that_moves),
		cmocka_unit_test(choose_names_nobody_for_what_is_known),
		cmocka_unit_test(choose_leaves_frames_of_settled_rows_as_they_are),
		cmocka_unit_test(choose_names_nobody_who_could_not_be_reached),
		cmocka_unit_test(choose_takes_a_frame_from_such_a_mac_as_a_clients),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
