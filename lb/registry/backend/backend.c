/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of a backend's states and sources, as the verbs and the log show them. */
#include "lb/registry/backend/backend.h"

static const char *const state_names[] = {
	[BACKEND_PENDING] = "pending",
	[BACKEND_UP] = "up",
	[BACKEND_DRAIN] = "drain",
	[BACKEND_MAINT] = "maint",
	[BACKEND_DOWN] = "down",
};
_Static_assert(ARRAY_LEN(state_names) == BACKEND_STATE_N_, "every state has a name");

static const char *const source_names[] = {
	[BACKEND_AGENT] = "agent",
	[BACKEND_STATIC] = "static",
};
_Static_assert(ARRAY_LEN(source_names) == BACKEND_SOURCE_N_, "every source has a name");

const char *backend_state_name(enum backend_state state)
{
	return (size_t)state < ARRAY_LEN(state_names) ? state_names[state] : "unknown";
}

const char *backend_source_name(enum backend_source source)
{
	return (size_t)source < ARRAY_LEN(source_names) ? source_names[source] : "unknown";
}
