/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's socket over the loopback interface: a flood of strangers, and the balancer that speaks beside it. */
#include "agent/registration/net.h"

#include <sys/socket.h>

#include "common/proto/proto.h"
#include "tests/unit/tools/loop.h"

#define DEADLINE_US (60 * US_PER_S)
#define BURST       500u  /* has room in any socket */
#define FLOOD_HZ    1000u /* that any machine reaches */

struct fixture {
	sd_event *event;
	struct net *net;
	struct addr_port at;
	struct addr balancer, stranger;
	int fd;
	unsigned int n_balancers, n_strangers;
};

static void on_datagram(const struct udp_datagram *datagram, void *context)
{
	struct fixture *f = context;

	if (addr_equal(&datagram->source.addr, &f->balancer))
		f->n_balancers++;
	else
		f->n_strangers++;
}

/* `guard_us` 0: as in the agent. */
static void fixture_open(struct fixture *f, uint64_t guard_us)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	/* A port that is free: the kernel's choice, given back. */
	assert_int_equal(udp_open(AF_INET, PROTO_TTL, false, &f->fd), 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&address, &f->at), 0);
	util_close(f->fd);
	assert_int_equal(addr_parse("127.0.0.1", &f->at.addr), 0);
	assert_int_equal(addr_parse("127.0.0.2", &f->balancer), 0);
	assert_int_equal(addr_parse("127.0.0.3", &f->stranger), 0);
	assert_int_equal(udp_open(AF_INET, PROTO_TTL, false, &f->fd), 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(sd_event_new(&f->event), 0);
	assert_int_equal(net_open(f->event,
				 &(struct net_options){ .local = f->at,
					 .receive = on_datagram,
					 .context = f,
					 .flood_hz = guard_us ? FLOOD_HZ : 0,
					 .guard_us = guard_us },
				 &f->net),
		0);
}

static void fixture_close(struct fixture *f)
{
	net_free(f->net);
	sd_event_unref(f->event);
	util_close(f->fd);
}

static void say(const struct fixture *f, const struct addr *from, unsigned int n)
{
	while (n--)
		assert_int_equal(udp_send(f->fd, from, &f->at, 0, "junk", 4), 0);
}

/* All that waits is read, as the balancer's word is the last of it. */
static void hear(struct fixture *f)
{
	unsigned int n = f->n_balancers + 1;

	say(f, &f->balancer, 1);
	LOOP_UNTIL(f->event, DEADLINE_US, f->n_balancers == n);
}

static void flood(struct fixture *f)
{
	uint64_t end_us = clock_now_us() + DEADLINE_US;

	while (!net_is_guarded(f->net) && clock_now_us() < end_us) {
		say(f, &f->stranger, BURST);
		for (unsigned int n = 0; n < BURST / UDP_DATAGRAMS_A_TURN + 1; n++)
			assert_true(sd_event_run(f->event, 0) >= 0);
	}
	assert_true(net_is_guarded(f->net));
}

static void net_hears_strangers_that_are_few(void **state)
{
	struct fixture f = { 0 };

	fixture_open(&f, 0);
	say(&f, &f.stranger, 100);
	hear(&f);
	assert_int_equal(f.n_strangers, 100);
	assert_false(net_is_guarded(f.net));
	fixture_close(&f);
}

/* What comes at once, until it is read: more than a socket has room for by default. */
static void net_has_room_for_a_burst(void **state)
{
	const int forced_bytes = 1 << 20;
	struct fixture f = { 0 };

	fixture_open(&f, 0);
	if (setsockopt(f.fd, SOL_SOCKET, SO_RCVBUFFORCE, &forced_bytes, sizeof(forced_bytes)) < 0) {
		print_message("sockets may not be made larger here: %s\n", strerror(errno));
		fixture_close(&f);
		skip();
	}
	say(&f, &f.stranger, 2000);
	hear(&f);
	assert_int_equal(f.n_strangers, 2000);
	fixture_close(&f);
}

static void net_hears_balancers_alone_in_a_flood(void **state)
{
	struct fixture f = { 0 };
	unsigned int n_strangers;

	fixture_open(&f, 300 * US_PER_S);
	net_expect(f.net, &f.balancer, 1);
	flood(&f);
	assert_true(f.n_strangers > FLOOD_HZ);
	hear(&f);
	n_strangers = f.n_strangers;
	say(&f, &f.stranger, 100);
	hear(&f);
	assert_int_equal(f.n_strangers, n_strangers);

	/* Another balancer is heard at once. */
	net_expect(f.net, (const struct addr[]){ f.balancer, f.stranger }, 2);
	say(&f, &f.stranger, 1);
	hear(&f);
	assert_int_equal(f.n_strangers, n_strangers + 1);
	fixture_close(&f);
}

static void net_hears_everybody_again_after_a_flood(void **state)
{
	struct fixture f = { 0 };
	unsigned int n_strangers;

	fixture_open(&f, US_PER_MS);
	net_expect(f.net, &f.balancer, 1);
	flood(&f);
	LOOP_UNTIL(f.event, DEADLINE_US, !net_is_guarded(f.net));
	hear(&f);
	n_strangers = f.n_strangers;
	say(&f, &f.stranger, 1);
	hear(&f);
	assert_int_equal(f.n_strangers, n_strangers + 1);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_hears_strangers_that_are_few),
		cmocka_unit_test(net_has_room_for_a_burst),
		cmocka_unit_test(net_hears_balancers_alone_in_a_flood),
		cmocka_unit_test(net_hears_everybody_again_after_a_flood),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
