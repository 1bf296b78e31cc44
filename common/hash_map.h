/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small hash map from a key of two words to a number: tables by fingerprint, services by name, void
 * records by service and backend. Open addressing, at most half full. Its
 * keys come from configuration and authenticated backends, so outsiders cannot grow it.
 */
#pragma once

#include "common/util.h"

struct hash_map_entry {
	uint64_t key[2];
	uint32_t value;
	bool used;
};

/* All zeros is an empty map. */
struct hash_map {
	struct hash_map_entry *entries;
	size_t n_used;
	size_t n_entries; /* a power of two, or 0 */
};

void hash_map_clear(struct hash_map *map);
/* The value of the key in `*ret_value`, or false. */
bool hash_map_get(const struct hash_map *map, const uint64_t key[2], uint32_t *ret_value);
/* Makes room for so many more keys: that many hash_map_put() cannot fail. -ENOMEM: nothing has changed. */
int hash_map_reserve(struct hash_map *map, size_t n_more);
/* Sets or replaces. -ENOMEM. */
int hash_map_put(struct hash_map *map, const uint64_t key[2], uint32_t value);
