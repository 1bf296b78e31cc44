/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sessions' slots and their three indexes. Called by session.c alone. */
#include "lb/session/session_table.h"

#include <sodium.h>

#define SLOT_MASK ((UINT64_C(1) << SESSION_SLOT_BITS) - 1)

_Static_assert(SESSION_SLOTS <= SLOT_MASK + 1, "a slot fits the low bits of a session id");
_Static_assert(SESSION_SLOTS < UINT16_MAX, "slot + 1 fits an index");

static size_t slot_of(const struct session_table *table, const struct session_entry *entry)
{
	return (size_t)(entry - table->entries);
}

/* Never used ones first; else the one that ended first, even before its time. */
static const struct session_entry *find_room(const struct session_table *table)
{
	const struct session_entry *oldest = NULL;

	ARRAY_FOREACH (entry, table->entries, SESSION_SLOTS) {
		if (!entry->used)
			return entry;
		if (entry->ended && (!oldest || entry->ended_us < oldest->ended_us))
			oldest = entry;
	}
	return oldest;
}

uint64_t session_table_new_id(const struct session_table *table, uint64_t random)
{
	const struct session_entry *room = find_room(table);
	uint64_t high = random & ~SLOT_MASK;

	if (!room)
		return 0;
	/* One in 2^51; the slot alone could be 0, and 0 is no session. */
	return (high ? high : SLOT_MASK + 1) | slot_of(table, room);
}

static uint16_t *address_head(struct session_table *table, const struct addr *addr)
{
	return &table->by_address[session_limit_hash(table->key, addr) % SESSION_ADDRESS_SETS];
}

static void unlink_address(struct session_table *table, struct session_entry *entry)
{
	uint16_t *link = address_head(table, &entry->kept.path.remote.addr);

	while (*link != slot_of(table, entry) + 1)
		link = &table->entries[*link - 1].next_of_address;
	*link = entry->next_of_address;
}

static void clear(struct session_table *table, struct session_entry *entry)
{
	if (entry->used)
		unlink_address(table, entry);
	sodium_memzero(entry, sizeof(*entry));
}

struct session_entry *session_table_add(struct session_table *table, uint64_t session_id,
	uint16_t backend, const struct session_path *path)
{
	size_t slot = session_id & SLOT_MASK;
	struct session_entry *entry;
	uint16_t *head;

	if (slot >= SESSION_SLOTS || session_id <= SLOT_MASK || table->by_backend[backend] != 0)
		return NULL;
	entry = &table->entries[slot];
	if (entry->used && !entry->ended)
		return NULL;
	clear(table, entry);
	entry->used = true;
	entry->kept.session_id = session_id;
	entry->kept.backend = backend;
	entry->kept.path = *path;
	head = address_head(table, &path->remote.addr);
	entry->next_of_address = *head;
	*head = (uint16_t)(slot + 1);
	table->by_backend[backend] = (uint16_t)(slot + 1);
	table->n_changes++;
	return entry;
}

void session_table_end(struct session_table *table, struct session_entry *entry, uint64_t now_us)
{
	if (entry->ended)
		return;
	table->by_backend[entry->kept.backend] = 0;
	table->n_changes++;
	entry->ended = true;
	entry->ended_us = now_us;
}

void session_table_drop(struct session_table *table, struct session_entry *entry)
{
	if (!entry->ended)
		session_table_end(table, entry, 0);
	clear(table, entry);
}

struct session_entry *session_table_by_id(struct session_table *table, uint64_t session_id)
{
	size_t slot = session_id & SLOT_MASK;
	struct session_entry *entry;

	if (slot >= SESSION_SLOTS)
		return NULL;
	entry = &table->entries[slot];
	return entry->used && entry->kept.session_id == session_id ? entry : NULL;
}

struct session_entry *session_table_by_backend(struct session_table *table, uint16_t backend)
{
	uint16_t link = table->by_backend[backend];

	return link ? &table->entries[link - 1] : NULL;
}

struct session_entry *session_table_by_address(struct session_table *table, const struct addr *addr)
{
	for (uint16_t link = *address_head(table, addr); link;
		link = table->entries[link - 1].next_of_address)
		if (addr_equal(&table->entries[link - 1].kept.path.remote.addr, addr))
			return &table->entries[link - 1];
	return NULL;
}
