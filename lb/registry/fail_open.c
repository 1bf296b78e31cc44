/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See fail_open.h. Called by registry.c at the end of every event that matters, and while backends are
 * kept.
 *
 * Silences of one moment are found one after the other, as far apart as heartbeats are. So
 * backends whose heartbeats are overdue are counted with the silent ones: the first to be found
 * is kept from the start, instead of leaving the table and coming back.
 */
#include "lb/registry/fail_open.h"

#include "lb/registry/detection.h"
#include "lb/registry/entry.h"
#include "lb/registry/health.h"
#include "lb/registry/path.h"

/* How often it is asked whether enough have come back. */
#define FAIL_OPEN_AGAIN_US (100 * US_PER_MS)

static bool fell_silent_now(
	const struct registry *registry, const struct entry *entry, uint64_t now_us)
{
	return !entry->cut[0] && health_is_silent(registry, entry) &&
		entry->fell_silent_us != REGISTRY_NEVER_US &&
		entry->backend.state == BACKEND_DOWN &&
		now_us <= entry->fell_silent_us + detection_window_us(&registry->config, entry);
}

/* Until when silences of today are news. */
static uint64_t news_until_us(const struct registry *registry)
{
	uint64_t until_us = 0;

	for (size_t i = 0; i < registry->entries.len; i++) {
		const struct entry *entry = registry->entries.slots[i];

		if (entry->fell_silent_us != REGISTRY_NEVER_US)
			until_us = MAX(until_us,
				entry->fell_silent_us +
					detection_window_us(&registry->config, entry));
	}
	return until_us;
}

/* Whose agent answers is on the link, whatever its path says. */
static bool is_overdue(const struct registry *registry, const struct entry *entry, uint64_t now_us)
{
	return detection_is_suspect(&registry->config, entry, now_us) ||
		(entry->backend.source == BACKEND_STATIC && path_is_suspect(registry, entry));
}

static void count(const struct registry *registry, struct fail_open_tally *tallies, uint64_t now_us)
{
	for (size_t i = 0; i < registry->entries.len; i++) {
		const struct entry *entry = registry->entries.slots[i];
		bool silent = entry->backend.kept || fell_silent_now(registry, entry, now_us);
		bool up = entry->backend.state == BACKEND_UP;
		bool overdue = up && is_overdue(registry, entry, now_us);

		if (!silent && !up)
			continue;
		for (size_t k = 0; k < entry->n_services; k++) {
			struct fail_open_tally *tally = &tallies[entry->services[k].idx];

			if (up && !health_serves(registry, entry, &entry->services[k]))
				continue;
			tally->silent += silent;
			tally->overdue += overdue;
			tally->left += up && !overdue;
		}
	}
}

static bool is_kept_somewhere(const struct registry *registry, const struct entry *entry)
{
	for (size_t i = 0; i < entry->n_services; i++)
		if (registry->fail_open.keeping[entry->services[i].idx].on)
			return true;
	return false;
}

/* A backend answers: then the balancer is not cut off from the link. */
static bool somebody_answers(const struct registry *registry, uint64_t now_us)
{
	for (size_t i = 0; i < registry->entries.len; i++) {
		const struct entry *entry = registry->entries.slots[i];

		if (entry->silent || is_overdue(registry, entry, now_us))
			continue;
		if (entry->backend.source == BACKEND_AGENT || entry->backend.reachable)
			return true;
	}
	return false;
}

/*
 * Whose path is silent is dead if anything has been heard on the link since it was asked last, by ARP or ND too;
 * whose path refuses is dead anyway. What still answers on its path is not, whatever else is silent.
 */
static bool is_dead(const struct registry *registry, const struct entry *entry, bool link_is_well,
	uint64_t answered_us)
{
	if (path_is_refused(registry, entry))
		return true;
	if (path_is_silent(registry, entry))
		return answered_us > entry->path_silent_us;
	return link_is_well && entry->is_gone;
}

/* When anybody was heard last. */
static uint64_t answered_us(const struct registry *registry)
{
	uint64_t last_us = 0;

	for (size_t i = 0; i < registry->entries.len; i++)
		last_us = MAX(last_us, registry->entries.slots[i]->answered_us);
	return last_us;
}

