/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bounded table and its words; see session_refusals.h. Knows no session. */
#include "lb/session/session_refusals.h"

static const char *const session_refusal_names[] = {
	[SESSION_ACCEPTED] = "accepted",
	[SESSION_SHORT] = "short",
	[SESSION_LONG] = "long",
	[SESSION_MAGIC] = "magic",
	[SESSION_VERSION] = "version",
	[SESSION_TYPE] = "type",
	[SESSION_TRUNCATED] = "truncated",
	[SESSION_VALUE] = "value",
	[SESSION_TTL] = "ttl",
	[SESSION_RATE] = "rate",
	[SESSION_KEY] = "key",
	[SESSION_CHALLENGE] = "challenge",
	[SESSION_TAG] = "tag",
	[SESSION_PARTS] = "parts",
	[SESSION_REPLAY] = "replay",
	[SESSION_ECHO] = "echo",
	[SESSION_UNKNOWN] = "session",
	[SESSION_SOURCE] = "source",
	[SESSION_POLICY_0 + PROTO_REJECT_VERSION] = "policy:version",
	[SESSION_POLICY_0 + PROTO_REJECT_NOT_ALLOWED] = "policy:not-allowed",
	[SESSION_POLICY_0 + PROTO_REJECT_KEY_BINDING] = "policy:key-binding",
	[SESSION_POLICY_0 + PROTO_REJECT_NO_VIP] = "policy:no-vip",
	[SESSION_POLICY_0 + PROTO_REJECT_CLONE] = "policy:clone",
	[SESSION_POLICY_0 + PROTO_REJECT_ADDRESS] = "policy:address",
	[SESSION_POLICY_0 + PROTO_REJECT_FULL] = "policy:full",
	[SESSION_POLICY_0 + PROTO_REJECT_ADMIN] = "policy:admin",
	[SESSION_POLICY_0 + PROTO_REJECT_MAC] = "policy:mac",
};
_Static_assert(ARRAY_LEN(session_refusal_names) == SESSION_REFUSAL_N_, "a name for every refusal");
_Static_assert((int)SESSION_SHORT == (int)PROTO_ERROR_SHORT &&
		(int)SESSION_VALUE == (int)PROTO_ERROR_VALUE,
	"the parser's errors are the first refusals");

const char *session_refusals_name(enum session_refusal refusal)
{
	return refusal < SESSION_REFUSAL_N_ ? session_refusal_names[refusal] : "unknown";
}

/* What to do about each REJECT, behind its reason; those that say it themselves have none. */
static const char *const session_refusals_mends[PROTO_REJECT_N_] = {
	[PROTO_REJECT_VERSION] = "install the same release on both",
	[PROTO_REJECT_KEY_BINDING] =
		"correct the key's line in our key file, or give this agent a key of its own",
	[PROTO_REJECT_NO_VIP] = "add it to a virtual server, or correct `vip` of the agent",
	[PROTO_REJECT_CLONE] = "give the agent a name and an address of its own, or stop the other",
	[PROTO_REJECT_ADDRESS] =
		"the agent's `real-ip` must be its own, and on the link of our backend interface",
	[PROTO_REJECT_FULL] = "stop agents that are not needed",
};

/* How much stands behind it: an address that anybody can forge, a way back to it, a key. */
static unsigned int session_refusals_proof(enum session_refusal refusal)
{
	if (refusal >= SESSION_POLICY_0)
		return 2;
	return refusal == SESSION_TAG;
}

static void session_refusals_policy_words(
	const struct session_refusals_message *message, struct why *ret_words)
{
	unsigned int code = (unsigned int)message->refusal - SESSION_POLICY_0;
	const char *mend = session_refusals_mends[code];

	if (code == PROTO_REJECT_ADMIN)
		why_set(ret_words, "agent %s: %s: dsr-lb adopt %s lets it in", message->name,
			message->because, message->name);
	else
		why_set(ret_words, "agent %s: %s%s%s", message->name, message->because,
			mend ? ": " : "", mend ? mend : "");
}

void session_refusals_words(const struct session_refusals_message *message, struct why *ret_words)
{
	*ret_words = (struct why){ 0 };
	switch (message->refusal) {
	case SESSION_TTL:
		why_set(ret_words,
			"its messages come with TTL %d, not 255: a router is between, and a backend must be "
			"on our own link",
			message->hop_limit);
		break;
	case SESSION_VERSION:
		why_set(ret_words,
			"it speaks version %u of the protocol, and we speak %u: install the same release on "
			"both",
			message->version, PROTO_VERSION);
		break;
	case SESSION_KEY:
		if (message->key_id)
			why_set(ret_words,
				"its key %s is not in our key file: add that line and reload, or correct the "
				"agent's key file",
				message->key_id);
		break;
	case SESSION_TAG:
		if (message->key_id)
			why_set(ret_words,
				"its key %s has other bytes than ours: put the same key line in both files",
				message->key_id);
		break;
	default:
		if (message->refusal >= SESSION_POLICY_0 && message->name)
			session_refusals_policy_words(message, ret_words);
		break;
	}
}

static struct session_refused *session_refusals_find(
	struct session_refusals *refusals, const struct session_refusals_message *message)
{
	ARRAY_FOREACH (item, refusals->items, refusals->len)
		if (item->refusal == message->refusal &&
			addr_equal(&item->source, &message->source))
			return item;
	return NULL;
}

/* NULL: all of them have as much proof and go on, or more. */
static struct session_refused *session_refusals_room(
	struct session_refusals *refusals, enum session_refusal refusal, uint64_t now_us)
{
	struct session_refused *victim = refusals->items;
	unsigned int proof, least;

	if (refusals->len < SESSION_REFUSALS_MAX)
		return &refusals->items[refusals->len++];
	least = session_refusals_proof(victim->refusal);
	ARRAY_FOREACH (item, refusals->items, refusals->len) {
		proof = session_refusals_proof(item->refusal);
		if (proof > least || (proof == least && item->last_us >= victim->last_us))
			continue;
		victim = item;
		least = proof;
	}
	proof = session_refusals_proof(refusal);
	if (proof > least ||
		(proof == least && now_us - victim->last_us >= SESSION_REFUSALS_QUIET_US))
		return victim;
	return NULL;
}

void session_refusals_add(struct session_refusals *refusals,
	const struct session_refusals_message *message, const char *words, uint64_t now_us)
{
	struct session_refused *item = session_refusals_find(refusals, message);

	if (!item) {
		session_refusals_expire(refusals, now_us);
		item = session_refusals_room(refusals, message->refusal, now_us);
		if (!item)
			return;
		*item = (struct session_refused){ .source = message->source,
			.refusal = message->refusal };
	}
	snprintf(item->words, sizeof(item->words), "%s", words);
	item->count++;
	item->last_us = now_us;
}

void session_refusals_forget(struct session_refusals *refusals, const struct addr *source)
{
	size_t len = 0;

	ARRAY_FOREACH (item, refusals->items, refusals->len)
		if (!addr_equal(&item->source, source))
			refusals->items[len++] = *item;
	refusals->len = len;
}

void session_refusals_expire(struct session_refusals *refusals, uint64_t now_us)
{
	size_t len = 0;

	ARRAY_FOREACH (item, refusals->items, refusals->len)
		if (now_us - item->last_us < SESSION_REFUSALS_KEEP_US)
			refusals->items[len++] = *item;
	refusals->len = len;
}
