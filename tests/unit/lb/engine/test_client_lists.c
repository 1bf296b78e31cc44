/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of clients against the longest prefix looked for one by one; limits, and what both say. */
#include "lb/engine/client_lists.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "lb/engine/snapshot.h"
#include "lb/fwd/clients.h"

#define PREFIXES_MAX 64u
#define ROUNDS       400u
#define ASKED        200u

static struct clients_test {
	struct fwd_clients *clients;
	uint64_t random;
	struct client_prefix prefixes[PREFIXES_MAX];
	size_t len;
} test;

static uint32_t draw(uint32_t len)
{
	uint64_t z = (test.random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)((z ^ (z >> 31)) >> 32) % len;
}

static int open_lists(void **state)
{
	test = (struct clients_test){ .random = 1 };
	return client_lists_new(&test.clients);
}

static int close_lists(void **state)
{
	client_lists_free(test.clients);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct client_prefix *left = a, *right = b;

	return addr_prefix_compare(&left->prefix, &right->prefix);
}

static void add(const char *text, bool denied)
{
	test.prefixes[test.len].denied = denied;
	assert_int_equal(addr_prefix_parse(text, &test.prefixes[test.len++].prefix), 0);
}

static uint32_t make(void)
{
	uint32_t place = 0;

	qsort(test.prefixes, test.len, sizeof(*test.prefixes), compare);
	assert_int_equal(client_lists_add(test.clients, test.prefixes, test.len, &place), 0);
	assert_int_not_equal(place, 0);
	return place;
}

static bool takes_addr(uint32_t place, const struct addr *client)
{
	struct fwd_addr address;

	snapshot_addr(client, &address);
	return clients_take(test.clients, place, &address, client->family == AF_INET6) != 0;
}

static bool takes(uint32_t place, const char *text)
{
	struct addr client;

	assert_int_equal(addr_parse(text, &client), 0);
	return takes_addr(place, &client);
}

static bool longest_prefix_takes(const struct addr *client)
{
	const struct client_prefix *longest = NULL;
	bool allows = false;

	for (size_t i = 0; i < test.len; i++) {
		const struct client_prefix *prefix = &test.prefixes[i];

		allows |= !prefix->denied;
		if (addr_in_prefix(client, &prefix->prefix) &&
			(!longest || prefix->prefix.len > longest->prefix.len))
			longest = prefix;
	}
	return longest ? !longest->denied : !allows;
}

/* Few bits differ, so that prefixes lie in each other and beside each other. */
static struct addr draw_addr(void)
{
	struct addr addr = { .family = draw(2) ? AF_INET6 : AF_INET };
	size_t size_bytes = addr_size_bytes(&addr);

	if (draw(8) == 0)
		memset(addr.bytes, draw(2) ? 0 : 255, size_bytes);
	for (unsigned int i = 0; i < 4; i++)
		addr.bytes[draw((uint32_t)size_bytes)] ^= (uint8_t)(1u << draw(8));
	return addr;
}

static void draw_prefix(struct addr_prefix *ret_prefix)
{
	struct addr_prefix prefix = { .addr = draw_addr() };
	unsigned int bits = (unsigned int)addr_size_bytes(&prefix.addr) * 8;

	prefix.len = (uint8_t)draw(bits + 1);
	for (unsigned int bit = prefix.len; bit < bits; bit++)
		prefix.addr.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	*ret_prefix = prefix;
}

static void draw_prefixes(void)
{
	size_t want = 1 + draw(PREFIXES_MAX);
	uint32_t denied_of_4 = draw(5);

	test.len = 0;
	for (size_t i = 0; i < want; i++) {
		struct client_prefix *prefix = &test.prefixes[test.len];
		bool twice = false;

		draw_prefix(&prefix->prefix);
		prefix->denied = draw(4) < denied_of_4;
		for (size_t k = 0; k < test.len; k++)
			twice |= compare(prefix, &test.prefixes[k]) == 0;
		test.len += !twice;
	}
}

/* The addresses at both ends of a prefix, and those beside them. */
static void ask_ends(uint32_t place, const struct addr_prefix *prefix)
{
	size_t size_bytes = addr_size_bytes(&prefix->addr);

	for (int end = 0; end < 2; end++)
		for (int step = -1; step <= 1; step++) {
			struct addr addr = prefix->addr;
			int carry = step;

			for (unsigned int bit = prefix->len; end && bit < size_bytes * 8; bit++)
				addr.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
			for (size_t i = size_bytes; carry && i > 0; i--) {
				carry += addr.bytes[i - 1];
				addr.bytes[i - 1] = (uint8_t)carry;
				carry = carry < 0 ? -1 : carry > 255;
			}
			assert_int_equal(takes_addr(place, &addr), longest_prefix_takes(&addr));
		}
}

