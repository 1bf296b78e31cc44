/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the host as it should be, for ever: looks at it on every event of interfaces and addresses and
 * at least once a second (changes of the ARP settings send no event), compares, repairs. Repairs
 * are made at once; when somebody keeps undoing them, with growing pauses, and that is
 * what blocks the host then. Says each thing once.
 */
#pragma once

#include <systemd/sd-event.h>

#include "agent/host/plan.h"

#define RECONCILE_POLL_US        (500 * US_PER_MS)
#define RECONCILE_WARY_US        (200 * US_PER_MS) /* the same while what was mended may be undone */
#define RECONCILE_PAUSE_US       (2 * US_PER_MS) /* at least, between two looks in a storm of events */
#define RECONCILE_PAUSE_MAX_US   (40 * US_PER_MS)
#define RECONCILE_PAUSE_TIMES    4u /* the pause is as long as so many looks take */
#define RECONCILE_ROUNDS         4u /* looks at a host that changes faster than it is mended */
#define RECONCILE_TORN_US        (1 * US_PER_S) /* no whole look for so long is told of */
#define RECONCILE_LACK_US        (5 * US_PER_S) /* nor a lack of descriptors or memory for so long */
#define RECONCILE_FIGHT_FREE     4u             /* repairs at once before pauses begin */
#define RECONCILE_FIGHT_FIRST_US (250 * US_PER_MS)
#define RECONCILE_FIGHT_MAX_US   (2 * US_PER_S)  /* under PLAN_FIGHT_GAP_US: a fight alone waits */
#define RECONCILE_FIGHT_OVER_US  (60 * US_PER_S) /* quiet for so long: the fight is over */

struct events;
struct reconcile;

/* After each look at the host, whatever was found. */
typedef void reconcile_looked_fn(void *context);

/*
 * Opens netlink and loads what is ours from `directory`; does nothing yet. 0 or negative errno
 * (-EBADMSG: owned.json is damaged).
 */
int reconcile_new(sd_event *event, const char *directory, struct events *events,
	reconcile_looked_fn *looked, void *context, struct reconcile **ret_reconcile);
struct reconcile *reconcile_free(struct reconcile *reconcile); /* leaves the host as it is */
DEFINE_CLEANUP(struct reconcile *, reconcile_free)

/*
 * Serves these VIPs from now on (ifindexes and `kept` are not read; `exempt` stays borrowed); acts at once, then on every event. Failures are
 * logged and told by reconcile_blocked(), and tried again.
 */
void reconcile_serve(struct reconcile *reconcile, const struct host_wanted *wanted);
/* VIPs that are not wanted, but stay where they are until this is called again without them. */
void reconcile_keep(struct reconcile *reconcile, const struct addr *vips, size_t n_vips);
/* The interface that leads to a balancer: it is never exempt. */
void reconcile_face(struct reconcile *reconcile, unsigned int ifindex);
/* Leaves the host as it was found, and stops watching it. 0, or negative errno (logged). */
int reconcile_withdraw(struct reconcile *reconcile);

/* The host at the last look; empty before the first. Valid until the next. */
const struct host *reconcile_host(const struct reconcile *reconcile);
/* How often somebody had changed the host, and it was put right. */
uint64_t reconcile_repairs(const struct reconcile *reconcile);
const struct host_wanted *reconcile_wanted(const struct reconcile *reconcile);
/* "" or what cannot be mended, or failed, in words. */
const char *reconcile_blocked(const struct reconcile *reconcile);
/* False: what is wrong is the administrator's to mend, and trying again is in vain. */
bool reconcile_can_mend(const struct reconcile *reconcile);

/* How long to hold repairs after the n-th in a fight. Pure; for the test. */
uint64_t reconcile_fight_pause_us(unsigned int n_repairs);
/*
 * Takes out of a plan the repairs that must wait, and with an interface's silence the IPv4 VIPs that
 * would come into its noise. Pure; for the test.
 */
void reconcile_hold_repairs(struct plan *plan);
