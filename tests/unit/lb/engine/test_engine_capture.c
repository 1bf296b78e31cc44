/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each engine captures what it receives and sends, as the filter says, and nothing while nobody asks. */
#include <poll.h>

#include "lb/engine/capture/capture_types.h"
#include "tests/unit/lb/engine/engine_fixture.h"

#define FRAME_BYTES 100u

/* Waits for one; false: none comes within so many milliseconds. */
static bool take(struct engine *engine, struct captured *ret_captured, int timeout_ms)
{
	struct pollfd fd = { ops->capture_fd(engine), POLLIN, 0 };

	while (!ops->capture_take(engine, ret_captured))
		if (poll(&fd, 1, timeout_ms) == 0)
			return false;
	return true;
}

static void engine_captures_what_comes_and_goes(void **state)
{
	const struct capture_filter all = { 0 };
	struct captured in, out;
	struct engine *engine;
	struct udp_frame frame;
	int client, server;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve(kind_out(), MTU_BYTES);
	assert_int_equal(ops->capture(engine, &all), 0);
	frame_fill(&frame, 1000, FRAME_BYTES);
	assert_forwarded(client, server, &frame, FRAME_BYTES);
	assert_true(take(engine, &in, 5000));
	assert_true(take(engine, &out, 5000));
	assert_int_equal(in.is_out, 0);
	assert_int_equal(in.length_bytes, FRAME_BYTES);
	assert_int_equal(in.size_bytes, FRAME_BYTES);
	assert_memory_equal(in.bytes, &frame, FRAME_BYTES);
	assert_int_equal(in.reason, FWD_REASON_FORWARDED);
	assert_int_equal(in.service, SERVICE);
	assert_int_equal(in.backend, BACKEND);
	assert_int_equal(out.is_out, 1);
	assert_memory_equal(out.bytes, mac_make(SERVER_MAC).bytes, MAC_LEN);
	assert_memory_equal(out.bytes + MAC_LEN, mac_make(OUT_MAC).bytes, MAC_LEN);
	assert_memory_equal(out.bytes + CAPTURE_MACS_BYTES, (uint8_t *)&frame + CAPTURE_MACS_BYTES,
		FRAME_BYTES - CAPTURE_MACS_BYTES);
	assert_true(out.time_ns >= in.time_ns);
	assert_int_equal(ops->capture_lost(engine), 0);
	util_close(client);
	util_close(server);
}

static void engine_captures_the_beginning_of_long_frames(void **state)
{
	const size_t size_bytes = 3000;
	const struct capture_filter all = { 0 };
	static uint8_t bytes[4000];
	struct captured in;
	struct engine *engine;
	int client;

	NEEDS_ENGINE();
	wire_run("ip link set c0 mtu 3300 && ip link set in0 mtu 3300");
	client = wire_open("c0");
	engine = engine_serve(kind_out(), 3300);
	assert_int_equal(ops->capture(engine, &all), 0);
	frame_fill((struct udp_frame *)bytes, 1000, size_bytes);
	wire_send(client, bytes, size_bytes);
	assert_true(take(engine, &in, 5000));
	assert_int_equal(in.length_bytes, size_bytes);
	assert_int_equal(in.size_bytes, CAPTURE_FRAME_BYTES);
	util_close(client);
}

static void engine_captures_what_the_filter_takes(void **state)
{
	const struct capture_filter other = { .backend = BACKEND + 1 }, all = { 0 };
	struct capture_filter client_only = { .by_client = 1 };
	struct addr_prefix prefix;
	struct captured captured;
	struct engine *engine;
	struct udp_frame frame;
	int client, server;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve(kind_out(), MTU_BYTES);
	frame_fill(&frame, 1000, FRAME_BYTES);
	assert_forwarded(client, server, &frame, FRAME_BYTES);
	assert_int_equal(ops->capture(engine, &other), 0);
	assert_forwarded(client, server, &frame, FRAME_BYTES);
	assert_int_equal(addr_prefix_parse("203.0.113.5", &prefix), 0);
	snapshot_addr(&prefix.addr, &client_only.client);
	memset(&client_only.client_mask, 0xff, sizeof(client_only.client_mask));
	assert_int_equal(ops->capture(engine, &client_only), 0);
	frame_fill(&frame, 1001, FRAME_BYTES);
	assert_forwarded(client, server, &frame, FRAME_BYTES);
	assert_true(take(engine, &captured, 5000));
	/* The first of all is this one: those before it were not taken. */
	assert_memory_equal(captured.bytes, &frame, FRAME_BYTES);
	assert_int_equal(ops->capture(engine, NULL), 0);
	assert_forwarded(client, server, &frame, FRAME_BYTES);
	assert_int_equal(ops->capture(engine, &all), 0);
	assert_false(ops->capture_take(engine, &captured));
	util_close(client);
	util_close(server);
}

/* Nobody takes what is captured: what does not fit is counted, and each frame is forwarded. */
static void engine_loses_captured_frames_before_others(void **state)
{
	const unsigned int n_frames = 3000;
	const struct capture_filter all = { 0 };
	struct captured captured;
	struct engine *engine;
	struct udp_frame frame;
	uint64_t n_taken = 0;
	int client, server;

	NEEDS_ENGINE();
	client = wire_open("c0");
	server = wire_open(kind_server());
	engine = engine_serve(kind_out(), MTU_BYTES);
	assert_int_equal(ops->capture(engine, &all), 0);
	for (unsigned int i = 0; i < n_frames; i++) {
		frame_fill(&frame, (uint16_t)(1000 + i), FRAME_BYTES);
		assert_forwarded(client, server, &frame, FRAME_BYTES);
	}
	/* The last ones are counted a moment after they came out. */
	while (take(engine, &captured, 500))
		n_taken += kind_is_bpf() ? !captured.is_out : 1;
	assert_true(ops->capture_lost(engine) > 0);
	assert_int_equal(totals_of(engine).verdict_pkts[FWD_FORWARD], n_frames);
	/* Of a kernel's engine a lost record is a frame that came and that went. */
	assert_int_equal(n_taken + ops->capture_lost(engine),
		kind_is_bpf() ? n_frames : (uint64_t)2 * n_frames);
	util_close(client);
	util_close(server);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(engine_captures_what_comes_and_goes),
		TEST(engine_captures_the_beginning_of_long_frames),
		TEST(engine_captures_what_the_filter_takes),
		TEST(engine_loses_captured_frames_before_others),
	};

	fixture_start();
	return kinds_run("engine_capture", tests, ARRAY_LEN(tests), NULL, NULL, is_permitted);
}
