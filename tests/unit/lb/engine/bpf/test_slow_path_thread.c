/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread of the slow path without a program: the test hands over early fragments, one at a time, and notes what the
 * thread looks up.
 */
#include "lb/engine/bpf/slow_path_thread.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

#include "common/packet/checksum.h"
#include "common/why.h"
#include "lb/engine/bpf/layout.h"
#include "lb/engine/capture/capture_ring.h"
#include "lb/engine/engine.h"
#include "lb/engine/fragment_queue.h"
#include "lb/engine/snapshot.h"
#include "tests/unit/lb/fwd/wire.h"

#define FRAGMENT_BYTES 60u /* of each frame */
/*
 * When it comes; after 2, 4, 8, 16, 32, 64 ms; then each 64 ms up to 960; after 996: 1 + 6 + 14 + 1. And once more where
 * the machine is slow. A look-up that is late only makes those behind it later.
 */
#define LOOKS_MAX 23u
#define FORGED    (FRAGMENT_QUEUE_FRAMES_MAX + 100u)
/* The datagram whose first is seen, but only when it is looked up for the third time. */
#define HONEST_ID 0xffffu
/* The datagram whose first is seen some time after the last of its fragments that are fed. */
#define LATE_ID 0xfffeu

struct handed_over {
	struct bpf_handed_over header;
	struct ethhdr ethernet;
	struct iphdr ip;
	uint8_t payload[FRAGMENT_BYTES - ETH_HLEN - 20];
} __attribute__((__packed__, __aligned__(8)));

static struct fixture {
	struct slow_path_thread *thread;
	struct capture_ring *capture;
	struct snapshot *snapshot;
	/* Atomic. */
	uint32_t n_wanted, n_fed, n_looks, n_honest_looks;
	bool with_honest;
	/* Fragments of LATE_ID alone are fed, each `pause_ms` after the one before; the thread's. */
	bool with_late;
	uint32_t pause_ms, first_after_ms;
	uint64_t fed_ms, first_ms;   /* first_ms 0: not yet known */
	uint64_t n_released_at_once; /* when the last had been fed; read when n_fed says so */
} fixture;

static struct engine_totals totals(void)
{
	struct engine_totals totals = { 0 };

	slow_path_thread_sum_totals(fixture.thread, &totals);
	return totals;
}

/* A later fragment of a datagram to the VIP; 203.0.113.0/24 and more send them. */
static void feed(uint16_t id, uint16_t source)
{
	struct handed_over frame = { 0 };

	frame.header.length_bytes = frame.header.copied_bytes = FRAGMENT_BYTES;
	frame.header.reason = FWD_REASON_FRAGMENT_EARLY;
	frame.ethernet.h_source[0] = frame.ethernet.h_dest[0] = 2;
	frame.ethernet.h_dest[5] = 1;
	frame.ethernet.h_proto = htons(ETHERTYPE_IP);
	frame.ip.version = 4;
	frame.ip.ihl = 5;
	frame.ip.tot_len = htons(FRAGMENT_BYTES - ETH_HLEN);
	frame.ip.id = htons(id);
	frame.ip.frag_off = htons((uint16_t)(100 + fixture.n_fed % 1000));
	frame.ip.ttl = 7;
	frame.ip.protocol = IPPROTO_UDP;
	frame.ip.saddr = htonl(0xcb007100u + source);
	frame.ip.daddr = htonl(0xc633640au); /* 198.51.100.10 */
	frame.ip.check = htons(checksum_of(&frame.ip, sizeof(frame.ip)));
	slow_path_thread_take(fixture.thread, &frame, sizeof(frame));
}

/* Counted as dropped, whether their first came or not: the last that the thread does with them. */
static uint64_t n_finished(void)
{
	struct engine_totals sum = totals();

	return sum.reason_pkts[FWD_REASON_FRAGMENT_EARLY] + sum.reason_pkts[FWD_REASON_NO_SERVICE];
}

static void feed_late(bool is_last)
{
	fixture.fed_ms = wire_now_ms();
	if (is_last)
		fixture.first_ms = fixture.fed_ms + fixture.first_after_ms;
	feed(LATE_ID, 5);
	if (is_last)
		fixture.n_released_at_once = totals().fragments_released;
}

/* As libbpf does it: back as soon as something came. */
static void on_poll(void *context, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = timeout_ms * 1000000L };
	uint32_t n_fed = __atomic_load_n(&fixture.n_fed, __ATOMIC_RELAXED);

	uint32_t n_wanted = __atomic_load_n(&fixture.n_wanted, __ATOMIC_ACQUIRE);

	if (n_fed == n_wanted || wire_now_ms() < fixture.fed_ms + fixture.pause_ms) {
		(void)nanosleep(&pause, NULL);
		return;
	}
	if (fixture.with_late)
		feed_late(n_fed + 1 == n_wanted);
	else if (fixture.with_honest && n_fed == FORGED)
		feed(HONEST_ID, 5);
	else
		feed((uint16_t)(n_fed / 16), (uint16_t)(n_fed % 16));
	__atomic_store_n(&fixture.n_fed, n_fed + 1, __ATOMIC_RELEASE);
}

static bool is_known(const struct fwd_fragment_key *datagram)
{
	if (datagram->id == htons(HONEST_ID) || datagram->id == HONEST_ID)
		return __atomic_add_fetch(&fixture.n_honest_looks, 1, __ATOMIC_RELAXED) >= 3;
	if (datagram->id == htons(LATE_ID) || datagram->id == LATE_ID)
		return fixture.first_ms && wire_now_ms() >= fixture.first_ms;
	return false;
}

