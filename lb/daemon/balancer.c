/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timers of the parts. */
#include "lb/daemon/balancer.h"

#include <time.h>

/* What has arrived is heard before anybody is judged by a timer. */
#define BALANCER_TIMER_PRIORITY    (SD_EVENT_PRIORITY_NORMAL + 10)
#define BALANCER_TIMER_ACCURACY_US 1000

int balancer_timer_new(
	sd_event *event, sd_event_time_handler_t fn, void *context, sd_event_source **ret_timer)
{
	sd_event_source *timer = NULL;
	int r = sd_event_add_time(event, &timer, CLOCK_MONOTONIC, UINT64_MAX,
		BALANCER_TIMER_ACCURACY_US, fn, context);

	if (r < 0)
		return r;
	r = sd_event_source_set_priority(timer, BALANCER_TIMER_PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_enabled(timer, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(timer);
		return r;
	}
	*ret_timer = timer;
	return 0;
}

void balancer_timer_set(sd_event_source *timer, uint64_t when_us)
{
	(void)sd_event_source_set_time(timer, when_us);
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}
