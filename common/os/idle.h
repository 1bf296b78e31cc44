/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long work in parts, done when the event loop has nothing else to do. Who has such work registers a step;
 * nobody is named here.
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
