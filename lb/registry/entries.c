/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See entries.h. Called by the other files of the registry. */
#include "lb/registry/entries.h"

#include "common/search.h"
#include "lb/registry/entry.h"

static int compare_name(const void *key, const void *element)
{
	const struct entry *const *entry = element;

	return strcmp(key, (*entry)->backend.name);
}

static int compare_address(const void *key, const void *element)
{
	const struct entry *const *entry = element;

	return addr_compare(key, &(*entry)->backend.address);
}

static bool index_position(const struct entries_index *index, search_compare_fn *compare,
	const void *key, size_t *ret_position)
{
	return search_find(
		key, index->items, index->len, sizeof(struct entry *), compare, ret_position);
}

static struct entry *index_find(
	const struct entries_index *index, search_compare_fn *compare, const void *key)
{
	size_t position;

	return index_position(index, compare, key, &position) ? index->items[position] : NULL;
}

static void index_add(struct entries_index *index, search_compare_fn *compare, const void *key,
	struct entry *entry)
{
	size_t position;

	(void)index_position(index, compare, key, &position);
	memmove(&index->items[position + 1], &index->items[position],
		(index->len - position) * sizeof(struct entry *));
	index->items[position] = entry;
	index->len++;
}

static void index_remove(struct entries_index *index, search_compare_fn *compare, const void *key)
{
	size_t position;

	if (!index_position(index, compare, key, &position))
		return;
	index->len--;
	memmove(&index->items[position], &index->items[position + 1],
		(index->len - position) * sizeof(struct entry *));
}

struct entry *entries_by_name(const struct entries *entries, const char *name)
{
	return index_find(&entries->by_name, compare_name, name);
}

struct entry *entries_by_address(const struct entries *entries, const struct addr *address)
{
	return index_find(&entries->by_address, compare_address, address);
}

struct entry *entries_find(const struct entries *entries, const char *name_or_address)
{
	struct entry *entry = entries_by_name(entries, name_or_address);
	struct addr address;

	if (!entry && addr_parse(name_or_address, &address) == 0)
		entry = entries_by_address(entries, &address);
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
	entry->backend.since_us = now_us;
	entry->fell_silent_us = REGISTRY_NEVER_US;
	entry->host_asked_us = REGISTRY_NEVER_US;
	entry->fade_us = REGISTRY_NEVER_US;
	entry->contested_us = REGISTRY_NEVER_US;
	entry->repeat_us = REGISTRY_NEVER_US;
	entry->room_us = REGISTRY_NEVER_US;
	entry->ports_due_us = REGISTRY_NEVER_US;
	return entry;
}

void entries_entry_free(struct entry *entry)
{
	if (!entry)
		return;
	weight_clear(&entry->backend.words);
	agent_status_clear(&entry->backend.status);
	free(entry->restored_paths);
	free(entry->services);
	free(entry->next_services);
	free(entry);
}

void entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->len; i++)
		entries_entry_free(entries->slots[i]);
	*entries = (struct entries){ 0 };
}

/* Ids rise and come back only after a wrap, so that records and rows of a gone one age first. */
static uint16_t free_id(struct entries *entries)
{
	do {
		entries->last_id++;
	} while (entries->last_id == 0 || entries->by_id[entries->last_id]);
	return entries->last_id;
}

void entries_add(struct entries *entries, struct entry *entry)
{
	if (entry->backend.id == 0)
		entry->backend.id = free_id(entries);
	else
		entries->last_id = MAX(entries->last_id, entry->backend.id);
	entry->slot = entries->len++;
	entries->slots[entry->slot] = entry;
	entries->due_us[entry->slot] = 0;
	entries->by_id[entry->backend.id] = entry;
	entries->macs_changed = true;
	index_add(&entries->by_name, compare_name, entry->backend.name, entry);
	index_add(&entries->by_address, compare_address, &entry->backend.address, entry);
}

static void dirty_remove(struct entries *entries, struct entry *entry)
{
	struct entry **link = &entries->dirty_first;
	struct entry *before = NULL;

	if (!entry->is_dirty)
		return;
	while (*link != entry) {
		before = *link;
		link = &before->next_dirty;
	}
	*link = entry->next_dirty;
	if (entries->dirty_last == entry)
		entries->dirty_last = before;
	entry->is_dirty = false;
}