static void settle_entry(struct registry *registry, struct entry *entry, bool dead, uint64_t now_us)
{
	struct backend *backend = &entry->backend;
	bool candidate = backend->kept || fell_silent_now(registry, entry, now_us);
	bool keep = candidate && !dead && is_kept_somewhere(registry, entry);

	if (keep == backend->kept)
		return;
	backend->kept = keep;
	registry->fail_open.n_kept += keep ? 1 : (size_t)-1;
	/* Its host is asked now, and not when its next heartbeat is due. */
	if (keep)
		registry->entries.due_us[entry->slot] = now_us;
	/* Let go, it is down like any other, and its silence is no news any more. */
	if (!keep)
		entry->fell_silent_us = REGISTRY_NEVER_US;
	health_judge(registry, entry, now_us);
}

/*
 * Keeping begins when more than half are lost. It ends when more than half have answered for as
 * long as silence takes to be found: what comes back comes one after the other too.
 */
static void settle_service(struct registry *registry, size_t idx, uint64_t now_us)
{
	struct fail_open_keeping *keeping = &registry->fail_open.keeping[idx];
	const struct fail_open_tally *tally = &registry->fail_open.tallies[idx];
	uint32_t lost = tally->silent + tally->overdue;

	if (registry->config.services[idx].drop_on_all_down || tally->silent == 0) {
		keeping->on = false;
	} else if (!keeping->on) {
		keeping->on = lost > tally->left;
		keeping->majority_us = REGISTRY_NEVER_US;
	} else if (tally->left <= lost) {
		keeping->majority_us = REGISTRY_NEVER_US;
	} else {
		keeping->majority_us = MIN(keeping->majority_us, now_us);
		keeping->on =
			now_us - keeping->majority_us < detection_silence_us(&registry->config);
	}
}

void fail_open_judge(struct registry *registry, uint64_t now_us)
{
	struct fail_open_tally *tallies = registry->fail_open.tallies;
	uint64_t heard_us;
	bool link_is_well;

	if (!registry->configured)
		return;
	registry->fail_open.due = false;
	registry->fail_open.next_us = now_us + FAIL_OPEN_AGAIN_US;
	/* The common case, and every step of a mass start: nobody fell silent, nobody is kept. */
	if (registry->fail_open.n_kept == 0 && now_us > registry->fail_open.until_us) {
		memset(registry->fail_open.keeping, 0,
			registry->config.n_services * sizeof(*registry->fail_open.keeping));
		return;
	}
	memset(tallies, 0, registry->config.n_services * sizeof(*tallies));
	count(registry, tallies, now_us);
	for (size_t i = 0; i < registry->config.n_services; i++)
		settle_service(registry, i, now_us);
	link_is_well = somebody_answers(registry, now_us);
	heard_us = answered_us(registry);
	for (size_t i = 0; i < registry->entries.len; i++) {
		struct entry *entry = registry->entries.slots[i];

		settle_entry(
			registry, entry, is_dead(registry, entry, link_is_well, heard_us), now_us);
	}
	registry->fail_open.due = false;
	registry->fail_open.until_us = news_until_us(registry);
}

bool fail_open_is_due(const struct registry *registry, uint64_t now_us)
{
	return registry->fail_open.due || fail_open_due_us(registry) <= now_us;
}

uint64_t fail_open_due_us(const struct registry *registry)
{
	return registry->fail_open.n_kept > 0 ? registry->fail_open.next_us : REGISTRY_NEVER_US;
}

void fail_open_stalled(struct registry *registry, uint64_t stalled_us)
{
	uint64_t *until_us = &registry->fail_open.until_us;

	*until_us += MIN(stalled_us, REGISTRY_NEVER_US - *until_us);
	/* Time in which nobody could answer is no time in which a majority answered. */
	for (size_t i = 0; i < registry->config.n_services; i++) {
		struct fail_open_keeping *keeping = &registry->fail_open.keeping[i];

		if (keeping->on && keeping->majority_us != REGISTRY_NEVER_US)
			keeping->majority_us += stalled_us;
	}
}
