/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that look at something for us and may hang while they do: each has a group of its own, none of
 * our descriptors and capabilities, and an output of which a little is read. The loop never waits for one.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/util.h"

#define CHILD_ROOM_MAX     32u   /* at once, with those that were killed and have not ended yet */
#define CHILD_OUTPUT_BYTES 4096u /* what is written beyond that is read and forgotten */

struct child_room;
struct child;

/* The exit status, 0 to 255, or the negative number of the signal that ended it; what it wrote. */
typedef void child_end_fn(void *context, int status, const char *output);

/* What it shall do: run a program, or see whether a file is there (then its status is 0 or an errno). */
struct child_work {
	char *const *argv; /* an absolute path first, NULL last; or NULL */
	const char *file;
};

/* 0 or -ENOMEM. Takes no ownership of the loop. */
int child_room_new(sd_event *event, struct child_room **ret_room);
/* Kills all of them, and waits for none. */
struct child_room *child_room_free(struct child_room *room);
DEFINE_CLEANUP(struct child_room *, child_room_free)

/*
 * 0, and `ended` comes once, never before this returns; then `*ret_child` is no more. -EAGAIN: there is no
 * room; another negative errno.
 */
int child_start(struct child_room *room, const struct child_work *work, child_end_fn *ended,
	void *context, struct child **ret_child);
/* Kills its whole group; nothing comes back from it. */
void child_kill(struct child *child);