/* A ring as large as the table: it overflows only if nobody takes actions, and then forgets. */
static void forgotten_add(struct entries *entries, const struct entry *entry)
{
	size_t position;

	if (entries->n_forgotten == REGISTRY_BACKENDS_MAX) {
		entries->forgotten_first = (entries->forgotten_first + 1) % REGISTRY_BACKENDS_MAX;
		entries->n_forgotten--;
	}
	position = (entries->forgotten_first + entries->n_forgotten++) % REGISTRY_BACKENDS_MAX;
	entries->forgotten[position].id = entry->backend.id;
	entries->forgotten[position].address = entry->backend.address;
	memcpy(entries->forgotten[position].name, entry->backend.name, sizeof(entry->backend.name));
}

void entries_forget(struct entries *entries, struct entry *entry)
{
	struct entry *last = entries->slots[entries->len - 1];

	entries_mark_changed(entries, entry->backend.takes_flows || entry->backend.takes_new);
	dirty_remove(entries, entry);
	forgotten_add(entries, entry);
	index_remove(&entries->by_name, compare_name, entry->backend.name);
	index_remove(&entries->by_address, compare_address, &entry->backend.address);
	entries->by_id[entry->backend.id] = NULL;
	entries->macs_changed |= entry->twin != 0;
	entries->slots[entry->slot] = last;
	entries->due_us[entry->slot] = entries->due_us[last->slot];
	last->slot = entry->slot;
	entries->len--;
	entries_entry_free(entry);
}

void entries_rename(struct entries *entries, struct entry *entry, const char *name)
{
	index_remove(&entries->by_name, compare_name, entry->backend.name);
	snprintf(entry->backend.name, sizeof(entry->backend.name), "%s", name);
	index_add(&entries->by_name, compare_name, entry->backend.name, entry);
}

void entries_move(struct entries *entries, struct entry *entry, const struct addr *address)
{
	index_remove(&entries->by_address, compare_address, &entry->backend.address);
	entry->moved_from = entry->backend.address;
	entry->backend.address = *address;
	entries->macs_changed = true;
	index_add(&entries->by_address, compare_address, address, entry);
	entries_mark_dirty(entries, entry);
}

void entries_set_mac(
	struct entries *entries, struct entry *entry, const struct mac *mac, bool urgent)
{
	entry->backend.mac = *mac;
	entry->leak[0] = '\0'; /* that was the other one */
	entries->macs_changed = true;
	entries_mark_changed(entries, urgent);
}

static int compare_macs(const void *a, const void *b)
{
	const struct backend *left = &(*(const struct entry *const *)a)->backend;
	const struct backend *right = &(*(const struct entry *const *)b)->backend;
	int order = memcmp(&left->mac, &right->mac, sizeof(left->mac));

	/* By family first, which addr_compare() does too. */
	return order ? order : addr_compare(&left->address, &right->address);
}

static bool are_twins(const struct entry *a, const struct entry *b)
{
	return a != b && mac_equal(&a->backend.mac, &b->backend.mac) &&
		!mac_is_zero(&a->backend.mac) &&
		a->backend.address.family == b->backend.address.family;
}

int entries_find_twins(
	struct entries *entries, void (*fn)(struct entry *entry, void *context), void *context)
{
	_cleanup_free_ struct entry **sorted = calloc(entries->len + 1, sizeof(struct entry *));
	size_t first = 0;

	if (!sorted)
		return -ENOMEM;
	entries->macs_changed = false;
	memcpy(sorted, entries->slots, entries->len * sizeof(struct entry *));
	if (entries->len > 0)
		qsort(sorted, entries->len, sizeof(struct entry *), compare_macs);
	for (size_t i = 0; i < entries->len; i++) {
		struct entry *entry = sorted[i];
		const struct entry *next;
		uint16_t twin;

		if (!are_twins(sorted[first], entry))
			first = i;
		/* The next one, and of the last one the first. */
		next = i + 1 < entries->len && are_twins(entry, sorted[i + 1]) ? sorted[i + 1]
									       : sorted[first];
		twin = next == entry ? 0 : next->backend.id;
		if (twin == entry->twin)
			continue;
		entry->twin = twin;
		fn(entry, context);
	}
	return 0;
}

void entries_mark_dirty(struct entries *entries, struct entry *entry)
{
	if (entry->is_dirty)
		return;
	entry->is_dirty = true;
	entry->next_dirty = NULL;
	if (entries->dirty_last && entries->dirty_first)
		entries->dirty_last->next_dirty = entry;
	else
		entries->dirty_first = entry;
	entries->dirty_last = entry;
}

void entries_mark_changed(struct entries *entries, bool urgent)
{
	entries->changed = true;
	entries->changed_urgent |= urgent;
	entries->n_changes++;
}
