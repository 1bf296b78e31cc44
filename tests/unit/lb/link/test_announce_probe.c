/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VIPs that a reload adds, over a veth pair in a network namespace of the test's own: the test is the stranger at the other
 * end, who has some of them, or only says so.
 */
#include "lb/link/announce.h"

#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "lb/link/announce_frame.h"
#include "lb/link/claims.h"
#include "lb/link/vip_probe.h"
#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (20 * US_PER_S)
#define MANY        UINT64_C(1000)

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac stranger = { { 2, 0, 0, 0, 0, 9 } };

enum { OLD, NEW, NEW6, VIPS };

/* What was seen of a VIP at the other end. */
struct seen {
	unsigned int asked, asked_alone, announced, answered;
};

struct bench {
	sd_event *event;
	struct announce *announce;
	struct announce_config config;
	struct addr vips[VIPS];
	struct seen seen[VIPS];
	int fd;
	bool has[VIPS]; /* the stranger answers for it */
	bool confirms;  /* also when it is asked alone */
	bool is_own;    /* NEW is our own host's */
	bool is_server; /* the stranger is a backend that serves */
	unsigned int n_held, n_freed;
};

static struct addr address(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static void bench_claimed(const struct addr *vip, const struct mac *mac, void *context)
{
}

static bool bench_is_own(const struct addr *vip, void *context)
{
	const struct bench *bench = context;

	return bench->is_own && addr_equal(vip, &bench->vips[NEW]);
}

static bool bench_serves(const struct addr *vip, const struct mac *mac, void *context)
{
	return ((const struct bench *)context)->is_server && mac_equal(mac, &stranger);
}

static void bench_held(const struct addr *vip, const struct mac *mac, void *context)
{
	struct bench *bench = context;

	bench->n_held += mac != NULL;
	bench->n_freed += mac == NULL;
}

static const struct announce_callbacks callbacks = { bench_claimed, NULL, bench_is_own,
	bench_serves, bench_held };

static int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	bench->fd = -1;
	if (!namespace_make() ||
		system("ip link add client0 address 02:00:00:00:00:01 type veth peer name client1 "
		       "address 02:00:00:00:00:09 && ip link set client0 up && "
		       "ip link set client1 up") != 0)
		return 0;
	WIRE_WAIT(wire_is_running("client0"));
	bench->fd = wire_open("client1");
	bench->confirms = true;
	bench->vips[OLD] = address("198.51.100.10");
	bench->vips[NEW] = address("198.51.100.20");
	bench->vips[NEW6] = address("2001:db8::20");
	bench->config = (struct announce_config){ .ifindex = if_nametoindex("client0"),
		.mac = own,
		.vips = bench->vips,
		.n_vips = 1,
		.own6 = address("2001:db8::1"),
		.probe6 = address("2001:db8::1") };
	assert_true(sd_event_new(&bench->event) >= 0);
	assert_int_equal(announce_start(bench->event, &callbacks, bench, &bench->announce), 0);
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	return 0;
}

static int bench_teardown(void **state)
{
	struct bench *bench = *state;

	announce_free(bench->announce);
	sd_event_unref(bench->event);
	util_close(bench->fd);
	free(bench);
	return 0;
}

static struct bench *bench_of(void **state)
{
	struct bench *bench = *state;

	if (bench->fd < 0) {
		print_message("skipped: needs root (a network namespace with a veth pair)\n");
		skip();
	}
	return bench;
}

static void bench_send(const struct bench *bench, const void *frame, size_t size_bytes)
{
	assert_int_equal(send(bench->fd, frame, size_bytes, 0), size_bytes);
}

