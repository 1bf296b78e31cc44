/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The surface of the registry: events in, actions out, looking, restoring. */
#include "lb/registry/registry.h"

#include "lb/registry/admission.h"
#include "lb/registry/departed.h"
#include "lb/registry/detection.h"
#include "lb/registry/entries.h"
#include "lb/registry/entry.h"
#include "lb/registry/fail_open.h"
#include "lb/registry/health.h"
#include "lb/registry/liveness.h"
#include "lb/registry/membership.h"
#include "lb/registry/path.h"
#include "lb/registry/statics.h"
#include "lb/registry/tier.h"

struct registry *registry_new(uint64_t jitter_seed)
{
	struct registry *registry = calloc(1, sizeof(*registry));

	/* A generator of this kind stands still at zero. */
	if (registry)
		registry->random = jitter_seed ? jitter_seed : 1;
	return registry;
}

struct registry *registry_free(struct registry *registry)
{
	if (!registry)
		return NULL;
	entries_clear(&registry->entries);
	departed_clear(&registry->departed);
	tiers_free(registry->tiers);
	free(registry->fail_open.keeping);
	free(registry->fail_open.tallies);
	membership_clear(&registry->membership);
	free(registry);
	return NULL;
}

static void schedule(struct registry *registry, const struct entry *entry)
{
	registry->entries.due_us[entry->slot] = liveness_due_us(registry, entry);
}

/* The end of every event: who is kept, and when the one it was about is due next. */
static void finish(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	if (registry->fail_open.due)
		fail_open_judge(registry, now_us);
	if (entry)
		schedule(registry, entry);
}

static void finish_all(struct registry *registry, uint64_t now_us)
{
	finish(registry, NULL, now_us);
	for (size_t i = 0; i < registry->entries.len; i++)
		schedule(registry, registry->entries.slots[i]);
}

int registry_configure(struct registry *registry, const struct registry_config *config,
	uint64_t now_us, struct why *ret_why)
{
	int r = statics_configure(registry, config, now_us, ret_why);

	if (r == 0)
		finish_all(registry, now_us);
	return r;
}

int registry_register(struct registry *registry, const struct registry_registration *request,
	uint64_t now_us, struct registry_answer *ret_answer)
{
	int r = admission_register(registry, request, now_us, ret_answer);
	const struct entry *named = entries_by_name(&registry->entries, request->reg->name);

	/* Also where it failed: another may have had to make room, and one that is claimed is asked. */
	if (named)
		schedule(registry, named);
	finish(registry, entries_by_address(&registry->entries, &request->source), now_us);
	return r;
}

static struct entry *find_agent(struct registry *registry, uint16_t backend)
{
	struct entry *entry = registry->entries.by_id[backend];

	return entry && entry->backend.source == BACKEND_AGENT ? entry : NULL;
}

void registry_report(struct registry *registry, uint16_t backend, const struct proto_status *status,
	uint32_t rtt_us, uint64_t now_us)
{
	struct entry *entry = find_agent(registry, backend);

	if (!entry)
		return;
	liveness_report(registry, entry, status, rtt_us, now_us);
	finish(registry, entry, now_us);
}

bool registry_lost(struct registry *registry, const struct registry_loss *loss, uint64_t now_us)
{
	struct entry *entry = registry->entries.by_id[loss->backend];

	if (!entry || !path_lose(registry, entry, loss, now_us))
		return false;
	health_judge(registry, entry, now_us);
	finish(registry, entry, now_us);
	return true;
}

bool registry_accepted(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service, uint64_t *ret_accepted)
{
	size_t idx = membership_service(&registry->membership, service->id);
	const struct ports *asked = registry_asked(registry, backend->id);

	return asked && idx <= UINT16_MAX && ports_accepted(asked, (uint16_t)idx, ret_accepted);
}

struct ports *registry_asked(const struct registry *registry, uint16_t backend)
{
	struct entry *entry = registry->entries.by_id[backend];

	return entry && entry->backend.source == BACKEND_AGENT ? &entry->asked : NULL;
}

void registry_leave(struct registry *registry, uint16_t backend, uint64_t now_us)
{
	struct entry *entry = find_agent(registry, backend);

	if (!entry)
		return;
	if (entry->is_static) {
		liveness_become_static(registry, entry, now_us);
	} else {
		departed_leave(registry, entry, now_us);
		entry = NULL;
	}
	finish(registry, entry, now_us);
}

void registry_neighbour(struct registry *registry, const struct addr *address,
	const struct mac *mac, uint64_t now_us)
{
	struct entry *entry = entries_by_address(&registry->entries, address);

	if (!entry)
		return;
	liveness_neighbour(registry, entry, mac, now_us);
	finish(registry, entry, now_us);
}

