/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When most of a virtual server's backends fall silent at once, the fault is more likely between
 * them and the balancer than in all of them: they are kept in its tables. Announced failures and
 * failed checks do not count: those backends spoke.
 */
#pragma once

#include "lb/registry/entry.h"

/* Looks at all services, and keeps or lets go. */
void fail_open_judge(struct registry *registry, uint64_t now_us);
/* It is due: something changed, or time has passed while backends are kept. */
bool fail_open_is_due(const struct registry *registry, uint64_t now_us);
/* When it is due by time alone; REGISTRY_NEVER_US: never. */
uint64_t fail_open_due_us(const struct registry *registry);
/* Nobody was listening for so long. */
void fail_open_stalled(struct registry *registry, uint64_t stalled_us);
