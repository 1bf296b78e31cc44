/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Token buckets, and the strangers' table. Called by session.c. */
#include "lb/session/session_limit.h"

#include <sodium.h>

_Static_assert(SESSION_LIMIT_KEY_BYTES == crypto_shorthash_KEYBYTES, "a key of SipHash");

bool session_limit_take(
	struct session_limit_bucket *bucket, uint32_t rate, uint32_t burst, uint64_t now_us)
{
	uint64_t token_us = US_PER_S / rate;
	uint64_t due_us = MAX(bucket->due_us, now_us);

	if (due_us - now_us > (burst - 1) * token_us)
		return false;
	bucket->due_us = due_us + token_us;
	return true;
}

uint64_t session_limit_hash(const uint8_t key[SESSION_LIMIT_KEY_BYTES], const struct addr *addr)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint8_t input[sizeof(addr->bytes) + 1];
	uint64_t value;

	memcpy(input, addr->bytes, sizeof(addr->bytes));
	input[sizeof(addr->bytes)] = (uint8_t)addr->family;
	crypto_shorthash(hash, input, sizeof(input), key);
	memcpy(&value, hash, sizeof(value));
	return value;
}

static bool is_full(const struct session_limit_source *source, uint64_t now_us)
{
	ARRAY_FOREACH (bucket, source->buckets, SESSION_LIMIT_KIND_N_)
		if (bucket->due_us > now_us)
			return false;
	return true;
}

bool session_limit_take_source(struct session_limit_table *table, const struct addr *source,
	enum session_limit_kind kind, uint32_t rate, uint32_t burst, uint64_t now_us)
{
	struct session_limit_source *set =
		table->sources[session_limit_hash(table->key, source) % SESSION_LIMIT_SETS];
	struct session_limit_source *room = NULL;

	ARRAY_FOREACH (entry, set, SESSION_LIMIT_WAYS) {
		if (addr_equal(&entry->addr, source))
			return session_limit_take(&entry->buckets[kind], rate, burst, now_us);
		if (!room && is_full(entry, now_us))
			room = entry;
	}
	if (!room)
		return false;
	*room = (struct session_limit_source){ .addr = *source };
	return session_limit_take(&room->buckets[kind], rate, burst, now_us);
}
