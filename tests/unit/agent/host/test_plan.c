/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c and host.c: what is done, in which order, what is kept, and what is only told. */
#include "agent/host/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LO   1u
#define ETH0 2u
#define ETH1 3u
#define DUM0 4u

struct fixture {
	struct host host;
	struct host_link links[8];
	struct host_address addresses[64 + HOST_VIPS_MAX];
	struct host_wanted wanted;
	struct host_undo undo;
	struct plan plan;
};

static void verify(
	const struct fixture *f, const struct addr *vip, struct plan_verdict *ret_verdict)
{
	struct plan_view view;

	assert_int_equal(plan_view_make(&f->host, &f->wanted, &view), 0);
	plan_verify(&view, vip, ret_verdict);
	plan_view_clear(&view);
}

static struct addr addr(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static struct host_link *add_link(struct fixture *f, unsigned int ifindex, const char *name,
	bool arp, uint32_t arp_ignore, uint32_t arp_announce)
{
	struct host_link *link = &f->links[f->host.n_links++];

	*link = (struct host_link){
		.ifindex = ifindex,
		.up = true,
		.arp = arp,
		.has_inet = true,
		.mac = { { 2, 0, 0, 0, 0, (uint8_t)ifindex } },
		.arp_ignore = arp_ignore,
		.arp_announce = arp_announce,
	};
	snprintf(link->name, sizeof(link->name), "%s", name);
	return link;
}

static void add_address(struct fixture *f, unsigned int ifindex, const char *text,
	uint8_t prefix_len, const char *label)
{
	struct host_address *address = &f->addresses[f->host.n_addresses++];

	*address = (struct host_address){
		.ifindex = ifindex,
		.addr = addr(text),
		.prefix_len = prefix_len,
	};
	snprintf(address->label, sizeof(address->label), "%s", label);
}

static void add_vip(struct fixture *f, const char *text)
{
	f->wanted.vips[f->wanted.n_vips++] = addr(text);
}

static void own_address(struct fixture *f, const char *text)
{
	f->undo.added[f->undo.n_added++] = (struct host_added){ addr(text), LO };
}

static void own_link(
	struct fixture *f, const struct host_link *link, uint32_t arp_ignore, uint32_t arp_announce)
{
	struct host_original original = { .ifindex = link->ifindex,
		.mac = link->mac,
		.arp_ignore = arp_ignore,
		.arp_announce = arp_announce };

	memcpy(original.name, link->name, sizeof(original.name));
	assert_int_equal(host_undo_add_original(&f->undo, &original), 0);
}

/* lo, and eth0 with a real IP and the kernel's defaults; no VIP wanted yet. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->host.links = f->links;
	f->host.addresses = f->addresses;
	f->wanted.loopback_ifindex = LO;
	strcpy(f->wanted.loopback, "lo");
	add_link(f, LO, "lo", false, 0, 0);
	add_link(f, ETH0, "eth0", true, 0, 0);
	add_address(f, LO, "127.0.0.1", 8, "lo");
	add_address(f, ETH0, "192.0.2.11", 24, "eth0");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	plan_clear(&f->plan);
	host_undo_clear(&f->undo);
	free(f);
	return 0;
}

static void serve(struct fixture *f)
{
	plan_clear(&f->plan);
	assert_int_equal(plan_serve(&f->host, &f->wanted, &f->undo, &f->plan), 0);
}

static void withdraw(struct fixture *f)
{
	plan_clear(&f->plan);
	assert_int_equal(plan_withdraw(&f->host, &f->undo, &f->plan), 0);
}

static void expect_arp(const struct fixture *f, size_t idx, enum plan_op_type type,
	unsigned int ifindex, uint32_t arp_ignore, uint32_t arp_announce)
{
	assert_true(idx < f->plan.n_ops);
	assert_int_equal(f->plan.ops[idx].type, type);
	assert_int_equal(f->plan.ops[idx].ifindex, ifindex);
	assert_int_equal(f->plan.ops[idx].arp_ignore, arp_ignore);
	assert_int_equal(f->plan.ops[idx].arp_announce, arp_announce);
}

static void expect_address(const struct fixture *f, size_t idx, enum plan_op_type type,
	const char *vip, unsigned int label_idx)
{
	struct addr expected = addr(vip);

	assert_true(idx < f->plan.n_ops);
	assert_int_equal(f->plan.ops[idx].type, type);
	assert_int_equal(f->plan.ops[idx].ifindex, LO);
	assert_true(addr_equal(&f->plan.ops[idx].vip, &expected));
	assert_int_equal(f->plan.ops[idx].label_idx, label_idx);
}

static void plan_silences_before_it_adds(void **state)
{
	struct fixture *f = *state;

	add_link(f, ETH1, "eth1", true, 0, 0);
	add_vip(f, "198.51.100.10");
	add_vip(f, "198.51.100.11");
	serve(f);
	assert_int_equal(f->plan.n_ops, 4);
	expect_arp(f, 0, PLAN_SET_ARP, ETH0, 1, 2);
	expect_arp(f, 1, PLAN_SET_ARP, ETH1, 1, 2);
	expect_address(f, 2, PLAN_ADD_ADDRESS, "198.51.100.10", 1);
	expect_address(f, 3, PLAN_ADD_ADDRESS, "198.51.100.11", 2);
	assert_string_equal(f->plan.blocked.text, "");
	assert_string_equal(f->plan.ops[0].why, "new interface");
	assert_string_equal(f->plan.ops[2].why, "configured");
}

static void plan_is_empty_when_all_is_well(void **state)
{
	struct fixture *f = *state;

	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	own_link(f, &f->links[1], 0, 0);
	own_address(f, "198.51.100.10");
	add_address(f, LO, "198.51.100.10", 32, "lo:1");
	add_vip(f, "198.51.100.10");
	serve(f);
	assert_int_equal(f->plan.n_ops, 0);
}

static void plan_restores_after_the_vip_is_gone(void **state)
{
	struct fixture *f = *state;

	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	own_link(f, &f->links[1], 0, 1);
	own_address(f, "198.51.100.10");
	own_address(f, "2001:db8::10");
	withdraw(f);
	assert_int_equal(f->plan.n_ops, 3);
	expect_address(f, 0, PLAN_REMOVE_ADDRESS, "198.51.100.10", 0);
	expect_address(f, 1, PLAN_REMOVE_ADDRESS, "2001:db8::10", 0);
	expect_arp(f, 2, PLAN_RESTORE_ARP, ETH0, 0, 1);
}

static void plan_keeps_foreign_address(void **state)
{
	struct fixture *f = *state;

	add_address(f, LO, "198.51.100.10", 32, "lo");
	add_address(f, LO, "203.0.113.9", 32, "lo:7");
	add_vip(f, "198.51.100.10");
	serve(f);
	assert_int_equal(f->plan.n_ops, 1);
	expect_arp(f, 0, PLAN_SET_ARP, ETH0, 1, 2);
	withdraw(f);
	assert_int_equal(f->plan.n_ops, 0);
}

static void plan_removes_what_is_no_longer_wanted_first(void **state)
{
	struct fixture *f = *state;

	own_address(f, "198.51.100.10");
	own_address(f, "198.51.100.11");
	add_address(f, LO, "198.51.100.10", 32, "lo:1");
	add_address(f, LO, "198.51.100.11", 32, "lo:2");
	add_vip(f, "198.51.100.11");
	add_vip(f, "198.51.100.12");
	serve(f);
	assert_int_equal(f->plan.n_ops, 3);
	expect_address(f, 0, PLAN_REMOVE_ADDRESS, "198.51.100.10", 0);
	assert_string_equal(f->plan.ops[0].why, "no longer configured");
	expect_arp(f, 1, PLAN_SET_ARP, ETH0, 1, 2);
	/* lo:1 is still taken while the plan is made. */
	expect_address(f, 2, PLAN_ADD_ADDRESS, "198.51.100.12", 3);
}

