/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signs of life and their absence: heartbeats of agents, neighbour answers of statics, tcp checks
 * of both, and every deadline. Records what is known and has it judged.
 */
#pragma once

#include "lb/registry/entry.h"

/* An authenticated word: silence begins anew. */
void liveness_heard(struct registry *registry, struct entry *entry, uint64_t now_us);
/*
 * What an agent says of itself, in a report or a REGISTER: worse words are in force at once, better ones
 * too, unless it flapped. `vips`: a REGISTER's, which are others than before; it takes them.
 */
void liveness_take_words(struct registry *registry, struct entry *entry,
	const struct proto_status *said, struct backend_vip *vips, uint64_t now_us);
/* An ANSWER or UPDATE (registry_report). */
void liveness_report(struct registry *registry, struct entry *entry,
	const struct proto_status *status, uint32_t rtt_us, uint64_t now_us);
/* What the kernel's neighbour table says (registry_neighbour). */
void liveness_neighbour(
	struct registry *registry, struct entry *entry, const struct mac *mac, uint64_t now_us);
/* The end of a check (registry_check_result). */
void liveness_check_result(struct registry *registry, struct entry *entry,
	const struct registry_check_result *result, uint64_t now_us);
/* The end of a path probe (registry_path_result); true: it changed something. */
bool liveness_path_result(struct registry *registry, struct entry *entry,
	const struct registry_path_result *result, uint64_t now_us);
/*
 * Takes the services that the entry is a member of, which are its own from here on, and their checks;
 * results of the same ports stay.
 */
void liveness_take_services(struct registry *registry, struct entry *entry,
	struct entry_service *services, size_t n_services, uint64_t now_us);
/* Its agent's session ends, and with it all that the agent said: a static that nothing is known of. */
void liveness_end_agent(struct registry *registry, struct entry *entry, uint64_t now_us);
/* The same, with the services of a static, and judged. */
void liveness_become_static(struct registry *registry, struct entry *entry, uint64_t now_us);
/* The heartbeat that was asked for was not sent, for a want of this host's own (registry_not_sent). */
void liveness_not_sent(struct registry *registry, struct entry *entry, uint64_t now_us);
/* Why nothing is sent to it, or "" (registry_cut); judged. False: that is known. */
bool liveness_cut(
	struct registry *registry, struct entry *entry, const char *reason, uint64_t now_us);
/* Nobody was listening for so long. */
void liveness_stalled(struct entry *entry, uint64_t stalled_us);
/* Does what is due. */
void liveness_run(struct registry *registry, struct entry *entry, uint64_t now_us);
/* When the next thing is due. */
uint64_t liveness_due_us(const struct registry *registry, const struct entry *entry);