static void list_says_what_the_longest_prefix_says(void **state)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint32_t place;

		draw_prefixes();
		place = make();
		for (size_t i = 0; i < test.len; i++)
			ask_ends(place, &test.prefixes[i].prefix);
		for (unsigned int i = 0; i < ASKED; i++) {
			struct addr addr = draw_addr();

			assert_int_equal(takes_addr(place, &addr), longest_prefix_takes(&addr));
		}
	}
}

static void one_allowed_network_denies_everybody_else_in_both_families(void **state)
{
	uint32_t place;

	add("192.0.2.0/24", false);
	place = make();
	assert_true(takes(place, "192.0.2.0"));
	assert_true(takes(place, "192.0.2.255"));
	assert_false(takes(place, "192.0.3.0"));
	assert_false(takes(place, "0.0.0.0"));
	assert_false(takes(place, "2001:db8::1"));
	test.len = 0;
	add("::/0", false);
	place = make();
	assert_true(takes(place, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(takes(place, "192.0.2.0"));
}

static void denied_networks_alone_deny_nobody_else(void **state)
{
	uint32_t place;

	add("128.0.0.0/1", true);
	place = make();
	assert_false(takes(place, "255.255.255.255"));
	assert_false(takes(place, "128.0.0.0"));
	assert_true(takes(place, "127.255.255.255"));
	assert_true(takes(place, "::"));
}

static void lists_stand_beside_each_other(void **state)
{
	uint32_t first, second;

	add("192.0.2.0/24", false);
	add("2001:db8::/32", false);
	first = make();
	test.len = 0;
	add("192.0.2.0/24", true);
	second = make();
	assert_true(takes(first, "192.0.2.1"));
	assert_false(takes(second, "192.0.2.1"));
	assert_false(takes(first, "192.0.3.1"));
	assert_true(takes(second, "192.0.3.1"));
	assert_true(takes(first, "2001:db8::"));
	assert_false(takes(0, "192.0.2.1"));
}

static void add_host(uint32_t number)
{
	struct client_prefix *prefix = &test.prefixes[test.len++];

	*prefix = (struct client_prefix){ { { .family = AF_INET }, 32 }, false };
	prefix->prefix.addr.ip4.s_addr = htonl(number);
}

static void lists_have_limits(void **state)
{
	uint32_t place = 0, first;

	/* Every other address: two beginnings each. */
	for (uint32_t i = 0; i < PREFIXES_MAX; i++)
		add_host(2 * i);
	first = make();
	for (uint32_t i = 1; i < CLIENTS_BEGINNINGS / 2 / PREFIXES_MAX; i++)
		place = make();
	test.len = 1;
	assert_int_equal(client_lists_add(test.clients, test.prefixes, 1, &place), -ENOSPC);
	assert_true(takes(first, "0.0.0.126"));
	assert_true(takes(place, "0.0.0.126"));
	assert_false(takes(place, "0.0.0.127"));
	/* A list that takes nobody of IPv4 costs nothing there. */
	test.len = 0;
	add("2001:db8::/32", false);
	while (test.clients->n_lists < CLIENTS_LISTS)
		make();
	assert_int_equal(client_lists_add(test.clients, test.prefixes, 1, &place), -ENOSPC);
}

static void lists_are_copied_and_compared(void **state)
{
	struct fwd_clients *other;

	assert_int_equal(client_lists_new(&other), 0);
	add("192.0.2.0/24", false);
	make();
	assert_false(client_lists_equal(test.clients, other));
	assert_false(client_lists_equal(test.clients, NULL));
	client_lists_copy(other, test.clients);
	assert_true(client_lists_equal(test.clients, other));
	other->from4[0]++;
	assert_false(client_lists_equal(test.clients, other));
	client_lists_free(other);
	client_lists_free(NULL);
}

int main(void)
{
#define LISTS_TEST(name) cmocka_unit_test_setup_teardown(name, open_lists, close_lists)
	const struct CMUnitTest tests[] = {
		LISTS_TEST(list_says_what_the_longest_prefix_says),
		LISTS_TEST(one_allowed_network_denies_everybody_else_in_both_families),
		LISTS_TEST(denied_networks_alone_deny_nobody_else),
		LISTS_TEST(lists_stand_beside_each_other),
		LISTS_TEST(lists_have_limits),
		LISTS_TEST(lists_are_copied_and_compared),
	};

	return cmocka_run_group_tests_name("client_lists", tests, NULL, NULL);
}
