/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries that there are: by slot, id, name and address; and what their changes ask of whoever
 * runs the registry. Knows no state and no time but to pass it on.
 */
#pragma once

#include "lb/registry/backend.h"

struct entry;

/* Sorted, for look-ups and for listing in order. */
struct entries_index {
	struct entry *items[REGISTRY_BACKENDS_MAX];
	size_t len;
};

/* One that is gone, until it has been told. */
struct entries_forgotten {
	uint16_t id;
	struct addr address;
	char name[REGISTRY_NAME_BYTES];
};

struct entries {
	struct entry *slots[REGISTRY_BACKENDS_MAX];
	uint64_t
		due_us[REGISTRY_BACKENDS_MAX]; /* beside slots: the scan of a tick stays in cache */
	size_t len;
	struct entries_index by_name;
	struct entries_index by_address;
	struct entry *by_id[UINT16_MAX + 1];
	uint16_t last_id;

	/* Those with actions that wait to be taken, in the order in which they came. */
	struct entry *dirty_first, *dirty_last;
	struct entries_forgotten forgotten[REGISTRY_BACKENDS_MAX]; /* a ring */
	size_t forgotten_first, n_forgotten;
	bool changed, changed_urgent;
};

/* A new entry of weight 1 that nothing is known of. NULL: out of memory. */
struct entry *entries_entry_new(
	const char *name, const struct addr *address, enum backend_source source, uint64_t now_us);
/* Of an entry that was never added; NULL is legal. */
void entries_entry_free(struct entry *entry);
/* Frees all of them. */
void entries_clear(struct entries *entries);

/* NULL: there is none. */
struct entry *entries_by_name(const struct entries *entries, const char *name);
struct entry *entries_by_address(const struct entries *entries, const struct addr *address);
struct entry *entries_find(const struct entries *entries, const char *name_or_address);

/*
 * Adds an entry that `entry` describes by backend.name and backend.address, which nobody has, and
 * by backend.id unless that is 0 (then the next free one). Takes ownership. The caller has made
 * sure of room (entries->len).
 */
void entries_add(struct entries *entries, struct entry *entry);
/* Takes it out, has it told (FORGOTTEN, CHANGED), and frees it. */
void entries_forget(struct entries *entries, struct entry *entry);
/* Gives it a name that nobody has. */
void entries_rename(struct entries *entries, struct entry *entry, const char *name);
/* The entry has an action to be taken. */
void entries_mark_dirty(struct entries *entries, struct entry *entry);
/* Tables or MAC addresses differ; urgent: they are to be published at once. */
void entries_mark_changed(struct entries *entries, bool urgent);