static void plan_removes_from_the_previous_loopback(void **state)
{
	struct fixture *f = *state;

	add_link(f, DUM0, "dummy0", false, 0, 0);
	own_address(f, "2001:db8::10");
	add_address(f, LO, "2001:db8::10", 128, "");
	add_vip(f, "2001:db8::10");
	f->wanted.loopback_ifindex = DUM0;
	strcpy(f->wanted.loopback, "dummy0");
	serve(f);
	assert_int_equal(f->plan.n_ops, 2);
	expect_address(f, 0, PLAN_REMOVE_ADDRESS, "2001:db8::10", 0);
	assert_int_equal(f->plan.ops[1].type, PLAN_ADD_ADDRESS);
	assert_int_equal(f->plan.ops[1].ifindex, DUM0);
}

static void plan_repairs_a_deleted_vip(void **state)
{
	struct fixture *f = *state;

	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	own_address(f, "198.51.100.10");
	add_vip(f, "198.51.100.10");
	serve(f);
	assert_int_equal(f->plan.n_ops, 1);
	expect_address(f, 0, PLAN_ADD_ADDRESS, "198.51.100.10", 1);
	assert_string_equal(f->plan.ops[0].why, "deleted by others");
}

static void plan_wants_the_full_prefix(void **state)
{
	struct fixture *f = *state;

	add_address(f, LO, "2001:db8::10", 64, "");
	add_vip(f, "2001:db8::10");
	serve(f);
	assert_int_equal(f->plan.n_ops, 1);
	expect_address(f, 0, PLAN_ADD_ADDRESS, "2001:db8::10", 0);
}

