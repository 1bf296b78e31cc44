/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may come: the judgement of a REGISTER, replays of old ones, and administrators' wishes for
 * backends that left. What arrives here is authenticated; it is still not believed.
 */
#include "lb/registry/registry_internal.h"

#define WHY(...) ((void)snprintf(ret_why, REGISTRY_REASON_BYTES, __VA_ARGS__))

bool membership_on_link(const struct registry_config *config, const struct addr *address)
{
	for (size_t i = 0; i < config->n_subnets; i++)
		if (addr_in_prefix(address, &config->subnets[i]))
			return true;
	return false;
}

/*
 * Keeps the challenge of a session that ended while a replay of its REGISTER would still pass the
 * challenge check. Where there is no room, every REGISTER as old as the one that goes is stale:
 * an honest agent asks for a new challenge, a replay never gets in.
 */
void departed_end_session(struct registry *registry, const struct entry *entry, uint64_t now_us)
{
	struct departed_session *ended = registry->ended;
	size_t len = 0;

	for (size_t i = 0; i < registry->n_ended; i++)
		if (ended[i].expires_us > now_us)
			ended[len++] = ended[i];
	if (len == DEPARTED_SESSIONS_MAX) {
		registry->stale_floor_us = MAX(registry->stale_floor_us, ended[0].challenge_us);
		memmove(&ended[0], &ended[1], --len * sizeof(ended[0]));
	}
	ended[len++] = (struct departed_session){ .address = entry->backend.address,
		.challenge_us = entry->backend.challenge_us,
		.expires_us = now_us + AUTH_CHALLENGE_VALID_US };
	registry->n_ended = len;
}

static bool is_of_departed(
	const struct registry *registry, const struct addr *address, uint64_t challenge_us)
{
	for (size_t i = 0; i < registry->n_ended; i++)
		if (addr_equal(&registry->ended[i].address, address) &&
			challenge_us <= registry->ended[i].challenge_us)
			return true;
	return challenge_us <= registry->stale_floor_us;
}

struct departed_override *departed_find(
	struct registry *registry, const char *name, const struct addr *address)
{
	for (size_t i = registry->n_overrides; i-- > 0;)
		if (name && streq(registry->overrides[i].name, name))
			return &registry->overrides[i];
	for (size_t i = registry->n_overrides; i-- > 0;)
		if (address && addr_equal(&registry->overrides[i].address, address))
			return &registry->overrides[i];
	return NULL;
}

static void drop_override(struct registry *registry, struct departed_override *override)
{
	size_t behind = (size_t)(&registry->overrides[registry->n_overrides] - (override + 1));

	memmove(override, override + 1, behind * sizeof(*override));
	registry->n_overrides--;
}

void departed_remember(struct registry *registry, const struct entry *entry)
{
	const struct backend *backend = &entry->backend;
	/* Under adopt = auto everybody is approved: that is nobody's override. */
	bool approved = backend->source == BACKEND_AGENT && backend->approved &&
		registry->config.adopt != REGISTRY_ADOPT_AUTO;
	struct departed_override *override;

	if (backend->admin == BACKEND_ADMIN_NONE && !backend->weight_set && !backend->rejected &&
		!approved)
		return;
	if (registry->n_overrides == REGISTRY_OVERRIDES_MAX)
		drop_override(registry, &registry->overrides[0]);
	override = &registry->overrides[registry->n_overrides++];
	*override = (struct departed_override){ .address = backend->address,
		.admin = backend->admin,
		.weight = backend->weight,
		.weight_set = backend->weight_set,
		.approved = approved,
		.rejected = backend->rejected };
	memcpy(override->name, backend->name, sizeof(override->name));
}

void departed_restore(struct registry *registry, struct entry *entry)
{
	struct backend *backend = &entry->backend;
	struct departed_override *override =
		departed_find(registry, backend->name, &backend->address);

	if (!override)
		return;
	backend->admin = override->admin;
	backend->approved |= override->approved;
	backend->rejected = override->rejected && backend->source == BACKEND_AGENT;
	backend->weight_set = override->weight_set;
	if (override->weight_set)
		backend->weight = override->weight;
	drop_override(registry, override);
}

/* Has a session and was heard not too long ago: then nobody else may be it. */
static bool is_alive(const struct entry *entry)
{
	return entry && entry->backend.source == BACKEND_AGENT && !entry->silent;
}

/* The very message that made today's session: its ACCEPT was lost. */
static bool is_repeated(
	const struct entry *entry, const struct proto_register *reg, uint64_t challenge_us)
{
	return entry && entry->backend.source == BACKEND_AGENT &&
		challenge_us == entry->backend.challenge_us &&
		streq(entry->agent_name, reg->name) &&
		memcmp(entry->nonce_agent, reg->nonce_agent, PROTO_NONCE_BYTES) == 0;
}

