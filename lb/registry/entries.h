/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries that there are: by slot, id, name and address; and what their changes ask of whoever
 * runs the registry. Knows no state and no time but to pass it on.
 */
#pragma once

#include "lb/registry/entry.h"

/* A new entry that nothing is known of. NULL: out of memory. */
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
/* Gives it an address that nobody has, and has it told (MOVED). */
void entries_move(struct entries *entries, struct entry *entry, const struct addr *address);
/* Gives it another MAC; tables that have it are to be published. */
void entries_set_mac(
	struct entries *entries, struct entry *entry, const struct mac *mac, bool urgent);
/*
 * Finds out who shares a MAC with whom (`twin`), of one address family: a host may well have an IPv4 and an IPv6
 * backend. Calls `fn` for each entry that has another twin than before. -ENOMEM: not known this time.
 */
int entries_find_twins(
	struct entries *entries, void (*fn)(struct entry *entry, void *context), void *context);
/* The entry has an action to be taken. */
void entries_mark_dirty(struct entries *entries, struct entry *entry);
/* Tables or MAC addresses differ; urgent: they are to be published at once. */
void entries_mark_changed(struct entries *entries, bool urgent);
