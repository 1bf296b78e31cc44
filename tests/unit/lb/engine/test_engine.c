/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tags: long */
/* The contract of engine.h, frame by frame: what an engine changes, what it counts, and links that go away. */
#include "lb/engine/engine.h"

#include "lb/engine/icmp_answer.h"
#include "tests/unit/lb/engine/engine_fixture.h"

/* A program has no snapshot yet to count such frames by; it counts from the first on. */
static void engine_passes_everything_before_the_first_snapshot(void **state)
{
	_cleanup_close_ int client = -1, server = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_start("in0", kind_out(), 1);
	frame_fill(&frame, 1, 100);
	wire_send(client, &frame, 100);
	if (!kind_is_bpf())
		WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_PASS] == 1);
	WIRE_WAIT(wire_received_pkts("in0") == 1);
	assert_int_equal(ops->health(engine), 0);
	assert_true(wire_is_silent(server));
	assert_int_equal(ops->load(engine, snapshot_make(OUT_MAC, SERVER_MAC, MTU_BYTES)), 0);
	assert_forwarded(client, server, &frame, 100);
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == 1);
	assert_int_equal(totals_of(engine).received_pkts, kind_is_bpf() ? 1 : 2);
	engine_stop();
}

static void engine_changes_nothing_but_the_addresses(void **state)
{
	static const size_t sizes_bytes[] = { 60, 61, 1000, ETH_HLEN + MTU_BYTES };
	_cleanup_close_ int client = -1, server = -1;
	struct engine_service_counters service;
	struct engine_pair_counters pair;
	uint64_t bytes = 0;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve(kind_out(), MTU_BYTES);
	ARRAY_FOREACH (size_bytes, sizes_bytes, ARRAY_LEN(sizes_bytes)) {
		struct udp_frame frame;

		frame_fill(&frame, 1, *size_bytes);
		assert_forwarded(client, server, &frame, *size_bytes);
		bytes += *size_bytes;
	}
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == ARRAY_LEN(sizes_bytes));
	ops->service_counters(engine, SERVICE, &service);
	assert_int_equal(service.packets, ARRAY_LEN(sizes_bytes));
	assert_int_equal(service.bytes, bytes);
	ops->pair_counters(engine, SERVICE, BACKEND, &pair);
	assert_int_equal(pair.packets, ARRAY_LEN(sizes_bytes));
	assert_int_equal(pair.bytes, bytes);
	assert_true(wire_is_silent(server));
	engine_stop();
}

/* With one interface, too, it never receives what it sends. */
static void engine_takes_each_frame_once(void **state)
{
	_cleanup_close_ int client = -1, server = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve(kind_out(), MTU_BYTES);
	for (uint16_t port = 1; port <= 20; port++) {
		frame_fill(&frame, port, 500);
		assert_forwarded(client, server, &frame, 500);
	}
	WIRE_WAIT(totals_of(engine).verdict_pkts[FWD_FORWARD] == 20);
	assert_int_equal(totals_of(engine).received_pkts, 20);
	assert_true(wire_is_silent(server));
	engine_stop();
}

static void engine_keeps_the_vlan_tag(void **state)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	const size_t size_bytes = 200;
	_cleanup_close_ int client = -1, server = -1;
	static const uint8_t tag[] = { 0x81, 0x00, 0x60, 0x2a }; /* priority 3, VLAN 42 */
	uint8_t tagged[256];
	struct udp_frame frame;
	uint16_t tci;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	(void)engine_serve(kind_out(), MTU_BYTES);
	frame_fill(&frame, 1, size_bytes);
	memcpy(tagged, &frame, 12);
	memcpy(tagged + 12, tag, sizeof(tag));
	memcpy(tagged + 16, (uint8_t *)&frame + 12, size_bytes - 12);
	wire_send(client, tagged, size_bytes + sizeof(tag));
	assert_int_equal(wire_receive(server, received, &tci), size_bytes);
	assert_int_equal(tci, 0x602a);
	assert_memory_equal(received + 12, (uint8_t *)&frame + 12, size_bytes - 12);
	engine_stop();
}

/* Frames are of 203.0.113.5. Lists come, stay, change and go with the snapshots. */
static void engine_takes_the_clients_of_its_snapshot(void **state)
{
	static const struct {
		const char *denied;
		bool takes;
	} steps[] = { { NULL, true }, { "203.0.113.0/24", false }, { "203.0.113.0/24", false },
		{ "203.0.112.0/24", true }, { "203.0.113.5/32", false }, { NULL, true },
		{ "203.0.113.5/32", false }, { "203.0.113.4/32", true }, { "::/0", true } };
	_cleanup_close_ int client = -1, server = -1;
	struct udp_frame frame;
	struct engine *engine;
	uint64_t n_denied = 0;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve(kind_out(), MTU_BYTES);
	ARRAY_FOREACH (step, steps, ARRAY_LEN(steps)) {
		assert_int_equal(ops->load(engine,
					 snapshot_make_denying(
						 OUT_MAC, SERVER_MAC, MTU_BYTES, step->denied)),
			0);
		frame_fill(&frame, 4000, 100);
		if (step->takes) {
			assert_forwarded(client, server, &frame, 100);
			continue;
		}
		wire_send(client, &frame, 100);
		n_denied++;
		WIRE_WAIT(reason_pkts(engine, FWD_REASON_CLIENT_DENIED) == n_denied);
	}
	assert_int_equal(reason_pkts(engine, FWD_REASON_CLIENT_DENIED), n_denied);
	assert_true(wire_is_silent(server));
	engine_stop();
}