static bool find_first(
	void *context, const struct fwd_fragment_key *datagram, struct fwd_fragment *ret_fragment)
{
	struct timespec now;

	__atomic_add_fetch(&fixture.n_looks, 1, __ATOMIC_RELAXED);
	if (!is_known(datagram))
		return false;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	*ret_fragment = (struct fwd_fragment){ .seen_s = (uint32_t)now.tv_sec,
		.reason = FWD_REASON_NO_SERVICE };
	return true;
}

static struct snapshot *snapshot_make(void)
{
	const struct fwd_settings settings = { .mtu_bytes = 1500, .own_mac = { 2, 0, 0, 0, 0, 1 } };
	const struct fwd_service service = { .id = 1, .udp_timeout_s = 300 };
	struct snapshot *snapshot;
	struct addr vip;

	assert_int_equal(addr_parse("198.51.100.10", &vip), 0);
	assert_int_equal(snapshot_new(&settings, NULL, &snapshot), 0);
	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_UDP, 0, UINT16_MAX, 1), 0);
	return snapshot;
}

static int setup(void **state)
{
	struct slow_path_thread_config config = { .poll = on_poll, .find_first = find_first };
	struct why why = { 0 };

	fixture = (struct fixture){ .capture = capture_ring_new() };
	assert_non_null(fixture.capture);
	fixture.snapshot = snapshot_make();
	config.capture = fixture.capture;
	if (slow_path_thread_new(&config, &fixture.thread, &why) < 0) {
		fixture.thread = NULL;
		print_message("skipped: %s\n", why.text);
		return 0;
	}
	slow_path_thread_set_snapshot(fixture.thread, fixture.snapshot);
	return 0;
}

static int teardown(void **state)
{
	slow_path_thread_free(fixture.thread);
	snapshot_free(fixture.snapshot);
	capture_ring_free(fixture.capture);
	return 0;
}

static void feed_all(uint32_t n_wanted)
{
	if (!fixture.thread)
		skip();
	__atomic_store_n(&fixture.n_wanted, n_wanted, __ATOMIC_RELEASE);
	WIRE_WAIT(__atomic_load_n(&fixture.n_fed, __ATOMIC_ACQUIRE) == n_wanted);
}

static void forged_fragments_are_looked_up_some_times_each(void **state)
{
	feed_all(FRAGMENT_QUEUE_FRAMES_MAX);
	WIRE_WAIT(totals().fragments_expired == FRAGMENT_QUEUE_FRAMES_MAX);
	assert_in_range(__atomic_load_n(&fixture.n_looks, __ATOMIC_RELAXED),
		2 * FRAGMENT_QUEUE_FRAMES_MAX, LOOKS_MAX * FRAGMENT_QUEUE_FRAMES_MAX);
}

/* However many wait in vain. */
static void an_honest_fragment_among_forged_ones_finds_its_first(void **state)
{
	fixture.with_honest = true;
	feed_all(FORGED + 1);
	WIRE_WAIT(n_finished() == FORGED + 1);
	assert_int_equal(totals().fragments_released, 1);
	assert_int_equal(totals().reason_pkts[FWD_REASON_NO_SERVICE], 1);
}

static void feed_all_late(uint32_t n_wanted, uint32_t pause_ms, uint32_t first_after_ms)
{
	fixture.with_late = true;
	fixture.pause_ms = pause_ms;
	fixture.first_after_ms = first_after_ms;
	feed_all(n_wanted);
}

static void expect_found_after(uint32_t first_after_ms)
{
	feed_all_late(1, 0, first_after_ms);
	WIRE_WAIT(n_finished() == 1);
	assert_int_equal(totals().fragments_released, 1);
	assert_int_equal(totals().reason_pkts[FWD_REASON_NO_SERVICE], 1);
}

static void a_first_that_comes_after_900_ms_is_found(void **state)
{
	expect_found_after(900);
}

static void a_first_that_is_nearly_too_late_is_found(void **state)
{
	expect_found_after(980);
}

/* At once, not at the next look-up, and in the order in which they came. */
static void a_later_fragment_that_finds_the_first_releases_those_held(void **state)
{
	const struct capture_filter all = { 0 };
	struct captured captured;
	struct iphdr ip;

	capture_ring_set(fixture.capture, &all);
	feed_all_late(3, 0, 0);
	assert_int_equal(fixture.n_released_at_once, 2);
	assert_int_equal(totals().reason_pkts[FWD_REASON_NO_SERVICE], 3);
	for (uint16_t i = 0; i < 3; i++) {
		assert_true(capture_ring_take(fixture.capture, &captured));
		memcpy(&ip, captured.bytes + ETH_HLEN, sizeof(ip));
		assert_int_equal(ntohs(ip.frag_off), 100 + i);
	}
}

/* The last comes two seconds after the oldest, and something is held all the time: one is waited for as long. */
static void a_datagram_is_waited_for_as_long_as_something_of_it_is_held(void **state)
{
	feed_all_late(8, 300, 200);
	WIRE_WAIT(n_finished() == 8);
	assert_in_range(totals().fragments_released, 1, 7);
	assert_int_equal(totals().reason_pkts[FWD_REASON_NO_SERVICE], totals().fragments_released);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			forged_fragments_are_looked_up_some_times_each, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_honest_fragment_among_forged_ones_finds_its_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_first_that_comes_after_900_ms_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_first_that_is_nearly_too_late_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_later_fragment_that_finds_the_first_releases_those_held, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_datagram_is_waited_for_as_long_as_something_of_it_is_held, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
