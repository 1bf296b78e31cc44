/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What netlink tells of a network namespace that was made for it. */
#include "common/doctor/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <linux/rtnetlink.h>
#include <cmocka.h>

#include "tests/unit/tools/namespace.h"

static struct addr addr(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static void a_host_is_told_as_it_is(void **state)
{
	const struct addr gateway = addr("192.0.2.1"), far = addr("203.0.113.1");
	const struct addr leased = addr("192.0.2.10");
	const struct addr near = addr("192.0.2.77"), nothing = { 0 };
	const struct survey_neighbour *neighbour;
	const struct survey_link *link;
	struct survey_route route;
	struct survey survey;

	if (!namespace_make())
		skip();
	assert_int_equal(
		system("ip link set lo up && ip link add e0 mtu 1400 type veth peer name e1 && "
		       "ip link set e0 up && ip link set e1 up && "
		       "ip address add 192.0.2.9/24 dev e0 && "
		       "ip route add default via 192.0.2.1 metric 7 && "
		       "ip route add default via 192.0.2.2 metric 9 && "
		       "ip route add blackhole 198.51.100.1 && "
		       "ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev e0 && "
		       "ip neigh add proxy 198.51.100.7 dev e0 && "
		       "sysctl -qw net.ipv4.conf.e0.proxy_arp=1 net.ipv6.conf.e0.proxy_ndp=1 "
		       "net.ipv6.conf.e0.accept_redirects=1 net.ipv6.conf.e1.accept_redirects=0 "
		       "net.ipv6.conf.e0.accept_ra=1 net.ipv6.conf.e0.autoconf=1 "
		       "net.ipv6.conf.e1.accept_ra=0 && "
		       "ip address add 192.0.2.10/32 dev e1 valid_lft 1000 preferred_lft 500"),
		0);
	assert_int_equal(survey_make(&survey), 0);
	link = survey_link_by_name(&survey, "e0");
	assert_non_null(link);
	assert_ptr_equal(survey_link(&survey, link->ifindex), link);
	assert_string_equal(link->kind, "veth");
	assert_int_equal(link->mtu_bytes, 1400);
	assert_int_equal(survey_conf4(link, IPV4_DEVCONF_PROXY_ARP), 1);
	assert_true(link->proxy_ndp);
	assert_true(link->takes_redirects6);
	assert_false(survey_link_by_name(&survey, "e1")->takes_redirects6);
	assert_true(link->takes_prefixes6);
	assert_false(survey_link_by_name(&survey, "e1")->takes_prefixes6);
	ARRAY_FOREACH (own, survey.addresses, survey.n_addresses)
		assert_int_equal(own->lasting, !addr_equal(&own->addr, &leased));
	assert_false(survey_link_by_name(&survey, "lo")->proxy_ndp);
	assert_null(survey_link_by_name(&survey, "e7"));
	assert_true(addr_equal(&survey_default_route(&survey, AF_INET)->gateway, &gateway));
	assert_null(survey_default_route(&survey, AF_INET6));
	assert_true(survey_is_on_link(&survey, link->ifindex, &near));
	assert_true(survey_is_on_link(&survey, 0, &near));
	assert_false(survey_is_on_link(&survey, link->ifindex, &far));
	neighbour = survey_neighbour(&survey, link->ifindex, &gateway);
	assert_non_null(neighbour);
	assert_int_equal(neighbour->mac.bytes[5], 1);
	assert_int_equal(survey_ask(&far, &nothing, &route), 0);
	assert_true(addr_equal(&route.gateway, &gateway));
	assert_int_equal(route.ifindex, link->ifindex);
	assert_int_equal(survey_ask(&near, &nothing, &route), 0);
	assert_int_equal(route.gateway.family, AF_UNSPEC);
	assert_true(survey_ask(&(struct addr){ .family = AF_INET6, .bytes = { 0x20, 1 } }, &nothing,
			    &route) < 0);
	survey_clear(&survey);
	assert_int_equal(survey.n_links, 0);
}

static bool has_blackhole(const struct survey *survey)
{
	ARRAY_FOREACH (route, survey->routes, survey->n_routes) {
		if (route->type == RTN_BLACKHOLE && route->destination.len == 32)
			return true;
	}
	return false;
}

static bool has_proxy(const struct survey *survey)
{
	ARRAY_FOREACH (neighbour, survey->neighbours, survey->n_neighbours) {
		if (neighbour->is_proxied)
			return true;
	}
	return false;
}

static void routes_and_proxies_are_told(void **state)
{
	struct survey survey;

	if (!namespace_make())
		skip();
	assert_int_equal(system("ip link set lo up && ip route add blackhole 198.51.100.1 && "
				"ip neigh add proxy 198.51.100.7 dev lo"),
		0);
	assert_int_equal(survey_make(&survey), 0);
	assert_true(has_blackhole(&survey));
	assert_true(has_proxy(&survey));
	survey_clear(&survey);
}

/* Each kind and priority once, in order; what only another filter leads to is none. */
static void filters_at_the_ingress_are_told(void **state)
{
	static const char *const qdiscs[] = { "clsact", "ingress" };
	struct survey_filter *filters = NULL;
	size_t n_filters = 1;
	char command[256];

	if (!namespace_make())
		skip();
	assert_int_equal(system("ip link set lo up"), 0);
	assert_int_equal(survey_filters(if_nametoindex("lo"), &filters, &n_filters), 0);
	assert_int_equal(n_filters, 0);
	for (size_t i = 0; i < ARRAY_LEN(qdiscs); i++) {
		snprintf(command, sizeof(command),
			"tc qdisc add dev lo %s && f='tc filter add dev lo ingress' && m='match u32 0 0 flowid 1:1' && "
			"$f pref 9 u32 $m && $f pref 7 u32 $m && $f pref 7 u32 $m && $f pref 5 chain 1 u32 $m",
			qdiscs[i]);
		assert_int_equal(system(command), 0);
		assert_int_equal(survey_filters(if_nametoindex("lo"), &filters, &n_filters), 0);
		assert_int_equal(n_filters, 2);
		assert_string_equal(filters[0].kind, "u32");
		assert_int_equal(filters[0].priority, 7);
		assert_int_equal(filters[1].priority, 9);
		free(filters);
		snprintf(command, sizeof(command), "tc qdisc del dev lo %s", qdiscs[i]);
		assert_int_equal(system(command), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_told_as_it_is),
		cmocka_unit_test(routes_and_proxies_are_told),
		cmocka_unit_test(filters_at_the_ingress_are_told),
	};

	return cmocka_run_group_tests_name("survey", tests, NULL, NULL);
}
