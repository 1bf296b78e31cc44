/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As whom the agent registers. Pure. */
#pragma once

#include "common/proto/keyring.h"

/* Who we are; all of it is validated by the caller's configuration. */
struct register_identity {
	char name[PROTO_NAME_MAX + 1];
	char version[PROTO_NAME_MAX + 1];
	struct addr real_ip;
	struct mac mac;
	struct addr vips[PROTO_VIPS_MAX];
	size_t n_vips;
	struct keyring_key key;
};

bool register_identity_equal(const struct register_identity *a, const struct register_identity *b);
/* Whether they differ in their keys alone. */
bool register_identity_is_rekeyed(
	const struct register_identity *old, const struct register_identity *new);
/* What a REGISTER says of it. */
void register_identity_say(const struct register_identity *identity, struct proto_register *reg);
