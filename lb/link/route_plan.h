/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which routes to VIPs are wanted, which of them stand, and what is to be done about a difference and when: one that is not
 * wanted goes at once, one that is missing comes at most once a second. Pure; route_announce.c does it.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

#define ROUTE_PLAN_PACE_US  US_PER_S
#define ROUTE_PLAN_NEVER_US UINT64_MAX

struct route_plan_entry {
	struct addr vip;
	bool wanted, standing;
	bool blocked;    /* somebody else's route has its place, or the kernel refused it */
	uint64_t due_us; /* it is not added before */
};

struct route_plan {
	struct route_plan_entry *items; /* sorted by VIP */
	size_t len;
};

enum route_plan_action {
	ROUTE_PLAN_NOTHING,
	ROUTE_PLAN_ADD,
	ROUTE_PLAN_REMOVE,
};

void route_plan_clear(struct route_plan *plan);
/* Exactly these are wanted from now on; sorted, each once. 0 or -ENOMEM, then nothing has changed. */
int route_plan_want(struct route_plan *plan, const struct addr *vips, size_t n_vips);
/* NULL: not known. Valid until the next route_plan_want(), _stands() or _tidy(). */
struct route_plan_entry *route_plan_find(const struct route_plan *plan, const struct addr *vip);
/* Before all that stand are told anew. */
void route_plan_begin(struct route_plan *plan);
/* This one stands, whether wanted or not. 0 or -ENOMEM. */
int route_plan_stands(struct route_plan *plan, const struct addr *vip);
enum route_plan_action route_plan_next(const struct route_plan_entry *entry, uint64_t now_us);
/* It was added; or that failed. */
void route_plan_added(struct route_plan_entry *entry, bool stands, uint64_t now_us);
void route_plan_removed(struct route_plan_entry *entry);
/* When something is to be done next; ROUTE_PLAN_NEVER_US: nothing. */
uint64_t route_plan_due_us(const struct route_plan *plan);
/* Forgets what is neither wanted nor there, nor was added lately. */
void route_plan_tidy(struct route_plan *plan, uint64_t now_us);