void registry_check_result(
	struct registry *registry, const struct registry_check_result *result, uint64_t now_us)
{
	struct entry *entry = registry->entries.by_id[result->backend];

	if (!entry)
		return;
	liveness_check_result(registry, entry, result, now_us);
	finish(registry, entry, now_us);
}

bool registry_path_result(
	struct registry *registry, const struct registry_path_result *result, uint64_t now_us)
{
	struct entry *entry = registry->entries.by_id[result->backend];

	if (!entry || !liveness_path_result(registry, entry, result, now_us))
		return false;
	finish(registry, entry, now_us);
	return true;
}

void registry_leaks(
	struct registry *registry, uint16_t backend, const char *reason, uint64_t now_us)
{
	struct entry *entry = registry->entries.by_id[backend];

	if (!entry)
		return;
	snprintf(entry->leak, sizeof(entry->leak), "%s", reason);
	health_judge(registry, entry, now_us);
	finish(registry, entry, now_us);
}

bool registry_cut(struct registry *registry, uint16_t backend, const char *reason, uint64_t now_us)
{
	struct entry *entry = registry->entries.by_id[backend];

	if (!entry || !liveness_cut(registry, entry, reason, now_us))
		return false;
	finish(registry, entry, now_us);
	return true;
}

void registry_not_sent(struct registry *registry, uint16_t backend, uint64_t now_us)
{
	struct entry *entry = registry->entries.by_id[backend];

	if (!entry)
		return;
	liveness_not_sent(registry, entry, now_us);
	finish(registry, entry, now_us);
}

void registry_stalled(struct registry *registry, uint64_t stalled_us, uint64_t now_us)
{
	for (size_t i = 0; i < registry->entries.len; i++)
		liveness_stalled(registry->entries.slots[i], stalled_us);
	fail_open_stalled(registry, stalled_us);
	finish_all(registry, now_us);
}

int registry_admin(
	struct registry *registry, const char *backend, enum backend_admin admin, uint64_t now_us)
{
	struct entry *entry = entries_find(&registry->entries, backend);
	struct registry_override *override;

	if ((unsigned int)admin >= BACKEND_ADMIN_N_)
		return -EINVAL;
	if (!entry) {
		override = departed_find_text(&registry->departed, backend);
		if (!override)
			return -ENOENT;
		override->admin = admin;
		return 0;
	}
	entry->backend.admin = admin;
	health_judge(registry, entry, now_us);
	finish(registry, entry, now_us);
	return 0;
}

static const struct entry_service *find_in(
	const struct registry *registry, const struct entry *entry, const char *virtual_server)
{
	for (size_t i = 0; i < entry->n_services; i++)
		if (streq(registry->config.services[entry->services[i].idx].virtual_server,
			    virtual_server))
			return &entry->services[i];
	return NULL;
}

int registry_weight(struct registry *registry, const char *backend, const char *virtual_server,
	const struct weight_word *word, uint64_t now_us)
{
	struct entry *entry = entries_find(&registry->entries, backend);
	struct registry_override *override;
	int r;

	if (!entry) {
		override = departed_find_text(&registry->departed, backend);
		return override ? weight_say(&override->words, virtual_server, word) : -ENOENT;
	}
	if (virtual_server && !find_in(registry, entry, virtual_server))
		return -ESRCH;
	r = weight_say(&entry->backend.words, virtual_server, word);
	if (r < 0)
		return r;
	health_judge(registry, entry, now_us);
	finish(registry, entry, now_us);
	return 0;
}

int registry_approve(struct registry *registry, const char *backend, bool approve, uint64_t now_us)
{
	struct entry *entry = entries_find(&registry->entries, backend);
	struct registry_override *override;

	if (!entry) {
		override = departed_find_text(&registry->departed, backend);
		if (!override)
			return -ENOENT;
		override->approved = approve;
		override->rejected = !approve;
		return 0;
	}
	if (entry->backend.source != BACKEND_AGENT)
		return -EINVAL;
	entry->backend.approved = approve;
	entry->backend.rejected = !approve;
	health_judge(registry, entry, now_us);
	finish(registry, entry, now_us);
	return 0;
}

void registry_hello(struct registry *registry, const struct addr *address, uint64_t now_us)
{
	struct entry *entry = entries_by_address(&registry->entries, address);

	if (!entry || entry->backend.source != BACKEND_AGENT || entry->silent ||
		entry->unanswered > 0)
		return;
	entry->backend.next_heartbeat_us = now_us;
	finish(registry, entry, now_us);
}

