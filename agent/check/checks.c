/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One timer for all checks. Called by the daemon. Must not know how a check is made, nor who is told.
 */
#include "agent/check/checks.h"

#include <assert.h>

#include "agent/check/check_connect.h"
#include "agent/check/check_exec.h"
#include "agent/check/check_file.h"
#include "agent/check/check_http.h"
#include "agent/check/check_kind.h"
#include "agent/check/check_unit.h"
#include "agent/check/child.h"
#include "common/os/clock.h"
#include "common/os/nl_route.h"

static const struct check_kind *const checks_kinds[] = {
	[CHECK_SPEC_UNIT] = &check_unit_kind,
	[CHECK_SPEC_TCP] = &check_connect_kind,
	[CHECK_SPEC_HTTP] = &check_http_kind,
	[CHECK_SPEC_EXEC] = &check_exec_kind,
	[CHECK_SPEC_FILE] = &check_file_kind,
};
static_assert(ARRAY_LEN(checks_kinds) == CHECK_SPEC_KIND_N_, "a kind for each");

struct check_item {
	struct checks *checks;
	struct check_run *run;
	struct check_health health;
	struct check_rules rules;
	uint64_t interval_us;
	uint64_t
		next_us; /* when it is to begin, while it does not run; CHECKS_NEVER_US: by events */
	uint64_t wanted_us; /* since when it cannot be begun; 0: it can */
	uint64_t began_us;  /* of the last run */
	uint64_t took_us;
	bool running, has_run;
};

struct check_set {
	struct check_item *items;
	size_t n_items;
};

struct checks {
	struct check_env env;
	struct nl *nl;
	void *shared[CHECK_SPEC_KIND_N_];
	bool is_open[CHECK_SPEC_KIND_N_];
	checks_changed_fn *changed;
	void *context;
	struct check_set *set; /* NULL: nothing is checked */
	sd_event_source *timer;
	bool begun;
	bool busy; /* within the timer's own work, which tells of changes at its end */
	bool has_changed;
};

/* ---- results ---- */

static void checks_feed(struct check_item *item, enum check_outcome outcome, const char *text)
{
	struct checks *checks = item->checks;

	if (!check_judge_result(&item->health, &item->rules, outcome, text, clock_now_us()))
		return;
	checks->has_changed = true;
	if (checks->busy)
		return;
	checks->has_changed = false;
	checks->changed(checks->context);
}