/* A frame of the balancer's; the stranger answers it, if that is its way. */
static void bench_take(struct bench *bench, const uint8_t *data, size_t size_bytes)
{
	uint8_t answer[ANNOUNCE_FRAME_MAX_BYTES];
	bool alone = memcmp(data, stranger.bytes, MAC_LEN) == 0;
	struct announce_frame frame;

	announce_frame_parse(data, size_bytes, &frame);
	for (size_t i = 0; i < VIPS; i++) {
		struct seen *seen = &bench->seen[i];

		if (!addr_equal(&frame.target, &bench->vips[i]))
			continue;
		if (frame.kind == ANNOUNCE_CLAIM) {
			seen->announced += !alone;
			seen->answered += alone;
		}
		if (frame.kind != ANNOUNCE_REQUEST)
			continue;
		seen->asked += !alone;
		seen->asked_alone += alone;
		if (bench->has[i] && (!alone || bench->confirms))
			bench_send(bench, answer,
				announce_frame_build(&frame.target, &stranger, &frame, answer));
	}
}

/* One turn of the loop, and all frames that came of it. */
static void bench_turn(struct bench *bench)
{
	uint8_t frame[2048];
	ssize_t n;

	(void)sd_event_run(bench->event, US_PER_MS);
	while ((n = recv(bench->fd, frame, sizeof(frame), MSG_DONTWAIT)) > 0)
		bench_take(bench, frame, (size_t)n);
}

#define BENCH_AWAIT(bench, condition) \
	do { \
		uint64_t begin_us_ = clock_now_us(); \
\
		while (!(condition) && clock_now_us() - begin_us_ < DEADLINE_US) \
			bench_turn(bench); \
		assert_true(condition); \
	} while (0)

static void bench_run(struct bench *bench, uint64_t time_us)
{
	uint64_t begin_us = clock_now_us();

	while (clock_now_us() - begin_us < time_us)
		bench_turn(bench);
}

/* A reload leaves these VIPs, the first of the bench's. */
static void bench_reload(struct bench *bench, size_t n_vips)
{
	bench->config.n_vips = n_vips;
	bench->config.asks_first = true;
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
}

/* A reload adds what the stranger has. */
static void bench_hold(struct bench *bench)
{
	bench->has[NEW] = bench->has[NEW6] = true;
	bench_reload(bench, VIPS);
	BENCH_AWAIT(bench, bench->n_held == 2);
}

/* The router asks who has it. */
static void bench_ask(const struct bench *bench, size_t vip)
{
	const struct announce_question question = { .own = stranger,
		.own_address = address(vip == NEW6 ? "2001:db8::9" : "198.51.100.9") };
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];

	bench_send(bench, frame, announce_frame_ask(&bench->vips[vip], &question, frame));
}

/* The stranger says to everybody that it has it. */
static void bench_claim(const struct bench *bench, size_t vip)
{
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];

	bench_send(bench, frame, announce_frame_build(&bench->vips[vip], &stranger, NULL, frame));
}

static bool bench_is_named(const struct bench *bench, size_t vip)
{
	const struct claims *claims = announce_claims(bench->announce);

	ARRAY_FOREACH (claim, claims->items, claims->len)
		if (addr_equal(&claim->vip, &bench->vips[vip]))
			return true;
	return false;
}

static const struct mac *bench_holder(const struct bench *bench, size_t vip)
{
	return announce_holder(bench->announce, &bench->vips[vip]);
}

static void at_the_start_nobody_is_asked_first(void **state)
{
	struct bench *bench = bench_of(state);

	bench->has[OLD] = true;
	BENCH_AWAIT(bench, bench->seen[OLD].announced == 3);
	assert_null(bench_holder(bench, OLD));
	assert_int_equal(bench->n_held, 0);
}

static void a_new_vip_is_asked_for_three_times(void **state)
{
	struct bench *bench = bench_of(state);
	uint64_t begin_us = clock_now_us();

	bench_reload(bench, VIPS);
	for (size_t vip = NEW; vip < VIPS; vip++)
		BENCH_AWAIT(bench, bench->seen[vip].asked == 1);
	/* Nobody hears from us that we have it before that is known. */
	bench_ask(bench, NEW);
	bench_ask(bench, NEW6);
	bench_ask(bench, OLD);
	BENCH_AWAIT(bench, bench->seen[OLD].answered == 1);
	BENCH_AWAIT(bench, bench->seen[NEW].asked == 3 && bench->seen[NEW6].asked == 3);
	for (size_t vip = NEW; vip < VIPS; vip++) {
		assert_int_equal(bench->seen[vip].announced, 0);
		assert_int_equal(bench->seen[vip].answered, 0);
	}
	BENCH_AWAIT(bench, bench->seen[NEW].announced > 0 && bench->seen[NEW6].announced > 0);
	assert_true(clock_now_us() - begin_us >= 600 * US_PER_MS);
	bench_ask(bench, NEW);
	BENCH_AWAIT(bench, bench->seen[NEW].answered == 1);
}