void registry_count(
	struct registry *registry, uint16_t backend, uint16_t service, uint32_t connections)
{
	struct entry *entry = registry->entries.by_id[backend];
	size_t idx = membership_service(&registry->membership, service);

	for (size_t i = 0; entry && i < entry->n_services; i++)
		if (entry->services[i].idx == idx)
			entry->services[i].connections = connections;
}

void registry_counted(struct registry *registry, uint16_t backend, uint64_t now_us)
{
	struct entry *entry = registry->entries.by_id[backend];

	if (!entry || entry->backend.source != BACKEND_STATIC)
		return;
	health_judge(registry, entry, now_us);
	finish(registry, entry, now_us);
}

bool registry_is_overdue(
	const struct registry *registry, const struct backend *backend, uint64_t now_us)
{
	const struct entry *entry = registry->entries.by_id[backend->id];

	return entry && backend->source == BACKEND_AGENT &&
		detection_is_overdue(&registry->config, entry, now_us);
}

/* For judge_twin(). */
struct twins_found {
	struct registry *registry;
	uint64_t now_us;
};

static void judge_twin(struct entry *entry, void *context)
{
	const struct twins_found *found = context;

	health_judge(found->registry, entry, found->now_us);
}

uint64_t registry_tick(struct registry *registry, uint64_t now_us)
{
	uint64_t next_us = REGISTRY_NEVER_US, until_us = now_us;
	struct twins_found twins = { registry, now_us };
	bool due = false;

	/* Many may have come at once: they are compared once. */
	if (registry->entries.macs_changed)
		(void)entries_find_twins(&registry->entries, judge_twin, &twins);
	/* When one heartbeat goes out, those that are as good as due go with it: fewer wake-ups. */
	for (size_t i = 0; i < registry->entries.len && !due; i++)
		due = registry->entries.due_us[i] <= now_us;
	if (due)
		until_us += detection_slack_us(&registry->config);
	for (size_t i = 0; i < registry->entries.len; i++) {
		if (registry->entries.due_us[i] > until_us)
			continue;
		liveness_run(registry, registry->entries.slots[i], now_us);
		schedule(registry, registry->entries.slots[i]);
	}
	if (fail_open_is_due(registry, now_us))
		fail_open_judge(registry, now_us);
	for (size_t i = 0; i < registry->entries.len; i++)
		next_us = MIN(next_us, registry->entries.due_us[i]);
	return MIN(next_us, fail_open_due_us(registry));
}

/* The entry's next override, in the order of a life: state, heartbeat, probe, checks. */
static bool take_entry_action(struct entry *entry, struct registry_action *action)
{
	const struct backend *backend = &entry->backend;

	if (entry->wants_state) {
		entry->wants_state = false;
		action->type = REGISTRY_STATE;
		action->old_state = entry->told_state;
		action->new_state = backend->state;
		/* It came back before anybody asked. */
		if (action->old_state != action->new_state)
			return true;
	}
	if (entry->wants_remark) {
		entry->wants_remark = false;
		action->type = REGISTRY_REMARK;
		if (backend->state == BACKEND_UP && backend->reason[0])
			return true;
	}
	if (entry->moved_from.family != AF_UNSPEC) {
		action->type = REGISTRY_MOVED;
		action->address = entry->moved_from;
		entry->moved_from = (struct addr){ 0 };
		return true;
	}
	if (entry->wants_heartbeat) {
		entry->wants_heartbeat = false;
		action->type = REGISTRY_HEARTBEAT;
		/* The agent may have left since, and its address stayed as a static. */
		if (backend->source == BACKEND_AGENT)
			return true;
	}
	if (entry->wants_probe) {
		entry->wants_probe = false;
		action->type = REGISTRY_PROBE_NEIGH;
		return true;
	}
	if (entry->wants_paths) {
		entry->wants_paths = false;
		action->type = REGISTRY_PATHS;
		return true;
	}
	for (uint16_t i = 0; entry->wants_checks && i < backend->n_checks; i++) {
		if (!(entry->wants_checks & 1u << i))
			continue;
		entry->wants_checks &= (uint8_t) ~(1u << i);
		action->type = REGISTRY_RUN_CHECK;
		action->check = i;
		action->port = backend->checks[i].port;
		return true;
	}
	return false;
}

