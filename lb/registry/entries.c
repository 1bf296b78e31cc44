/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who there is: entries by slot, id, name and address.
 * Called by the other files of the registry; knows no state and no time but to pass it on.
 */
#include "lb/registry/registry_internal.h"

typedef int compare_fn(const struct entry *entry, const void *key);

static int compare_name(const struct entry *entry, const void *key)
{
	return strcmp(entry->backend.name, key);
}

static int compare_address(const struct entry *entry, const void *key)
{
	return addr_compare(&entry->backend.address, key);
}

/* Position of the key, or where it belongs. */
static size_t index_position(
	const struct entries_index *index, compare_fn *compare, const void *key, bool *ret_found)
{
	size_t low = 0, high = index->len;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(index->entries[middle], key);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *index_find(
	const struct entries_index *index, compare_fn *compare, const void *key)
{
	bool found;
	size_t position = index_position(index, compare, key, &found);

	return found ? index->entries[position] : NULL;
}

static void index_add(
	struct entries_index *index, compare_fn *compare, const void *key, struct entry *entry)
{
	bool found;
	size_t position = index_position(index, compare, key, &found);

	memmove(&index->entries[position + 1], &index->entries[position],
		(index->len - position) * sizeof(struct entry *));
	index->entries[position] = entry;
	index->len++;
}

static void index_remove(struct entries_index *index, compare_fn *compare, const void *key)
{
	bool found;
	size_t position = index_position(index, compare, key, &found);

	if (!found)
		return;
	index->len--;
	memmove(&index->entries[position], &index->entries[position + 1],
		(index->len - position) * sizeof(struct entry *));
}

struct entry *entries_by_name(const struct registry *registry, const char *name)
{
	return index_find(&registry->by_name, compare_name, name);
}

struct entry *entries_by_address(const struct registry *registry, const struct addr *address)
{
	return index_find(&registry->by_address, compare_address, address);
}

struct entry *entries_find(const struct registry *registry, const char *name_or_address)
{
	struct entry *entry = entries_by_name(registry, name_or_address);
	struct addr address;

	if (!entry && addr_parse(name_or_address, &address) == 0)
		entry = entries_by_address(registry, &address);
	return entry;
}

struct entry *entries_entry_new(
	const char *name, const struct addr *address, enum backend_source source, uint64_t now_us)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	snprintf(entry->backend.name, sizeof(entry->backend.name), "%s", name);
	entry->backend.address = *address;
	entry->backend.source = source;
	entry->backend.weight = 1;
	entry->backend.since_us = now_us;
	entry->fell_silent_us = REGISTRY_NEVER_US;
	entry->fade_us = REGISTRY_NEVER_US;
	return entry;
}

void entries_entry_free(struct entry *entry)
{
	if (!entry)
		return;
	free(entry->services);
	free(entry->next_services);
	free(entry);
}

/* Ids rise and come back only after a wrap, so that records and rows of a gone one age first. */
static uint16_t free_id(struct registry *registry)
{
	do {
		registry->last_id++;
	} while (registry->last_id == 0 || registry->by_id[registry->last_id]);
	return registry->last_id;
}

void entries_add(struct registry *registry, struct entry *entry)
{
	if (entry->backend.id == 0)
		entry->backend.id = free_id(registry);
	else
		registry->last_id = MAX(registry->last_id, entry->backend.id);
	entry->slot = registry->len++;
	registry->slots[entry->slot] = entry;
	registry->due_us[entry->slot] = 0;
	registry->by_id[entry->backend.id] = entry;
	index_add(&registry->by_name, compare_name, entry->backend.name, entry);
	index_add(&registry->by_address, compare_address, &entry->backend.address, entry);
}

static void dirty_remove(struct registry *registry, struct entry *entry)
{
	struct entry **link = &registry->dirty_first;
	struct entry *before = NULL;

	if (!entry->is_dirty)
		return;
	while (*link != entry) {
		before = *link;
		link = &before->next_dirty;
	}
	*link = entry->next_dirty;
	if (registry->dirty_last == entry)
		registry->dirty_last = before;
	entry->is_dirty = false;
}

/* A ring as large as the table: it overflows only if nobody takes actions, and then forgets. */
static void forgotten_add(struct registry *registry, const struct entry *entry)
{
	size_t position;

	if (registry->n_forgotten == REGISTRY_BACKENDS_MAX) {
		registry->forgotten_first = (registry->forgotten_first + 1) % REGISTRY_BACKENDS_MAX;
		registry->n_forgotten--;
	}
	position = (registry->forgotten_first + registry->n_forgotten++) % REGISTRY_BACKENDS_MAX;
	registry->forgotten[position].id = entry->backend.id;
	memcpy(registry->forgotten[position].name, entry->backend.name,
		sizeof(entry->backend.name));
}

void entries_forget(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct entry *last = registry->slots[registry->len - 1];

	departed_remember(registry, entry);
	if (entry->backend.source == BACKEND_AGENT)
		departed_end_session(registry, entry, now_us);
	entries_mark_changed(
		registry, entry->backend.takes_flows || entry->backend.effective_weight > 0);
	registry->fail_open_due = true;
	dirty_remove(registry, entry);
	forgotten_add(registry, entry);
	index_remove(&registry->by_name, compare_name, entry->backend.name);
	index_remove(&registry->by_address, compare_address, &entry->backend.address);
	registry->by_id[entry->backend.id] = NULL;
	registry->slots[entry->slot] = last;
	registry->due_us[entry->slot] = registry->due_us[last->slot];
	last->slot = entry->slot;
	registry->len--;
	if (entry->backend.kept)
		registry->n_kept--;
	entries_entry_free(entry);
}

void entries_rename(struct registry *registry, struct entry *entry, const char *name)
{
	index_remove(&registry->by_name, compare_name, entry->backend.name);
	snprintf(entry->backend.name, sizeof(entry->backend.name), "%s", name);
	index_add(&registry->by_name, compare_name, entry->backend.name, entry);
}

void entries_mark_dirty(struct registry *registry, struct entry *entry)
{
	if (entry->is_dirty)
		return;
	entry->is_dirty = true;
	entry->next_dirty = NULL;
	if (registry->dirty_last && registry->dirty_first)
		registry->dirty_last->next_dirty = entry;
	else
		registry->dirty_first = entry;
	registry->dirty_last = entry;
}

void entries_mark_changed(struct registry *registry, bool urgent)
{
	registry->changed = true;
	registry->changed_urgent |= urgent;
}
