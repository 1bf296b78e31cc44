/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The events of a daemon: the newest EVENTS_KEPT_MAX in memory, and in a file of the runtime folder so that a
 * restart forgets none. Raising one is also its line in the log, with a message id and fields for the journal: a
 * thing that has an event is logged nowhere else. Main loop only.
 */
#pragma once

#include "common/events/event.h"
#include "common/events/events_file.h"

struct events;
struct events_watch;

/*
 * Opens and reads what was kept in DIRECTORY. A file that is damaged or cannot be used is told of in the log, and
 * never keeps a daemon from its work: events are then in memory alone. NULL: no memory.
 */
struct events *events_new(const char *directory);
struct events *events_free(struct events *events);
DEFINE_CLEANUP(struct events *, events_free)

/*
 * Logs, keeps and tells watchers of one event; `format` are its words, one line. `events` NULL: only logs, which is
 * for what happens before there is a runtime folder.
 */
void events_raise(struct events *events, const struct event *event, const char *format, ...)
	_printf_(3, 4);

/*
 * The oldest event that is kept after this sequence (0: of all): its JSON without a line end, borrowed until the next
 * event is raised; NULL: there is none. Sequences grow, by more than 1 at times, and go on over restarts.
 */
const char *events_next(const struct events *events, uint64_t after, uint64_t *ret_sequence);
/* Of the newest; 0: none was ever raised. */
uint64_t events_last(const struct events *events);

/*
 * `fn` is called for each new event, until events_unwatch(); it may read events and end watches (its own too), and
 * must raise none. NULL: no memory. All watches must have ended before events_free().
 */
typedef void events_watch_fn(void *context);
struct events_watch *events_watch(struct events *events, events_watch_fn *fn, void *context);
/* Returns NULL; NULL is nothing. */
struct events_watch *events_unwatch(struct events_watch *watch);
