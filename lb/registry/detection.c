/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See detection.h. */
#include "lb/registry/detection.h"

#include "lb/registry/entry.h"

/* Statics that are in no virtual server yet are probed this often. */
#define PROBE_INTERVAL_US (2 * US_PER_S)
#define PROBE_FALL        3u
/* Agents that are silent are still asked, but not more often than this. */
#define SILENT_INTERVAL_US US_PER_S
/* An answer takes milliseconds on a link, but the kernel asks again after a second only. */
#define HOST_ANSWER_MIN_US (500 * US_PER_MS)
#define HOST_ANSWER_MAX_US (3 * US_PER_S)
/* Heartbeats go out together within this share of an interval: 6 ms at the default. */
#define SLACK_SHARE 50u

uint64_t detection_slack_us(const struct registry_config *config)
{
	return config->interval_us / SLACK_SHARE;
}

uint64_t detection_silence_us(const struct registry_config *config)
{
	return config->fall * config->interval_us - config->interval_us / 6;
}

/* fall × latest share must leave a tenth of an interval for the last answer. */
uint64_t detection_gap_us(
	const struct registry_config *config, const struct entry *entry, uint64_t random)
{
	uint64_t latest_percent = MIN(90u, 100u - 27u / config->fall);
	uint64_t percent = latest_percent - random % 16;
	uint64_t gap_us = config->interval_us * percent / 100;

	return entry->silent && !entry->backend.kept
		? MAX(gap_us, SILENT_INTERVAL_US * percent / 100)
		: gap_us;
}

/* Jitter makes gaps of 75–90 % of an interval. */
uint64_t detection_answers_us(const struct registry_config *config, uint32_t answers)
{
	return answers * config->interval_us * 5 / 6;
}

void detection_probing(const struct registry_config *config, const struct entry *entry,
	uint64_t *ret_interval_us, uint32_t *ret_fall)
{
	uint64_t interval_us = entry->n_services ? UINT64_MAX : PROBE_INTERVAL_US;
	uint32_t fall = entry->n_services ? UINT32_MAX : PROBE_FALL;

	for (size_t i = 0; i < entry->n_services; i++) {
		const struct registry_service *service = &config->services[entry->services[i].idx];

		interval_us = MIN(interval_us, service->check_interval_us);
		fall = MIN(fall, service->check_fall);
	}
	*ret_interval_us = interval_us;
	*ret_fall = fall;
}

uint64_t detection_window_us(const struct registry_config *config, const struct entry *entry)
{
	uint64_t interval_us;
	uint32_t fall;

	if (entry->backend.source == BACKEND_AGENT)
		return config->fall * config->interval_us;
	detection_probing(config, entry, &interval_us, &fall);
	return fall * interval_us;
}

uint64_t detection_host_answer_us(const struct registry_config *config)
{
	return MIN(MAX(2 * config->interval_us, HOST_ANSWER_MIN_US), HOST_ANSWER_MAX_US);
}

bool detection_is_suspect(
	const struct registry_config *config, const struct entry *entry, uint64_t now_us)
{
	uint64_t quiet_us;

	if (entry->backend.source == BACKEND_STATIC)
		return entry->neigh_missed > 0 && !entry->no_check;
	quiet_us = MAX(detection_silence_us(config), 2 * config->interval_us) - config->interval_us;
	return entry->unanswered > 0 && now_us > entry->alive_us + quiet_us;
}

bool detection_is_overdue(
	const struct registry_config *config, const struct entry *entry, uint64_t now_us)
{
	return entry->unanswered > 0 && now_us >= entry->asked_us + config->interval_us / 4;
}

bool detection_is_doubtful(
	const struct registry_config *config, const struct entry *entry, uint64_t now_us)
{
	return entry->unanswered > 0 && now_us >= entry->asked_us + config->interval_us;
}

/*
 * Heartbeats that were not sent cannot have gone unanswered: a balancer that was late sends them
 * first, and leaves time for the last answer.
 */
uint64_t detection_silent_at_us(const struct registry_config *config, const struct entry *entry)
{
	uint64_t at_us;

	if (entry->unanswered < config->fall)
		return REGISTRY_NEVER_US;
	at_us = MAX(entry->alive_us + detection_silence_us(config),
		entry->backend.sent_us + config->interval_us / 15);
	/* It has probably moved, and its next word settles that. */
	if (entry->contested_us != REGISTRY_NEVER_US && entry->contested_us >= entry->alive_us)
		at_us = MAX(at_us, entry->contested_us + DETECTION_CONTEST_US);
	return at_us;
}