static bool is_stale(const struct registry *registry, const struct entry *entry,
	const struct addr *source, uint64_t challenge_us)
{
	if (entry && entry->backend.source == BACKEND_AGENT &&
		challenge_us <= entry->backend.challenge_us)
		return true;
	return is_of_departed(registry, source, challenge_us);
}

/* At least one service has one of the VIPs, takes agents, and allows the address. */
static int judge_vips(const struct membership *membership, const struct proto_register *reg,
	enum proto_reject *ret_code, char *ret_why)
{
	bool known = false;

	for (uint8_t i = 0; i < reg->status.n_vips; i++) {
		size_t end, at = membership_of_vip(membership, &reg->vips[i], &end);

		for (; at < end; at++) {
			const struct registry_service *service = membership_at(membership, at);

			if (!service->use_agents)
				continue;
			if (membership_allows(service, &reg->real_ip))
				return 0;
			known = true;
		}
	}
	if (known) {
		*ret_code = PROTO_REJECT_NOT_ALLOWED;
		WHY("the address is not in `allow` of any virtual server with its VIPs");
	} else {
		*ret_code = PROTO_REJECT_NO_VIP;
		WHY("no virtual server that takes agents has any of its VIPs");
	}
	return -EPERM;
}

static int judge_identity(const struct registry *registry, const struct proto_register *reg,
	const struct entry *at_address, const struct entry *at_name, enum proto_reject *ret_code,
	char *ret_why)
{
	char text[ADDR_STRLEN];

	*ret_code = PROTO_REJECT_CLONE;
	if (at_name && at_name != at_address && (is_alive(at_name) || at_name->is_static)) {
		WHY("the name is in use at %s", addr_format(&at_name->backend.address, text));
		return -EPERM;
	}
	if (!is_alive(at_address))
		return 0;
	if (!streq(at_address->agent_name, reg->name)) {
		WHY("the address is in use by %s", at_address->agent_name);
		return -EPERM;
	}
	if (!mac_is_zero(&reg->mac) && !mac_is_zero(&at_address->backend.mac) &&
		!mac_equal(&reg->mac, &at_address->backend.mac)) {
		WHY("the address is alive at MAC %s",
			mac_format(&at_address->backend.mac, (char[MAC_STRLEN]){ 0 }));
		return -EPERM;
	}
	return 0;
}

static int judge_adoption(struct registry *registry, const struct proto_register *reg,
	const struct entry *at_address, enum proto_reject *ret_code, char *ret_why)
{
	const struct departed_override *override =
		departed_find(registry, reg->name, &reg->real_ip);
	bool rejected = at_address ? at_address->backend.rejected : override && override->rejected;
	bool known = at_address || (override && override->approved);

	if (rejected) {
		*ret_code = PROTO_REJECT_ADMIN;
		WHY("rejected by an administrator");
		return -EPERM;
	}
	if (registry->config.adopt == REGISTRY_ADOPT_OFF && !known) {
		*ret_code = PROTO_REJECT_NOT_ALLOWED;
		WHY("the balancer adopts nobody (adopt = off)");
		return -EPERM;
	}
	return 0;
}

static int judge_register(struct registry *registry, const struct proto_register *reg,
	const struct addr *source, const struct entry *at_address, const struct entry *at_name,
	enum proto_reject *ret_code, char *ret_why)
{
	int r;

	*ret_code = PROTO_REJECT_ADDRESS;
	if (!addr_equal(&reg->real_ip, source)) {
		WHY("the claimed real IP is not the source of the message");
		return -EPERM;
	}
	if (!membership_on_link(&registry->config, source)) {
		WHY("the address is not on the backend interface's link");
		return -EPERM;
	}
	*ret_code = PROTO_REJECT_NOT_ALLOWED;
	if (!proto_name_is_valid(reg->name)) {
		WHY("the name is not legal");
		return -EPERM;
	}
	r = judge_adoption(registry, reg, at_address, ret_code, ret_why);
	if (r == 0)
		r = judge_vips(&registry->membership, reg, ret_code, ret_why);
	if (r == 0)
		r = judge_identity(registry, reg, at_address, at_name, ret_code, ret_why);
	return r;
}

/* The agent that was silent the longest makes room, if that is long enough. */
static bool make_room(struct registry *registry, uint64_t now_us)
{
	struct entry *oldest = NULL;

	if (registry->len < REGISTRY_BACKENDS_MAX)
		return true;
	for (size_t i = 0; i < registry->len; i++) {
		struct entry *entry = registry->slots[i];

		if (entry->silent && !entry->is_static && !entry->backend.kept &&
			(!oldest || entry->alive_us < oldest->alive_us))
			oldest = entry;
	}
	if (!oldest || now_us < oldest->alive_us + REGISTRY_FORGET_US)
		return false;
	entries_forget(registry, oldest, now_us);
	return true;
}