static void engine_drops_what_the_link_does_not_take(void **state)
{
	_cleanup_close_ int client = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	engine = engine_serve(kind_out(), 1000);
	frame_fill(&frame, 1, 1015);
	wire_send(client, &frame, 1015);
	WIRE_WAIT(reason_pkts(engine, FWD_REASON_TOO_BIG) == 1);
	engine_stop();
}

/* ---- links ---- */

/* Out of the second link, with that link's MAC and MTU, though the first takes less. */
static void engine_sends_by_the_link_of_the_backend(void **state)
{
	static uint8_t received[WIRE_FRAME_BYTES];
	_cleanup_close_ int client = -1, server = -1, answers = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_start("in0", kind_out(), 1);
	assert_int_equal(ops->load(engine, snapshot_make_on_link(3, 1000)), 0);
	frame_fill(&frame, 1, ETH_HLEN + 1000);
	assert_forwarded(client, server, &frame, ETH_HLEN + 1000);
	answers = wire_open("c0");
	frame_fill(&frame, 2, ETH_HLEN + 1001);
	wire_send(client, &frame, ETH_HLEN + 1001);
	assert_int_equal(
		wire_receive(answers, received, NULL), ETH_HLEN + ICMP_ANSWER_IP4_BYTES_MAX);
	assert_memory_equal(received + ETH_HLEN + 26, "\3\xe8", 2); /* 1000 */
	if (kind->one_interface)
		wire_receive(server, received, NULL); /* the same */
	WIRE_WAIT(reason_pkts(engine, FWD_REASON_TOO_BIG) == 1);
	/* And it follows when the link has another number. */
	assert_int_equal(ops->load(engine, snapshot_make_on_link(FWD_LINKS_MAX - 1, 1400)), 0);
	frame_fill(&frame, 3, ETH_HLEN + 1400);
	assert_forwarded(client, server, &frame, ETH_HLEN + 1400);
	assert_int_equal(reason_pkts(engine, FWD_REASON_TOO_BIG), 1);
	engine_stop();
}

/* A program is not told what became of a frame that it sent: it counts as forwarded. */
static void send_into_a_link_that_is_down(struct engine *engine, int client)
{
	enum fwd_reason reason = kind_is_bpf() ? FWD_REASON_FORWARDED : FWD_REASON_SEND_FAILED;
	uint64_t before_pkts = reason_pkts(engine, reason);
	struct udp_frame frame;

	frame_fill(&frame, 1, 100);
	wire_send(client, &frame, 100);
	WIRE_WAIT(reason_pkts(engine, reason) == before_pkts + 1);
}

static void engine_waits_for_an_interface_that_is_down(void **state)
{
	const char *const interfaces[] = { "in0", kind_out() };
	_cleanup_close_ int client = -1, server = -1;
	struct udp_frame frame;
	struct engine *engine;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve(kind_out(), MTU_BYTES);
	frame_fill(&frame, 1, 100);
	ARRAY_FOREACH (interface, interfaces, ARRAY_LEN(interfaces)) {
		wire_run("ip link set %s down", *interface);
		if (!streq(*interface, "in0"))
			send_into_a_link_that_is_down(engine, client);
		/* Others may send to other interfaces: it is no want of the engine's. */
		WIRE_WAIT(ops->health(engine) == (streq(*interface, "in0") ? -ENETDOWN : 0));
		wire_run("ip link set %s up", *interface);
		WIRE_WAIT(ops->health(engine) == 0);
		WIRE_WAIT(wire_is_running("c0") && wire_is_running(kind_out()));
		assert_forwarded(client, server, &frame, 100);
	}
	engine_stop();
}

static void engine_says_when_the_interface_is_gone(void **state)
{
	struct engine *engine;

	NEEDS_ENGINE();
	engine = engine_serve(kind_out(), MTU_BYTES);
	wire_run("ip link delete in0");
	WIRE_WAIT(ops->health(engine) == -ENODEV);
	engine_stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(engine_passes_everything_before_the_first_snapshot),
		TEST(engine_changes_nothing_but_the_addresses),
		TEST(engine_takes_each_frame_once),
		TEST(engine_keeps_the_vlan_tag),
		TEST(engine_takes_the_clients_of_its_snapshot),
		TEST(engine_drops_what_the_link_does_not_take),
		TEST(engine_sends_by_the_link_of_the_backend),
		TEST(engine_waits_for_an_interface_that_is_down),
		TEST(engine_says_when_the_interface_is_gone),
	};

	fixture_start();
	return kinds_run("engine", tests, ARRAY_LEN(tests), NULL, NULL, is_permitted);
}
