/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See hash_map.h: linear probing from a multiplicative hash, doubled when half full. */
#include "common/hash_map.h"

#define HASH_MAP_ENTRIES_MIN 16u

void hash_map_clear(struct hash_map *map)
{
	free(map->entries);
	*map = (struct hash_map){ 0 };
}

/* The finish of MurmurHash3: each bit of the number changes about half of the others. */
static uint64_t hash_map_mix(uint64_t number)
{
	number = (number ^ number >> 33) * UINT64_C(0xff51afd7ed558ccd);
	number = (number ^ number >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return number ^ number >> 33;
}

/* The key's entry, or the free one where it would be. The map has entries and is never full. */
static struct hash_map_entry *hash_map_find(const struct hash_map *map, const uint64_t key[2])
{
	size_t mask = map->n_entries - 1;
	size_t at = hash_map_mix(hash_map_mix(key[0]) ^ key[1]) & mask;

	while (map->entries[at].used &&
		(map->entries[at].key[0] != key[0] || map->entries[at].key[1] != key[1]))
		at = (at + 1) & mask;
	return &map->entries[at];
}

bool hash_map_get(const struct hash_map *map, const uint64_t key[2], uint32_t *ret_value)
{
	const struct hash_map_entry *entry;

	if (!map->n_entries)
		return false;
	entry = hash_map_find(map, key);
	if (!entry->used)
		return false;
	*ret_value = entry->value;
	return true;
}

int hash_map_reserve(struct hash_map *map, size_t n_more)
{
	struct hash_map grown = {
		.n_entries = map->n_entries ? map->n_entries : HASH_MAP_ENTRIES_MIN,
		.n_used = map->n_used,
	};

	while (2 * (map->n_used + n_more) > grown.n_entries)
		grown.n_entries *= 2;
	if (grown.n_entries == map->n_entries)
		return 0;
	grown.entries = calloc(grown.n_entries, sizeof(*grown.entries));
	if (!grown.entries)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_entries; i++)
		if (map->entries[i].used)
			*hash_map_find(&grown, map->entries[i].key) = map->entries[i];
	free(map->entries);
	*map = grown;
	return 0;
}

int hash_map_put(struct hash_map *map, const uint64_t key[2], uint32_t value)
{
	struct hash_map_entry *entry;
	int r = hash_map_reserve(map, 1);

	if (r < 0)
		return r;
	entry = hash_map_find(map, key);
	if (!entry->used) {
		*entry = (struct hash_map_entry){ .key = { key[0], key[1] }, .used = true };
		map->n_used++;
	}
	entry->value = value;
	return 0;
}