static void what_the_stranger_has_is_held_back(void **state)
{
	struct bench *bench = bench_of(state);

	bench_hold(bench);
	for (size_t vip = NEW; vip < VIPS; vip++) {
		assert_non_null(bench_holder(bench, vip));
		assert_true(mac_equal(bench_holder(bench, vip), &stranger));
		assert_true(bench_is_named(bench, vip));
		bench_ask(bench, vip);
		bench_claim(bench, vip);
	}
	bench_ask(bench, OLD);
	BENCH_AWAIT(bench, bench->seen[OLD].answered == 1);
	/* As long as it answers, and it alone is asked. */
	bench->seen[NEW] = bench->seen[NEW6] = (struct seen){ 0 };
	BENCH_AWAIT(bench, bench->seen[NEW].asked_alone >= 3 && bench->seen[NEW6].asked_alone >= 3);
	for (size_t vip = NEW; vip < VIPS; vip++) {
		assert_non_null(bench_holder(bench, vip));
		assert_int_equal(bench->seen[vip].announced, 0);
		assert_int_equal(bench->seen[vip].answered, 0);
	}
	assert_int_equal(bench->n_held, 2);
	assert_int_equal(bench->n_freed, 0);
}

static void it_is_announced_when_the_stranger_is_gone(void **state)
{
	struct bench *bench = bench_of(state);
	uint64_t begin_us;

	bench_hold(bench);
	bench->has[NEW] = bench->has[NEW6] = false;
	begin_us = clock_now_us();
	BENCH_AWAIT(bench, bench->seen[NEW].announced > 0 && bench->seen[NEW6].announced > 0);
	assert_true(clock_now_us() - begin_us < 3 * US_PER_S);
	assert_int_equal(bench->n_freed, 2);
	for (size_t vip = NEW; vip < VIPS; vip++) {
		assert_null(bench_holder(bench, vip));
		assert_false(bench_is_named(bench, vip));
		/* From now on it is ours, whoever answers. */
		bench->has[vip] = true;
		bench_claim(bench, vip);
		bench->seen[vip].answered = 0;
		bench_ask(bench, vip);
		BENCH_AWAIT(bench, bench->seen[vip].answered == 1 && bench_is_named(bench, vip));
		assert_null(bench_holder(bench, vip));
	}
}

static void a_claim_that_nobody_asked_for_holds_nothing(void **state)
{
	struct bench *bench = bench_of(state);
	uint64_t begin_us = clock_now_us();

	bench_reload(bench, VIPS);
	while (bench->seen[NEW].announced == 0 || bench->seen[NEW6].announced == 0) {
		assert_true(clock_now_us() - begin_us < DEADLINE_US);
		bench_claim(bench, NEW);
		bench_claim(bench, NEW6);
		bench_turn(bench);
	}
	assert_int_equal(bench->n_held, 0);
	assert_true(bench_is_named(bench, NEW) && bench_is_named(bench, NEW6));
}

static void an_answer_that_is_not_confirmed_holds_nothing(void **state)
{
	struct bench *bench = bench_of(state);

	bench->confirms = false;
	bench->has[NEW] = bench->has[NEW6] = true;
	bench_reload(bench, VIPS);
	BENCH_AWAIT(bench, bench->seen[NEW].announced > 0 && bench->seen[NEW6].announced > 0);
	assert_true(bench->seen[NEW].asked_alone > 0 && bench->seen[NEW6].asked_alone > 0);
	assert_int_equal(bench->n_held, 0);
}

