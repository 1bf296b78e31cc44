/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes, endpoints and MACs: text to value and back, order and membership. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct addr address(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static void addr_parses_and_formats(void **state)
{
	static const struct {
		const char *text, *formatted;
		sa_family_t family;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", AF_INET },
		{ "0.0.0.0", "0.0.0.0", AF_INET },
		{ "255.255.255.255", "255.255.255.255", AF_INET },
		{ "2001:DB8::0:1", "2001:db8::1", AF_INET6 },
		{ "::", "::", AF_INET6 },
		{ "fe80::1", "fe80::1", AF_INET6 },
		{ "::ffff:192.0.2.1", "192.0.2.1", AF_INET },
		{ "2001:db8:1111:2222:3333:4444:255.255.255.255",
			"2001:db8:1111:2222:3333:4444:ffff:ffff", AF_INET6 },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		char buffer[ADDR_STRLEN];
		struct addr addr = address(item->text);

		assert_int_equal(addr.family, item->family);
		assert_string_equal(addr_format(&addr, buffer), item->formatted);
	}
}

static void addr_refuses_what_is_no_number(void **state)
{
	static const char *const cases[] = { "", " ", "192.0.2", "192.0.2.1.1", "192.0.2.256",
		"192.0.2.01", "0x7f.1", "localhost", "192.0.2.1 ", " 192.0.2.1", "2001:db8:::1",
		"fe80::1%eth0", "[::1]", "192.0.2.1/24", ":", "12345::" };

	ARRAY_FOREACH (text, cases, ARRAY_LEN(cases)) {
		struct addr addr;

		if (addr_parse(*text, &addr) != -EINVAL)
			fail_msg("\"%s\" was taken for an address", *text);
	}
}

static void addr_none_formats_as_nothing(void **state)
{
	struct addr_port endpoint = { 0 };
	char buffer[ADDR_PORT_STRLEN] = "x";

	assert_string_equal(addr_format(&endpoint.addr, buffer), "");
	assert_string_equal(addr_port_format(&endpoint, buffer), "");
}

static void addr_leaves_unused_bytes_zero(void **state)
{
	struct addr a, b;

	memset(&a, 0xff, sizeof(a));
	memset(&b, 0, sizeof(b));
	assert_int_equal(addr_parse("192.0.2.1", &a), 0);
	assert_int_equal(addr_parse("192.0.2.1", &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void prefix_parses(void **state)
{
	static const struct {
		const char *text, *address;
		uint8_t len;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.0", 24 },
		{ "192.0.2.1", "192.0.2.1", 32 },
		{ "0.0.0.0/0", "0.0.0.0", 0 },
		{ "10.128.0.0/9", "10.128.0.0", 9 },
		{ "2001:db8::/32", "2001:db8::", 32 },
		{ "2001:db8::1", "2001:db8::1", 128 },
		{ "::/0", "::", 0 },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		char buffer[ADDR_STRLEN];
		struct addr_prefix prefix;

		assert_int_equal(addr_prefix_parse(item->text, &prefix), 0);
		assert_string_equal(addr_format(&prefix.addr, buffer), item->address);
		assert_int_equal(prefix.len, item->len);
	}
}

static void prefixes_stand_behind_those_that_hold_them(void **state)
{
	static const char *const in_order[] = { "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.0.0.0",
		"10.0.1.0/24", "::/0", "2001:db8::/32" };

	for (size_t i = 0; i < ARRAY_LEN(in_order); i++)
		for (size_t k = 0; k < ARRAY_LEN(in_order); k++) {
			struct addr_prefix a, b;
			int order;

			assert_int_equal(addr_prefix_parse(in_order[i], &a), 0);
			assert_int_equal(addr_prefix_parse(in_order[k], &b), 0);
			order = addr_prefix_compare(&a, &b);
			assert_int_equal(order < 0, i < k);
			assert_int_equal(order > 0, i > k);
		}
}

static void prefix_refuses_host_bits_and_bad_lengths(void **state)
{
	static const char *const cases[] = { "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/",
		"192.0.2.0/-1", "192.0.2.0/ 24", "192.0.2.0/024", "192.0.2.0/24/24", "10.192.0.0/9",
		"2001:db8::1/127", "2001:db8::/129", "/24", "x/24", "192.0.2.0/4294967320" };

	ARRAY_FOREACH (text, cases, ARRAY_LEN(cases)) {
		struct addr_prefix prefix;

		if (addr_prefix_parse(*text, &prefix) != -EINVAL)
			fail_msg("\"%s\" was taken for a prefix", *text);
	}
}

static void prefix_knows_its_members(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool member;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "0.0.0.0/0", "198.51.100.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		struct addr addr = address(item->addr);
		struct addr_prefix prefix;

		assert_int_equal(addr_prefix_parse(item->prefix, &prefix), 0);
		if (addr_in_prefix(&addr, &prefix) != item->member)
			fail_msg("%s in %s", item->addr, item->prefix);
	}
}

static void prefix_of_nothing_has_no_members(void **state)
{
	struct addr_prefix prefix = { 0 };
	struct addr none = { 0 };

	assert_false(addr_in_prefix(&none, &prefix));
}

static void endpoint_parses_and_formats(void **state)
{
	static const struct {
		const char *text, *formatted;
		uint16_t port;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", 0 },
		{ "192.0.2.1:80", "192.0.2.1:80", 80 },
		{ "192.0.2.1:65535", "192.0.2.1:65535", 65535 },
		{ "2001:db8::1", "2001:db8::1", 0 },
		{ "2001:db8::80", "2001:db8::80", 0 },
		{ "[2001:db8::1]:80", "[2001:db8::1]:80", 80 },
		{ "[2001:db8:1111:2222:3333:4444:255.255.255.255]:65535",
			"[2001:db8:1111:2222:3333:4444:ffff:ffff]:65535", 65535 },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		char buffer[ADDR_PORT_STRLEN];
		struct addr_port endpoint;

		assert_int_equal(addr_port_parse(item->text, false, &endpoint), 0);
		assert_int_equal(endpoint.port, item->port);
		assert_string_equal(addr_port_format(&endpoint, buffer), item->formatted);
	}
}

static void endpoint_takes_a_port_alone_only_when_allowed(void **state)
{
	static const char *const cases[] = { "7377", ":7377" };

	ARRAY_FOREACH (text, cases, ARRAY_LEN(cases)) {
		char buffer[ADDR_PORT_STRLEN];
		struct addr_port endpoint;

		assert_int_equal(addr_port_parse(*text, false, &endpoint), -EINVAL);
		assert_int_equal(addr_port_parse(*text, true, &endpoint), 0);
		assert_int_equal(endpoint.addr.family, AF_UNSPEC);
		assert_int_equal(endpoint.port, 7377);
		assert_string_equal(addr_port_format(&endpoint, buffer), ":7377");
	}
}

static void endpoint_refuses_bad_ports_and_brackets(void **state)
{
	static const char *const cases[] = { "", ":", "192.0.2.1:", "192.0.2.1:0",
		"192.0.2.1:65536", "192.0.2.1:080", "192.0.2.1:+80", "192.0.2.1: 80",
		"192.0.2.1:80:80", "[2001:db8::1]", "[2001:db8::1]:", "[2001:db8::1]80",
		"[2001:db8::1:80", "[192.0.2.1]:80", "[]:80", "0", ":0", "65536", "web1:80",
		"[::ffff:192.0.2.1:80" };

	ARRAY_FOREACH (text, cases, ARRAY_LEN(cases)) {
		struct addr_port endpoint;

		if (addr_port_parse(*text, true, &endpoint) != -EINVAL)
			fail_msg("\"%s\" was taken for an endpoint", *text);
	}
}

static void mac_parses_and_formats(void **state)
{
	static const char *const cases[] = { "02:00:5E:aa:BB:0f", "02-00-5e-AA-bb-0F" };

	ARRAY_FOREACH (text, cases, ARRAY_LEN(cases)) {
		char buffer[MAC_STRLEN];
		struct mac mac;

		assert_int_equal(mac_parse(*text, &mac), 0);
		assert_string_equal(mac_format(&mac, buffer), "02:00:5e:aa:bb:0f");
	}
}

static void mac_refuses_groups_zero_and_other_text(void **state)
{
	static const char *const cases[] = { "", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
		"01:00:5e:00:00:01", "02:00:5e:aa:bb", "02:00:5e:aa:bb:0f:00", "2:0:5e:aa:bb:0f",
		"02:00:5e:aa-bb:0f", "02.00.5e.aa.bb.0f", "02005eaabb0f", "0g:00:5e:aa:bb:0f",
		"02:00:5e:aa:bb:0 " };

	ARRAY_FOREACH (text, cases, ARRAY_LEN(cases)) {
		struct mac mac;

		if (mac_parse(*text, &mac) != -EINVAL)
			fail_msg("\"%s\" was taken for a MAC", *text);
	}
}

static void addr_order_is_total(void **state)
{
	static const char *const ordered[] = { "0.0.0.0", "10.0.0.1", "10.0.0.2", "192.0.2.1",
		"::", "2001:db8::1", "2001:db8::2" };

	for (size_t i = 0; i < ARRAY_LEN(ordered); i++)
		for (size_t j = 0; j < ARRAY_LEN(ordered); j++) {
			struct addr a = address(ordered[i]), b = address(ordered[j]);
			int order = addr_compare(&a, &b);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(addr_equal(&a, &b), i == j);
		}
}

static void addr_unicast_is_a_host_on_a_network(void **state)
{
	static const struct {
		const char *addr;
		bool unicast;
	} cases[] = {
		{ "192.0.2.1", true },
		{ "223.255.255.255", true },
		{ "224.0.0.1", false },
		{ "239.255.255.255", false },
		{ "240.0.0.1", true },
		{ "255.255.255.255", false },
		{ "127.0.0.1", false },
		{ "0.0.0.0", false },
		{ "0.1.2.3", false },
		{ "2001:db8::1", true },
		{ "fe80::1", true },
		{ "ff02::1", false },
		{ "::1", false },
		{ "::", false },
	};
	struct addr none = { 0 };

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		struct addr addr = address(item->addr);

		if (addr_is_unicast(&addr) != item->unicast)
			fail_msg("%s", item->addr);
	}
	assert_false(addr_is_unicast(&none));
}

static void addr_link_local_is_fe80(void **state)
{
	struct addr link_local = address("febf::1"), global = address("fec0::1");
	struct addr ip4 = address("169.254.0.1");

	assert_true(addr_is_link_local6(&link_local));
	assert_false(addr_is_link_local6(&global));
	assert_false(addr_is_link_local6(&ip4));
}

static void sockaddr_there_and_back(void **state)
{
	static const char *const cases[] = { "192.0.2.1:80", "[2001:db8::1]:443" };

	ARRAY_FOREACH (text, cases, ARRAY_LEN(cases)) {
		struct addr_port endpoint, back;
		struct sockaddr_storage storage;
		char buffer[ADDR_PORT_STRLEN];
		socklen_t len;

		assert_int_equal(addr_port_parse(*text, false, &endpoint), 0);
		len = addr_to_sockaddr(&endpoint, 7, &storage);
		assert_int_equal(len,
			storage.ss_family == AF_INET ? sizeof(struct sockaddr_in)
						     : sizeof(struct sockaddr_in6));
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&storage, &back), 0);
		assert_string_equal(addr_port_format(&back, buffer), *text);
	}
}