static void plan_repairs_a_changed_sysctl(void **state)
{
	struct fixture *f = *state;

	own_link(f, &f->links[1], 0, 0);
	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 0;
	add_vip(f, "198.51.100.10");
	serve(f);
	expect_arp(f, 0, PLAN_SET_ARP, ETH0, 1, 2);
	assert_string_equal(f->plan.ops[0].why, "changed by others");
}

static void plan_silences_a_recreated_interface(void **state)
{
	struct fixture *f = *state;

	own_link(f, &f->links[1], 0, 0);
	f->links[1].ifindex = 9; /* same name and MAC, a new life */
	add_vip(f, "198.51.100.10");
	serve(f);
	expect_arp(f, 0, PLAN_SET_ARP, 9, 1, 2);
	assert_string_equal(f->plan.ops[0].why, "new interface");
}

static void plan_knows_a_reused_index_from_its_owner(void **state)
{
	struct fixture *f = *state;

	own_link(f, &f->links[1], 0, 0);
	strcpy(f->links[1].name, "other0");
	f->links[1].mac.bytes[0] = 6;
	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	withdraw(f);
	assert_int_equal(f->plan.n_ops, 0);
}

static void plan_follows_a_renamed_interface(void **state)
{
	struct fixture *f = *state;

	own_link(f, &f->links[1], 0, 0);
	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	strcpy(f->links[1].name, "lan0");
	add_vip(f, "2001:db8::10");
	add_vip(f, "198.51.100.10");
	serve(f);
	assert_int_equal(f->plan.n_ops, 2); /* the two VIPs */
	withdraw(f);
	assert_int_equal(f->plan.n_ops, 1);
	expect_arp(f, 0, PLAN_RESTORE_ARP, ETH0, 0, 0);
}

