/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody undoes every time: when it is a fight, in which words, and when it is over. */
#include "agent/host/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LO   1u
#define ETH0 2u
#define ETH1 3u

#define BEGIN_US (100 * US_PER_S)
#define NOISE    "would answer ARP for VIPs: effective arp_ignore "
#define BACK     "; something on this host writes that back each time it is mended"

struct fixture {
	struct host host;
	struct host_link links[3];
	struct plan_fights fights;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->links[0] = (struct host_link){ .ifindex = LO, .name = "lo", .has_inet = true };
	for (unsigned int i = 1; i < ARRAY_LEN(f->links); i++) {
		f->links[i] = (struct host_link){
			.ifindex = LO + i, .arp = true, .has_inet = true, .arp_announce = 2
		};
		snprintf(f->links[i].name, sizeof(f->links[i].name), "eth%u", i - 1);
	}
	f->host.links = f->links;
	f->host.n_links = ARRAY_LEN(f->links);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void note(struct fixture *f, struct plan_op op, uint64_t at_us)
{
	struct plan plan = { .ops = &op, .n_ops = 1 };

	plan_fights_note(&f->fights, &f->host, &plan, BEGIN_US + at_us);
}

static void silence(struct fixture *f, unsigned int ifindex, uint64_t at_us)
{
	note(f, (struct plan_op){ .type = PLAN_SET_ARP, .ifindex = ifindex, .repair = true },
		at_us);
}

static void expect(struct fixture *f, uint64_t at_us, const char *words)
{
	struct why why = { .text = "?" };

	plan_fights_judge(&f->fights, &f->host, BEGIN_US + at_us, &why);
	assert_string_equal(why.text, words);
}

/* Mended so often, at this pace, from the beginning. The time of the last. */
static uint64_t fight(struct fixture *f, unsigned int n_repairs, uint64_t every_us)
{
	for (unsigned int n = 0; n < n_repairs; n++)
		silence(f, ETH0, n * every_us);
	return (n_repairs - 1) * every_us;
}

static void fight_is_what_comes_back_for_more_than_a_second(void **state)
{
	struct fixture *f = *state;

	fight(f, 2, US_PER_S);
	expect(f, US_PER_S, "");
	silence(f, ETH0, 2 * US_PER_S);
	expect(f, 2 * US_PER_S, "eth0 " NOISE "0, arp_announce 2" BACK);
}

static void fight_is_no_burst(void **state)
{
	struct fixture *f = *state;

	/* Ten containers, and each time the setting of eth0. */
	expect(f, fight(f, 10, 90 * US_PER_MS), "");
	/* Four rounds of one look are one repair. */
	f->fights.len = 0;
	for (unsigned int round = 0; round < 4; round++)
		silence(f, ETH0, 0);
	silence(f, ETH0, 2 * US_PER_S);
	expect(f, 2 * US_PER_S, "");
}

static void fight_is_about_one_thing(void **state)
{
	struct fixture *f = *state;

	silence(f, ETH0, 0);
	silence(f, ETH1, US_PER_S);
	silence(f, ETH0, 2 * US_PER_S);
	silence(f, ETH1, 3 * US_PER_S);
	expect(f, 3 * US_PER_S, "");
	/* A new interface is no repair. */
	note(f, (struct plan_op){ .type = PLAN_SET_ARP, .ifindex = ETH1 }, 4 * US_PER_S);
	expect(f, 4 * US_PER_S, "");
	silence(f, ETH1, 5 * US_PER_S);
	expect(f, 5 * US_PER_S, "eth1 " NOISE "0, arp_announce 2" BACK);
}

static void fight_is_not_what_happens_now_and_then(void **state)
{
	struct fixture *f = *state;

	for (unsigned int n = 0; n < 20; n++) {
		silence(f, ETH0, n * (PLAN_FIGHT_GAP_US + 1));
		expect(f, (n + 1) * (PLAN_FIGHT_GAP_US + 1) - 1, "");
	}
}

static void fight_is_over_when_what_was_mended_stands(void **state)
{
	struct fixture *f = *state;
	uint64_t last_us = fight(f, 3, US_PER_S);

	expect(f, last_us + PLAN_FIGHT_PEACE_US, "eth0 " NOISE "0, arp_announce 2" BACK);
	/* Once more before that: it goes on. */
	last_us += PLAN_FIGHT_PEACE_US;
	silence(f, ETH0, last_us);
	expect(f, last_us + PLAN_FIGHT_PEACE_US, "eth0 " NOISE "0, arp_announce 2" BACK);
	expect(f, last_us + PLAN_FIGHT_PEACE_US + 1, "");
	assert_int_equal(f->fights.len, 0);
	/* And begins anew from nothing. */
	silence(f, ETH0, last_us + PLAN_FIGHT_PEACE_US + 2);
	expect(f, last_us + PLAN_FIGHT_PEACE_US + 2, "");
}

static void fight_keeps_its_words(void **state)
{
	struct fixture *f = *state;
	uint64_t last_us;

	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 0;
	last_us = fight(f, 3, US_PER_S);
	expect(f, last_us, "eth0 " NOISE "1, arp_announce 0" BACK);
	f->links[1].arp_ignore = 0;
	silence(f, ETH0, last_us + US_PER_S);
	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	expect(f, last_us + US_PER_S, "eth0 " NOISE "1, arp_announce 0" BACK);
}

static void fight_that_changes_nothing_is_none(void **state)
{
	struct fixture *f = *state;

	f->host.all_arp_ignore = 1;
	expect(f, fight(f, 5, US_PER_S), "");
}

static void fight_ends_with_its_interface(void **state)
{
	struct fixture *f = *state;
	uint64_t last_us = fight(f, 3, US_PER_S);

	f->links[1].exempt = true;
	expect(f, last_us, "");
	f->links[1].exempt = false;
	last_us = fight(f, 3, US_PER_S);
	f->links[1].ifindex = 77;
	expect(f, last_us, "");
}

static void fight_for_a_vip_is_one_too(void **state)
{
	struct fixture *f = *state;
	struct plan_op op = { .type = PLAN_ADD_ADDRESS, .ifindex = LO, .repair = true };

	for (unsigned int n = 0; n < 3; n++) {
		assert_int_equal(addr_parse("198.51.100.11", &op.vip), 0);
		note(f, op, n * US_PER_S);
		/* One that was deleted once beside it. */
		assert_int_equal(addr_parse("198.51.100.20", &op.vip), 0);
		op.vip.bytes[3] += (uint8_t)n;
		note(f, op, n * US_PER_S);
	}
	expect(f, 2 * US_PER_S,
		"VIP 198.51.100.11 is missing on lo; something on this host deletes it each time it is added");
}

static void fights_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct plan_op op = { .type = PLAN_ADD_ADDRESS, .ifindex = LO, .repair = true };

	for (unsigned int n = 0; n <= PLAN_FIGHTS_MAX; n++) {
		assert_int_equal(addr_parse("198.51.0.0", &op.vip), 0);
		op.vip.bytes[2] = (uint8_t)(n >> 8);
		op.vip.bytes[3] = (uint8_t)n;
		note(f, op, 0);
	}
	assert_int_equal(f->fights.len, PLAN_FIGHTS_MAX);
	expect(f, PLAN_FIGHT_GAP_US + 1, "");
	assert_int_equal(f->fights.len, 0);
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(fight_is_what_comes_back_for_more_than_a_second),
		fact(fight_is_no_burst),
		fact(fight_is_about_one_thing),
		fact(fight_is_not_what_happens_now_and_then),
		fact(fight_is_over_when_what_was_mended_stands),
		fact(fight_keeps_its_words),
		fact(fight_that_changes_nothing_is_none),
		fact(fight_ends_with_its_interface),
		fact(fight_for_a_vip_is_one_too),
		fact(fights_are_bounded),
	};

	return cmocka_run_group_tests_name("agent/plan_fights", tests, NULL, NULL);
}
