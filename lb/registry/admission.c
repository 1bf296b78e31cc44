/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See admission.h. */
#include "lb/registry/admission.h"

#include "common/proto/auth.h"
#include "lb/registry/departed.h"
#include "lb/registry/detection.h"
#include "lb/registry/entries.h"
#include "lb/registry/entry.h"
#include "lb/registry/health.h"
#include "lb/registry/liveness.h"
#include "lb/registry/membership.h"

/* Has a session and was heard not too long ago: then nobody else may be it. */
static bool is_alive(const struct entry *entry)
{
	return entry && entry->backend.source == BACKEND_AGENT && !entry->silent;
}

/* A REGISTER and whom it may concern: who is at its address, and who has its name. */
struct candidate {
	const struct registry_registration *request;
	const struct proto_register *reg; /* of the request */
	const struct addr *vips;          /* reg->status.n_vips of them */
	struct entry *at_address, *at_name;
};

/* The very message that made today's session: its ACCEPT was lost. */
static bool is_repeated(const struct candidate *candidate)
{
	const struct entry *entry = candidate->at_address;

	return entry && entry->backend.source == BACKEND_AGENT &&
		candidate->request->challenge_us == entry->backend.challenge_us &&
		streq(entry->agent_name, candidate->reg->name) &&
		memcmp(entry->nonce_agent, candidate->reg->nonce_agent, PROTO_NONCE_BYTES) == 0;
}

static bool is_stale(const struct registry *registry, const struct candidate *candidate)
{
	const struct entry *entry = candidate->at_address;
	uint64_t challenge_us = candidate->request->challenge_us;

	if (entry && entry->backend.source == BACKEND_AGENT &&
		challenge_us <= entry->backend.challenge_us)
		return true;
	return departed_is_stale(&registry->departed, &candidate->request->source, challenge_us);
}

_printf_(3, 4) static int refuse(
	struct registry_answer *answer, enum proto_reject code, const char *format, ...)
{
	va_list args;

	answer->code = code;
	va_start(args, format);
	(void)vsnprintf(answer->why.text, sizeof(answer->why.text), format, args);
	va_end(args);
	return -EPERM;
}

/* At least one service has one of the VIPs, takes agents, and allows the address. */
static int check_vips(const struct membership *membership, const struct candidate *candidate,
	struct registry_answer *answer)
{
	const struct proto_register *reg = candidate->reg;
	char vip[ADDR_STRLEN];
	bool known = false;

	for (size_t i = 0; i < reg->status.n_vips; i++) {
		size_t end, at = membership_of_vip(membership, &candidate->vips[i], &end);

		for (; at < end; at++) {
			const struct registry_service *service = membership_at(membership, at);

			if (!service->use_agents)
				continue;
			if (membership_allows(service, &reg->real_ip))
				return 0;
			known = true;
		}
	}
	if (known)
		return refuse(answer, PROTO_REJECT_NOT_ALLOWED,
			"the address is not in `allow` of any virtual server with its VIPs: add it there");
	return refuse(answer, PROTO_REJECT_NO_VIP,
		"no virtual server that takes agents has any of its VIPs (%s%s)",
		addr_format(&candidate->vips[0], vip), reg->status.n_vips > 1 ? ", ..." : "");
}

/*
 * A backend that is heard is claimed from another place, by its name and key: it moved, or this is a clone.
 * Its old place is asked; only when that is silent for a heartbeat interval it is believed. -EAGAIN: not
 * known yet. A claim is as old as a challenge may be.
 */
static int check_contest(const struct registry *registry, struct entry *entry,
	const struct candidate *candidate, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	if (backend->key_id[0] && !streq(backend->key_id, candidate->request->key_id))
		return -EPERM;
	if (detection_is_doubtful(&registry->config, entry, now_us))
		return 0;
	if (entry->contested_us == REGISTRY_NEVER_US ||
		now_us - entry->contested_us > AUTH_CHALLENGE_VALID_US) {
		entry->contested_us = now_us;
		backend->next_heartbeat_us = now_us;
		return -EAGAIN;
	}
	if (backend->heard_us < entry->contested_us)
		return -EAGAIN;
	entry->contested_us = REGISTRY_NEVER_US;
	return -EPERM;
}

