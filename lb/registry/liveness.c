/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See liveness.h. Called by registry.c for every event, and by admission.c for a REGISTER. */
#include "lb/registry/liveness.h"

#include "common/proto/vips.h"
#include "lb/registry/departed.h"
#include "lb/registry/detection.h"
#include "lb/registry/entries.h"
#include "lb/registry/entry.h"
#include "lb/registry/health.h"
#include "lb/registry/membership.h"
#include "lb/registry/path.h"

/* A prober that never reported is asked again this long after the timeout of its check. */
#define CHECK_GRACE_US (5 * US_PER_S)

/*
 * An agent that has had as many connections as it takes has room again at once, unless it had room again within the last
 * ROOM_QUIET_US: then when it had some for ROOM_US, so that one that hovers there, or says what it likes, makes a new
 * table once in that time, and not with each word.
 */
#define ROOM_US       US_PER_S
#define ROOM_QUIET_US (10 * US_PER_S)

/* Heartbeats that were not sent are excused for so many times the time that silence takes to be a failure. */
#define NOT_SENT_WINDOWS 3u

/* xorshift64: enough to keep heartbeats of many backends from falling together. */
static uint64_t next_random(struct registry *registry)
{
	uint64_t value = registry->random;

	value ^= value << 13;
	value ^= value >> 7;
	value ^= value << 17;
	registry->random = value;
	return value;
}

static uint64_t heartbeat_gap_us(struct registry *registry, const struct entry *entry)
{
	return detection_gap_us(&registry->config, entry, next_random(registry));
}

void liveness_heard(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	/* What was kept never left the tables: it needs no proof to stay. */
	if (backend->kept)
		entry->need = 0;
	backend->heard_us = now_us;
	entry->answered_us = now_us;
	backend->restored = false;
	entry->is_gone = false;
	entry->alive_us = now_us;
	entry->unanswered = 0;
	entry->repeat_us = REGISTRY_NEVER_US;
	if (!entry->silent)
		return;
	entry->silent = false;
	entry->fell_silent_us = REGISTRY_NEVER_US;
	backend->streak = 0;
	backend->next_heartbeat_us =
		MIN(backend->next_heartbeat_us, now_us + heartbeat_gap_us(registry, entry));
}

/* Fit for service by its own words: counts towards rise. */
static bool report_is_good(const struct entry *entry, const struct proto_status *status)
{
	bool fit = false;

	if (status->state != PROTO_STATE_UP && status->state != PROTO_STATE_DRAIN)
		return false;
	for (size_t i = 0; i < entry->n_services && !fit; i++) {
		uint16_t vip = entry->services[i].vip;

		fit = vip == ENTRY_NO_VIP || vips_are_fit(status, vip);
	}
	return fit;
}

/*
 * A flap is a word that takes a better one back. The first of them is free, so that a drain that ends is
 * over at once; each later one doubles how many answers the next better word waits for. Announced failures
 * have their own count (health_judge).
 */
static void note_taken_back(const struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	backend->streak = 0;
	if (!entry->held && !entry->has_improved)
		return;
	entry->hold = health_flap_answers(registry, entry);
	entry->has_improved = false;
	health_note_flap(entry, now_us);
}

static void end_fullness(struct entry *entry, uint64_t now_us)
{
	entry->full_of = 0;
	entry->room_us = REGISTRY_NEVER_US;
	entry->room_damped_us = now_us + ROOM_QUIET_US;
}

static void note_room(struct entry *entry, uint64_t now_us)
{
	const struct backend_status *status = &entry->backend.status;
	uint32_t most = status->max_connections;

	if (most > 0 && agent_status_established(status) >= most) {
		entry->full_of = most;
		entry->room_us = REGISTRY_NEVER_US;
	} else if (entry->full_of > 0 && now_us >= entry->room_damped_us) {
		end_fullness(entry, now_us);
	} else if (entry->full_of > 0) {
		entry->room_us = MIN(entry->room_us, now_us + ROOM_US);
	}
}