static void a_backend_that_serves_it_holds_nothing(void **state)
{
	struct bench *bench = bench_of(state);

	bench->is_server = true;
	bench->has[NEW] = bench->has[NEW6] = true;
	bench_reload(bench, VIPS);
	BENCH_AWAIT(bench, bench->seen[NEW].announced > 0 && bench->seen[NEW6].announced > 0);
	assert_true(bench_is_named(bench, NEW) && bench_is_named(bench, NEW6));
	assert_int_equal(bench->n_held, 0);
}

static void our_own_hosts_is_not_asked_for(void **state)
{
	struct bench *bench = bench_of(state);

	bench->is_own = true;
	bench->has[NEW] = true;
	bench_reload(bench, NEW + 1);
	BENCH_AWAIT(bench, bench->seen[NEW].announced > 0);
	assert_int_equal(bench->n_held, 0);
}

static void a_reload_that_takes_it_out_ends_all_of_it(void **state)
{
	struct bench *bench = bench_of(state);
	uint64_t asked;
	struct announce_counters counters;

	bench_hold(bench);
	bench_reload(bench, 1);
	announce_counters(bench->announce, &counters);
	asked = counters.asked;
	assert_false(bench_is_named(bench, NEW) || bench_is_named(bench, NEW6));
	assert_null(bench_holder(bench, NEW));
	bench_run(bench, 1500 * US_PER_MS);
	announce_counters(bench->announce, &counters);
	assert_int_equal(counters.asked, asked);
	assert_int_equal(announce_claims(bench->announce)->len, 0);
	assert_int_equal(bench->n_freed, 0);
	/* And so does one that leaves none. */
	bench_reload(bench, 0);
	bench->has[NEW] = false;
	bench_reload(bench, NEW + 1);
	BENCH_AWAIT(bench, bench->seen[NEW].announced > 0);
}

/* The engine begins anew, or an administrator sent it on standby for a moment. */
static void what_was_held_is_asked_for_when_all_come_again(void **state)
{
	struct bench *bench = bench_of(state);
	struct vip_probe_set set;

	bench_hold(bench);
	bench->config.asks_first = false;
	bench->config.n_vips = 0;
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	assert_null(bench_holder(bench, NEW));
	assert_int_equal(announce_list_held(bench->announce, &set), 0);
	assert_int_equal(set.len, 2);
	vip_probe_set_clear(&set);
	bench_turn(bench);
	bench->seen[OLD] = bench->seen[NEW] = (struct seen){ 0 };
	bench->config.n_vips = VIPS;
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	BENCH_AWAIT(bench, bench->seen[OLD].announced > 0);
	BENCH_AWAIT(bench, bench->n_held == 4);
	assert_int_equal(bench->seen[NEW].announced, 0);
}

static void what_a_previous_run_held_is_asked_for(void **state)
{
	struct bench *bench = bench_of(state);

	assert_int_equal(announce_expect_held(bench->announce, &bench->vips[NEW6]), 0);
	bench->has[NEW6] = true;
	bench->config.n_vips = VIPS;
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	BENCH_AWAIT(bench, bench->seen[NEW].announced > 0);
	BENCH_AWAIT(bench, bench->n_held == 1);
	assert_int_equal(bench->seen[NEW].asked, 0);
	assert_int_equal(bench->seen[NEW6].announced, 0);
}

static void a_link_that_is_down_frees_nothing(void **state)
{
	struct bench *bench = bench_of(state);

	bench_hold(bench);
	bench->has[NEW] = bench->has[NEW6] = false;
	bench->config.is_cut = true;
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	/* Without an address there is nobody to ask from either. */
	bench_run(bench, 1500 * US_PER_MS);
	bench->config.is_cut = false;
	bench->config.probe6 = (struct addr){ 0 };
	bench->has[NEW] = true;
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	bench_run(bench, 2500 * US_PER_MS);
	assert_non_null(bench_holder(bench, NEW));
	assert_non_null(bench_holder(bench, NEW6));
	bench->config.probe6 = bench->config.own6;
	bench->has[NEW6] = true;
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	bench_run(bench, 1500 * US_PER_MS);
	assert_non_null(bench_holder(bench, NEW6));
	assert_int_equal(bench->n_held, 2);
	assert_int_equal(bench->n_freed, 0);
}

