/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file's text. What it accepts has between one and the largest number of usable keys. */
#include "common/proto/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size, bool with_bindings)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct why why = { 0 };
	int r = keyring_parse("keys", (const char *)data, size, with_bindings, &ring, &why);

	if (r < 0) {
		if (ring || why.text[0] == '\0' || !memchr(why.text, '\0', sizeof(why.text)))
			abort();
		return;
	}
	if (ring->n_keys == 0 || ring->n_keys > KEYRING_KEYS_MAX)
		abort();
	ARRAY_FOREACH (key, ring->keys, ring->n_keys)
		if (keyring_find(ring, key->id) != key || key->n_vips > KEYRING_KEY_VIPS_MAX ||
			key->max_weight > UINT16_MAX || (key->is_master && key->agent[0] != '\0'))
			abort();
	if (keyring_newest_master(ring) && !with_bindings)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(data, size, false);
	parse(data, size, true);
	return 0;
}