void liveness_take_words(struct registry *registry, struct entry *entry,
	const struct proto_status *said, struct backend_vip *vips, uint64_t now_us)
{
	struct backend *backend = &entry->backend;
	bool worse = agent_status_is_worse(&backend->status, said);
	bool better = agent_status_is_better(&backend->status, said);
	bool had_second_chance;

	if ((worse || (entry->held && !better)) && said->state != PROTO_STATE_DOWN)
		note_taken_back(registry, entry, now_us);
	entry->said = said->state;
	entry->held = better && backend->streak < entry->hold;
	if (better && !entry->held) {
		entry->has_improved = true;
		entry->hold = 0;
	}
	had_second_chance = backend->status.second_chance;
	agent_status_take(&backend->status, said, vips, entry->held);
	note_room(entry, now_us);
	if (backend->status.second_chance != had_second_chance)
		entries_mark_changed(&registry->entries, false);
}

void liveness_report(struct registry *registry, struct entry *entry,
	const struct proto_status *status, uint32_t rtt_us, uint64_t now_us)
{
	struct backend *backend = &entry->backend;
	bool good = report_is_good(entry, status);

	liveness_heard(registry, entry, now_us);
	if (rtt_us > 0) {
		backend->rtt_us = rtt_us;
		backend->heartbeats_missed = 0;
		entry->awaiting = false;
		if (good && backend->streak < UINT32_MAX)
			backend->streak++;
	}
	if (!good)
		backend->streak = 0;
	liveness_take_words(registry, entry, status, NULL, now_us);
	if (backend->streak >= entry->need)
		entry->need = 0;
	health_judge(registry, entry, now_us);
}

/* A `real-server` whose agent fell silent: the neighbour's answer says what the host is without it. */
static bool has_lost_its_agent(const struct registry *registry, const struct entry *entry)
{
	return entry->backend.source == BACKEND_AGENT && entry->is_static && entry->silent &&
		entry->unanswered >= registry->config.fall;
}

/* A silent agent that is kept: whether its host still answers the neighbour is what tells. */
static bool is_asked_while_kept(const struct registry *registry, const struct entry *entry)
{
	return entry->backend.source == BACKEND_AGENT && entry->backend.kept &&
		entry->unanswered >= registry->config.fall;
}

void liveness_end_agent(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	departed_end_session(&registry->departed, backend, now_us);
	backend->source = BACKEND_STATIC;
	agent_status_clear(&backend->status);
	entry->hold = 0;
	entry->held = false;
	entry->full_of = 0;
	entry->room_us = REGISTRY_NEVER_US;
	backend->session_id = 0;
	backend->challenge_us = 0;
	backend->heartbeats_missed = 0;
	backend->reachable = false;
	backend->restored = false;
	if (backend->kept)
		registry->fail_open.n_kept--;
	backend->kept = false;
	registry->fail_open.due = true;
	entry->silent = false;
	entry->fell_silent_us = REGISTRY_NEVER_US;
	entry->was_up = false;
	entry->need = 0;
	entry->neigh_missed = 0;
	entry->neigh_next_us = now_us;
	entries_mark_changed(&registry->entries, true);
}

void liveness_become_static(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct entry_service *services;
	size_t n_services;

	liveness_end_agent(registry, entry, now_us);
	if (membership_find(
		    &registry->membership, &registry->config, entry, &services, &n_services) == 0)
		liveness_take_services(registry, entry, services, n_services, now_us);
	health_judge(registry, entry, now_us);
}

void liveness_neighbour(
	struct registry *registry, struct entry *entry, const struct mac *mac, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	if (!mac_is_zero(mac)) {
		entry->host_asked_us = REGISTRY_NEVER_US;
		entry->is_gone = false;
		if (backend->source == BACKEND_STATIC)
			entry->answered_us = now_us;
	}
	/* Anybody can forge an ARP reply: where an agent is, its REGISTER alone says. */
	if (backend->source == BACKEND_AGENT && !has_lost_its_agent(registry, entry))
		return;
	if (backend->source == BACKEND_AGENT && !mac_is_zero(mac))
		liveness_become_static(registry, entry, now_us);
	if (mac_is_zero(mac)) {
		/* The time until `fall` counts from here, whenever the last probe went out. */
		if (entry->neigh_missed == 0)
			entry->neigh_missed = 1;
	} else {
		entry->neigh_missed = 0;
		backend->reachable = true;
		if (entry->silent) {
			entry->silent = false;
			entry->fell_silent_us = REGISTRY_NEVER_US;
		}
		if (!mac_equal(mac, &backend->mac) && mac_is_zero(&entry->given_mac))
			entries_set_mac(&registry->entries, entry, mac, backend->takes_flows);
	}
	health_judge(registry, entry, now_us);
}