static void plan_leaves_noarp_links_alone(void **state)
{
	struct fixture *f = *state;
	struct plan_verdict verdict;
	struct addr vip = addr("198.51.100.10");

	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	add_link(f, DUM0, "tun0", false, 0, 0);
	add_link(f, 5, "small0", true, 0, 0)->has_inet = false; /* MTU below 68: no IPv4 */
	add_vip(f, "198.51.100.10");
	add_address(f, LO, "198.51.100.10", 32, "lo:1");
	add_address(f, DUM0, "198.51.100.10", 32, "tun0");
	serve(f);
	assert_int_equal(f->plan.n_ops, 0);
	verify(f, &vip, &verdict);
	assert_true(verdict.present && verdict.silent);
	assert_string_equal(verdict.reason.text, "");
}

static void plan_needs_no_silence_for_ipv6(void **state)
{
	struct fixture *f = *state;
	struct plan_verdict verdict;
	struct addr vip = addr("2001:db8::10");

	f->host.all_arp_ignore = 8; /* spoils IPv4 only */
	add_vip(f, "2001:db8::10");
	serve(f);
	assert_int_equal(f->plan.n_ops, 1);
	expect_address(f, 0, PLAN_ADD_ADDRESS, "2001:db8::10", 0);
	assert_string_equal(f->plan.blocked.text, "");
	add_address(f, LO, "2001:db8::10", 128, "");
	verify(f, &vip, &verdict);
	assert_true(verdict.present && verdict.silent);
}

static void plan_restores_when_the_last_ipv4_vip_goes(void **state)
{
	struct fixture *f = *state;

	own_link(f, &f->links[1], 0, 0);
	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	own_address(f, "198.51.100.10");
	add_vip(f, "2001:db8::10");
	serve(f);
	assert_int_equal(f->plan.n_ops, 3);
	expect_address(f, 0, PLAN_REMOVE_ADDRESS, "198.51.100.10", 0);
	expect_arp(f, 1, PLAN_RESTORE_ARP, ETH0, 0, 0);
	expect_address(f, 2, PLAN_ADD_ADDRESS, "2001:db8::10", 0);
}

static void plan_is_blocked_when_all_spoils(void **state)
{
	static const struct {
		uint32_t ignore, announce;
		const char *names; /* NULL: not spoilt */
	} cases[] = {
		{ 0, 0, NULL }, { 1, 1, NULL }, { 2, 2, NULL }, { 3, 0, "all.arp_ignore is 3" },
		{ 4, 0, "all.arp_ignore is 4" }, { 5, 0, "all.arp_ignore is 5" },
		{ 6, 0, "all.arp_ignore is 6" }, { 7, 0, "all.arp_ignore is 7" },
		{ 8, 0, "all.arp_ignore is 8" }, { 99, 0, "all.arp_ignore is 99" },
		{ 0, 3, "all.arp_announce is 3" }, { 0, 77, "all.arp_announce is 77" },
		{ UINT32_MAX, UINT32_MAX, NULL }, /* -1 to the kernel, less than ours */
	};
	struct fixture *f = *state;
	struct addr vip = addr("198.51.100.10");
	struct plan_verdict verdict;

	own_address(f, "198.51.100.10");
	add_address(f, LO, "198.51.100.10", 32, "lo:1");
	add_vip(f, "198.51.100.10");
	add_vip(f, "198.51.100.11");
	add_vip(f, "2001:db8::10");
	for (size_t idx = 0; idx < ARRAY_LEN(cases); idx++) {
		f->host.all_arp_ignore = cases[idx].ignore;
		f->host.all_arp_announce = cases[idx].announce;
		f->links[1].arp_ignore = 0;
		f->links[1].arp_announce = 0;
		serve(f);
		/* The interface is silenced in any case, the VIP that is there stays. */
		expect_arp(f, 0, PLAN_SET_ARP, ETH0, 1, 2);
		f->links[1].arp_ignore = 1;
		f->links[1].arp_announce = 2;
		verify(f, &vip, &verdict);
		assert_true(verdict.present);
		if (!cases[idx].names) {
			assert_string_equal(f->plan.blocked.text, "");
			assert_int_equal(f->plan.n_ops, 3);
			assert_true(verdict.silent);
			continue;
		}
		assert_non_null(strstr(f->plan.blocked.text, cases[idx].names));
		assert_non_null(strstr(verdict.reason.text, cases[idx].names));
		assert_false(verdict.silent);
		/* No new IPv4 VIP into the noise; IPv6 has no part in it. */
		assert_int_equal(f->plan.n_ops, 2);
		expect_address(f, 1, PLAN_ADD_ADDRESS, "2001:db8::10", 0);
	}
}