static void sockaddr_has_a_scope_only_for_link_local(void **state)
{
	struct addr_port endpoint = { .port = 1 };
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;

	endpoint.addr = address("fe80::1");
	addr_to_sockaddr(&endpoint, 7, &storage);
	memcpy(&in6, &storage, sizeof(in6));
	assert_int_equal(in6.sin6_scope_id, 7);
	endpoint.addr = address("2001:db8::1");
	addr_to_sockaddr(&endpoint, 7, &storage);
	memcpy(&in6, &storage, sizeof(in6));
	assert_int_equal(in6.sin6_scope_id, 0);
}

static void sockaddr_of_mapped_ip6_is_ip4(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	struct addr_port endpoint;
	char buffer[ADDR_PORT_STRLEN];

	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&in6, &endpoint), 0);
	assert_string_equal(addr_port_format(&endpoint, buffer), "192.0.2.1:80");
}

static void sockaddr_of_other_families_is_refused(void **state)
{
	struct sockaddr other = { .sa_family = AF_UNIX };
	struct addr_port endpoint;

	assert_int_equal(addr_from_sockaddr(&other, &endpoint), -EAFNOSUPPORT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_parses_and_formats),
		cmocka_unit_test(addr_refuses_what_is_no_number),
		cmocka_unit_test(addr_none_formats_as_nothing),
		cmocka_unit_test(addr_leaves_unused_bytes_zero),
		cmocka_unit_test(prefix_parses),
		cmocka_unit_test(prefixes_stand_behind_those_that_hold_them),
		cmocka_unit_test(prefix_refuses_host_bits_and_bad_lengths),
		cmocka_unit_test(prefix_knows_its_members),
		cmocka_unit_test(prefix_of_nothing_has_no_members),
		cmocka_unit_test(endpoint_parses_and_formats),
		cmocka_unit_test(endpoint_takes_a_port_alone_only_when_allowed),
		cmocka_unit_test(endpoint_refuses_bad_ports_and_brackets),
		cmocka_unit_test(mac_parses_and_formats),
		cmocka_unit_test(mac_refuses_groups_zero_and_other_text),
		cmocka_unit_test(addr_order_is_total),
		cmocka_unit_test(addr_unicast_is_a_host_on_a_network),
		cmocka_unit_test(addr_link_local_is_fe80),
		cmocka_unit_test(sockaddr_there_and_back),
		cmocka_unit_test(sockaddr_has_a_scope_only_for_link_local),
		cmocka_unit_test(sockaddr_of_mapped_ip6_is_ip4),
		cmocka_unit_test(sockaddr_of_other_families_is_refused),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