static int check_name(const struct registry *registry, const struct candidate *candidate,
	uint64_t now_us, struct registry_answer *answer)
{
	struct entry *at_name = candidate->at_name;
	int r = -EPERM;

	if (!at_name || at_name == candidate->at_address ||
		(!is_alive(at_name) && !at_name->is_static))
		return 0;
	if (!at_name->is_static)
		r = check_contest(registry, at_name, candidate, now_us);
	if (r == -EPERM)
		(void)refuse(answer, PROTO_REJECT_CLONE, "the name is in use at %s",
			addr_format(&at_name->backend.address, (char[ADDR_STRLEN]){ 0 }));
	return r;
}

static int check_identity(const struct registry *registry, const struct candidate *candidate,
	uint64_t now_us, struct registry_answer *answer)
{
	struct entry *at_address = candidate->at_address;
	const struct proto_register *reg = candidate->reg;
	int r;

	if (!is_alive(at_address))
		return check_name(registry, candidate, now_us, answer);
	if (!streq(at_address->agent_name, reg->name))
		return refuse(answer, PROTO_REJECT_CLONE, "the address is in use by %s",
			at_address->agent_name);
	if (mac_is_zero(&reg->mac) || mac_is_zero(&at_address->backend.mac) ||
		mac_equal(&reg->mac, &at_address->backend.mac))
		return 0;
	r = check_contest(registry, at_address, candidate, now_us);
	if (r == -EPERM)
		(void)refuse(answer, PROTO_REJECT_CLONE, "the address is alive at MAC %s",
			mac_format(&at_address->backend.mac, (char[MAC_STRLEN]){ 0 }));
	return r;
}

/* What an administrator said of its name holds wherever it comes from, of its address whoever it is. */
static int check_adoption(struct registry *registry, const struct candidate *candidate,
	struct registry_answer *answer)
{
	const struct entry *at_address = candidate->at_address, *at_name = candidate->at_name;
	const char *name = candidate->reg->name;
	const struct registry_override *override = departed_find(
		&registry->departed, name, at_address ? NULL : &candidate->reg->real_ip);
	struct backend claimed = { .address = candidate->reg->real_ip,
		.key_bound = candidate->request->key_bound };
	bool known;

	snprintf(claimed.name, sizeof(claimed.name), "%s", name);
	snprintf(claimed.key_id, sizeof(claimed.key_id), "%s", candidate->request->key_id);
	known = (at_address && (at_address->is_static || streq(at_address->backend.name, name))) ||
		(override && departed_approves(override, &claimed));

	if ((at_address && at_address->backend.rejected) ||
		(at_name && at_name->backend.rejected) || (override && override->rejected))
		return refuse(answer, PROTO_REJECT_ADMIN, "rejected by an administrator");
	if (registry->config.adopt == REGISTRY_ADOPT_OFF && !known)
		return refuse(answer, PROTO_REJECT_NOT_ALLOWED,
			"the balancer adopts nobody (adopt = off): set adopt = approve there");
	return 0;
}

/*
 * A configured address belongs to its `real-server` line. Whoever takes it for an agent's own says so: by
 * the name in the line, and by a key that is good for that name alone.
 */
static int check_stand_in(const struct registry *registry, const struct candidate *candidate,
	struct registry_answer *answer)
{
	const struct entry *entry = candidate->at_address;
	const struct registry_registration *request = candidate->request;
	char address[ADDR_STRLEN];

	if (!entry || !entry->is_static)
		return 0;
	addr_format(&entry->backend.address, address);
	if (registry->config.adopt == REGISTRY_ADOPT_OFF)
		return refuse(answer, PROTO_REJECT_NOT_ALLOWED,
			"%s is a real-server, and no agent stands in for it (adopt = off)",
			address);
	if (!entry->name_given)
		return refuse(answer, PROTO_REJECT_NOT_ALLOWED,
			"%s is a real-server without a name; add name= to its line", address);
	if (!streq(entry->backend.name, candidate->reg->name))
		return refuse(answer, PROTO_REJECT_NOT_ALLOWED,
			"%s is real-server %s; give the agent that name", address,
			entry->backend.name);
	if (!request->key_bound)
		return refuse(answer, PROTO_REJECT_KEY_BINDING,
			"%s is a real-server, and key %s is not bound to it; add agent=NAME to the key's line",
			address, request->key_id);
	return 0;
}