static void plan_judges_own_values(void **state)
{
	static const struct {
		uint32_t ignore, announce;
		uint32_t want_ignore, want_announce; /* equal to the previous: no operation */
	} cases[] = {
		{ 0, 0, 1, 2 },
		{ 1, 2, 1, 2 },
		{ 2, 2, 2, 2 }, /* stricter than ours: kept */
		{ 2, 0, 2, 2 },
		{ 3, 2, 1, 2 },
		{ 4, 2, 1, 2 },
		{ 5, 2, 1, 2 },
		{ 6, 2, 1, 2 },
		{ 7, 2, 1, 2 },
		{ 8, 2, 1, 2 },
		{ 9, 2, 1, 2 },
		{ UINT32_MAX, 2, 1, 2 },
		{ 1, 1, 1, 2 },
		{ 1, 3, 1, 2 },
		{ 1, UINT32_MAX, 1, 2 },
	};
	struct fixture *f = *state;
	struct addr vip = addr("198.51.100.10");
	struct plan_verdict verdict;

	add_address(f, LO, "198.51.100.10", 32, "lo");
	add_vip(f, "198.51.100.10");
	for (size_t idx = 0; idx < ARRAY_LEN(cases); idx++) {
		bool right = cases[idx].ignore == cases[idx].want_ignore &&
			cases[idx].announce == cases[idx].want_announce;

		f->links[1].arp_ignore = cases[idx].ignore;
		f->links[1].arp_announce = cases[idx].announce;
		serve(f);
		assert_int_equal(f->plan.n_ops, right ? 0 : 1);
		if (!right)
			expect_arp(f, 0, PLAN_SET_ARP, ETH0, cases[idx].want_ignore,
				cases[idx].want_announce);
		verify(f, &vip, &verdict);
		assert_int_equal(verdict.silent, right);
		assert_true(right || strstr(verdict.reason.text, "eth0 would answer ARP"));
	}
}

static void plan_restores_only_values_of_ours(void **state)
{
	static const struct {
		uint32_t original_ignore, original_announce, now_ignore, now_announce;
		uint32_t back_ignore, back_announce;
	} cases[] = {
		{ 0, 0, 1, 2, 0, 0 },
		{ 8, 1, 1, 2, 8, 1 },
		{ UINT32_MAX, 300, 1, 2, UINT32_MAX, 300 }, /* the kernel's full width */
		{ 2, 0, 2, 2, 2, 0 },
		{ 0, 0, 2, 2, 2, 0 }, /* others set 2 meanwhile */
		{ 0, 0, 0, 1, 0, 1 },
	};
	struct fixture *f = *state;

	own_link(f, &f->links[1], 0, 0);
	for (size_t idx = 0; idx < ARRAY_LEN(cases); idx++) {
		f->undo.originals[0].arp_ignore = cases[idx].original_ignore;
		f->undo.originals[0].arp_announce = cases[idx].original_announce;
		f->links[1].arp_ignore = cases[idx].now_ignore;
		f->links[1].arp_announce = cases[idx].now_announce;
		withdraw(f);
		assert_int_equal(f->plan.n_ops, 1);
		expect_arp(f, 0, PLAN_RESTORE_ARP, ETH0, cases[idx].back_ignore,
			cases[idx].back_announce);
	}
}

