/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is on a link: the subnets of the addresses of one interface to backends, or of all. One whose address is away stays for
 * a while: an address that is replaced, or lost for a moment, is a want of our own and not the backends'
 * failure. While there is none at all, nobody can say, and everybody may be on it. Pure.
 */
#pragma once

#include "common/addr.h"

#define SUBNETS_FOUND_MAX 256u
#define SUBNETS_MAX       512u /* those that are there, and those that were */
/* An address that is away for less has never been away. */
#define SUBNETS_GRACE_US (10 * US_PER_S)

/* Each once. */
struct subnets_set {
	struct addr_prefix items[SUBNETS_MAX];
	uint64_t seen_us[SUBNETS_MAX];
	size_t len;
	bool is_anywhere; /* items are everything */
};

/* Zeroed: none are in force. */
struct subnets {
	struct subnets_set sets[2];
	unsigned int in_force; /* which of the two */
};

/*
 * What should be in force now that `found` (at most SUBNETS_FOUND_MAX, in any order, also repeated) are on the
 * interfaces. `*ret_next` stays as it is until the next call. False: that is in force already.
 */
bool subnets_look(struct subnets *subnets, const struct addr_prefix *found, size_t n_found,
	uint64_t now_us, const struct subnets_set **ret_next);
/* What is away at the next look does not stay: other interfaces are looked at now. */
void subnets_expire(struct subnets *subnets);
/* The set that subnets_look() told of last is in force; the one before stays as it is until the next look. */
void subnets_take(struct subnets *subnets);
const struct subnets_set *subnets_in_force(const struct subnets *subnets);
