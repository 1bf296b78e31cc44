/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens connections at a steady rate, each from a port of its own, and drops them at once:
 *
 *	new_flows ADDRESS:PORT RATE_HZ
 *
 * Ends at SIGTERM with {"opened": …, "connected": …, "refused": …, "silent": …}: silent are those
 * that were not answered within a second, which those that are on their way then still get. Every attempt counts in
 * exactly one of the three.
 */
#include "tests/harness/tool.h"

#include <sys/resource.h>

#define SILENCE_US   (1 * US_PER_S)
#define ATTEMPTS_MAX 65536u
#define KEY_TIMER    UINT64_MAX
#define KEY_SIGNAL   (UINT64_MAX - 1)

struct flows {
	int epoll_fd;
	struct sockaddr_storage address;
	socklen_t length;
	uint64_t began_us[ATTEMPTS_MAX]; /* by descriptor; 0: none */
	unsigned long opened, connected, refused, silent;
};

/* No FIN, no TIME_WAIT: the port is free again at once. */
static void attempt_end(struct flows *flows, int fd)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	flows->began_us[fd] = 0;
}

static void attempt_begin(struct flows *flows)
{
	int fd = socket(flows->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (unsigned int)fd >= ATTEMPTS_MAX)
		err(1, "socket");
	flows->opened++;
	if (connect(fd, (struct sockaddr *)&flows->address, flows->length) < 0 &&
		errno != EINPROGRESS) {
		flows->refused++;
		close(fd);
		return;
	}
	flows->began_us[fd] = tool_now_us(CLOCK_MONOTONIC);
	tool_watch(flows->epoll_fd, fd, EPOLLOUT, (uint64_t)fd);
}

static void attempt_judge(struct flows *flows, int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0)
		flows->refused++;
	else
		flows->connected++;
	attempt_end(flows, fd);
}

static void sweep(struct flows *flows)
{
	uint64_t now_us = tool_now_us(CLOCK_MONOTONIC);

	for (int fd = 0; fd < (int)ATTEMPTS_MAX; fd++) {
		if (flows->began_us[fd] == 0 || now_us - flows->began_us[fd] < SILENCE_US)
			continue;
		flows->silent++;
		attempt_end(flows, fd);
	}
}

static bool is_settled(const struct flows *flows)
{
	return flows->opened == flows->connected + flows->refused + flows->silent;
}

int main(int argc, char **argv)
{
	static struct flows flows;
	struct rlimit files = { ATTEMPTS_MAX, ATTEMPTS_MAX };
	struct addr_port endpoint;
	struct epoll_event event;
	unsigned long rate_hz, rings = 0;
	bool ends = false;
	int timer_fd, signal_fd = tool_signal_fd();

	if (argc != 3)
		errx(64, "usage: new_flows ADDRESS:PORT RATE_HZ");
	endpoint = tool_endpoint(argv[1]);
	rate_hz = MAX(tool_number(argv[2], 10000), 1ul);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	flows.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	flows.length = addr_to_sockaddr(&endpoint, 0, &flows.address);
	timer_fd = tool_timer_fd(US_PER_S / rate_hz);
	tool_watch(flows.epoll_fd, timer_fd, EPOLLIN, KEY_TIMER);
	tool_watch(flows.epoll_fd, signal_fd, EPOLLIN, KEY_SIGNAL);
	while (!ends || !is_settled(&flows)) {
		if (epoll_wait(flows.epoll_fd, &event, 1, -1) < 0)
			continue;
		if (event.data.u64 == KEY_SIGNAL) {
			ends = true;
			(void)epoll_ctl(flows.epoll_fd, EPOLL_CTL_DEL, signal_fd, NULL);
			continue;
		}
		if (event.data.u64 != KEY_TIMER) {
			attempt_judge(&flows, (int)event.data.u64);
			continue;
		}
		/* After a stall one is opened, not all that were missed: that would be a burst. */
		if (tool_timer_rang(timer_fd) > 0 && !ends)
			attempt_begin(&flows);
		if (++rings % MAX(rate_hz / 4, 1ul) == 0)
			sweep(&flows);
	}
	printf("{\"opened\": %lu, \"connected\": %lu, \"refused\": %lu, \"silent\": %lu}\n",
		flows.opened, flows.connected, flows.refused, flows.silent);
	return 0;
}
