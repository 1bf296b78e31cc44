/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c against the running kernel: connections over the loopback interface. */
#include "agent/host/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CONNECTIONS 5u

struct fixture {
	struct sockets *load;
	int listeners[2];
	int sockets[64];
	size_t n_sockets;
};

static struct addr_port endpoint(const char *address, uint16_t port)
{
	struct addr_port parsed = { .port = port };

	assert_int_equal(addr_parse(address, &parsed.addr), 0);
	return parsed;
}

static int listen_on(const struct addr_port *local, uint16_t *ret_port)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size_bytes = addr_to_sockaddr(local, 0, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr_port bound;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size_bytes), 0);
	assert_int_equal(listen(fd, 64), 0);
	size_bytes = sizeof(address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size_bytes), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&address, &bound), 0);
	*ret_port = bound.port;
	return fd;
}

/* Connects from the loopback address, so that only one end of each connection has `address`. */
static void connect_to(
	struct fixture *f, int listener, const char *address, uint16_t port, const char *from)
{
	struct addr_port remote = endpoint(address, port);
	struct addr_port local = endpoint(from, 0);
	struct sockaddr_storage storage;
	socklen_t size_bytes = addr_to_sockaddr(&local, 0, &storage);
	int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&storage, size_bytes), 0);
	size_bytes = addr_to_sockaddr(&remote, 0, &storage);
	assert_int_equal(connect(fd, (struct sockaddr *)&storage, size_bytes), 0);
	f->sockets[f->n_sockets++] = fd;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	f->sockets[f->n_sockets++] = fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->listeners[0] = f->listeners[1] = -1;
	assert_int_equal(sockets_new(&f->load), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t idx = 0; idx < f->n_sockets; idx++)
		close(f->sockets[idx]);
	util_close(f->listeners[0]);
	util_close(f->listeners[1]);
	sockets_free(f->load);
	free(f);
	return 0;
}

/* 127.0.0.9 stands for a VIP; nobody else uses it. */
static void load_counts_established_connections(void **state)
{
	struct fixture *f = *state;
	struct addr vips[2] = { endpoint("127.0.0.9", 0).addr, endpoint("127.0.0.10", 0).addr };
	struct addr_port local = endpoint("127.0.0.9", 0);
	uint16_t port;
	int r;

	sockets_watch(f->load, vips, 2);
	r = sockets_refresh(f->load, 0, 1);
	if (r == -ENOENT || r == -EOPNOTSUPP) {
		print_message("no socket diagnosis in this kernel\n");
		skip();
	}
	assert_int_equal(r, 0);
	f->listeners[0] = listen_on(&local, &port);
	for (unsigned int idx = 0; idx < CONNECTIONS; idx++)
		connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	assert_int_equal(sockets_refresh(f->load, 0, 2), 0);
	assert_int_equal(sockets_established(f->load, 0), CONNECTIONS);
	assert_int_equal(sockets_established(f->load, 1), 0);
	assert_int_equal(sockets_established(f->load, 2), 0);
}

static void load_counts_ipv6_and_mapped_sockets(void **state)
{
	struct fixture *f = *state;
	struct addr vips[3] = { endpoint("203.0.113.77", 0).addr, endpoint("127.0.0.9", 0).addr,
		endpoint("::1", 0).addr };
	struct addr_port any = { 0 }; /* the IPv6 wildcard, which serves IPv4 too */
	struct addr_port ip6 = endpoint("::1", 0);
	uint32_t before;
	uint16_t port;

	f->listeners[0] = listen_on(&any, &port);
	sockets_watch(f->load, vips, 3);
	if (sockets_refresh(f->load, 0, 1) < 0)
		skip();
	before = sockets_established(f->load, 2);
	connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	f->listeners[1] = listen_on(&ip6, &port);
	connect_to(f, f->listeners[1], "::1", port, "::1"); /* both ends have it */
	assert_int_equal(sockets_refresh(f->load, 0, 2), 0);
	assert_int_equal(sockets_established(f->load, 0), 0);
	assert_int_equal(sockets_established(f->load, 1), 2);
	assert_int_equal(sockets_established(f->load, 2) - before, 2);
}