bool registry_next_action(struct registry *registry, struct registry_action *ret_action)
{
	struct registry_action action = { 0 };

	if (registry->entries.changed) {
		action.type = REGISTRY_CHANGED;
		action.urgent = registry->entries.changed_urgent;
		registry->entries.changed = false;
		registry->entries.changed_urgent = false;
		*ret_action = action;
		return true;
	}
	if (registry->entries.n_forgotten > 0) {
		const struct entries_forgotten *gone =
			&registry->entries.forgotten[registry->entries.forgotten_first];

		action.type = REGISTRY_FORGOTTEN;
		action.backend = gone->id;
		action.address = gone->address;
		memcpy(action.name, gone->name, sizeof(action.name));
		registry->entries.forgotten_first =
			(registry->entries.forgotten_first + 1) % REGISTRY_BACKENDS_MAX;
		registry->entries.n_forgotten--;
		*ret_action = action;
		return true;
	}
	while (registry->entries.dirty_first) {
		struct entry *entry = registry->entries.dirty_first;

		action.address = entry->backend.address;
		if (take_entry_action(entry, &action)) {
			action.backend = entry->backend.id;
			memcpy(action.name, entry->backend.name, sizeof(action.name));
			*ret_action = action;
			return true;
		}
		registry->entries.dirty_first = entry->next_dirty;
		if (!registry->entries.dirty_first)
			registry->entries.dirty_last = NULL;
		entry->is_dirty = false;
	}
	return false;
}

size_t registry_len(const struct registry *registry)
{
	return registry->entries.len;
}

const struct backend *registry_backend_at(const struct registry *registry, size_t idx)
{
	return idx < registry->entries.by_name.len ? &registry->entries.by_name.items[idx]->backend
						   : NULL;
}

const struct backend *registry_backend_by_address(const struct registry *registry, size_t idx)
{
	return idx < registry->entries.by_address.len
		? &registry->entries.by_address.items[idx]->backend
		: NULL;
}

const struct backend *registry_backend(const struct registry *registry, uint16_t id)
{
	return registry->entries.by_id[id] ? &registry->entries.by_id[id]->backend : NULL;
}

const struct backend *registry_find_address(
	const struct registry *registry, const struct addr *address)
{
	const struct entry *entry = entries_by_address(&registry->entries, address);

	return entry ? &entry->backend : NULL;
}

const struct backend *registry_find(const struct registry *registry, const char *name_or_address)
{
	const struct entry *entry = entries_find(&registry->entries, name_or_address);

	return entry ? &entry->backend : NULL;
}

/* Services are known by id, so that a caller's copy will do; members are in the order of services. */
static const struct entry_service *find_member(const struct registry *registry,
	const struct backend *backend, const struct registry_service *service)
{
	const struct entry *entry = registry->entries.by_id[backend->id];

	return entry ? membership_in(entry, membership_service(&registry->membership, service->id))
		     : NULL;
}

static struct registry_member member_view(const struct registry *registry,
	const struct entry *entry, const struct entry_service *member)
{
	return (struct registry_member){
		.service = registry->config.services[member->idx].id,
		.vip = member->vip,
		.serves = health_serves(registry, entry, member),
		.proven = path_is_proven(member),
		.is_backup = member->is_backup,
		.is_usable = member->is_usable,
		.weight = member->weight,
		.effective_weight = tier_takes_new(registry, member) ? member->weight : 0,
		.max_connections = tier_max_connections(entry, member),
		.ramp_percent = member->ramp_percent ? member->ramp_percent : 100,
	};
}

bool registry_member_of(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service, struct registry_member *ret_member)
{
	const struct entry_service *member = find_member(registry, backend, service);

	if (!member)
		return false;
	*ret_member = member_view(registry, registry->entries.by_id[backend->id], member);
	return true;
}

struct registry_tier registry_tier(
	const struct registry *registry, const struct registry_service *service)
{
	size_t idx = membership_service(&registry->membership, service->id);

	if (idx == SIZE_MAX)
		return (struct registry_tier){ .minimum = 1 };
	return tier_of(registry, idx);
}

size_t registry_memberships(const struct registry *registry, const struct backend *backend)
{
	const struct entry *entry = registry->entries.by_id[backend->id];

	return entry ? entry->n_services : 0;
}

struct registry_member registry_membership(
	const struct registry *registry, const struct backend *backend, size_t idx)
{
	const struct entry *entry = registry->entries.by_id[backend->id];

	return member_view(registry, entry, &entry->services[idx]);
}

bool registry_path_view(const struct registry *registry, const struct backend *backend,
	const struct registry_service *service, size_t check, struct registry_check_view *ret_view)
{
	return path_view(registry, registry->entries.by_id[backend->id],
		find_member(registry, backend, service), check, ret_view);
}

