/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index: linear probing from a multiplicative hash, doubled when half full. */
#include "lb/table/hash_map.h"

#include "lb/fwd/hash.h"

#define INDEX_ENTRIES_MIN 16u

void index_clear(struct index *index)
{
	free(index->entries);
	*index = (struct index){ 0 };
}

/* The key's entry, or the free one where it would be. The index has entries and is never full. */
static struct index_entry *index_find(const struct index *index, const uint64_t key[2])
{
	size_t mask = index->n_entries - 1;
	size_t at = hash_finish(hash_word(hash_word(0, key[0]), key[1]), 0) & mask;

	while (index->entries[at].used &&
		(index->entries[at].key[0] != key[0] || index->entries[at].key[1] != key[1]))
		at = (at + 1) & mask;
	return &index->entries[at];
}

bool index_get(const struct index *index, const uint64_t key[2], uint32_t *ret_value)
{
	const struct index_entry *entry;

	if (!index->n_entries)
		return false;
	entry = index_find(index, key);
	if (!entry->used)
		return false;
	*ret_value = entry->value;
	return true;
}

static int index_grow(struct index *index)
{
	struct index grown = {
		.n_entries = index->n_entries ? index->n_entries * 2 : INDEX_ENTRIES_MIN,
		.n_used = index->n_used,
	};

	grown.entries = calloc(grown.n_entries, sizeof(*grown.entries));
	if (!grown.entries)
		return -ENOMEM;
	for (size_t i = 0; i < index->n_entries; i++)
		if (index->entries[i].used)
			*index_find(&grown, index->entries[i].key) = index->entries[i];
	free(index->entries);
	*index = grown;
	return 0;
}

int index_put(struct index *index, const uint64_t key[2], uint32_t value)
{
	struct index_entry *entry;
	int r;

	if (2 * (index->n_used + 1) > index->n_entries) {
		r = index_grow(index);
		if (r < 0)
			return r;
	}
	entry = index_find(index, key);
	if (!entry->used) {
		*entry = (struct index_entry){ .key = { key[0], key[1] }, .used = true };
		index->n_used++;
	}
	entry->value = value;
	return 0;
}
