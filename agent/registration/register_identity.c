/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities: whether they differ, and how they are told. */
#include "agent/registration/register_identity.h"

#include "common/proto/vips.h"

static bool is_same_key(const struct keyring_key *a, const struct keyring_key *b)
{
	return streq(a->id, b->id) && memcmp(a->secret, b->secret, AUTH_KEY_BYTES) == 0;
}

static bool is_same_host(const struct register_identity *a, const struct register_identity *b)
{
	if (!streq(a->name, b->name) || !streq(a->version, b->version) ||
		!addr_equal(&a->real_ip, &b->real_ip) || !mac_equal(&a->mac, &b->mac) ||
		a->n_vips != b->n_vips)
		return false;
	for (size_t i = 0; i < a->n_vips; i++)
		if (!addr_equal(&a->vips[i], &b->vips[i]))
			return false;
	return true;
}

bool register_identity_equal(const struct register_identity *a, const struct register_identity *b)
{
	return is_same_host(a, b) && is_same_key(&a->key, &b->key);
}

bool register_identity_is_rekeyed(
	const struct register_identity *old, const struct register_identity *new)
{
	return is_same_host(old, new) && !is_same_key(&old->key, &new->key);
}

void register_identity_say(const struct register_identity *identity, struct proto_register *reg)
{
	memcpy(reg->key_id, identity->key.id, sizeof(reg->key_id));
	memcpy(reg->name, identity->name, sizeof(reg->name));
	memcpy(reg->version, identity->version, sizeof(reg->version));
	reg->real_ip = identity->real_ip;
	reg->mac = identity->mac;
	/* Of more there are PARTs. */
	if (!vips_are_many(identity->n_vips))
		memcpy(reg->vips, identity->vips, identity->n_vips * sizeof(reg->vips[0]));
}
