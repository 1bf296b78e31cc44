/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions and answers over a veth pair in a network namespace of the test's own, where the test is the backend at
 * the other end.
 */
#include "lb/link/leak_watch.h"

#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "common/util.h"
#include "lb/link/announce_frame.h"
#include "lb/link/leak_judge.h"
#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

/* What was taken for a forgery would count again later. */
#define DEADLINE_US (LEAK_JUDGE_NOISE_US - 2 * US_PER_S)
#define BACKEND     7u

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } }, backend_mac = { { 2, 0, 0, 0, 0, 9 } };
static const struct mac stranger_mac = { { 2, 0, 0, 0, 0, 0x66 } };

struct live {
	sd_event *event;
	struct leak_watch *watch;
	struct leak_watch_target targets[2]; /* IPv4 and IPv6 */
	size_t next;
	int fd; /* the backend's */
	uint32_t n_asked[2], n_verdicts;
	uint32_t n_heard;  /* claims */
	struct addr leaks; /* AF_UNSPEC: it does not */
};

static struct addr address(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static bool live_next(void *context, struct leak_watch_target *ret_target)
{
	struct live *live = context;

	*ret_target = live->targets[live->next++ % 2];
	return true;
}

static bool live_is_vip(void *context, const struct addr *address)
{
	struct live *live = context;

	live->n_heard++;
	return addr_equal(address, &live->targets[0].vip) ||
		addr_equal(address, &live->targets[1].vip);
}

static void live_leaks(uint16_t backend, const struct addr *vip, void *context)
{
	struct live *live = context;

	assert_int_equal(backend, BACKEND);
	live->n_verdicts++;
	live->leaks = vip ? *vip : (struct addr){ 0 };
}

static int live_setup(void **state)
{
	static const struct leak_watch_callbacks callbacks = { live_next, live_is_vip, live_leaks };
	struct live *live = calloc(1, sizeof(*live));
	const struct addr addresses[] = { address("192.0.2.2"), address("2001:db8:2::2"),
		address("fe80::2") };
	struct addr_prefix subnets[3];
	struct leak_watch_config config;

	live->fd = -1;
	*state = live;
	if (!namespace_make() ||
		system("ip link add lan0 address 02:00:00:00:00:01 type veth peer name lan1 && "
		       "ip link set lan0 up && ip link set lan1 up") != 0)
		return 0;
	live->fd = wire_open("lan1");
	assert_int_equal(addr_prefix_parse("192.0.2.0/24", &subnets[0]), 0);
	assert_int_equal(addr_prefix_parse("2001:db8:2::/64", &subnets[1]), 0);
	assert_int_equal(addr_prefix_parse("fe80::/64", &subnets[2]), 0);
	live->targets[0] = (struct leak_watch_target){ BACKEND, address("192.0.2.11"), backend_mac,
		address("198.51.100.10") };
	live->targets[1] = live->targets[0];
	live->targets[1].vip = address("2001:db8::10");
	config = (struct leak_watch_config){ .ifindex = if_nametoindex("lan0"),
		.mac = own,
		.addresses = addresses,
		.subnets = subnets,
		.n_addresses = 3,
		.n_backends = 1,
		.interval_us = US_PER_S };
	assert_true(sd_event_new(&live->event) >= 0);
	assert_int_equal(leak_watch_start(live->event, &callbacks, live, &live->watch), 0);
	assert_int_equal(leak_watch_set(live->watch, &config), 0);
	return 0;
}

static int live_teardown(void **state)
{
	struct live *live = *state;

	leak_watch_free(live->watch);
	sd_event_unref(live->event);
	util_close(live->fd);
	free(live);
	return 0;
}

/* Answers a question from that MAC. */
static void live_answer(
	struct live *live, const struct announce_frame *asked, const struct mac *from)
{
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];
	size_t size_bytes = announce_frame_build(&asked->target, from, asked, frame);

	assert_int_equal(send(live->fd, frame, size_bytes, 0), size_bytes);
}

