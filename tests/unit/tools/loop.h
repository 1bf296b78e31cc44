/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event loops in tests. Header only. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <systemd/sd-event.h>

#include "common/os/clock.h"
#include "common/util.h"

/*
 * Runs the loop until the condition holds, or fails at the deadline: not by the loop's clock, which stands still
 * while a test does something else. The condition is asked again every millisecond at the latest.
 */
#define LOOP_UNTIL(event, deadline_us, condition) \
	do { \
		uint64_t end_us_ = clock_now_us() + (deadline_us); \
		while (!(condition)) { \
			if (clock_now_us() > end_us_) \
				fail_msg("waited in vain for: %s", #condition); \
			assert_true(sd_event_run(event, US_PER_MS) >= 0); \
		} \
	} while (0)
