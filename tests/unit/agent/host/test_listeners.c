/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listeners.c against the running kernel: who listens, on the loopback interface's addresses. */
#include "agent/host/listeners.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

struct fixture {
	struct listeners *listeners;
	int sockets[4];
	size_t n_sockets;
};

static struct addr_port place(const char *address, uint16_t port)
{
	struct addr_port parsed = { .port = port };

	assert_int_equal(addr_parse(address, &parsed.addr), 0);
	return parsed;
}

/* Returns the port. */
static uint16_t open_at(struct fixture *f, const char *address, int type, bool only6)
{
	const struct addr_port local = place(address, 0);
	struct sockaddr_storage name = { 0 };
	socklen_t size_bytes = addr_to_sockaddr(&local, 0, &name);
	int fd = socket(name.ss_family, type | SOCK_CLOEXEC, 0), on = only6;
	struct addr_port bound;

	assert_true(fd >= 0);
	f->sockets[f->n_sockets++] = fd;
	if (name.ss_family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size_bytes), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	size_bytes = sizeof(name);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size_bytes), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&name, &bound), 0);
	assert_int_equal(listeners_refresh(f->listeners), 0);
	return bound.port;
}

static bool have(struct fixture *f, const char *address, uint16_t port, uint8_t protocol)
{
	const struct addr_port wanted = place(address, port);

	return listeners_have(f->listeners, &wanted, protocol);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(listeners_new(&f->listeners), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->n_sockets; i++)
		close(f->sockets[i]);
	listeners_free(f->listeners);
	free(f);
	return 0;
}

static void listeners_are_found_at_their_address(void **state)
{
	struct fixture *f = *state;
	uint16_t port = open_at(f, "127.0.0.9", SOCK_STREAM, false);

	assert_true(have(f, "127.0.0.9", port, IPPROTO_TCP));
	assert_false(have(f, "127.0.0.8", port, IPPROTO_TCP));
	assert_false(have(f, "127.0.0.9", port, IPPROTO_UDP));
	close(f->sockets[--f->n_sockets]);
	assert_int_equal(listeners_refresh(f->listeners), 0);
	assert_false(have(f, "127.0.0.9", port, IPPROTO_TCP));
}

static void listeners_of_a_wildcard_take_their_families(void **state)
{
	struct fixture *f = *state;
	uint16_t port4 = open_at(f, "0.0.0.0", SOCK_STREAM, false);
	uint16_t port6 = open_at(f, "::", SOCK_STREAM, true);
	uint16_t both = open_at(f, "::", SOCK_STREAM, false);

	assert_true(have(f, "198.51.100.10", port4, IPPROTO_TCP));
	assert_false(have(f, "2001:db8::10", port4, IPPROTO_TCP));
	assert_false(have(f, "198.51.100.10", port6, IPPROTO_TCP));
	assert_true(have(f, "2001:db8::10", port6, IPPROTO_TCP));
	assert_true(have(f, "198.51.100.10", both, IPPROTO_TCP));
	assert_true(have(f, "2001:db8::10", both, IPPROTO_TCP));
}

static void listeners_are_datagram_sockets_without_a_peer(void **state)
{
	struct fixture *f = *state;
	uint16_t port = open_at(f, "127.0.0.9", SOCK_DGRAM, false);
	const struct addr_port peer = place("127.0.0.1", 9);
	struct sockaddr_storage name = { 0 };
	socklen_t size_bytes = addr_to_sockaddr(&peer, 0, &name);

	assert_true(have(f, "127.0.0.9", port, IPPROTO_UDP));
	assert_false(have(f, "127.0.0.9", port, IPPROTO_TCP));
	assert_int_equal(connect(f->sockets[0], (struct sockaddr *)&name, size_bytes), 0);
	assert_int_equal(listeners_refresh(f->listeners), 0);
	assert_false(have(f, "127.0.0.9", port, IPPROTO_UDP));
}

static void listeners_elsewhere_are_named(void **state)
{
	struct fixture *f = *state;
	uint16_t port = open_at(f, "127.0.0.9", SOCK_STREAM, false);
	const struct addr_port wanted = place("127.0.0.8", port);
	const struct addr_port other = place("2001:db8::10", port);
	char expected[128];
	struct why why;

	listeners_say(f->listeners, &wanted, IPPROTO_TCP, &why);
	snprintf(expected, sizeof(expected),
		"nothing listens on 127.0.0.8:%u (test_listeners listens on 127.0.0.9:%u alone)",
		port, port);
	assert_string_equal(why.text, expected);
	listeners_say(f->listeners, &other, IPPROTO_TCP, &why);
	snprintf(expected, sizeof(expected), "nothing listens on [2001:db8::10]:%u", port);
	assert_string_equal(why.text, expected);
	listeners_say(f->listeners, &wanted, IPPROTO_UDP, &why);
	snprintf(expected, sizeof(expected), "nothing listens on udp 127.0.0.8:%u", port);
	assert_string_equal(why.text, expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(listeners_are_found_at_their_address),
		TEST(listeners_of_a_wildcard_take_their_families),
		TEST(listeners_are_datagram_sockets_without_a_peer),
		TEST(listeners_elsewhere_are_named),
	};

	return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