static void check_settle(struct registry_check *check, bool ok, const char *reason, uint64_t now_us)
{
	uint32_t wanted = check->ok ? check->fall : check->rise;
	bool was_ok = check->known && check->ok, was_known = check->known;

	if (check->known && ok == check->ok) {
		check->streak = 0;
	} else if (!check->known || ++check->streak >= wanted) {
		check->known = true;
		check->ok = ok;
		check->streak = 0;
	}
	if (!was_known || was_ok != check->ok)
		check->since_us = now_us;
	if (!ok)
		snprintf(check->reason, sizeof(check->reason), "%s", reason ? reason : "");
	else if (check->ok)
		check->reason[0] = '\0';
}

void liveness_check_result(struct registry *registry, struct entry *entry,
	const struct registry_check_result *result, uint64_t now_us)
{
	for (size_t i = 0; i < entry->backend.n_checks; i++) {
		struct registry_check *check = &entry->backend.checks[i];

		if (check->port != result->port || !check->running)
			continue;
		check->running = false;
		check->next_us = MAX(now_us, entry->check_started_us[i] + check->interval_us);
		if (result->outcome == REGISTRY_CHECK_NOT_MADE)
			return;
		check_settle(check, result->outcome == REGISTRY_CHECK_OK, result->reason, now_us);
		health_judge(registry, entry, now_us);
		return;
	}
}

bool liveness_path_result(struct registry *registry, struct entry *entry,
	const struct registry_path_result *result, uint64_t now_us)
{
	if (!path_settle(registry, entry, result, now_us))
		return false;
	health_judge(registry, entry, now_us);
	return true;
}

static struct registry_check *find_check(struct registry_check *checks, size_t len, uint16_t port)
{
	for (size_t i = 0; i < len; i++)
		if (checks[i].port == port)
			return &checks[i];
	return NULL;
}

/* Virtual servers that check the same port share one check, by the strictest of their words. */
static void merge_check(struct registry_check *check, const struct registry_service *service)
{
	check->interval_us = MIN(check->interval_us, service->check_interval_us);
	check->timeout_us = MIN(check->timeout_us, service->check_timeout_us);
	check->fall = MIN(check->fall, service->check_fall);
	check->rise = MAX(check->rise, service->check_rise);
}

static void take_checks(const struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct registry_check checks[REGISTRY_CHECKS_MAX] = { 0 };
	struct backend *backend = &entry->backend;
	uint64_t started_us[REGISTRY_CHECKS_MAX] = { 0 };
	size_t len = 0;

	entry->checks_overflow = false;
	for (size_t i = 0; i < entry->n_services; i++) {
		const struct registry_service *service =
			&registry->config.services[entry->services[i].idx];

		for (size_t k = 0; k < service->n_tcp_ports; k++) {
			struct registry_check *check =
				find_check(checks, len, service->tcp_ports[k]);

			if (!check && len == REGISTRY_CHECKS_MAX) {
				entry->checks_overflow = true;
				continue;
			}
			if (!check) {
				check = &checks[len++];
				*check = (struct registry_check){ .port = service->tcp_ports[k],
					.interval_us = UINT64_MAX,
					.timeout_us = UINT64_MAX,
					.fall = UINT32_MAX,
					.next_us = now_us,
					.since_us = now_us };
			}
			merge_check(check, service);
		}
	}
	for (size_t i = 0; i < len; i++) {
		const struct registry_check *old =
			find_check(backend->checks, backend->n_checks, checks[i].port);

		if (!old)
			continue;
		started_us[i] = entry->check_started_us[old - backend->checks];
		checks[i].known = old->known;
		checks[i].ok = old->ok;
		checks[i].streak = old->streak;
		checks[i].since_us = old->since_us;
		checks[i].running = old->running;
		checks[i].next_us = MIN(old->next_us, now_us + checks[i].interval_us);
		memcpy(checks[i].reason, old->reason, sizeof(old->reason));
	}
	memcpy(backend->checks, checks, sizeof(checks));
	memcpy(entry->check_started_us, started_us, sizeof(started_us));
	backend->n_checks = len;
	entry->wants_checks = 0;
}

