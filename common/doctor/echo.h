/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether frames of full size come there and back: a small and a full ICMP echo request to each, which may not be
 * fragmented. For the doctors; what nobody answers says nothing.
 */
#pragma once

#include "common/addr.h"

#define ECHO_TARGETS_MAX 256u
#define ECHO_WAIT_US     (900 * US_PER_MS) /* for all of them together, if not all answer sooner */
#define ECHO_MTU_MAX     9216u

struct echo_target {
	struct addr addr;
	uint32_t
		mtu_bytes; /* of the interface that leads there; at most ECHO_MTU_MAX is asked for */
	bool answers;      /* to a small request */
	bool answers_full;
};

/*
 * Asks all at once, three times those that do not answer. 0 with the answers filled in; -EACCES or -EPERM: this user may
 * not; another negative errno.
 */
int echo_probe(struct echo_target *targets, size_t n_targets);
