/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the balancer's keys are: what `run`, a reload and `check-config` must agree on.
 */
#pragma once

#include "common/proto/keyring.h"
#include "lb/config/model.h"

/*
 * Loads the key file: the configured one, or systemd's credential `keys` in the default's place.
 * Negative errno with `ret_why`.
 */
int keys_load(const struct config *config, struct keyring **ret_ring, struct why *ret_why);