bool registry_agent_view(const struct registry *registry, const struct backend *backend,
	struct registry_check_view *ret_view)
{
	const struct entry *entry = registry->entries.by_id[backend->id];

	if (!entry || backend->source != BACKEND_AGENT)
		return false;
	ret_view->ok = health_agent_is_well(registry, entry, &ret_view->reason);
	ret_view->since_us = entry->agent_since_us;
	return true;
}

static void restore_agent(
	struct registry *registry, struct entry *entry, const struct backend *kept, uint64_t now_us)
{
	struct backend *backend = &entry->backend;

	backend->challenge_us = kept->challenge_us;
	backend->session_id = kept->session_id;
	backend->heard_us = kept->heard_us;
	backend->protocol = kept->protocol;
	memcpy(backend->key_id, kept->key_id, sizeof(backend->key_id));
	backend->key_bound = kept->key_bound;
	backend->approved = kept->approved;
	backend->rejected = kept->rejected;
	backend->next_heartbeat_us = now_us;
	snprintf(entry->agent_name, sizeof(entry->agent_name), "%s", kept->name);
	entry->need = kept->state == BACKEND_PENDING ? 1 : 0;
	entry->silent = kept->state == BACKEND_DOWN;
	entry->alive_us = now_us;
}

int registry_restore(struct registry *registry, const struct backend *kept, uint64_t now_us)
{
	struct entry *entry;
	struct backend *backend;

	if (kept->id == 0 || kept->name[0] == '\0' || kept->address.family == AF_UNSPEC ||
		(unsigned int)kept->state >= BACKEND_STATE_N_ ||
		kept->status.n_vips > PROTO_VIPS_MAX)
		return -EINVAL;
	if (registry->entries.by_id[kept->id] || entries_by_name(&registry->entries, kept->name) ||
		entries_by_address(&registry->entries, &kept->address))
		return -EEXIST;
	if (registry->entries.len == REGISTRY_BACKENDS_MAX)
		return -ENOSPC;
	entry = entries_entry_new(kept->name, &kept->address, kept->source, now_us);
	if (!entry)
		return -ENOMEM;
	backend = &entry->backend;
	if (weight_copy(&kept->words, &backend->words) < 0 ||
		(kept->source == BACKEND_AGENT &&
			agent_status_copy(&kept->status, &backend->status) < 0)) {
		entries_entry_free(entry);
		return -ENOMEM;
	}
	backend->id = kept->id;
	backend->mac = kept->mac;
	backend->state = kept->state;
	backend->since_us = kept->since_us;
	backend->admin = kept->admin;
	backend->restored = true;
	backend->kept = kept->kept && kept->state == BACKEND_DOWN;
	registry->fail_open.n_kept += backend->kept;
	/* The words of a silence stay; those of being kept are found anew. */
	if (!backend->kept)
		memcpy(backend->reason, kept->reason, sizeof(backend->reason));
	entry->was_up = kept->state != BACKEND_PENDING;
	entry->is_static = kept->source == BACKEND_STATIC;
	entry->silent = backend->kept;
	entry->drain_started_us = kept->since_us;
	/* Slow start goes on where it was; one that is not up starts anew when it is. */
	entry->ramp_started_us = kept->state == BACKEND_UP ? kept->since_us : 0;
	if (kept->source == BACKEND_AGENT)
		restore_agent(registry, entry, kept, now_us);
	entries_add(&registry->entries, entry);
	return 0;
}

int registry_restore_paths(
	struct registry *registry, uint16_t backend, const uint16_t *services, size_t n_services)
{
	struct entry *entry = registry->entries.by_id[backend];
	uint16_t *ids;

	if (!entry)
		return -ENOENT;
	ids = calloc(n_services + 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < n_services; i++)
		ids[i] = services[i];
	free(entry->restored_paths);
	entry->restored_paths = ids;
	entry->n_restored_paths = n_services;
	return 0;
}

size_t registry_overrides_len(const struct registry *registry)
{
	return registry->departed.n_overrides;
}

const struct registry_override *registry_override_at(const struct registry *registry, size_t idx)
{
	return idx < registry->departed.n_overrides ? &registry->departed.overrides[idx] : NULL;
}

int registry_restore_override(struct registry *registry, const struct registry_override *kept)
{
	struct registry_override override = *kept;

	if (kept->name[0] == '\0' || kept->address.family == AF_UNSPEC ||
		(unsigned int)kept->admin >= BACKEND_ADMIN_N_)
		return -EINVAL;
	if (weight_copy(&kept->words, &override.words) < 0)
		return -ENOMEM;
	departed_add(&registry->departed, &override);
	return 0;
}
