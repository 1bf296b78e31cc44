/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a configuration whole: `real-server` lines become statics, one for each address; services,
 * checks and agents' membership are found anew.
 */
#pragma once

#include "common/why.h"
#include "lb/registry/entry.h"

/* registry_configure. Everything that can fail is done before the first change. */
int statics_configure(struct registry *registry, const struct registry_config *config,
	uint64_t now_us, struct why *ret_why);
