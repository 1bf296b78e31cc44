/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When most of a virtual server's backends fall silent at once, the fault is more likely between
 * them and the balancer than in all of them: they are kept in its tables. Announced failures and
 * failed checks do not count: those backends spoke.
 */
#pragma once

#include "lb/registry/backend.h"

struct registry;

/* The backends of one service. */
struct fail_open_tally {
	uint32_t left;    /* up, and answering */
	uint32_t overdue; /* up, but heartbeats are overdue */
	uint32_t silent;  /* fell silent in this window, or is kept */
};

/* Whether a service keeps its silent ones, and since when enough others serve again. */
struct fail_open_keeping {
	bool on;
	uint64_t majority_us; /* REGISTRY_NEVER_US: they do not */
};

struct fail_open {
	struct fail_open_keeping *keeping; /* for each service */
	struct fail_open_tally *tallies;   /* for each service: room to count in */
	bool due;                          /* something that is looked at here has changed */
	size_t n_kept;
	uint64_t next_us;
	uint64_t until_us; /* after it no silence is news, unless one is kept */
};

/* Looks at all services, and keeps or lets go. */
void fail_open_judge(struct registry *registry, uint64_t now_us);
/* It is due: something changed, or time has passed while backends are kept. */
bool fail_open_is_due(const struct registry *registry, uint64_t now_us);
/* When it is due by time alone; REGISTRY_NEVER_US: never. */
uint64_t fail_open_due_us(const struct registry *registry);
/* Nobody was listening for so long. */
void fail_open_stalled(struct registry *registry, uint64_t stalled_us);
