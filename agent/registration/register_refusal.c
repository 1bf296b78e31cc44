/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The refusals' names. */
#include "agent/registration/register_refusal.h"

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
