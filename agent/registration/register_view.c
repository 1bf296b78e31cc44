/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See register_view.h. */
#include "agent/registration/register_view.h"

#include <stdarg.h>

void register_view_set_state(struct register_view *view, enum register_state state, uint64_t now_us)
{
	if (view->state == state)
		return;
	view->state = state;
	view->since_us = now_us;
}

void register_view_set_reason(struct register_view *view, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(view->reason, sizeof(view->reason), format, args);
	va_end(args);
}

void register_view_take_peers(struct register_view *view, const struct proto_peers *peers)
{
	if (peers->after > view->peers_heard || peers->change <= view->peers_heard)
		return;
	view->peers = *peers;
	view->peers_heard = peers->change;
	view->n_peers++;
}

void register_view_tell(struct register_view *view, const struct proto_table *table)
{
	view->told = *table;
	view->n_told++;
}

unsigned int register_next_version(unsigned int version)
{
	return version > PROTO_VERSION_1 ? version - 1 : PROTO_VERSION;
}
