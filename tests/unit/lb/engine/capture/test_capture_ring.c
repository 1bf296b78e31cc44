/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter takes what it says, and the ring keeps what has room. */
#include "lb/engine/capture/capture_ring.h"
#include "lb/fwd/reason.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Ethernet and IPv4 from 192.0.2.7 to 198.51.100.10. */
static const uint8_t frame4[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xc, 8, 0, 0x45, 0, 0, 20, 0, 0,
	0, 0, 64, 17, 0, 0, 192, 0, 2, 7, 198, 51, 100, 10 };
/* The same behind a tag. */
static const uint8_t tagged4[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xc, 0x81, 0, 0, 5, 8, 0, 0x45,
	0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 7, 198, 51, 100, 10 };
static uint8_t frame6[54] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xc, 0x86, 0xdd, 0x60 };
static const struct fwd_result forwarded = {
	.reason = FWD_REASON_FORWARDED, .service = 3, .backend = 1
};

static struct capture_ring *ring;
static struct capture_tap tap;

static int setup(void **state)
{
	tap = (struct capture_tap){ 0 };
	ring = capture_ring_new();
	inet_pton(AF_INET6, "2001:db8::7", frame6 + 22);
	inet_pton(AF_INET6, "2001:db8:f::10", frame6 + 38);
	return ring ? 0 : -1;
}

static int teardown(void **state)
{
	ring = capture_ring_free(ring);
	return 0;
}

static struct fwd_addr address4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct fwd_addr){ { 0, 0, htonl(0xffff),
		htonl((uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)c << 8 | d) } };
}

static void put(const struct fwd_result *result, const uint8_t *bytes, size_t size_bytes)
{
	const struct capture_frame frame = { .data = bytes, .size_bytes = (uint32_t)size_bytes };

	if (capture_tap_follow(&tap, ring))
		capture_tap_put(&tap, ring, result, &frame);
}

/* Whether the filter takes it. */
static bool takes(const struct capture_filter *filter, const struct fwd_result *result,
	const uint8_t *bytes, size_t size_bytes)
{
	struct captured captured;

	capture_ring_set(ring, filter);
	put(result, bytes, size_bytes);
	return capture_ring_take(ring, &captured);
}

#define TAKES(filter, result, bytes) takes(filter, result, bytes, sizeof(bytes))

static void filter_by_nothing_takes_what_is_for_a_vip(void **state)
{
	const struct capture_filter all = { 0 };
	struct fwd_result result = forwarded;

	assert_true(TAKES(&all, &result, frame4));
	assert_true(TAKES(&all, &result, frame6));
	result.reason = FWD_REASON_NO_BACKEND;
	assert_true(TAKES(&all, &result, frame4));
	result.reason = FWD_REASON_NOT_VIP;
	assert_false(TAKES(&all, &result, frame4));
	result.reason = FWD_REASON_NOT_OURS;
	assert_false(TAKES(&all, &result, frame4));
	result.reason = FWD_REASON_NOT_IP;
	assert_false(TAKES(&all, &result, frame4));
}

static void filter_by_vip_takes_its_packets_whatever_became_of_them(void **state)
{
	struct capture_filter filter = { .vip = address4(198, 51, 100, 10), .by_vip = 1 };
	struct fwd_result result = forwarded;

	assert_true(TAKES(&filter, &result, frame4));
	assert_true(TAKES(&filter, &result, tagged4));
	assert_false(TAKES(&filter, &result, frame6));
	result.reason = FWD_REASON_NOT_VIP;
	assert_true(TAKES(&filter, &result, frame4));
	filter.vip = address4(198, 51, 100, 11);
	assert_false(TAKES(&filter, &result, frame4));
	/* An address that is cut off is none. */
	assert_false(takes(&filter, &result, frame4, sizeof(frame4) - 1));
}

static void filter_by_client_takes_its_prefix(void **state)
{
	struct capture_filter filter = { .client = address4(192, 0, 2, 0), .by_client = 1 };

	filter.client_mask =
		(struct fwd_addr){ { UINT32_MAX, UINT32_MAX, UINT32_MAX, htonl(0xffffff00) } };
	assert_true(TAKES(&filter, &forwarded, frame4));
	assert_true(TAKES(&filter, &forwarded, tagged4));
	assert_false(TAKES(&filter, &forwarded, frame6));
	filter.client = address4(192, 0, 3, 0);
	assert_false(TAKES(&filter, &forwarded, frame4));
}

