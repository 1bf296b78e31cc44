/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sessions themselves, found by session id, by backend and by address. A fixed number of
 * slots; the low bits of a session id are its slot. Knows no message. Pure.
 */
#pragma once

#include "lb/session/session_entry.h"

#define SESSION_SLOTS        (SESSION_LEN_MAX + 1) /* one spare: a new one before the old goes */
#define SESSION_SLOT_BITS    13u
#define SESSION_ADDRESS_SETS 8192u

struct session_table {
	uint8_t key[SESSION_LIMIT_KEY_BYTES];
	uint64_t n_changes; /* sessions that were added or ended */
	struct session_entry entries[SESSION_SLOTS];
	uint16_t by_backend[UINT16_MAX + 1]; /* slot + 1; 0: none */
	uint16_t by_address[SESSION_ADDRESS_SETS];
};

/* Makes a session id of a free slot and `random`; 0: no slot is free. */
uint64_t session_table_new_id(const struct session_table *table, uint64_t random);
/*
 * Takes the slot that the session id names, for a backend that has no session. The caller
 * fills the rest of `kept`. NULL: not a free slot, or the backend has one already.
 */
struct session_entry *session_table_add(struct session_table *table, uint64_t session_id,
	uint16_t backend, const struct session_path *path);
/* Ends a session: its keys are of use for a repeated LEAVE alone from now on. */
void session_table_end(struct session_table *table, struct session_entry *entry, uint64_t now_us);

/* Forgets a session that a newer one of the same backend replaces. */
void session_table_drop(struct session_table *table, struct session_entry *entry);

/* NULL: absent. By id, ended ones too; by backend, live ones only; by address, whichever. */
struct session_entry *session_table_by_id(struct session_table *table, uint64_t session_id);
struct session_entry *session_table_by_backend(struct session_table *table, uint16_t backend);
struct session_entry *session_table_by_address(
	struct session_table *table, const struct addr *addr);