/* Runs until the verdict is `n`-th, answering each question for `vip` from that MAC. */
static void live_run(struct live *live, uint32_t n_verdicts, uint32_t n_asked,
	const struct addr *vip, const struct mac *from)
{
	uint64_t begin_us = clock_now_us();

	while (live->n_verdicts < n_verdicts || live->n_asked[0] + live->n_asked[1] < n_asked) {
		uint8_t frame[2048];
		struct announce_frame asked;
		ssize_t n = recv(live->fd, frame, sizeof(frame), MSG_DONTWAIT);

		assert_true(clock_now_us() < begin_us + DEADLINE_US);
		if (n < 0) {
			(void)sd_event_run(live->event, US_PER_MS);
			continue;
		}
		announce_frame_parse(frame, (size_t)n, &asked);
		if (asked.kind != ANNOUNCE_REQUEST ||
			(!addr_equal(&asked.target, &live->targets[0].vip) &&
				!addr_equal(&asked.target, &live->targets[1].vip)))
			continue;
		/* Nobody else hears a question. */
		assert_memory_equal(frame, backend_mac.bytes, MAC_LEN);
		assert_true(mac_equal(&asked.reply_to, &own));
		live->n_asked[asked.target.family == AF_INET6]++;
		if (vip && addr_equal(&asked.target, vip))
			live_answer(live, &asked, from);
	}
}

static void live_require(const struct live *live)
{
	if (live->fd >= 0)
		return;
	print_message("skipped: needs root (a network namespace with a veth pair)\n");
	skip();
}

static void leak_watch_finds_who_answers(void **state)
{
	struct live *live = *state;

	struct announce_frame others = { .kind = ANNOUNCE_REQUEST, .mac = own, .reply_to = own };

	live_require(live);
	for (size_t idx = 0; idx < 2; idx++) {
		const struct addr *vip = &live->targets[idx].vip;

		/* Everybody is asked as well, from other addresses: that is not unasked. */
		others.target = *vip;
		others.asker = address(idx == 0 ? "0.0.0.0" : "2001:db8:2::2");
		live_answer(live, &others, &backend_mac);
		live_run(live, (uint32_t)(2 * idx + 1), 0, vip, &backend_mac);
		assert_true(addr_equal(&live->leaks, vip));
		live_run(live, (uint32_t)(2 * idx + 2), 0, NULL, NULL);
		assert_int_equal(live->leaks.family, AF_UNSPEC);
	}
}

/* From another MAC it may say what it wants; and both families are asked. */
static void leak_watch_believes_nobody_else(void **state)
{
	struct live *live = *state;

	live_require(live);
	live_run(live, 0, 12, &live->targets[0].vip, &stranger_mac);
	assert_int_equal(live->n_verdicts, 0);
	assert_true(live->n_asked[0] > 0 && live->n_asked[1] > 0);
}

/* Its MAC answers all the time, asked or not: that is nobody who was asked. */
static void leak_watch_believes_no_flood(void **state)
{
	struct live *live = *state;
	struct announce_frame asked = { .kind = ANNOUNCE_REQUEST, .mac = own, .reply_to = own };

	live_require(live);
	asked.target = live->targets[0].vip;
	asked.asker = address("192.0.2.2");
	live_answer(live, &asked, &backend_mac);
	live_run(live, 0, 12, &live->targets[0].vip, &backend_mac);
	assert_int_equal(live->n_verdicts, 0);
}

/* What the loop had heard when a timer ran whose priority is less. */
struct late {
	const struct live *live;
	uint32_t n_heard;
};

static int on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	struct late *late = context;

	late->n_heard = late->live->n_heard;
	return 0;
}

static void leak_watch_that_is_flooded_lets_timers_run(void **state)
{
	const uint32_t n_sent = 200;
	struct live *live = *state;
	struct announce_frame asked = { .kind = ANNOUNCE_REQUEST, .mac = own, .reply_to = own };
	struct late late = { .live = live };
	sd_event_source *timer = NULL;

	live_require(live);
	for (size_t idx = 0; idx < 2; idx++) {
		live->n_heard = late.n_heard = 0;
		asked.target = live->targets[idx].vip;
		asked.asker = address(idx == 0 ? "192.0.2.2" : "fe80::2");
		for (uint32_t i = 0; i < n_sent; i++)
			live_answer(live, &asked, &stranger_mac);
		assert_true(sd_event_add_time(live->event, &timer, CLOCK_MONOTONIC, 0, 0, on_timer,
				    &late) >= 0);
		assert_true(
			sd_event_source_set_priority(timer, SD_EVENT_PRIORITY_NORMAL + 10) >= 0);
		LOOP_UNTIL(live->event, DEADLINE_US, late.n_heard > 0);
		assert_true(late.n_heard < n_sent);
		LOOP_UNTIL(live->event, DEADLINE_US, live->n_heard >= n_sent);
		timer = sd_event_source_disable_unref(timer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			leak_watch_finds_who_answers, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(
			leak_watch_believes_nobody_else, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(
			leak_watch_believes_no_flood, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(
			leak_watch_that_is_flooded_lets_timers_run, live_setup, live_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