void liveness_take_services(struct registry *registry, struct entry *entry,
	struct entry_service *services, size_t n_services, uint64_t now_us)
{
	path_carry(registry, entry, services, n_services, now_us);
	free(entry->services);
	entry->services = services;
	entry->n_services = n_services;
	membership_mark_served(entry);
	membership_ask(&registry->config, entry);
	take_checks(registry, entry, now_us);
	for (size_t i = 0; i < n_services; i++)
		if (registry->config.services[services[i].idx].is_minimum_percent)
			entries_mark_changed(&registry->entries, false);
	registry->entries.n_changes++;
}

/* Without an end a host that cannot send at all would never notice that its backends are gone. */
void liveness_not_sent(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	uint64_t until_us =
		entry->alive_us + NOT_SENT_WINDOWS * detection_window_us(&registry->config, entry);

	if (entry->silent || entry->unanswered == 0 || now_us > until_us)
		return;
	entry->unanswered--;
	entry->awaiting = false;
}

/* What was known of it says nothing of what it will be when the interface is back. */
bool liveness_cut(
	struct registry *registry, struct entry *entry, const char *reason, uint64_t now_us)
{
	if (streq(entry->cut, reason))
		return false;
	snprintf(entry->cut, sizeof(entry->cut), "%s", reason);
	entry->need = MAX(entry->need, registry->config.rise);
	entry->backend.streak = 0;
	entry->backend.reachable = false;
	entry->neigh_next_us = now_us;
	health_judge(registry, entry, now_us);
	return true;
}

void liveness_stalled(struct entry *entry, uint64_t stalled_us)
{
	struct backend *backend = &entry->backend;

	entry->alive_us += stalled_us;
	entry->asked_us += stalled_us;
	entry->drain_started_us += stalled_us;
	backend->sent_us += stalled_us;
	if (entry->fell_silent_us != REGISTRY_NEVER_US)
		entry->fell_silent_us += stalled_us;
	if (entry->host_asked_us != REGISTRY_NEVER_US)
		entry->host_asked_us += stalled_us;
	/* A neighbour that failed meanwhile is asked again before it is judged. */
	if (entry->neigh_missed > 0)
		entry->neigh_next_us += stalled_us;
	for (size_t i = 0; i < backend->n_checks; i++)
		entry->check_started_us[i] += stalled_us;
}

/* When a kept agent's host is to be called gone; REGISTRY_NEVER_US: not before it is asked. */
static uint64_t gone_at_us(const struct registry *registry, const struct entry *entry)
{
	if (!is_asked_while_kept(registry, entry) || entry->is_gone ||
		entry->host_asked_us == REGISTRY_NEVER_US)
		return REGISTRY_NEVER_US;
	return entry->host_asked_us + detection_host_answer_us(&registry->config);
}

static bool is_probed(const struct registry *registry, const struct entry *entry)
{
	if (entry->backend.source == BACKEND_AGENT)
		return has_lost_its_agent(registry, entry) || is_asked_while_kept(registry, entry);
	/* Unchecked it may still get another network card. */
	return !entry->no_check || mac_is_zero(&entry->given_mac);
}

uint64_t liveness_due_us(const struct registry *registry, const struct entry *entry)
{
	const struct backend *backend = &entry->backend;
	uint64_t due_us = entry->fade_us;

	if (!registry->configured)
		return REGISTRY_NEVER_US;
	if (backend->source == BACKEND_AGENT) {
		due_us = MIN(due_us, backend->next_heartbeat_us);
		due_us = MIN(due_us, entry->repeat_us);
		if (!entry->silent)
			due_us = MIN(due_us, detection_silent_at_us(&registry->config, entry));
	}
	if (is_probed(registry, entry))
		due_us = MIN(due_us, entry->neigh_next_us);
	due_us = MIN(due_us, gone_at_us(registry, entry));
	if (backend->state == BACKEND_DRAIN && backend->takes_flows)
		due_us = MIN(due_us, health_drain_end_us(registry, entry));
	due_us = MIN(due_us, entry->ramp_next_us);
	due_us = MIN(due_us, entry->room_us);
	due_us = MIN(due_us, entry->ports_due_us);
	for (size_t i = 0; i < backend->n_checks; i++)
		due_us = MIN(due_us, backend->checks[i].next_us);
	return due_us;
}

/* The same heartbeat once more: one that is missed is missed once, however often it was sent. */
static void run_repeat(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	if (now_us < entry->repeat_us)
		return;
	entry->repeat_us = now_us + registry->config.interval_us / DETECTION_REPEATS;
	entry->wants_heartbeat = true;
	entries_mark_dirty(&registry->entries, entry);
}

