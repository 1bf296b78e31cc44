/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long work in parts, done when the event loop has nothing else to do. Who has such work registers a step;
 * nobody is named here. And a source of events that has too much of it comes last, too.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/util.h"

struct idle;

/* Does one part, of a millisecond or two; false: there is no more to do until idle_wake(). */
typedef bool idle_step_fn(void *context);

/* 0 or negative errno. Takes no ownership of the loop. */
int idle_new(sd_event *event, struct idle **ret_idle);
struct idle *idle_free(struct idle *idle);
DEFINE_CLEANUP(struct idle *, idle_free)
/* Every step is taken in turn, in the order of registration, as long as one of them has more to do. -ENOMEM. */
int idle_add(struct idle *idle, idle_step_fn *step, void *context);
/* Somebody has something to do. */
void idle_wake(struct idle *idle);

/*
 * Of a source that had more to read than one turn takes (`crowded`): the next turn is when the loop has nothing else to do;
 * else it is at the source's own priority. A flood must keep the loop neither from its timers nor from who asks what is
 * going on.
 */
void idle_if_crowded(sd_event_source *source, bool crowded, int64_t priority);
