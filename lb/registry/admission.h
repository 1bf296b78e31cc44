/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may come: the judgement of a REGISTER, and what is known when it was accepted. What arrives here
 * is authenticated; it is still not believed.
 */
#pragma once

#include "lb/registry/entry.h"

/* registry_register. */
int admission_register(struct registry *registry, const struct registry_registration *request,
	uint64_t now_us, struct registry_answer *ret_answer);