static int check_candidate(struct registry *registry, const struct candidate *candidate,
	uint64_t now_us, struct registry_answer *answer)
{
	const struct proto_register *reg = candidate->reg;
	const struct addr *source = &candidate->request->source;
	struct addr address;
	int r;

	if (!addr_equal(&reg->real_ip, source))
		return refuse(answer, PROTO_REJECT_ADDRESS,
			"the claimed real IP is not the source of the message");
	if (!membership_on_link(&registry->config, source))
		return refuse(answer, PROTO_REJECT_ADDRESS,
			"the address is not on the backend interface's link");
	if (candidate->request->mac_why)
		return refuse(answer, PROTO_REJECT_MAC, "%s", candidate->request->mac_why);
	if (!proto_name_is_valid(reg->name))
		return refuse(answer, PROTO_REJECT_NOT_ALLOWED, "the name is not legal");
	/* Verbs and documents name a backend by either: such a name could be taken for another's address. */
	if (addr_parse(reg->name, &address) == 0)
		return refuse(answer, PROTO_REJECT_NOT_ALLOWED,
			"the name is an address; give the agent another one");
	r = check_adoption(registry, candidate, answer);
	if (r == 0)
		r = check_stand_in(registry, candidate, answer);
	if (r == 0)
		r = check_vips(&registry->membership, candidate, answer);
	return r == 0 ? check_identity(registry, candidate, now_us, answer) : r;
}

/* The agent that was silent the longest makes room, if that is long enough. */
static bool make_room(struct registry *registry, uint64_t now_us)
{
	struct entry *oldest = NULL;

	if (registry->entries.len < REGISTRY_BACKENDS_MAX)
		return true;
	for (size_t i = 0; i < registry->entries.len; i++) {
		struct entry *entry = registry->entries.slots[i];

		if (entry->silent && !entry->is_static && !entry->backend.kept &&
			(!oldest || entry->alive_us < oldest->alive_us))
			oldest = entry;
	}
	if (!oldest || now_us < oldest->alive_us + REGISTRY_FORGET_US)
		return false;
	departed_leave(registry, oldest, now_us);
	return true;
}

static void take_key(struct backend *backend, const struct registry_registration *request)
{
	snprintf(backend->key_id, sizeof(backend->key_id), "%s", request->key_id);
	backend->key_bound = request->key_bound;
}

/* A session of today: what the REGISTER says becomes what is known. `vips`: they are others than before. */
static void take_register(struct registry *registry, struct entry *entry,
	const struct registry_registration *request, struct backend_vip *vips, uint64_t now_us)
{
	const struct proto_register *reg = request->reg;
	struct backend *backend = &entry->backend;

	liveness_take_words(registry, entry, &reg->status, vips, now_us);
	memcpy(backend->version, reg->version, sizeof(backend->version));
	backend->challenge_us = request->challenge_us;
	backend->session_id = request->session_id;
	backend->protocol = request->protocol;
	ports_rebase(&entry->asked);
	/*
	 * Who is approved is known by name and key: another key asks again. But when each is good for this
	 * name alone, the administrator wrote both for it: keys are changed one after the other.
	 */
	if (backend->key_id[0] && !(backend->key_bound && request->key_bound) &&
		(!streq(backend->key_id, request->key_id) ||
			backend->key_bound != request->key_bound))
		backend->approved = false;
	take_key(backend, request);
	backend->next_heartbeat_us = now_us;
	snprintf(entry->agent_name, sizeof(entry->agent_name), "%s", reg->name);
	memcpy(entry->nonce_agent, reg->nonce_agent, sizeof(entry->nonce_agent));
	if (!mac_is_zero(&reg->mac) && mac_is_zero(&entry->given_mac) &&
		!mac_equal(&reg->mac, &backend->mac)) {
		/* Of a newcomer it may wait: a thousand may come at once. */
		entries_set_mac(&registry->entries, entry, &reg->mac, backend->takes_flows);
	}
	if (registry->config.adopt == REGISTRY_ADOPT_AUTO || entry->is_static)
		backend->approved = true;
	liveness_heard(registry, entry, now_us);
	entry->contested_us = REGISTRY_NEVER_US;
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
	if (entry->n_services != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (entry->services[i].idx != services[i].idx ||
			entry->services[i].vip != services[i].vip)
			return false;
	return true;
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
		membership_mark_served(entry);
		return 0;
	}
	liveness_take_services(registry, entry, services, len, now_us);
	entries_mark_changed(&registry->entries, true);
	return 0;
}

