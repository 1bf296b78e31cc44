/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of silence: when heartbeats go out, when a backend is late, when it is silent. Pure.
 *
 * Detection follows BFD (RFC 5880 §6.8.4, §6.8.7): a heartbeat is sent at 75–90 % of the interval
 * by jitter; a backend is silent when nothing was heard for fall × interval less a sixth of an
 * interval. Then `fall` heartbeats went unanswered, and the new table is in force before fall ×
 * interval have passed. For a fall of 1 or 2 heartbeats go out a little earlier so that this holds.
 */
#pragma once

#include "lb/registry/entry.h"

/*
 * After a heartbeat that was not answered the backend is asked this often within an interval, where else it is
 * asked once: a link that loses one frame in five, each way, loses as good as never all that is said in `fall` intervals.
 */
#define DETECTION_REPEATS 3u
/* So long a backend that another place claims to be is not called silent: that place asks
 * again. */
#define DETECTION_CONTEST_US (1500 * US_PER_MS)

/* A heartbeat may go out so much before its time, together with others. */
uint64_t detection_slack_us(const struct registry_config *config);
/* How long nothing is heard of an agent that is silent. */
uint64_t detection_silence_us(const struct registry_config *config);
/* From one heartbeat to the next; `random` is any number. */
uint64_t detection_gap_us(
	const struct registry_config *config, const struct entry *entry, uint64_t random);
/* How often a neighbour is asked, and how many refusals make it silent. */
void detection_probing(const struct registry_config *config, const struct entry *entry,
	uint64_t *ret_interval_us, uint32_t *ret_fall);
/* About how long so many answers in a row take. */
uint64_t detection_answers_us(const struct registry_config *config, uint32_t answers);
/* Failures of one cause are found within this time of each other. */
uint64_t detection_window_us(const struct registry_config *config, const struct entry *entry);
/* A host whose agent is silent and that was asked by ARP or ND has this long to answer. */
uint64_t detection_host_answer_us(const struct registry_config *config);
/* Two heartbeats or more overdue, but not yet silent. */
bool detection_is_suspect(
	const struct registry_config *config, const struct entry *entry, uint64_t now_us);
/* A heartbeat is unanswered for longer than answers take on a link. */
bool detection_is_overdue(
	const struct registry_config *config, const struct entry *entry, uint64_t now_us);
/* A heartbeat is unanswered for an interval. */
bool detection_is_doubtful(
	const struct registry_config *config, const struct entry *entry, uint64_t now_us);
/* When the agent is to be called silent; REGISTRY_NEVER_US: not before a heartbeat goes out. */
uint64_t detection_silent_at_us(const struct registry_config *config, const struct entry *entry);