static void plan_calls_a_vip_elsewhere_a_leak(void **state)
{
	struct fixture *f = *state;
	struct plan_verdict verdict;

	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	add_vip(f, "198.51.100.10");
	add_vip(f, "2001:db8::10");
	add_address(f, LO, "198.51.100.10", 32, "lo:1");
	add_address(f, LO, "2001:db8::10", 128, "");
	add_address(f, ETH0, "198.51.100.10", 24, "eth0");
	add_address(f, ETH0, "2001:db8::10", 64, "");
	serve(f);
	assert_int_equal(f->plan.n_ops, 0); /* somebody else's: never touched */
	ARRAY_FOREACH (vip, f->wanted.vips, f->wanted.n_vips) {
		verify(f, vip, &verdict);
		assert_true(verdict.present);
		assert_false(verdict.silent);
		assert_non_null(strstr(verdict.reason.text, "is on eth0"));
	}
}

static void plan_tells_of_a_missing_vip(void **state)
{
	struct fixture *f = *state;
	struct plan_verdict verdict;

	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	add_vip(f, "198.51.100.10");
	verify(f, f->wanted.vips, &verdict);
	assert_false(verdict.present);
	assert_true(verdict.silent);
	assert_string_equal(verdict.reason.text, "VIP 198.51.100.10 is missing on lo");
	add_address(f, LO, "198.51.100.10", 32, "lo:1");
	f->links[0].up = false;
	verify(f, f->wanted.vips, &verdict);
	assert_false(verdict.present);
	assert_non_null(strstr(verdict.reason.text, "lo is down"));
}

static void plan_refuses_an_unfit_loopback(void **state)
{
	struct fixture *f = *state;

	add_vip(f, "2001:db8::10");
	f->wanted.loopback_ifindex = 0;
	strcpy(f->wanted.loopback, "dummy0");
	serve(f);
	assert_int_equal(f->plan.n_ops, 0);
	assert_non_null(strstr(f->plan.blocked.text, "no interface dummy0"));
	f->wanted.loopback_ifindex = ETH0;
	strcpy(f->wanted.loopback, "eth0");
	serve(f);
	assert_int_equal(f->plan.n_ops, 0);
	assert_non_null(strstr(f->plan.blocked.text, "eth0 answers ARP"));
}

static void plan_holds_the_most_that_a_host_can_have(void **state)
{
	struct fixture *f = *state;
	struct host_link *links = calloc(HOST_LINKS_MAX, sizeof(*links));

	assert_non_null(links);
	for (size_t idx = 0; idx < HOST_LINKS_MAX; idx++) {
		links[idx].ifindex = (unsigned int)idx + 10;
		links[idx].arp = links[idx].has_inet = true;
		snprintf(links[idx].name, sizeof(links[idx].name), "veth%zu", idx);
	}
	links[0].ifindex = LO;
	links[0].arp = false;
	f->host.links = links;
	f->host.n_links = HOST_LINKS_MAX;
	for (unsigned int idx = 0; idx < HOST_VIPS_MAX; idx++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "10.1.%u.%u", idx >> 8, idx & 0xff);
		add_vip(f, text);
		snprintf(text, sizeof(text), "10.2.%u.%u", idx >> 8, idx & 0xff);
		own_address(f, text);
	}
	serve(f);
	assert_int_equal(f->plan.n_ops, HOST_LINKS_MAX - 1 + 2 * HOST_VIPS_MAX);
	assert_int_equal(f->plan.ops[f->plan.n_ops - 1].label_idx, HOST_VIPS_MAX);
	free(links);
}

static void host_finds_links_by_index(void **state)
{
	struct fixture *f = *state;

	add_link(f, 7, "eth7", true, 0, 0);
	add_link(f, 90, "eth90", true, 0, 0);
	assert_string_equal(host_link(&f->host, LO)->name, "lo");
	assert_string_equal(host_link(&f->host, 7)->name, "eth7");
	assert_string_equal(host_link(&f->host, 90)->name, "eth90");
	assert_null(host_link(&f->host, 0));
	assert_null(host_link(&f->host, 8));
	assert_null(host_link(&f->host, 91));
	assert_string_equal(host_link_by_name(&f->host, "eth7")->name, "eth7");
	assert_null(host_link_by_name(&f->host, "eth8"));
}

