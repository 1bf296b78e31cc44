/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the small programs of the network scenarios share: dying with a message, time, numbers and
 * endpoints from the command line, and a descriptor that ends the program. They run inside a
 * scenario's network namespaces only and are started by tests/scenario/.
 */
#pragma once

#include <err.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "common/addr.h"
#include "common/util.h"

static inline uint64_t tool_now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

static inline unsigned long tool_number(const char *text, unsigned long max)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *text == '\0' || *end != '\0' || number > max)
		errx(64, "%s: not a number from 0 to %lu", text, max);
	return number;
}

static inline struct addr_port tool_endpoint(const char *text)
{
	struct addr_port endpoint;

	if (addr_port_parse(text, false, &endpoint) < 0 || endpoint.port == 0)
		errx(64, "%s: not ADDRESS:PORT", text);
	return endpoint;
}

static inline struct addr tool_address(const char *text)
{
	struct addr address;

	if (addr_parse(text, &address) < 0)
		errx(64, "%s: not an address", text);
	return address;
}

static inline void tool_watch(int epoll_fd, int fd, uint32_t events, uint64_t key)
{
	struct epoll_event event = { .events = events, .data.u64 = key };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll_ctl");
}

/* SIGTERM and SIGINT become readable instead of ending the program without its report. */
static inline int tool_signal_fd(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		err(1, "sigprocmask");
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		err(1, "signalfd");
	return fd;
}

static inline int tool_timer_fd(uint64_t interval_us)
{
	struct timespec interval = {
		.tv_sec = (time_t)(interval_us / US_PER_S),
		.tv_nsec = (long)(interval_us % US_PER_S * NS_PER_US),
	};
	struct itimerspec when = { .it_interval = interval, .it_value = interval };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) < 0)
		err(1, "timerfd");
	return fd;
}

/* How often the timer rang since the last look. */
static inline uint64_t tool_timer_rang(int timer_fd)
{
	uint64_t times;

	return read(timer_fd, &times, sizeof(times)) == (ssize_t)sizeof(times) ? times : 0;
}
