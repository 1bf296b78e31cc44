/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `run` and `check-config` must agree on about files.
 */
#pragma once

#include "common/proto/auth.h"
#include "lb/config/config.h"

/*
 * Loads the key file: the configured one, or systemd's credential `keys` in the default's place.
 * Negative errno with `ret_why` (AUTH_WHY_BYTES).
 */
int configure_load_keys(const struct config *config, struct auth_keyring **ret_ring, char *ret_why);
