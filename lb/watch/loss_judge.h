/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether clients' SYNs to a backend come to nothing, which path probes need not see: by how many connections it
 * accepted since, as its agent says, or, where there is none, by whether any client went on after its SYN.
 * One real connection is enough to be well. Half-open ones and SYN cookies are accepted ones, so
 * a flood of SYNs that is answered is none of it. SYNs that no kernel answers (a wrong checksum) or none answers anew (one
 * that was sent before) can be sent by anybody: they come to nothing everywhere, and so it is a loss only where another
 * backend fares better in the same time. Pure. For losses.c, a judge for each backend in each service.
 */
#pragma once

#include "common/util.h"

#define LOSS_JUDGE_WINDOW_US   (10 * US_PER_S)
#define LOSS_JUDGE_SYNS_MIN    20u
#define LOSS_JUDGE_CLIENTS_MIN 3u
/* So old may be what an agent says when it says it: it looks each second. */
#define LOSS_JUDGE_LAG_US (2 * US_PER_S)
/* Samples that are remembered: of a window and the agent's lag. */
#define LOSS_JUDGE_PAST 16u

/* What is known at a moment; all numbers only grow, unless what counts begins anew. */
struct loss_sample {
	uint64_t now_us;
	uint64_t syns, packets; /* that were forwarded; SYNs are packets */
	uint64_t clients;       /* numbers of SYNs' clients since the sample before, one bit each */
	bool takes_clients;     /* new connections are sent to it now */
	bool has_agent;         /* then only the agent's word counts */
	bool counts;            /* the agent tells how many it accepted: */
	uint64_t accepted;      /* by any balancer */
	uint32_t breaks;        /* of its telling: some may have gone uncounted */
	uint64_t told_us;       /* when the agent said it */
};

/* What was new in a sample; more than fits is as much as fits. */
struct loss_past {
	uint16_t syns, others, accepted;
};

/* Zeroed: nothing is known. */
struct loss_judge {
	uint64_t begun_us;  /* of the window; 0: there is none */
	uint32_t n_samples; /* since then */
	uint32_t n_judged;  /* of the window that was lost last */
	uint64_t full_us;   /* when it had SYNs and clients enough; 0: it has not */
	uint64_t clients;
	struct {
		uint64_t syns, others, accepted;
		uint32_t breaks;
		bool has_agent, counts;
	} first;                                        /* of the window */
	uint64_t last_syns, last_others, last_accepted; /* of the sample before */
	uint32_t n_past;
	struct loss_past past[LOSS_JUDGE_PAST]; /* by n_past, round and round */
};

/*
 * Takes a sample, some once a second. 0, or how many SYNs have come to nothing, and the judge begins anew. It is true only
 * where another backend of the service fares better: ask their judges with loss_judge_fares_better().
 */
uint32_t loss_judge_take(struct loss_judge *judge, const struct loss_sample *sample);
/*
 * Whether clients got on with the `other` while `lost` lost its SYNs: of one with an agent whether the other one's accepted at
 * least half as many connections as it got SYNs; else whether at least as many other packets as SYNs came.
 */
bool loss_judge_fares_better(const struct loss_judge *other, const struct loss_judge *lost);