/*
 * The entry that the candidate becomes: the one at its address, or a new one. Silent ones give way: a
 * name that moved, an address that was given to another host. -EPERM, -ENOMEM.
 */
static int take_place(struct registry *registry, const struct candidate *candidate, uint64_t now_us,
	struct entry **ret_entry, struct registry_answer *answer)
{
	struct entry *entry = candidate->at_address;
	const char *name = candidate->reg->name;

	bool moves = is_alive(candidate->at_name) && candidate->at_name != entry;

	if (candidate->at_name && candidate->at_name != entry && !moves)
		departed_leave(registry, candidate->at_name, now_us);
	if (entry && !entry->is_static && !streq(entry->backend.name, name)) {
		departed_leave(registry, entry, now_us);
		entry = NULL;
	}
	if (moves) {
		entry = candidate->at_name;
		departed_end_session(&registry->departed, &entry->backend, now_us);
		/* A key that is not bound to its name was approved at the old address, and is there. */
		if (!entry->backend.key_bound)
			departed_keep_approval(registry, &entry->backend);
		entries_move(&registry->entries, entry, &candidate->request->source);
		departed_take_approval(&registry->departed, &entry->backend);
	}
	if (entry) {
		if (entry->backend.source == BACKEND_STATIC)
			begin_agent(entry);
		*ret_entry = entry;
		return 0;
	}
	if (!make_room(registry, now_us)) {
		(void)refuse(answer, PROTO_REJECT_FULL, "the balancer has %u backends already",
			REGISTRY_BACKENDS_MAX);
		return -EPERM;
	}
	entry = entries_entry_new(name, &candidate->request->source, BACKEND_AGENT, now_us);
	if (!entry)
		return -ENOMEM;
	take_key(&entry->backend, candidate->request);
	departed_restore(&registry->departed, &entry->backend);
	departed_take_approval(&registry->departed, &entry->backend);
	entries_add(&registry->entries, entry);
	begin_agent(entry);
	*ret_entry = entry;
	return 0;
}

int admission_register(struct registry *registry, const struct registry_registration *request,
	uint64_t now_us, struct registry_answer *ret_answer)
{
	const struct candidate candidate = { .request = request,
		.reg = request->reg,
		.vips = request->vips ? request->vips : request->reg->vips,
		.at_address = entries_by_address(&registry->entries, &request->source),
		.at_name = entries_by_name(&registry->entries, request->reg->name) };
	_cleanup_free_ struct backend_vip *vips = NULL;
	struct entry *entry = NULL;
	int r;

	if (is_repeated(&candidate)) {
		ret_answer->backend = candidate.at_address->backend.id;
		ret_answer->repeated = true;
		return 0;
	}
	if (is_stale(registry, &candidate))
		return -ESTALE;
	r = check_candidate(registry, &candidate, now_us, ret_answer);
	if (r != 0)
		return r;
	/* Before anything has changed. */
	vips = agent_status_vips(candidate.vips, request->reg->status.n_vips);
	if (!vips)
		return -ENOMEM;
	r = take_place(registry, &candidate, now_us, &entry, ret_answer);
	if (r != 0)
		return r;
	take_register(registry, entry, request,
		agent_status_has_vips(
			&entry->backend.status, candidate.vips, request->reg->status.n_vips)
			? NULL
			: TAKE_PTR(vips),
		now_us);
	r = take_services(registry, entry, now_us);
	health_judge(registry, entry, now_us);
	if (r < 0)
		return r;
	ret_answer->backend = entry->backend.id;
	ret_answer->repeated = false;
	return 0;
}