/* While there is no address to ask from, what tells nobody answers nothing that was asked before. */
static void what_tells_nobody_is_no_answer(void **state)
{
	static const struct mac other = { { 2, 0, 0, 0, 0, 0x77 } };
	struct bench *bench = bench_of(state);
	const struct announce_frame question = { .kind = ANNOUNCE_REQUEST,
		.target = bench->vips[NEW6],
		.asker = bench->config.probe6,
		.mac = own,
		.reply_to = own };
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];
	size_t size_bytes = announce_frame_build(&bench->vips[NEW6], &other, &question, frame);
	uint64_t seen;

	/* From no host: it is believed, and told to nobody. */
	frame[MAC_LEN] |= 1;
	bench_hold(bench);
	bench->has[NEW] = bench->has[NEW6] = false;
	bench->seen[NEW6].asked = 0;
	BENCH_AWAIT(bench, bench->seen[NEW6].asked > 0);
	bench->config.probe6 = (struct addr){ 0 };
	assert_int_equal(announce_set(bench->announce, &bench->config), 0);
	for (int i = 0; i < 2; i++) {
		seen = announce_claims(bench->announce)->seen;
		bench_send(bench, frame, size_bytes);
		BENCH_AWAIT(bench, announce_claims(bench->announce)->seen > seen);
	}
	assert_non_null(bench_holder(bench, NEW6));
	assert_true(mac_equal(bench_holder(bench, NEW6), &stranger));
}

static void a_thousand_are_asked_for_in_batches(void **state)
{
	struct bench *bench = bench_of(state);
	struct addr *vips = calloc(MANY, sizeof(*vips));
	struct announce_counters before, after;
	uint64_t begin_us = clock_now_us(), asked = 0;

	for (size_t i = 0; i < MANY; i++) {
		vips[i] = address("10.0.0.0");
		vips[i].bytes[2] = (uint8_t)(i >> 8);
		vips[i].bytes[3] = (uint8_t)i;
	}
	bench->config.vips = vips;
	bench_turn(bench);
	announce_counters(bench->announce, &before);
	bench_reload(bench, MANY);
	for (bool all = false; !all;) {
		announce_counters(bench->announce, &after);
		assert_true(
			after.asked + after.sent - before.asked - before.sent <= ANNOUNCE_BATCH);
		asked += after.asked - before.asked;
		before = after;
		all = asked >= MANY * VIP_PROBE_QUESTIONS && after.sent > MANY;
		assert_true(clock_now_us() - begin_us < DEADLINE_US);
		bench_turn(bench);
	}
	assert_int_equal(asked, MANY * VIP_PROBE_QUESTIONS);
	bench->config.vips = bench->vips;
	free(vips);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_the_start_nobody_is_asked_first),
		TEST(a_new_vip_is_asked_for_three_times),
		TEST(what_the_stranger_has_is_held_back),
		TEST(it_is_announced_when_the_stranger_is_gone),
		TEST(a_claim_that_nobody_asked_for_holds_nothing),
		TEST(an_answer_that_is_not_confirmed_holds_nothing),
		TEST(a_backend_that_serves_it_holds_nothing),
		TEST(our_own_hosts_is_not_asked_for),
		TEST(a_reload_that_takes_it_out_ends_all_of_it),
		TEST(what_was_held_is_asked_for_when_all_come_again),
		TEST(what_a_previous_run_held_is_asked_for),
		TEST(a_link_that_is_down_frees_nothing),
		TEST(what_tells_nobody_is_no_answer),
		TEST(a_thousand_are_asked_for_in_batches),
	};

	return cmocka_run_group_tests_name("announce probe", tests, NULL, NULL);
}
