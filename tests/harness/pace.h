/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames at a steady rate, in batches of sendmmsg(), for the storms. A machine that stalls is not made up for in bursts that
 * no queue takes: the storm takes longer.
 */
#pragma once

#include "tests/harness/tool.h"

#include <poll.h>
#include <sys/socket.h>

#define PACE_COUNT_MAX   10000000u
#define PACE_RATE_MAX_HZ 500000u
#define PACE_BATCH       64u
#define PACE_TICK_US     US_PER_MS

struct pace {
	int fd; /* bound to the interface */
	unsigned long count, rate_hz;
	unsigned long burst_max; /* frames that are sent at once after a stall */
	/* Makes frame n, which goes out as messages[slot]. */
	void (*make)(void *context, unsigned long n, unsigned int slot);
	void *context;
	struct mmsghdr messages[PACE_BATCH];
	unsigned long sent, refused; /* refused by the interface, and sent again later */
	uint64_t took_us;
};

/* A burst is what BURST_US has, and at least `burst_min` frames. */
static inline void pace_set(struct pace *pace, const char *count, const char *rate_hz,
	uint64_t burst_us, unsigned long burst_min)
{
	pace->count = tool_number(count, PACE_COUNT_MAX);
	pace->rate_hz = MAX(tool_number(rate_hz, PACE_RATE_MAX_HZ), 1ul);
	pace->burst_max = MAX((unsigned long)(pace->rate_hz * burst_us / US_PER_S), burst_min);
}

/* Returns how many went out. */
static inline unsigned long pace_send(struct pace *pace, unsigned long n_wanted)
{
	unsigned int n_batch = (unsigned int)MIN(n_wanted, (unsigned long)PACE_BATCH);
	int n_sent;

	for (unsigned int i = 0; i < n_batch; i++)
		pace->make(pace->context, pace->sent + i, i);
	n_sent = sendmmsg(pace->fd, pace->messages, n_batch, 0);
	if (n_sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		err(1, "sendmmsg");
	n_sent = MAX(n_sent, 0);
	pace->refused += n_batch - (unsigned int)n_sent;
	pace->sent += (unsigned long)n_sent;
	return (unsigned long)n_sent;
}

/* Until all have gone out, or SIGTERM. */
static inline void pace_run(struct pace *pace)
{
	int timer_fd = tool_timer_fd(PACE_TICK_US), signal_fd = tool_signal_fd();
	uint64_t first_us = tool_now_us(CLOCK_MONOTONIC), began_us = first_us;

	while (pace->sent < pace->count &&
		poll(&(struct pollfd){ .fd = signal_fd, .events = POLLIN }, 1, 0) == 0) {
		uint64_t passed_us = tool_now_us(CLOCK_MONOTONIC) - began_us;
		unsigned long due =
			MIN((unsigned long)(passed_us * pace->rate_hz / US_PER_S), pace->count);

		if (due > pace->sent + pace->burst_max) {
			began_us += (due - pace->sent - pace->burst_max) * US_PER_S / pace->rate_hz;
			due = pace->sent + pace->burst_max;
		}
		while (pace->sent < due && pace_send(pace, due - pace->sent) > 0)
			;
		/* Non-blocking: wait for its next tick. */
		if (poll(&(struct pollfd){ .fd = timer_fd, .events = POLLIN }, 1, 100) == 1)
			(void)tool_timer_rang(timer_fd);
	}
	pace->took_us = tool_now_us(CLOCK_MONOTONIC) - first_us;
}
