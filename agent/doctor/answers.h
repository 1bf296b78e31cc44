/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether SYNs that come for places of this host are answered: a packet socket sees them before any packet filter, and
 * what this host says to them. The balancers' path probes are among them, so nothing need be sent. Called by facts.c.
 */
#pragma once

#include "common/addr.h"

#define ANSWERS_PLACES_MAX 256u
#define ANSWERS_LOOK_US    (2500 * US_PER_MS) /* for a SYN: the usual check-interval, and some */
#define ANSWERS_WAIT_US    US_PER_S           /* for the answer to one */

struct answers_place {
	struct addr_port place; /* of TCP */
	bool is_asked;     /* a SYN for it came so long ago that its answer must have been seen */
	bool is_answered;  /* and one for it was answered, if by a reset */
	uint64_t asked_us; /* the first; 0: none came. CLOCK_BOOTTIME */
};

/*
 * Looks until each place was answered, for ANSWERS_LOOK_US and ANSWERS_WAIT_US at most. 0 with the answers filled in;
 * -EACCES or -EPERM: this user may not; another negative errno.
 */
int answers_look(struct answers_place *places, size_t n_places);
