/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results of path probes and of requests, for each service of a backend: whether it is proven that clients' packets
 * arrive there and are answered, and what the silence of a path means. A service without a path check needs no proof.
 */
#pragma once

#include "common/why.h"
#include "lb/registry/entry.h"

/* What the path results of a backend say of it. */
enum path_judgement {
	PATH_GOOD,
	PATH_UNPROVEN,
	PATH_BAD,
};

/*
 * `services` are to be the entry's: those of the same ids go on with their results, one that was served without a check
 * is taken as proven, and so is what a restart restored. Before they take the place of entry->services. What is to be
 * probed is asked for anew (REGISTRY_PATHS).
 */
void path_carry(struct registry *registry, struct entry *entry, struct entry_service *services,
	size_t n_services, uint64_t now_us);
/* A result; true: it changes what the entry is. */
bool path_settle(struct registry *registry, struct entry *entry,
	const struct registry_path_result *result, uint64_t now_us);
/* Clients' SYNs came to nothing (n_syns 0: no more); true: it changes what the entry is. */
bool path_lose(struct registry *registry, struct entry *entry, const struct registry_loss *loss,
	uint64_t now_us);
/* Some VIPs of the agent's are there again (`gained`): what failed while they were not is forgotten. */
void path_forgive(const struct registry *registry, struct entry *entry, uint64_t now_us);
/*
 * The offences in words. A service that was added to a backend that served already gets no clients before it is proven,
 * and keeps the backend from nothing else: that is said with PATH_GOOD. Services whose VIP is not usable are not judged.
 */
enum path_judgement path_judge(
	const struct registry *registry, const struct entry *entry, struct why *ret_why);
/* The service may get clients as far as its path says. */
bool path_is_proven(const struct entry_service *member);
/* Everything that is probed was silent last, in one or in all of as many probes as make it a failure. */
bool path_is_suspect(const struct registry *registry, const struct entry *entry);
bool path_is_silent(const struct registry *registry, const struct entry *entry);
/* A failure that was answered: the host is there, and does not serve. */
bool path_is_refused(const struct registry *registry, const struct entry *entry);
/* What is known of one of its paths, in words; "" when it is proven. */
void path_words(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, size_t check, struct why *ret_why);
/* The same to be shown; false: it is not made, or `member` is NULL. */
bool path_view(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, size_t check, struct registry_check_view *ret_view);