static void run_heartbeat(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	if (!entry->silent && detection_silent_at_us(&registry->config, entry) <= now_us) {
		entry->silent = true;
		entry->is_gone = false;
		entry->host_asked_us = REGISTRY_NEVER_US;
		entry->neigh_missed = 0;
		entry->neigh_next_us = now_us;
		if (entry->awaiting)
			backend->heartbeats_missed++;
		entry->awaiting = false;
		entry->repeat_us = REGISTRY_NEVER_US;
		backend->streak = 0;
		health_judge(registry, entry, now_us);
	}
	if (now_us + detection_slack_us(&registry->config) < backend->next_heartbeat_us) {
		run_repeat(registry, entry, now_us);
		return;
	}
	if (entry->awaiting)
		backend->heartbeats_missed++;
	entry->awaiting = true;
	if (entry->unanswered++ == 0)
		entry->asked_us = now_us;
	backend->sent_us = now_us;
	backend->next_heartbeat_us = now_us + heartbeat_gap_us(registry, entry);
	entry->repeat_us = entry->unanswered > 1 && !entry->silent
		? now_us + registry->config.interval_us / DETECTION_REPEATS
		: REGISTRY_NEVER_US;
	entry->wants_heartbeat = true;
	entries_mark_dirty(&registry->entries, entry);
}

static void run_probe(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	uint64_t interval_us;
	uint32_t fall;

	if (!is_probed(registry, entry) || now_us < entry->neigh_next_us)
		return;
	detection_probing(&registry->config, entry, &interval_us, &fall);
	/* Silence of the kernel is no news, its refusal is: only then probes count as missed. */
	if (entry->neigh_missed > 0 && entry->neigh_missed < UINT32_MAX)
		entry->neigh_missed++;
	entry->neigh_next_us = now_us + interval_us;
	entry->wants_probe = true;
	entries_mark_dirty(&registry->entries, entry);
	if (is_asked_while_kept(registry, entry) && !entry->is_gone)
		entry->host_asked_us = MIN(entry->host_asked_us, now_us);
	if (entry->neigh_missed < fall)
		return;
	if (has_lost_its_agent(registry, entry))
		liveness_become_static(registry, entry, now_us);
	if (entry->backend.source == BACKEND_STATIC && !entry->silent && !entry->no_check) {
		entry->silent = true;
		entry->backend.reachable = false;
		health_judge(registry, entry, now_us);
	}
}

static void run_checks(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	for (size_t i = 0; i < entry->backend.n_checks; i++) {
		struct registry_check *check = &entry->backend.checks[i];

		uint64_t lost_us = entry->check_started_us[i] + check->timeout_us + CHECK_GRACE_US;

		if (now_us < check->next_us)
			continue;
		/* A slow result is waited for; one that never comes does not end the check. */
		if (check->running && now_us < lost_us) {
			check->next_us = lost_us;
			continue;
		}
		entry->check_started_us[i] = now_us;
		check->running = true;
		check->next_us = now_us + check->interval_us;
		entry->wants_checks |= (uint8_t)(1u << i);
		entries_mark_dirty(&registry->entries, entry);
	}
}

/* True: it had none, and has had some for long enough. */
static bool has_room_again(struct entry *entry, uint64_t now_us)
{
	if (now_us < entry->room_us)
		return false;
	end_fullness(entry, now_us);
	return true;
}

void liveness_run(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	if (backend->source == BACKEND_AGENT)
		run_heartbeat(registry, entry, now_us);
	if (gone_at_us(registry, entry) <= now_us) {
		entry->is_gone = true;
		registry->fail_open.due = true;
	}
	run_probe(registry, entry, now_us);
	run_checks(registry, entry, now_us);
	if (entry->fade_us <= now_us) {
		/* Only time that it was up is forgiven. */
		if (backend->state != BACKEND_DOWN && backend->flaps > 0)
			backend->flaps--;
		if (backend->flaps == 0)
			entry->hold = 0;
		entry->fade_us =
			backend->flaps ? now_us + REGISTRY_FLAP_FADE_US : REGISTRY_NEVER_US;
	}
	if (has_room_again(entry, now_us) || entry->ramp_next_us <= now_us ||
		entry->ports_due_us <= now_us ||
		(backend->state == BACKEND_DRAIN && backend->takes_flows &&
			health_drain_end_us(registry, entry) <= now_us))
		health_judge(registry, entry, now_us);
}
