/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP over the loopback interface, both families: hop limits, addresses, what the kernel cuts. */
#include "common/os/udp.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#define HOP_LIMIT   255
#define DEADLINE_MS 5000
#define BUFFER_SIZE 32

struct family {
	sa_family_t family;
	const char *address;
	int level, type; /* of the option that tells the hop limit */
};
static const struct family families[] = {
	{ AF_INET, "127.0.0.1", IPPROTO_IP, IP_RECVTTL },
	{ AF_INET6, "::1", IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
};

struct seen {
	unsigned int n;
	struct udp_datagram last; /* its data is gone */
	uint8_t first_byte;
};

static void see(const struct udp_datagram *datagram, void *context)
{
	struct seen *seen = context;

	seen->n++;
	seen->last = *datagram;
	seen->first_byte = datagram->data[0];
}

/* Two sockets of one family, each bound to a port of the kernel's choice on the loopback address. */
struct pair {
	int fds[2];
	struct addr_port at[2];
};

static bool pair_open(const struct family *family, bool tell_local, struct pair *ret_pair)
{
	*ret_pair = (struct pair){ .fds = { -1, -1 } };
	for (size_t i = 0; i < 2; i++) {
		struct addr_port any = { .port = 0 };
		struct sockaddr_storage address;
		socklen_t size;
		int r = udp_open(family->family, HOP_LIMIT, tell_local, &ret_pair->fds[i]);

		if (r == -EAFNOSUPPORT) {
			print_message("%s is left out: the host does not have the family\n",
				family->address);
			return false;
		}
		assert_int_equal(r, 0);
		assert_int_equal(addr_parse(family->address, &any.addr), 0);
		size = addr_to_sockaddr(&any, 0, &address);
		assert_int_equal(bind(ret_pair->fds[i], (struct sockaddr *)&address, size), 0);
		assert_int_equal(
			getsockname(ret_pair->fds[i], (struct sockaddr *)&address, &size), 0);
		assert_int_equal(
			addr_from_sockaddr((struct sockaddr *)&address, &ret_pair->at[i]), 0);
	}
	return true;
}

static void pair_close(struct pair *pair)
{
	pair->fds[0] = util_close(pair->fds[0]);
	pair->fds[1] = util_close(pair->fds[1]);
}

static void pair_send(const struct pair *pair, const struct addr *local, size_t size_bytes)
{
	static const uint8_t data[2 * BUFFER_SIZE] = { 0x5a };

	assert_int_equal(udp_send(pair->fds[0], local, &pair->at[1], 0, data, size_bytes), 0);
}

static struct seen pair_receive(const struct pair *pair)
{
	struct pollfd wanted = { .fd = pair->fds[1], .events = POLLIN };
	uint8_t buffer[BUFFER_SIZE];
	struct seen seen = { 0 };

	assert_int_equal(poll(&wanted, 1, DEADLINE_MS), 1);
	(void)udp_receive(pair->fds[1], buffer, sizeof(buffer), see, &seen);
	return seen;
}

static void set(int fd, int level, int type, int value)
{
	assert_int_equal(setsockopt(fd, level, type, &value, sizeof(value)), 0);
}

static void udp_tells_who_sent_what_and_from_how_far(void **state)
{
	ARRAY_FOREACH (family, families, ARRAY_LEN(families)) {
		struct pair pair;
		struct seen seen;

		if (!pair_open(family, true, &pair))
			continue;
		pair_send(&pair, NULL, 7);
		seen = pair_receive(&pair);
		assert_int_equal(seen.n, 1);
		assert_int_equal(seen.last.size_bytes, 7);
		assert_int_equal(seen.first_byte, 0x5a);
		assert_int_equal(seen.last.hop_limit, HOP_LIMIT);
		assert_true(addr_equal(&seen.last.source.addr, &pair.at[0].addr));
		assert_int_equal(seen.last.source.port, pair.at[0].port);
		assert_true(addr_equal(&seen.last.local, &pair.at[1].addr));
		pair_close(&pair);
	}
}

static void udp_sends_from_the_address_that_is_asked_for(void **state)
{
	struct addr local;
	struct pair pair;
	struct seen seen;
	struct sockaddr_in any = { .sin_family = AF_INET };

	assert_true(pair_open(&families[0], false, &pair));
	util_close(pair.fds[0]);
	assert_int_equal(udp_open(AF_INET, HOP_LIMIT, false, &pair.fds[0]), 0);
	assert_int_equal(bind(pair.fds[0], (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(addr_parse("127.0.0.9", &local), 0);
	pair_send(&pair, &local, 1);
	seen = pair_receive(&pair);
	assert_true(addr_equal(&seen.last.source.addr, &local));
	assert_int_equal(seen.last.local.family, AF_UNSPEC);
	pair_close(&pair);
}

static void udp_cuts_what_is_longer_than_the_buffer(void **state)
{
	struct pair pair;
	struct seen seen;

	assert_true(pair_open(&families[0], true, &pair));
	pair_send(&pair, NULL, BUFFER_SIZE + 1);
	seen = pair_receive(&pair);
	assert_int_equal(seen.last.size_bytes, BUFFER_SIZE);
	assert_int_equal(seen.last.hop_limit, HOP_LIMIT);
	pair_close(&pair);
}

static void udp_does_not_guess_a_hop_limit(void **state)
{
	ARRAY_FOREACH (family, families, ARRAY_LEN(families)) {
		struct pair pair;

		if (!pair_open(family, true, &pair))
			continue;
		set(pair.fds[1], family->level, family->type, 0);
		pair_send(&pair, NULL, 1);
		assert_int_equal(pair_receive(&pair).last.hop_limit, UDP_HOP_LIMIT_UNKNOWN);
		pair_close(&pair);
	}
}

/* The time of arrival comes first (net/socket.c:__sock_recv_timestamp): then too little room is left. */
static void udp_believes_nothing_of_what_was_cut(void **state)
{
	ARRAY_FOREACH (family, families, ARRAY_LEN(families)) {
		struct pair pair;
		struct seen seen;

		if (!pair_open(family, true, &pair))
			continue;
		set(pair.fds[1], SOL_SOCKET, SO_TIMESTAMP, 1);
		pair_send(&pair, NULL, 1);
		seen = pair_receive(&pair);
		assert_int_equal(seen.n, 1);
		assert_int_equal(seen.last.hop_limit, UDP_HOP_LIMIT_UNKNOWN);
		assert_int_equal(seen.last.local.family, AF_UNSPEC);
		pair_close(&pair);
	}
}

static void udp_takes_a_limited_number_in_one_turn(void **state)
{
	struct pair pair;

	assert_true(pair_open(&families[0], true, &pair));
	for (unsigned int i = 0; i < UDP_DATAGRAMS_A_TURN + 1; i++)
		pair_send(&pair, NULL, 1);
	assert_int_equal(pair_receive(&pair).n, UDP_DATAGRAMS_A_TURN);
	assert_int_equal(pair_receive(&pair).n, 1);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_tells_who_sent_what_and_from_how_far),
		cmocka_unit_test(udp_sends_from_the_address_that_is_asked_for),
		cmocka_unit_test(udp_cuts_what_is_longer_than_the_buffer),
		cmocka_unit_test(udp_does_not_guess_a_hop_limit),
		cmocka_unit_test(udp_believes_nothing_of_what_was_cut),
		cmocka_unit_test(udp_takes_a_limited_number_in_one_turn),
	};

	return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
