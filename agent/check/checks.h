/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All local checks of a configuration: when each runs, what its results make of it, and what they say together.
 * A reload makes a new set, which takes over what is known of the checks that stay.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/check/check_judge.h"
#include "agent/config/config.h"

#define CHECKS_NEVER_US    UINT64_MAX
#define CHECKS_RUNNING_MAX 256u /* at a time; more wait */
#define CHECKS_RETRY_US \
	(100 * US_PER_MS) /* after a want of our own, until the check's timeout has passed */

struct checks;
struct check_set;

/* After something changed that others should know. It must not free the checks. */
typedef void checks_changed_fn(void *context);

/* Nothing is checked yet. Takes no ownership of the loop. 0 or negative errno. */
int checks_new(
	sd_event *event, checks_changed_fn *changed, void *context, struct checks **ret_checks);
struct checks *checks_free(struct checks *checks);
DEFINE_CLEANUP(struct checks *, checks_free)

/* What the configuration wants, made whole or not at all. -ENOMEM, or what libcurl or the loop lack. */
int checks_prepare(struct checks *checks, const struct config *config, struct check_set **ret_set);
struct check_set *check_set_free(struct check_set *set);
DEFINE_CLEANUP(struct check_set *, check_set_free)
/*
 * Takes the set over in the place of the former one, with the results of checks that are in both. The
 * configuration must live until the next.
 */
void checks_adopt(struct checks *checks, struct check_set *set);
/* The VIPs are there: runs what has been waiting for them. Once is enough, more does no harm. */
void checks_begin(struct checks *checks);

/* All zeros, and so up, without a check. */
void checks_verdict(const struct checks *checks, struct check_verdict *ret_verdict);

/* One check, for `status`. */
struct checks_view {
	const char *name;       /* as in the configuration; "unit:NAME" */
	const struct addr *vip; /* NULL: it is of the host */
	const struct check_health *health;
	bool has_run;
	uint64_t took_us; /* of the last run that has ended */
};
size_t checks_len(const struct checks *checks);
struct checks_view checks_view(const struct checks *checks, size_t idx);
