/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between checks.c, which knows when a check runs and what its results mean, and each kind of
 * check, which knows how it is made. Header only.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/check/check_judge.h"
#include "agent/config/check_spec.h"
#include "common/addr.h"

/* A check waits for everything else that the loop has to do: heartbeats come first. */
#define CHECK_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

struct child_room;
struct check_kind;
struct check_run;

/* What the kinds share; it outlives them. */
struct check_env {
	sd_event *event;
	struct child_room *children;
};

/* One result; `text` is "" or says what was found. May be called within `start`, never after `stop`. */
typedef void check_tell_fn(struct check_run *run, enum check_outcome outcome, const char *text);

/* One check of one target. A kind's own struct begins with it. */
struct check_run {
	const struct check_kind *kind;
	const struct check_spec *spec; /* borrowed */
	struct addr vip;               /* AF_UNSPEC where the check is not of a VIP */
	char name[CHECK_REASON_BYTES]; /* for reasons: "tcp:80 on 198.51.100.10" */
	uint64_t timeout_us;
	check_tell_fn *tell;
	void *context; /* for `tell` */
};

struct check_kind {
	/* What all checks of the kind have in common, made when the first is needed. NULL: nothing. */
	int (*open)(const struct check_env *env, void **ret_shared);
	void (*close)(void *shared);
	/* A zeroed struct of the kind's own, whose `run` the caller fills in. NULL: no memory. */
	struct check_run *(*make)(const struct check_env *env, void *shared);
	/*
	 * Begins one run; one `tell` ends it. A negative errno tells of a want of our own (descriptors, room,
	 * the VIP), in `*ret_why`: it is tried again soon. NULL: results come when something happens.
	 */
	int (*start)(struct check_run *run, struct why *ret_why);
	/* Ends a run that has taken too long, or is not wanted any more. */
	void (*stop)(struct check_run *run);
	/* Once `run` is filled in, of a kind without `start`: results may come from now on. */
	void (*watch)(struct check_run *run);
	/* Stops, and frees. */
	void (*free)(struct check_run *run);
	bool rises_at_once; /* check-rise is for what is looked at now and then */
};