/* A session of today: what the REGISTER says becomes what is known. */
static void take_register(struct registry *registry, struct entry *entry,
	const struct proto_register *reg, uint64_t challenge_us, uint64_t session_id,
	uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	memcpy(backend->vips, reg->vips, sizeof(backend->vips));
	backend->status = reg->status;
	backend->challenge_us = challenge_us;
	backend->session_id = session_id;
	backend->next_heartbeat_us = now_us;
	snprintf(entry->agent_name, sizeof(entry->agent_name), "%s", reg->name);
	memcpy(entry->nonce_agent, reg->nonce_agent, sizeof(entry->nonce_agent));
	if (!mac_is_zero(&reg->mac) && mac_is_zero(&entry->given_mac) &&
		!mac_equal(&reg->mac, &backend->mac)) {
		backend->mac = reg->mac;
		/* Of a newcomer it may wait: a thousand may come at once. */
		entries_mark_changed(registry, backend->takes_flows);
	}
	if (!backend->weight_set)
		backend->weight = reg->status.weight;
	if (registry->config.adopt == REGISTRY_ADOPT_AUTO || entry->is_static)
		backend->approved = true;
	liveness_heard(registry, entry, now_us);
	entry->awaiting = false;
}

/* The first session: nothing is proven, also where a static was known here before. */
static void begin_agent(struct entry *entry)
{
	struct backend *backend = &entry->backend;

	backend->source = BACKEND_AGENT;
	backend->streak = 0;
	backend->heartbeats_missed = 0;
	entry->need = 1;
	entry->silent = false;
	entry->was_up = false;
}

static bool same_services(
	const struct entry *entry, const struct entry_service *services, size_t len)
{
	return entry->n_services == len &&
		(len == 0 || memcmp(entry->services, services, len * sizeof(*services)) == 0);
}

static int take_services(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct entry_service *services = NULL;
	size_t len = 0;
	int r = membership_find(&registry->membership, &registry->config, entry, &services, &len);

	if (r < 0)
		return r;
	if (same_services(entry, services, len)) {
		free(services);
		return 0;
	}
	free(entry->services);
	entry->services = services;
	entry->n_services = len;
	liveness_take_checks(registry, entry, now_us);
	entries_mark_changed(registry, true);
	return 0;
}

int admission_register(struct registry *registry, const struct proto_register *reg,
	const struct addr *source, uint64_t challenge_us, uint64_t session_id, uint64_t now_us,
	uint16_t *ret_backend, bool *ret_repeated, enum proto_reject *ret_code, char *ret_why)
{
	struct entry *entry = entries_by_address(registry, source);
	struct entry *at_name = entries_by_name(registry, reg->name);
	bool is_new = !entry;
	int r;

	if (is_repeated(entry, reg, challenge_us)) {
		*ret_backend = entry->backend.id;
		*ret_repeated = true;
		return 0;
	}
	if (is_stale(registry, entry, source, challenge_us))
		return -ESTALE;
	r = judge_register(registry, reg, source, entry, at_name, ret_code, ret_why);
	if (r < 0)
		return r;
	/* Silent ones give way: a name that moved, an address that was given to another host. */
	if (at_name && at_name != entry)
		entries_forget(registry, at_name, now_us);
	if (entry && !entry->is_static && !streq(entry->backend.name, reg->name)) {
		entries_forget(registry, entry, now_us);
		is_new = true;
	}
	if (is_new && !make_room(registry, now_us)) {
		*ret_code = PROTO_REJECT_FULL;
		WHY("the balancer has %u backends already", REGISTRY_BACKENDS_MAX);
		return -EPERM;
	}
	if (is_new) {
		entry = entries_entry_new(reg->name, source, BACKEND_AGENT, now_us);
		if (!entry)
			return -ENOMEM;
		departed_restore(registry, entry);
		entries_add(registry, entry);
	} else if (entry->is_static && !entry->name_given &&
		!streq(entry->backend.name, reg->name)) {
		entries_rename(registry, entry, reg->name);
	}
	if (is_new || entry->backend.source == BACKEND_STATIC)
		begin_agent(entry);
	take_register(registry, entry, reg, challenge_us, session_id, now_us);
	r = take_services(registry, entry, now_us);
	health_judge(registry, entry, now_us);
	if (r < 0)
		return r;
	*ret_backend = entry->backend.id;
	*ret_repeated = false;
	return 0;
}
