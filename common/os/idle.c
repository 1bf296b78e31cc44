/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One deferred event source of idle priority for all steps. */
#include "common/os/idle.h"

#include "common/grow.h"

struct idle_job {
	idle_step_fn *step;
	void *context;
};

struct idle {
	sd_event_source *source;
	struct idle_job *jobs;
	size_t n_jobs;
};

static int idle_on_turn(sd_event_source *source, void *context)
{
	struct idle *idle = context;
	bool more = false;

	for (size_t i = 0; i < idle->n_jobs; i++)
		more |= idle->jobs[i].step(idle->jobs[i].context);
	if (more)
		idle_wake(idle);
	return 0;
}

int idle_new(sd_event *event, struct idle **ret_idle)
{
	_cleanup_(idle_freep) struct idle *idle = calloc(1, sizeof(*idle));
	int r;

	if (!idle)
		return -ENOMEM;
	r = sd_event_add_defer(event, &idle->source, idle_on_turn, idle);
	if (r >= 0)
		r = sd_event_source_set_priority(idle->source, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(idle->source, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_idle = TAKE_PTR(idle);
	return 0;
}

struct idle *idle_free(struct idle *idle)
{
	if (!idle)
		return NULL;
	sd_event_source_disable_unref(idle->source);
	free(idle->jobs);
	free(idle);
	return NULL;
}

int idle_add(struct idle *idle, idle_step_fn *step, void *context)
{
	if (GROW(idle->jobs, idle->n_jobs) < 0)
		return -ENOMEM;
	idle->jobs[idle->n_jobs++] = (struct idle_job){ step, context };
	return 0;
}

void idle_wake(struct idle *idle)
{
	(void)sd_event_source_set_enabled(idle->source, SD_EVENT_ONESHOT);
}

void idle_if_crowded(sd_event_source *source, bool crowded, int64_t priority)
{
	(void)sd_event_source_set_priority(source, crowded ? SD_EVENT_PRIORITY_IDLE : priority);
}
