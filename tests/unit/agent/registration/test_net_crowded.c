/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's socket under its loop. */
#include "agent/registration/net.h"

#include <sys/socket.h>

#include "tests/unit/tools/loop.h"

#define DEADLINE_US (20 * US_PER_S)

/* What had been received when a timer ran whose priority is less. */
struct late {
	unsigned int n_received, n_when_it_ran;
};

static void on_datagram(const struct udp_datagram *datagram, void *context)
{
	((struct late *)context)->n_received++;
}

static int on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	struct late *late = context;

	late->n_when_it_ran = late->n_received;
	return 0;
}

static void net_that_is_flooded_lets_timers_run(void **state)
{
	const unsigned int n_sent = 2 * UDP_DATAGRAMS_A_TURN + 1;
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(net_freep) struct net *net = NULL;
	_cleanup_close_ int peer_fd = -1;
	struct late late = { 0 };
	struct net_options options = { .receive = on_datagram, .context = &late };
	struct sockaddr_storage own;
	socklen_t own_bytes = sizeof(own);
	sd_event_source *timer = NULL;

	assert_int_equal(addr_parse("127.0.0.1", &options.local.addr), 0);
	/* A port that is free: that of a socket that is no more. */
	peer_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	own_bytes = addr_to_sockaddr(&options.local, 0, &own);
	assert_int_equal(bind(peer_fd, (struct sockaddr *)&own, own_bytes), 0);
	assert_int_equal(getsockname(peer_fd, (struct sockaddr *)&own, &own_bytes), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&own, &options.local), 0);
	util_close(peer_fd);
	peer_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(net_open(event, &options, &net), 0);
	for (unsigned int i = 0; i < n_sent; i++)
		assert_int_equal(sendto(peer_fd, "x", 1, 0, (struct sockaddr *)&own, own_bytes), 1);
	assert_true(sd_event_add_time(event, &timer, CLOCK_MONOTONIC, 0, 0, on_timer, &late) >= 0);
	assert_true(sd_event_source_set_priority(timer, SD_EVENT_PRIORITY_NORMAL + 10) >= 0);
	LOOP_UNTIL(event, DEADLINE_US, late.n_when_it_ran > 0);
	assert_int_equal(late.n_when_it_ran, UDP_DATAGRAMS_A_TURN);
	LOOP_UNTIL(event, DEADLINE_US, late.n_received == n_sent);
	sd_event_source_disable_unref(timer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_that_is_flooded_lets_timers_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
