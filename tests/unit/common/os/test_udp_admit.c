/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Over the loopback interface, both families: what of a socket's datagrams the kernel keeps from it. */
#include "common/os/udp_admit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "common/os/udp.h"

#define HOP_LIMIT 255

static const struct family {
	sa_family_t family;
	const char *address, *others; /* the latter differ in one word each */
	int level, type;              /* of the option that sets the hop limit */
} families[] = {
	{ AF_INET, "127.0.0.1", "127.0.0.2", IPPROTO_IP, IP_TTL },
	{ AF_INET6, "::1", "0:1::1 ::1:0:0:0:1 ::1:0:0:1 ::2", IPPROTO_IPV6, IPV6_UNICAST_HOPS },
};

struct pair {
	const struct family *family;
	int from, to;
	struct addr_port at;
	struct addr own;
};

static bool pair_open(const struct family *family, struct pair *ret_pair)
{
	struct sockaddr_storage address;
	socklen_t size;
	int r = udp_open(family->family, HOP_LIMIT, false, &ret_pair->from);

	if (r == -EAFNOSUPPORT) {
		print_message(
			"%s is left out: the host does not have the family\n", family->address);
		return false;
	}
	assert_int_equal(r, 0);
	assert_int_equal(udp_open(family->family, HOP_LIMIT, false, &ret_pair->to), 0);
	ret_pair->family = family;
	ret_pair->at = (struct addr_port){ .port = 0 };
	assert_int_equal(addr_parse(family->address, &ret_pair->at.addr), 0);
	ret_pair->own = ret_pair->at.addr;
	size = addr_to_sockaddr(&ret_pair->at, 0, &address);
	assert_int_equal(bind(ret_pair->to, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(ret_pair->to, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&address, &ret_pair->at), 0);
	return true;
}

static void pair_close(struct pair *pair)
{
	util_close(pair->from);
	util_close(pair->to);
}

/* On the loopback interface it has arrived, or was dropped, when it is sent. */
static bool is_admitted(const struct pair *pair, int hop_limit)
{
	char byte;

	assert_int_equal(setsockopt(pair->from, pair->family->level, pair->family->type, &hop_limit,
				 sizeof(hop_limit)),
		0);
	assert_int_equal(udp_send(pair->from, NULL, &pair->at, 0, "x", 1), 0);
	return recv(pair->to, &byte, 1, MSG_DONTWAIT) == 1;
}

/* That are not its own. */
static size_t others_of(const struct family *family, struct addr *ret_others)
{
	_cleanup_free_ char *text = strdup(family->others);
	char *rest = text;
	size_t len = 0;

	assert_non_null(text);
	for (const char *word; (word = strsep(&rest, " ")); len++)
		assert_int_equal(addr_parse(word, &ret_others[len]), 0);
	return len;
}

static void udp_admits_those_sources_alone(void **state)
{
	ARRAY_FOREACH (family, families, ARRAY_LEN(families)) {
		struct addr sources[UDP_ADMIT_MAX];
		struct pair pair;
		size_t len;

		if (!pair_open(family, &pair))
			continue;
		assert_true(is_admitted(&pair, HOP_LIMIT));
		assert_true(is_admitted(&pair, 64));
		len = others_of(family, sources);
		assert_int_equal(udp_admit(pair.to, family->family, sources, len, HOP_LIMIT), 0);
		assert_false(is_admitted(&pair, HOP_LIMIT));
		assert_int_equal(udp_admit(pair.to, family->family, sources, 0, HOP_LIMIT), 0);
		assert_false(is_admitted(&pair, HOP_LIMIT));
		sources[len++] = pair.own;
		assert_int_equal(udp_admit(pair.to, family->family, sources, len, HOP_LIMIT), 0);
		assert_true(is_admitted(&pair, HOP_LIMIT));
		assert_false(is_admitted(&pair, HOP_LIMIT - 1));
		udp_admit_all(pair.to);
		assert_true(is_admitted(&pair, HOP_LIMIT - 1));
		pair_close(&pair);
	}
}

/* As many as there can be, of which the last counts as the first does. */
static void udp_admits_as_many_sources_as_there_can_be(void **state)
{
	ARRAY_FOREACH (family, families, ARRAY_LEN(families)) {
		struct addr sources[UDP_ADMIT_MAX + 1];
		struct pair pair;

		if (!pair_open(family, &pair))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
			sources[i] = pair.own;
			sources[i].bytes[2] = (uint8_t)(i + 1);
		}
		sources[UDP_ADMIT_MAX - 1] = pair.own;
		assert_int_equal(
			udp_admit(pair.to, family->family, sources, UDP_ADMIT_MAX, HOP_LIMIT), 0);
		assert_true(is_admitted(&pair, HOP_LIMIT));
		assert_int_equal(
			udp_admit(pair.to, family->family, sources, UDP_ADMIT_MAX + 1, HOP_LIMIT),
			-E2BIG);
		assert_true(is_admitted(&pair, HOP_LIMIT));
		pair_close(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_admits_those_sources_alone),
		cmocka_unit_test(udp_admits_as_many_sources_as_there_can_be),
	};

	return cmocka_run_group_tests_name("udp_admit", tests, NULL, NULL);
}
