/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results of checks → the state of each, and of all. Pure: time comes as an argument.
 */
#pragma once

#include "common/why.h"

#define CHECK_REASON_BYTES 256u

/* What one run of a check found. */
enum check_outcome {
	CHECK_WELL,
	CHECK_WARNS,  /* well, and there is something to say */
	CHECK_FAILED, /* counts towards check-fall */
	CHECK_DEAD,   /* down at once */
	CHECK_GONE,   /* an administrator's sign: drain at once */
};

enum check_state {
	CHECK_STATE_UP,
	CHECK_STATE_DRAIN,
	CHECK_STATE_PENDING, /* has not succeeded once */
	CHECK_STATE_DOWN,
	CHECK_STATE_N_ /* the higher, the worse */
};
/* "up", "drain", "pending", "down". */
const char *check_state_name(enum check_state state);

struct check_rules {
	uint32_t fall; /* failures in a row until down */
	uint32_t rise; /* successes in a row until up again; the first success of all suffices */
};

struct check_health {
	enum check_state state;
	uint64_t since_us;   /* of the state */
	bool known;          /* has had a result */
	bool proven;         /* has succeeded once */
	bool excused;        /* it is new on a host that serves: while pending it does not count */
	bool warns;          /* up, and the reason is a warning */
	uint32_t n_in_a_row; /* failures while up or pending, successes while down */
	char reason[CHECK_REASON_BYTES]; /* "" only when up without a warning; printable ASCII */
};

/* A check that has not run yet; `name` for its reason. */
void check_judge_begin(
	struct check_health *health, const char *name, bool excused, uint64_t now_us);
/* Takes one result in; `text` says why it is not well. True: what is told of the check has changed. */
bool check_judge_result(struct check_health *health, const struct check_rules *rules,
	enum check_outcome outcome, const char *text, uint64_t now_us);

/* What all checks say together. */
struct check_verdict {
	enum check_state state; /* the worst of all; up without a check */
	bool undecided;    /* some pending check has had no result yet, and nothing else is wrong */
	struct why reason; /* "" when up; of several the first, and how many more */
};
/* Adds the next check's health; a verdict begins as all zeros. */
void check_judge_add(
	struct check_verdict *verdict, const struct check_health *health, size_t *n_unwell);
/* Says how many more there are. */
void check_judge_end(struct check_verdict *verdict, size_t n_unwell);