static void checks_arm(struct checks *checks)
{
	uint64_t next_us = CHECKS_NEVER_US;

	for (size_t idx = 0; checks->begun && checks->set && idx < checks->set->n_items; idx++) {
		const struct check_item *item = &checks->set->items[idx];

		next_us = MIN(next_us,
			item->running ? item->began_us + item->run->timeout_us : item->next_us);
	}
	(void)sd_event_source_set_time(checks->timer, next_us);
	(void)sd_event_source_set_enabled(
		checks->timer, next_us == CHECKS_NEVER_US ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* The next begins an interval after this one began, or now. */
static void checks_end_run(struct check_item *item, uint64_t now_us)
{
	item->running = false;
	item->has_run = true;
	item->took_us = now_us - item->began_us;
	item->next_us = MAX(item->began_us + item->interval_us, now_us);
}

static void checks_on_result(struct check_run *run, enum check_outcome outcome, const char *text)
{
	struct check_item *item = run->context;

	if (item->running)
		checks_end_run(item, clock_now_us());
	if (!item->checks->busy && run->kind->start)
		checks_arm(item->checks);
	checks_feed(item, outcome, text);
}

/* ---- time ---- */

/* A want of our own is no fault of the service until it has lasted as long as a run may. */
static void checks_put_off(struct check_item *item, const char *why, uint64_t now_us)
{
	if (item->wanted_us == 0)
		item->wanted_us = now_us;
	if (now_us - item->wanted_us < item->run->timeout_us) {
		item->next_us = now_us + CHECKS_RETRY_US;
		return;
	}
	item->wanted_us = 0;
	item->next_us = now_us + item->interval_us;
	checks_feed(item, CHECK_FAILED, why);
}

/* A connection to a VIP whose route is still to come would leave this host, and nobody would answer. */
static int checks_start(struct check_run *run, struct nl *nl, struct why *ret_why)
{
	char text[ADDR_STRLEN];

	if (!check_spec_is_of_vip(run->spec) || nl_route_is_local(nl, &run->vip) != 0)
		return run->kind->start(run, ret_why);
	why_set(ret_why, "%s is not an address of this host, or its local route is missing",
		addr_format(&run->vip, text));
	return -EADDRNOTAVAIL;
}

static void checks_begin_run(struct check_item *item, uint64_t now_us)
{
	struct why why = { 0 };

	item->running = true;
	item->began_us = now_us;
	if (checks_start(item->run, item->checks->nl, &why) < 0) {
		item->running = false;
		checks_put_off(item, why.text, now_us);
		return;
	}
	item->wanted_us = 0;
}

static void checks_time_out(struct check_item *item, uint64_t now_us)
{
	struct why why = { 0 };

	item->run->kind->stop(item->run);
	checks_end_run(item, now_us);
	why_set(&why, "%s: no answer within %llu ms", item->run->name,
		(unsigned long long)(item->run->timeout_us / US_PER_MS));
	checks_feed(item, CHECK_FAILED, why.text);
}

static int checks_on_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	struct checks *checks = context;

	size_t n_running = 0;

	checks->busy = true;
	ARRAY_FOREACH (item, checks->set->items, checks->set->n_items)
		n_running += item->running;
	ARRAY_FOREACH (item, checks->set->items, checks->set->n_items) {
		uint64_t now_us = clock_now_us();

		if (item->running && now_us >= item->began_us + item->run->timeout_us)
			checks_time_out(item, now_us);
		if (item->running || now_us < item->next_us)
			continue;
		/* Of a thousand VIPs not all at once: each takes a descriptor. */
		if (n_running >= CHECKS_RUNNING_MAX) {
			item->next_us = now_us + CHECKS_RETRY_US;
			continue;
		}
		checks_begin_run(item, now_us);
		n_running += item->running;
	}
	checks->busy = false;
	checks_arm(checks);
	if (checks->has_changed) {
		checks->has_changed = false;
		checks->changed(checks->context);
	}
	return 0;
}

/* ---- beginning and end ---- */

int checks_new(
	sd_event *event, checks_changed_fn *changed, void *context, struct checks **ret_checks)
{
	_cleanup_(checks_freep) struct checks *checks = calloc(1, sizeof(*checks));
	int r;

	if (!checks)
		return -ENOMEM;
	checks->env.event = event;
	checks->changed = changed;
	checks->context = context;
	r = nl_open(NETLINK_ROUTE, &checks->nl);
	if (r == 0)
		r = child_room_new(event, &checks->env.children);
	if (r == 0)
		r = sd_event_add_time(event, &checks->timer, CLOCK_MONOTONIC, CHECKS_NEVER_US,
			US_PER_MS, checks_on_timer, checks);
	if (r >= 0)
		r = sd_event_source_set_enabled(checks->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(checks->timer, CHECK_PRIORITY);
	if (r < 0)
		return r;
	*ret_checks = TAKE_PTR(checks);
	return 0;
}

struct checks *checks_free(struct checks *checks)
{
	if (!checks)
		return NULL;
	check_set_free(checks->set);
	for (size_t kind = 0; kind < CHECK_SPEC_KIND_N_; kind++) {
		if (checks->is_open[kind] && checks_kinds[kind]->close)
			checks_kinds[kind]->close(checks->shared[kind]);
	}
	child_room_free(checks->env.children);
	nl_free(checks->nl);
	sd_event_source_disable_unref(checks->timer);
	free(checks);
	return NULL;
}

struct check_set *check_set_free(struct check_set *set)
{
	if (!set)
		return NULL;
	ARRAY_FOREACH (item, set->items, set->n_items) {
		if (item->run)
			item->run->kind->free(item->run);
	}
	free(set->items);
	free(set);
	return NULL;
}

/* ---- a set ---- */

static void checks_name(struct check_run *run)
{
	const struct check_spec *spec = run->spec;
	char text[ADDR_STRLEN];

	if (check_spec_is_of_vip(spec))
		(void)snprintf(run->name, sizeof(run->name), "%.180s on %s",
			spec->subject ? spec->subject : spec->text, addr_format(&run->vip, text));
	else if (spec->kind == CHECK_SPEC_EXEC)
		(void)snprintf(run->name, sizeof(run->name), "exec %.200s", spec->argv[0]);
	else
		(void)snprintf(run->name, sizeof(run->name), "%.200s", spec->text);
}

static int checks_open_kind(struct checks *checks, enum check_spec_kind kind)
{
	int r = 0;

	if (!checks->is_open[kind] && checks_kinds[kind]->open)
		r = checks_kinds[kind]->open(&checks->env, &checks->shared[kind]);
	if (r == 0)
		checks->is_open[kind] = true;
	return r;
}

/* `vip` NULL: of the host. */
static int checks_add(struct checks *checks, struct check_set *set, const struct config *config,
	const struct check_spec *spec, const struct addr *vip)
{
	struct check_item *item = &set->items[set->n_items];
	const struct check_kind *kind = checks_kinds[spec->kind];

	item->run = kind->make(&checks->env, checks->shared[spec->kind]);
	if (!item->run)
		return -ENOMEM;
	item->checks = checks;
	item->interval_us = config->check_interval_us;
	item->next_us = kind->start ? 0 : CHECKS_NEVER_US;
	item->rules.fall = config->check_fall;
	item->rules.rise = kind->rises_at_once ? 1 : config->check_rise;
	item->run->kind = kind;
	item->run->spec = spec;
	item->run->timeout_us = config->check_timeout_us;
	item->run->tell = checks_on_result;
	item->run->context = item;
	if (vip)
		item->run->vip = *vip;
	checks_name(item->run);
	set->n_items++;
	return 0;
}

static int checks_add_all(struct checks *checks, struct check_set *set, const struct config *config)
{
	struct check_spec *const *specs = config->checks.items;
	const struct addr *vips = config->vips.items;
	int r = 0;

	for (size_t idx = 0; idx < config->checks.len && r == 0; idx++) {
		const struct check_spec *spec = specs[idx];

		r = checks_open_kind(checks, spec->kind);
		if (r < 0)
			return r;
		if (!check_spec_is_of_vip(spec))
			r = checks_add(checks, set, config, spec, NULL);
		else
			for (size_t vip = 0; vip < config->vips.len && r == 0; vip++)
				r = checks_add(checks, set, config, spec, &vips[vip]);
	}
	return r;
}

int checks_prepare(struct checks *checks, const struct config *config, struct check_set **ret_set)
{
	_cleanup_(check_set_freep) struct check_set *set = calloc(1, sizeof(*set));
	int r;

	if (!set)
		return -ENOMEM;
	set->items = calloc(config->checks.len * config->vips.len + 1, sizeof(*set->items));
	if (!set->items)
		return -ENOMEM;
	r = checks_add_all(checks, set, config);
	if (r < 0)
		return r;
	*ret_set = TAKE_PTR(set);
	return 0;
}

/* The same check of the former set, or NULL. */
static const struct check_item *checks_find(
	const struct check_set *set, const struct check_item *wanted)
{
	for (size_t idx = 0; set && idx < set->n_items; idx++) {
		const struct check_item *item = &set->items[idx];

		if (streq(item->run->spec->text, wanted->run->spec->text) &&
			addr_equal(&item->run->vip, &wanted->run->vip))
			return item;
	}
	return NULL;
}

/* A run in progress is begun anew, since what it looks at goes with the former configuration. */
static void checks_take_over(struct check_item *item, const struct check_item *former)
{
	item->health = former->health;
	item->took_us = former->took_us;
	item->has_run = former->has_run;
	item->began_us = former->began_us;
	if (item->run->kind->start && !former->running)
		item->next_us = former->health.known ? former->began_us + item->interval_us : 0;
}

void checks_adopt(struct checks *checks, struct check_set *set)
{
	struct check_set *former = checks->set;
	struct check_verdict verdict;
	uint64_t now_us = clock_now_us();
	bool excused;

	checks_verdict(checks, &verdict);
	/* A check that is new on a host that serves does not stop it before it has run. */
	excused = former && verdict.state <= CHECK_STATE_DRAIN;
	ARRAY_FOREACH (item, set->items, set->n_items) {
		const struct check_item *same = checks_find(former, item);

		if (same)
			checks_take_over(item, same);
		else
			check_judge_begin(&item->health, item->run->name, excused, now_us);
	}
	check_set_free(former);
	checks->set = set;
	ARRAY_FOREACH (item, set->items, set->n_items) {
		if (item->run->kind->watch)
			item->run->kind->watch(item->run);
	}
	checks_arm(checks);
}

void checks_begin(struct checks *checks)
{
	if (checks->begun)
		return;
	checks->begun = true;
	checks_arm(checks);
}

/* ---- what is known ---- */

void checks_verdict(const struct checks *checks, struct check_verdict *ret_verdict)
{
	struct check_verdict verdict = { 0 };
	size_t n_unwell = 0;

	if (checks->set)
		ARRAY_FOREACH (item, checks->set->items, checks->set->n_items)
			check_judge_add(&verdict, &item->health, &n_unwell);
	check_judge_end(&verdict, n_unwell);
	*ret_verdict = verdict;
}

size_t checks_len(const struct checks *checks)
{
	return checks->set ? checks->set->n_items : 0;
}

struct checks_view checks_view(const struct checks *checks, size_t idx)
{
	const struct check_item *item = &checks->set->items[idx];

	return (struct checks_view){
		.name = item->run->spec->text,
		.vip = check_spec_is_of_vip(item->run->spec) ? &item->run->vip : NULL,
		.health = &item->health,
		.has_run = item->has_run,
		.took_us = item->took_us,
	};
}
