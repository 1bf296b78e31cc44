/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As many VIPs as there may be, over a veth pair in a network namespace of the test's own, and a neighbour that claims a
 * thousand of them: the list is not gone through for each claim, few of them are told of, and all are heard.
 */
#include "lb/link/announce.h"

#include <dlfcn.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "lb/link/announce_frame.h"
#include "lb/link/claims.h"
#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/namespace.h"

#define VIPS        16321u
#define CLAIMS      1064u
#define CLAIMANTS   64u
#define PACE_US     (10 * US_PER_MS) /* between two looks at the list */
#define CLAIM_US    (500u)           /* between two claims */
#define DEADLINE_US (20 * US_PER_S)

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac backend_mac = { { 2, 0, 0, 0, 2, 1 } };
static unsigned int n_told, n_armed;
static struct mac last_told;

/* In place of libsystemd's: after each look the timer is set for the next. */
int sd_event_source_set_time(sd_event_source *source, uint64_t usec)
{
	int (*set_time)(sd_event_source * source, uint64_t usec);

	*(void **)&set_time = dlsym(RTLD_NEXT, "sd_event_source_set_time");
	assert_non_null(set_time);
	n_armed++;
	return set_time(source, usec);
}

static void on_claim(const struct addr *vip, const struct mac *mac, void *context)
{
	n_told++;
	last_told = *mac;
}

static bool is_backend(const struct mac *mac, void *context)
{
	return mac_equal(mac, &backend_mac);
}

static const struct announce_callbacks callbacks = { .claimed = on_claim,
	.is_backend = is_backend };

static struct addr vip_at(uint32_t idx)
{
	return (struct addr){ .family = AF_INET, .ip4.s_addr = htobe32(0x0a000001u + idx) };
}

/* The neighbour's socket; -1: not permitted. */
static int link_make(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int fd;

	if (!namespace_make() ||
		system("ip link add client0 address 02:00:00:00:00:01 type veth peer name client1 && "
		       "ip link set client0 up && ip link set client1 up") != 0)
		return -1;
	WIRE_WAIT(wire_is_running("client0"));
	to.sll_ifindex = (int)if_nametoindex("client1");
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void claim_by(int fd, uint32_t number, struct mac claimant)
{
	const struct addr vip = vip_at(number * (VIPS / CLAIMS));
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];
	size_t size_bytes = announce_frame_build(&vip, &claimant, NULL, frame);

	assert_int_equal(send(fd, frame, size_bytes, 0), size_bytes);
}

static void claim(int fd, uint32_t number)
{
	claim_by(fd, number, (struct mac){ { 2, 0, 0, 0, 1, (uint8_t)(number % CLAIMANTS) } });
}

/* Each for the first time; the second time is a second later. */
static void run_until_announced(sd_event *event, const struct announce *announce)
{
	uint64_t end_us = clock_now_us() + DEADLINE_US;
	struct announce_counters counters;

	for (announce_counters(announce, &counters); counters.sent < VIPS;
		announce_counters(announce, &counters)) {
		assert_true(clock_now_us() < end_us);
		assert_true(sd_event_run(event, CLAIM_US) >= 0);
	}
}

static void run_until_heard(sd_event *event, const struct announce *announce, uint64_t n_claims)
{
	uint64_t end_us = clock_now_us() + DEADLINE_US;

	while (announce_claims(announce)->seen < n_claims) {
		assert_true(clock_now_us() < end_us);
		assert_true(sd_event_run(event, CLAIM_US) >= 0);
	}
}

struct many {
	int fd; /* the neighbour's; -1: not permitted */
	sd_event *event;
	struct announce *announce;
};

/* All announced, over a new pair. */
static struct many many_make(void)
{
	static struct addr vips[VIPS];
	struct announce_config config = { .mac = own, .vips = vips, .n_vips = VIPS };
	struct many many = { .fd = link_make() };

	if (many.fd < 0)
		skip();
	config.ifindex = if_nametoindex("client0");
	for (uint32_t i = 0; i < VIPS; i++)
		vips[i] = vip_at(i);
	assert_true(sd_event_new(&many.event) >= 0);
	assert_int_equal(announce_start(many.event, &callbacks, NULL, &many.announce), 0);
	assert_int_equal(announce_set(many.announce, &config), 0);
	run_until_announced(many.event, many.announce);
	return many;
}

static void many_free(struct many *many)
{
	announce_free(many->announce);
	sd_event_unref(many->event);
	close(many->fd);
}

static void claims_of_many_vips_are_bounded_work(void **state)
{
	struct many many = many_make();
	uint64_t began_us, next_us;

	n_armed = 0;
	began_us = next_us = clock_now_us();
	for (uint32_t i = 0; i < CLAIMS; i++) {
		claim(many.fd, i);
		run_until_heard(many.event, many.announce, i + 1);
		for (next_us += CLAIM_US; clock_now_us() < next_us;)
			assert_true(sd_event_run(many.event, CLAIM_US) >= 0);
	}
	/* Armed by the look itself, and once more by a claim that is due before. */
	assert_in_range(n_armed, 1, 2 * ((clock_now_us() - began_us) / PACE_US + 1));
	assert_in_range(n_told, 1, CLAIMS_MAX);
	/* However many strangers there are, it is told of a backend, when they were not as many as are asked about. */
	for (next_us = clock_now_us() + CLAIMS_ASK_US; clock_now_us() < next_us;)
		assert_true(sd_event_run(many.event, CLAIM_US) >= 0);
	claim_by(many.fd, 0, backend_mac);
	run_until_heard(many.event, many.announce, CLAIMS + 1);
	assert_true(mac_equal(&last_told, &backend_mac));
	many_free(&many);
}

/* As the answers do to as many questions, while this process is busy. */
static void a_thousand_that_come_at_once_are_all_heard(void **state)
{
	struct many many = many_make();

	for (uint32_t i = 0; i < CLAIMS; i++)
		claim(many.fd, i);
	run_until_heard(many.event, many.announce, CLAIMS);
	many_free(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_of_many_vips_are_bounded_work),
		cmocka_unit_test(a_thousand_that_come_at_once_are_all_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
