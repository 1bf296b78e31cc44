/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rise, fall and the worst of all. Called by checks.c. Must not know how a check is made. */
#include "agent/check/check_judge.h"

#include <assert.h>

static const char *const judge_state_names[] = {
	[CHECK_STATE_UP] = "up",
	[CHECK_STATE_DRAIN] = "drain",
	[CHECK_STATE_PENDING] = "pending",
	[CHECK_STATE_DOWN] = "down",
};
static_assert(ARRAY_LEN(judge_state_names) == CHECK_STATE_N_, "a name for each");

const char *check_state_name(enum check_state state)
{
	return judge_state_names[state];
}

/* The protocol takes printable ASCII alone. True: it is another text than before. */
static bool judge_set_reason(struct check_health *health, const char *text)
{
	char reason[CHECK_REASON_BYTES];

	(void)snprintf(reason, sizeof(reason), "%s", text);
	for (char *c = reason; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	if (streq(reason, health->reason))
		return false;
	memcpy(health->reason, reason, sizeof(reason));
	return true;
}

static bool judge_enter(struct check_health *health, enum check_state state, uint64_t now_us)
{
	if (health->state == state)
		return false;
	health->state = state;
	health->since_us = now_us;
	health->n_in_a_row = 0;
	return true;
}

void check_judge_begin(struct check_health *health, const char *name, bool excused, uint64_t now_us)
{
	*health = (struct check_health){
		.state = CHECK_STATE_PENDING,
		.since_us = now_us,
		.excused = excused,
	};
	(void)snprintf(health->reason, sizeof(health->reason), "check %s: not yet proven", name);
}

static bool judge_success(struct check_health *health, const struct check_rules *rules, bool warns,
	const char *text, uint64_t now_us)
{
	bool changed;

	if (health->state == CHECK_STATE_DOWN && health->proven &&
		++health->n_in_a_row < rules->rise)
		return false;
	health->proven = true;
	changed = judge_enter(health, CHECK_STATE_UP, now_us);
	health->n_in_a_row = 0;
	changed |= health->warns != warns;
	health->warns = warns;
	return judge_set_reason(health, warns ? text : "") || changed;
}

/* Until it is down, an earlier warning stands; while pending, what failed says more than "not yet". */
static bool judge_failure(struct check_health *health, const struct check_rules *rules,
	const char *text, uint64_t now_us)
{
	bool changed = false;

	if (health->state == CHECK_STATE_DOWN) {
		health->n_in_a_row = 0;
		return judge_set_reason(health, text);
	}
	if (++health->n_in_a_row >= rules->fall)
		changed = judge_enter(health, CHECK_STATE_DOWN, now_us);
	else if (health->state != CHECK_STATE_PENDING)
		return false;
	health->warns = false;
	return judge_set_reason(health, text) || changed;
}

static bool judge_at_once(
	struct check_health *health, enum check_state state, const char *text, uint64_t now_us)
{
	bool changed = judge_enter(health, state, now_us);

	health->n_in_a_row = 0;
	health->warns = false;
	return judge_set_reason(health, text) || changed;
}

bool check_judge_result(struct check_health *health, const struct check_rules *rules,
	enum check_outcome outcome, const char *text, uint64_t now_us)
{
	bool first = !health->known;
	bool changed = false;

	health->known = true;
	switch (outcome) {
	case CHECK_WELL:
	case CHECK_WARNS:
		changed = judge_success(health, rules, outcome == CHECK_WARNS, text, now_us);
		break;
	case CHECK_FAILED:
		changed = judge_failure(health, rules, text, now_us);
		break;
	case CHECK_DEAD:
		changed = judge_at_once(health, CHECK_STATE_DOWN, text, now_us);
		break;
	case CHECK_GONE:
		changed = judge_at_once(health, CHECK_STATE_DRAIN, text, now_us);
		break;
	}
	return changed || first;
}

void check_judge_add(
	struct check_verdict *verdict, const struct check_health *health, size_t *n_unwell)
{
	bool waits = health->state == CHECK_STATE_PENDING && !health->known;

	if (health->state == CHECK_STATE_UP ||
		(health->state == CHECK_STATE_PENDING && health->excused))
		return;
	/* Before anything is known against the host, what has not run is only waited for. */
	verdict->undecided = waits && (*n_unwell == 0 || verdict->undecided);
	++*n_unwell;
	if (health->state <= verdict->state)
		return;
	verdict->state = health->state;
	why_set(&verdict->reason, "%s", health->reason);
}

void check_judge_end(struct check_verdict *verdict, size_t n_unwell)
{
	size_t len = strlen(verdict->reason.text);

	if (n_unwell > 1)
		(void)snprintf(verdict->reason.text + len, sizeof(verdict->reason.text) - len,
			" and %zu more", n_unwell - 1);
}