static void filter_by_backend_takes_what_goes_there(void **state)
{
	struct capture_filter filter = { .backend = 1 };
	struct fwd_result result = forwarded;

	assert_true(TAKES(&filter, &result, frame4));
	result.backend = 2;
	assert_false(TAKES(&filter, &result, frame4));
	result.backend = 0;
	result.reason = FWD_REASON_NO_BACKEND;
	assert_false(TAKES(&filter, &result, frame4));
}

static void ring_is_silent_while_nobody_captures(void **state)
{
	struct captured captured;
	struct pollfd fd = { capture_ring_fd(ring), POLLIN, 0 };
	const struct capture_filter all = { 0 };

	put(&forwarded, frame4, sizeof(frame4));
	assert_false(capture_ring_take(ring, &captured));
	capture_ring_set(ring, &all);
	put(&forwarded, frame4, sizeof(frame4));
	assert_int_equal(poll(&fd, 1, 0), 1);
	capture_ring_set(ring, NULL);
	assert_int_equal(poll(&fd, 1, 0), 0);
	put(&forwarded, frame4, sizeof(frame4));
	assert_false(capture_ring_take(ring, &captured));
	assert_int_equal(capture_ring_lost(ring), 0);
}

static void ring_counts_what_has_no_room(void **state)
{
	const struct capture_filter all = { 0 };
	struct pollfd fd = { capture_ring_fd(ring), POLLIN, 0 };
	struct fwd_result result = forwarded;
	struct captured captured;

	capture_ring_set(ring, &all);
	for (size_t i = 0; i < CAPTURE_RING_FRAMES + 1; i++) {
		result.backend = (uint16_t)(i + 1);
		put(&result, frame4, sizeof(frame4));
	}
	assert_int_equal(capture_ring_lost(ring), 1);
	for (size_t i = 0; i < CAPTURE_RING_FRAMES; i++) {
		assert_int_equal(poll(&fd, 1, 0), 1);
		assert_true(capture_ring_take(ring, &captured));
		assert_int_equal(captured.backend, i + 1);
	}
	assert_false(capture_ring_take(ring, &captured));
	assert_int_equal(poll(&fd, 1, 0), 0);
}

static void ring_keeps_the_beginning_and_the_former_addresses(void **state)
{
	static uint8_t bytes[CAPTURE_FRAME_BYTES + 1];
	static const uint8_t macs[CAPTURE_MACS_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	const struct capture_frame frame = {
		.data = bytes, .size_bytes = sizeof(bytes), .macs = macs, .is_out = true
	};
	const struct capture_filter all = { 0 };
	struct captured captured;

	memset(bytes, 0xee, sizeof(bytes));
	capture_ring_set(ring, &all);
	assert_true(capture_tap_follow(&tap, ring));
	capture_tap_put(&tap, ring, &forwarded, &frame);
	assert_true(capture_ring_take(ring, &captured));
	assert_int_equal(captured.length_bytes, CAPTURE_FRAME_BYTES + 1);
	assert_int_equal(captured.size_bytes, CAPTURE_FRAME_BYTES);
	assert_int_equal(captured.is_out, 1);
	assert_memory_equal(captured.bytes, macs, sizeof(macs));
	assert_int_equal(captured.bytes[CAPTURE_MACS_BYTES], 0xee);
	assert_int_equal(captured.bytes[CAPTURE_FRAME_BYTES - 1], 0xee);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(filter_by_nothing_takes_what_is_for_a_vip),
		TEST(filter_by_vip_takes_its_packets_whatever_became_of_them),
		TEST(filter_by_client_takes_its_prefix),
		TEST(filter_by_backend_takes_what_goes_there),
		TEST(ring_is_silent_while_nobody_captures),
		TEST(ring_counts_what_has_no_room),
		TEST(ring_keeps_the_beginning_and_the_former_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
