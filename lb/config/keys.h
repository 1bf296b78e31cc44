/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the balancer's keys are: what `run`, a reload and `check-config` must agree on.
 */
#pragma once

#include "common/proto/keyring.h"
struct ini_report;

/*
 * Loads the key file: the configured one, or systemd's credential `keys` in the default's place; of a configuration that
 * was refused, too, so that all is told at once. Negative errno, and the report says why, at the place where the
 * configuration names the file; -EINVAL without a further word where it is not known which it names.
 */
int keys_load(struct ini_report *report, struct keyring **ret_ring);
/* The same for a verb, which root calls while the file may be the daemon's own. */
int keys_load_for_verb(struct ini_report *report, struct keyring **ret_ring);