static void plan_leaves_exempt_interfaces_alone(void **state)
{
	char *const patterns[] = { (char *)"cali*", (char *)"eth?" };
	struct fixture *f = *state;
	struct plan_verdict verdict;

	add_vip(f, "198.51.100.10");
	f->wanted.exempt = patterns;
	f->wanted.n_exempt = 1;
	host_mark_exempt(&f->host, &f->wanted);
	assert_false(host_link(&f->host, ETH0)->exempt);
	f->wanted.n_exempt = 2;
	host_mark_exempt(&f->host, &f->wanted);
	assert_true(host_link(&f->host, ETH0)->exempt);
	serve(f);
	assert_int_equal(f->plan.n_ops, 1);
	assert_int_equal(f->plan.ops[0].type, PLAN_ADD_ADDRESS);
	verify(f, &f->wanted.vips[0], &verdict);
	assert_true(verdict.silent);
	/* One that was silenced before gets its values back. */
	f->links[1].arp_ignore = 1;
	f->links[1].arp_announce = 2;
	own_link(f, &f->links[1], 0, 0);
	serve(f);
	assert_int_equal(f->plan.n_ops, 2);
	expect_arp(f, 0, PLAN_RESTORE_ARP, ETH0, 0, 0);
	/* The way to the balancer is never left alone. */
	f->wanted.balancer_ifindex = ETH0;
	host_mark_exempt(&f->host, &f->wanted);
	assert_false(host_link(&f->host, ETH0)->exempt);
}

static void host_puts_links_in_order(void **state)
{
	static const unsigned int order[] = { 5, 2, 9, 2, 7, 1 };
	struct host host = { 0 };

	for (size_t idx = 0; idx < ARRAY_LEN(order); idx++) {
		struct host_link link = { .ifindex = order[idx], .arp_ignore = (uint32_t)idx };

		assert_int_equal(host_put_link(&host, &link), 0);
	}
	assert_int_equal(host.n_links, 5);
	for (size_t idx = 1; idx < host.n_links; idx++)
		assert_true(host.links[idx - 1].ifindex < host.links[idx].ifindex);
	assert_int_equal(host_link(&host, 2)->arp_ignore, 3);
	host_clear(&host);
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(plan_leaves_exempt_interfaces_alone),
		fact(host_puts_links_in_order),
		fact(plan_silences_before_it_adds),
		fact(plan_is_empty_when_all_is_well),
		fact(plan_restores_after_the_vip_is_gone),
		fact(plan_keeps_foreign_address),
		fact(plan_removes_what_is_no_longer_wanted_first),
		fact(plan_removes_from_the_previous_loopback),
		fact(plan_repairs_a_deleted_vip),
		fact(plan_wants_the_full_prefix),
		fact(plan_repairs_a_changed_sysctl),
		fact(plan_silences_a_recreated_interface),
		fact(plan_knows_a_reused_index_from_its_owner),
		fact(plan_follows_a_renamed_interface),
		fact(plan_leaves_noarp_links_alone),
		fact(plan_needs_no_silence_for_ipv6),
		fact(plan_restores_when_the_last_ipv4_vip_goes),
		fact(plan_is_blocked_when_all_spoils),
		fact(plan_judges_own_values),
		fact(plan_restores_only_values_of_ours),
		fact(plan_calls_a_vip_elsewhere_a_leak),
		fact(plan_tells_of_a_missing_vip),
		fact(plan_refuses_an_unfit_loopback),
		fact(plan_holds_the_most_that_a_host_can_have),
		fact(host_finds_links_by_index),
	};

	return cmocka_run_group_tests_name("agent/plan", tests, NULL, NULL);
}
