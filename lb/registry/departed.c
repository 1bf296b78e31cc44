/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See departed.h. Called when a backend leaves, and when one registers or is configured. */
#include "lb/registry/departed.h"

#include "common/proto/auth.h"
#include "lb/registry/entries.h"
#include "lb/registry/entry.h"

/*
 * A session is remembered while a replay of its REGISTER would still pass the challenge check. Where
 * there is no room, every REGISTER as old as the one that goes is stale: an honest agent asks for a
 * new challenge, a replay never gets in.
 */
void departed_end_session(struct departed *departed, const struct backend *backend, uint64_t now_us)
{
	struct departed_session *sessions = departed->sessions;
	size_t len = 0;

	for (size_t i = 0; i < departed->n_sessions; i++)
		if (sessions[i].expires_us > now_us)
			sessions[len++] = sessions[i];
	if (len == DEPARTED_SESSIONS_MAX) {
		departed->stale_floor_us = MAX(departed->stale_floor_us, sessions[0].challenge_us);
		memmove(&sessions[0], &sessions[1], --len * sizeof(sessions[0]));
	}
	sessions[len++] = (struct departed_session){ .address = backend->address,
		.challenge_us = backend->challenge_us,
		.expires_us = now_us + AUTH_CHALLENGE_VALID_US };
	departed->n_sessions = len;
}

bool departed_is_stale(
	const struct departed *departed, const struct addr *address, uint64_t challenge_us)
{
	for (size_t i = 0; i < departed->n_sessions; i++)
		if (addr_equal(&departed->sessions[i].address, address) &&
			challenge_us <= departed->sessions[i].challenge_us)
			return true;
	return challenge_us <= departed->stale_floor_us;
}

struct registry_override *departed_find(
	struct departed *departed, const char *name, const struct addr *address)
{
	for (size_t i = departed->n_overrides; name && i-- > 0;)
		if (streq(departed->overrides[i].name, name))
			return &departed->overrides[i];
	for (size_t i = departed->n_overrides; address && i-- > 0;)
		if (addr_equal(&departed->overrides[i].address, address))
			return &departed->overrides[i];
	return NULL;
}

struct registry_override *departed_find_text(struct departed *departed, const char *text)
{
	struct addr address;

	return departed_find(departed, text, addr_parse(text, &address) == 0 ? &address : NULL);
}

static void drop_override(struct departed *departed, struct registry_override *override)
{
	size_t behind = (size_t)(&departed->overrides[departed->n_overrides] - (override + 1));

	weight_clear(&override->words);
	memmove(override, override + 1, behind * sizeof(*override));
	departed->n_overrides--;
}

void departed_add(struct departed *departed, const struct registry_override *override)
{
	if (departed->n_overrides == REGISTRY_OVERRIDES_MAX)
		drop_override(departed, &departed->overrides[0]);
	departed->overrides[departed->n_overrides++] = *override;
}

void departed_clear(struct departed *departed)
{
	while (departed->n_overrides > 0)
		drop_override(departed, &departed->overrides[departed->n_overrides - 1]);
}

/* Of the backend's name, at its address. */
static struct registry_override approval_of(
	const struct registry *registry, const struct backend *backend)
{
	struct registry_override override = { .address = backend->address,
		.key_bound = backend->key_bound,
		/* Under adopt = auto everybody is approved: nobody said so. */
		.approved = backend->source == BACKEND_AGENT && backend->approved &&
			registry->config.adopt != REGISTRY_ADOPT_AUTO };

	memcpy(override.name, backend->name, sizeof(override.name));
	memcpy(override.key_id, backend->key_id, sizeof(override.key_id));
	return override;
}

static void remember(struct registry *registry, struct backend *backend)
{
	struct registry_override override = approval_of(registry, backend);

	override.admin = backend->admin;
	override.rejected = backend->rejected;
	if (override.admin == BACKEND_ADMIN_NONE && !weight_is_said(&backend->words) &&
		!override.rejected && !override.approved)
		return;
	override.words = backend->words;
	backend->words = (struct weight_words){ 0 };
	departed_add(&registry->departed, &override);
}

void departed_keep_approval(struct registry *registry, struct backend *backend)
{
	const struct registry_override override = approval_of(registry, backend);

	backend->approved = false;
	if (override.approved)
		departed_add(&registry->departed, &override);
}

void departed_take_approval(struct departed *departed, struct backend *backend)
{
	for (size_t i = departed->n_overrides; !backend->approved && i-- > 0;) {
		struct registry_override *override = &departed->overrides[i];

		if (!addr_equal(&override->address, &backend->address) ||
			!departed_approves(override, backend))
			continue;
		backend->approved = true;
		drop_override(departed, override);
	}
}

bool departed_approves(const struct registry_override *override, const struct backend *backend)
{
	if (!override->approved || !streq(override->name, backend->name))
		return false;
	/* Of one that an older version kept the key is not known. */
	return override->key_id[0] == '\0' || (override->key_bound && backend->key_bound) ||
		(streq(override->key_id, backend->key_id) && !override->key_bound &&
			!backend->key_bound && addr_equal(&override->address, &backend->address));
}

void departed_restore(struct departed *departed, struct backend *backend)
{
	struct registry_override *override =
		departed_find(departed, backend->name, &backend->address);

	if (!override)
		return;
	backend->admin = override->admin;
	backend->approved |= departed_approves(override, backend);
	backend->rejected = override->rejected && backend->source == BACKEND_AGENT;
	weight_clear(&backend->words);
	/* Whom the approval is for may come yet. */
	if (!backend->approved && override->approved) {
		(void)weight_copy(&override->words, &backend->words);
		return;
	}
	backend->words = override->words;
	override->words = (struct weight_words){ 0 };
	drop_override(departed, override);
}

void departed_leave(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	remember(registry, &entry->backend);
	if (entry->backend.source == BACKEND_AGENT)
		departed_end_session(&registry->departed, &entry->backend, now_us);
	registry->fail_open.due = true;
	if (entry->backend.kept)
		registry->fail_open.n_kept--;
	entries_forget(&registry->entries, entry);
}
