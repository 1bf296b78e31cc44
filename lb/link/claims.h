/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who else says that it has a VIP: which MAC, how often, when last. An ARP or NA is never authentic, so
 * a claim is counted, named and answered, and changes nothing else. Pure. Owned by announce.c, read by
 * the status.
 */
#pragma once

#include "common/addr.h"

#define CLAIMS_MAX     64u              /* pairs of VIP and MAC; more are only counted */
#define CLAIMS_SAY_US  (60 * US_PER_S)  /* a pair is told of so often */
#define CLAIMS_KEEP_US (600 * US_PER_S) /* a pair is known so long after its last claim */
/* Whether a MAC is known is asked so often in CLAIMS_ASK_US: whoever invents MACs makes no more work than that. */
#define CLAIMS_ASK_MAX 100u
#define CLAIMS_ASK_US  (100 * US_PER_MS)
#define CLAIMS_LIVE_US \
	(180 * US_PER_S) /* after that long without one the VIP counts as ours alone */

struct claim {
	struct addr vip;
	struct mac mac;
	uint64_t count;
	uint64_t last_us;
	uint64_t said_us;
	bool is_known; /* whose MAC it is */
};

/* Zeroed: none. */
struct claims {
	struct claim items[CLAIMS_MAX];
	size_t len;
	uint64_t seen;      /* all, those that found no room too */
	uint64_t asking_us; /* since when `n_asked` were asked for */
	unsigned int n_asked;
};

/*
 * Who claims, and whether that is somebody who is known, as a backend: asked of pairs that are new, where it matters. NULL:
 * nobody is.
 */
struct claimant {
	struct mac mac;
	bool (*is_known)(const struct mac *mac, void *context);
	void *context;
};
/*
 * Takes one claim. True: it is to be told of now. When there is no room, the stranger that was silent the longest makes
 * room for who is known, and for another stranger if it was silent for CLAIMS_SAY_US; where there is none, so does who is
 * known and was. Else the new pair is only counted. Who comes when CLAIMS_ASK_MAX were asked for passes for a stranger,
 * until a claim of its comes in time. So a flood of invented MACs hides no claim that goes on, nor for long that of a
 * backend, fills no log, and makes little work.
 */
_must_check_ bool claims_add(struct claims *claims, const struct addr *vip,
	const struct claimant *claimant, uint64_t now_us);
/* Forgets what is older than CLAIMS_KEEP_US. */
void claims_expire(struct claims *claims, uint64_t now_us);
/* Forgets all claims but of VIPs that are to be kept. */
void claims_keep(struct claims *claims, bool (*keep)(const struct addr *vip, const void *context),
	const void *context);
/* Whether anybody has claimed a VIP within CLAIMS_LIVE_US. */
bool claims_live(const struct claims *claims, uint64_t now_us);
