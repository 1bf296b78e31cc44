/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See register_view.h. */
#include "agent/registration/register_view.h"

#include <stdarg.h>

#include "common/proto/proto.h"

static const char *const refusal_names[] = {
	[REGISTER_ACCEPTED] = "accepted",
	[REGISTER_SHORT] = "short",
	[REGISTER_LONG] = "long",
	[REGISTER_MAGIC] = "magic",
	[REGISTER_VERSION] = "version",
	[REGISTER_TYPE] = "type",
	[REGISTER_TRUNCATED] = "truncated",
	[REGISTER_VALUE] = "value",
	[REGISTER_TTL] = "ttl",
	[REGISTER_SOURCE] = "source",
	[REGISTER_NONCE] = "nonce",
	[REGISTER_TAG] = "tag",
	[REGISTER_REPLAY] = "replay",
	[REGISTER_SESSION] = "session",
};
_Static_assert(ARRAY_LEN(refusal_names) == REGISTER_REFUSAL_N_, "a name for every refusal");
_Static_assert((int)REGISTER_SHORT == (int)PROTO_ERROR_SHORT &&
		(int)REGISTER_VALUE == (int)PROTO_ERROR_VALUE,
	"the parser's errors are the first refusals");

const char *register_refusal_name(enum register_refusal refusal)
{
	return refusal < REGISTER_REFUSAL_N_ ? refusal_names[refusal] : "unknown";
}

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

void register_view_set(struct register_view *view, enum register_state state, uint64_t now_us,
	const char *format, ...)
{
	va_list args;

	register_view_set_state(view, state, now_us);
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
