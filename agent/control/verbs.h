/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests on the agent's control socket. */
#pragma once

#include "common/control/control.h"

/* A control_verb_fn with the struct agent as context. */
void verbs_serve(struct control_request *request, const char *verb, json_t *args, bool may_change,
	void *context);