static void load_is_cached(void **state)
{
	struct fixture *f = *state;
	struct addr vip = endpoint("127.0.0.9", 0).addr;
	struct addr_port local = endpoint("127.0.0.9", 0);
	uint16_t port;

	f->listeners[0] = listen_on(&local, &port);
	sockets_watch(f->load, &vip, 1);
	if (sockets_refresh(f->load, SOCKETS_CACHE_US, US_PER_S) < 0)
		skip();
	connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	assert_int_equal(sockets_refresh(f->load, SOCKETS_CACHE_US, 2 * US_PER_S - 1), 0);
	assert_int_equal(sockets_established(f->load, 0), 0);
	assert_int_equal(sockets_refresh(f->load, SOCKETS_CACHE_US, 2 * US_PER_S), 0);
	assert_int_equal(sockets_established(f->load, 0), 1);
}

/* What a count cost decides how soon there is another. */
static void load_is_counted_as_often_as_is_cheap(void **state)
{
	struct fixture *f = *state;
	struct addr vip = endpoint("127.0.0.9", 0).addr;
	struct addr_port local = endpoint("127.0.0.9", 0);
	uint64_t pause_us;
	uint16_t port;

	f->listeners[0] = listen_on(&local, &port);
	sockets_watch(f->load, &vip, 1);
	if (sockets_refresh_cheaply(f->load, 0, US_PER_S) < 0)
		skip();
	assert_true(sockets_cost_us(f->load) > 0);
	pause_us = MIN(20 * sockets_cost_us(f->load), SOCKETS_CACHE_US);
	connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	assert_int_equal(sockets_refresh_cheaply(f->load, 0, US_PER_S + pause_us - 1), 0);
	assert_int_equal(sockets_established(f->load, 0), 0);
	assert_int_equal(sockets_refresh_cheaply(f->load, 0, US_PER_S + pause_us), 0);
	assert_int_equal(sockets_established(f->load, 0), 1);
	/* Whoever wants it at once has it. */
	connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	assert_int_equal(sockets_refresh(f->load, 0, US_PER_S + pause_us + 1), 0);
	assert_int_equal(sockets_established(f->load, 0), 2);
}

static void load_counts_half_closed_connections_as_open(void **state)
{
	struct fixture *f = *state;
	struct addr vip = endpoint("127.0.0.9", 0).addr;
	struct addr_port local = endpoint("127.0.0.9", 0);
	uint64_t open;
	uint16_t port;

	sockets_watch(f->load, &vip, 1);
	if (sockets_count_open(f->load, &open) < 0)
		skip();
	assert_int_equal(open, 0);
	f->listeners[0] = listen_on(&local, &port);
	connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	/* The client has asked and closed its side; the server still answers: CLOSE_WAIT. */
	assert_int_equal(shutdown(f->sockets[0], SHUT_WR), 0);
	assert_int_equal(sockets_count_open(f->load, &open), 0);
	assert_int_equal(open, 1);
	assert_int_equal(sockets_refresh(f->load, 0, 1), 0);
	assert_int_equal(sockets_established(f->load, 0), 0);
}

static void load_filters_for_as_many_vips_as_there_can_be(void **state)
{
	struct fixture *f = *state;
	/* So many that the kernel filters, and more. */
	static const size_t lens[] = { 64, 65, HOST_VIPS_MAX };
	struct addr vips[HOST_VIPS_MAX];
	struct addr_port local = endpoint("127.0.0.9", 0);
	uint16_t port;

	for (unsigned int idx = 0; idx < HOST_VIPS_MAX; idx++) {
		assert_int_equal(addr_parse(idx % 2 ? "2001:db8::" : "10.1.0.0", &vips[idx]), 0);
		vips[idx].bytes[addr_size_bytes(&vips[idx]) - 2] = (uint8_t)(idx >> 8);
		vips[idx].bytes[addr_size_bytes(&vips[idx]) - 1] = (uint8_t)idx;
	}
	f->listeners[0] = listen_on(&local, &port);
	connect_to(f, f->listeners[0], "127.0.0.9", port, "127.0.0.1");
	ARRAY_FOREACH (len, lens, ARRAY_LEN(lens)) {
		struct addr before = vips[*len - 1];

		vips[*len - 1] = local.addr;
		assert_int_equal(sockets_watch(f->load, vips, *len), 0);
		if (sockets_refresh(f->load, 0, 1) < 0)
			skip();
		for (size_t idx = 0; idx < *len; idx++)
			assert_int_equal(sockets_established(f->load, idx), idx == *len - 1);
		vips[*len - 1] = before;
	}
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(load_counts_established_connections),
		fact(load_counts_ipv6_and_mapped_sockets),
		fact(load_is_cached),
		fact(load_is_counted_as_often_as_is_cheap),
		fact(load_counts_half_closed_connections_as_open),
		fact(load_filters_for_as_many_vips_as_there_can_be),
	};

	return cmocka_run_group_tests_name("agent/sockets", tests, NULL, NULL);
}
