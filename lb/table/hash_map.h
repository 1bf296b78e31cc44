/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small hash index from a key of two words to a value, for the control plane: tables by fingerprint,
 * services by name, void records by service and backend. Open addressing, at most half full. Its
 * keys come from configuration and authenticated backends, so outsiders cannot grow it.
 */
#pragma once

#include "common/util.h"

struct index_entry {
	uint64_t key[2];
	uint32_t value;
	bool used;
};

/* All zeros is an empty index. */
struct index {
	struct index_entry *entries;
	size_t n_used;
	size_t n_entries; /* a power of two, or 0 */
};

void index_clear(struct index *index);
/* The value of the key in `*ret_value`, or false. */
bool index_get(const struct index *index, const uint64_t key[2], uint32_t *ret_value);
/* Sets or replaces. -ENOMEM. */
int index_put(struct index *index, const uint64_t key[2], uint32_t value);
