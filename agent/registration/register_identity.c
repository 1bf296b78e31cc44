/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing identities: another one is another session. */
#include "agent/registration/register_identity.h"

bool register_identity_equal(const struct register_identity *a, const struct register_identity *b)
{
	if (!streq(a->name, b->name) || !streq(a->version, b->version) ||
		!addr_equal(&a->real_ip, &b->real_ip) || !mac_equal(&a->mac, &b->mac) ||
		a->n_vips != b->n_vips || !streq(a->key.id, b->key.id) ||
		memcmp(a->key.secret, b->key.secret, AUTH_KEY_BYTES) != 0)
		return false;
	for (size_t i = 0; i < a->n_vips; i++)
		if (!addr_equal(&a->vips[i], &b->vips[i]))
			return false;
	return true;
}
