/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See statics.h. Everything that can fail is done before the first change. */
#include "lb/registry/statics.h"

#include "lb/registry/departed.h"
#include "lb/registry/entries.h"
#include "lb/registry/entry.h"
#include "lb/registry/health.h"
#include "lb/registry/liveness.h"
#include "lb/registry/membership.h"
#include "lb/registry/tier.h"

/* All lines of one address. */
struct group {
	struct registry_static static_;
	bool name_given;
	struct entry *fresh; /* to be added; NULL: there is one of this address */
};

struct plan {
	struct group *groups; /* in the order of addresses */
	size_t n_groups;
	struct fail_open_keeping *keeping;
	struct fail_open_tally *tallies;
	struct tiers *tiers;
	struct membership membership;
};

static void plan_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_groups; i++)
		entries_entry_free(plan->groups[i].fresh);
	free(plan->groups);
	free(plan->keeping);
	free(plan->tallies);
	tiers_free(plan->tiers);
	membership_clear(&plan->membership);
}

static int compare_statics(const void *a, const void *b)
{
	const struct group *left = a, *right = b;

	return addr_compare(&left->static_.address, &right->static_.address);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A second line of the same address: what one leaves open the other may say. */
static int merge_group(struct group *group, const struct group *other, struct why *ret_why)
{
	struct registry_static *into = &group->static_;
	const struct registry_static *from = &other->static_;
	char text[ADDR_STRLEN];

	addr_format(&into->address, text);
	if (group->name_given && other->name_given && !streq(into->name, from->name)) {
		return why_fail(ret_why, -EINVAL, "real-server %s has two names, %s and %s", text,
			into->name, from->name);
	}
	if (!mac_is_zero(&into->mac) && !mac_is_zero(&from->mac) &&
		!mac_equal(&into->mac, &from->mac)) {
		return why_fail(ret_why, -EINVAL, "real-server %s has two MAC addresses", text);
	}
	if (other->name_given) {
		memcpy(into->name, from->name, sizeof(into->name));
		group->name_given = true;
	}
	if (mac_is_zero(&into->mac))
		into->mac = from->mac;
	into->no_check &= from->no_check;
	return 0;
}

static int merge_groups(struct plan *plan, struct why *ret_why)
{
	size_t len = 0;

	for (size_t i = 0; i < plan->n_groups; i++) {
		int r;

		if (len == 0 ||
			!addr_equal(&plan->groups[len - 1].static_.address,
				&plan->groups[i].static_.address)) {
			plan->groups[len++] = plan->groups[i];
			continue;
		}
		r = merge_group(&plan->groups[len - 1], &plan->groups[i], ret_why);
		if (r < 0)
			return r;
	}
	plan->n_groups = len;
	return 0;
}

static int names_are_unique(const struct plan *plan, struct why *ret_why)
{
	_cleanup_free_ const char **names = calloc(plan->n_groups + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_groups; i++)
		names[i] = plan->groups[i].static_.name;
	qsort(names, plan->n_groups, sizeof(*names), compare_names);
	for (size_t i = 1; i < plan->n_groups; i++) {
		if (!streq(names[i - 1], names[i]))
			continue;
		return why_fail(ret_why, -EINVAL,
			"two real-servers with different addresses have the name %s; give one another name=",
			names[i]);
	}
	return 0;
}

static int collect_groups(
	const struct registry_config *config, struct plan *plan, struct why *ret_why)
{
	int r;

	plan->groups = calloc(config->n_statics + 1, sizeof(*plan->groups));
	if (!plan->groups)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_statics; i++) {
		struct group *group = &plan->groups[plan->n_groups++];
		char text[ADDR_STRLEN];

		group->static_ = config->statics[i];
		addr_format(&group->static_.address, text);
		group->name_given = !streq(group->static_.name, text);
		if (membership_on_link(config, &group->static_.address))
			continue;
		return why_fail(ret_why, -EINVAL,
			"real-server %s is not on the backend interface's link, and a MAC rewrite reaches nobody "
			"else; remove it, or add its interface to backend-interface",
			text);
	}
	qsort(plan->groups, plan->n_groups, sizeof(*plan->groups), compare_statics);
	r = merge_groups(plan, ret_why);
	return r < 0 ? r : names_are_unique(plan, ret_why);
}

static const struct group *find_group(const struct plan *plan, const struct addr *address)
{
	const struct group key = { .static_.address = *address };

	return bsearch(&key, plan->groups, plan->n_groups, sizeof(key), compare_statics);
}

/* A name of the configuration that an agent with another address bears. */
static int names_are_free(
	const struct registry *registry, const struct plan *plan, struct why *ret_why)
{
	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct registry_static *static_ = &plan->groups[i].static_;
		const struct entry *entry = entries_by_name(&registry->entries, static_->name);
		char text[ADDR_STRLEN];

		if (!entry || addr_equal(&entry->backend.address, &static_->address) ||
			entry->backend.source == BACKEND_STATIC)
			continue;
		return why_fail(ret_why, -EINVAL,
			"the name %s of a real-server belongs to the agent at %s", static_->name,
			addr_format(&entry->backend.address, text));
	}
	return 0;
}

/* Statics that the new configuration no longer has, and that are no agents. */
static size_t count_leaving(const struct registry *registry, const struct plan *plan)
{
	size_t len = 0;

	for (size_t i = 0; i < registry->entries.len; i++)
		len += registry->entries.slots[i]->backend.source == BACKEND_STATIC &&
			!find_group(plan, &registry->entries.slots[i]->backend.address);
	return len;
}

static int make_entries(const struct registry *registry, struct plan *plan, uint64_t now_us)
{
	size_t n_fresh = 0;

	for (size_t i = 0; i < plan->n_groups; i++) {
		struct group *group = &plan->groups[i];

		if (entries_by_address(&registry->entries, &group->static_.address))
			continue;
		group->fresh = entries_entry_new(
			group->static_.name, &group->static_.address, BACKEND_STATIC, now_us);
		if (!group->fresh)
			return -ENOMEM;
		group->fresh->is_static = true;
		n_fresh++;
	}
	if (registry->entries.len - count_leaving(registry, plan) + n_fresh > REGISTRY_BACKENDS_MAX)
		return -ENOSPC;
	return 0;
}

/* Whether the agent that is at a configured address may be it: by the line's name and a key of its own. */
static bool may_stand_in(
	const struct registry_config *config, const struct group *group, const struct entry *entry)
{
	const struct backend *backend = &entry->backend;

	/* Of one that an older version kept the key is not known until it registers anew. */
	return config->adopt != REGISTRY_ADOPT_OFF && group->name_given &&
		streq(entry->agent_name, group->static_.name) &&
		(backend->key_bound || backend->key_id[0] == '\0');
}

static int find_next_services(const struct membership *membership,
	const struct registry_config *config, struct entry *entry, const struct group *group)
{
	bool was_static = entry->is_static;
	enum backend_source source = entry->backend.source;
	int r;

	free(TAKE_PTR(entry->next_services));
	entry->is_static = group != NULL;
	if (group && !may_stand_in(config, group, entry))
		entry->backend.source = BACKEND_STATIC;
	r = membership_find(
		membership, config, entry, &entry->next_services, &entry->n_next_services);
	entry->is_static = was_static;
	entry->backend.source = source;
	return r;
}

static int plan_make(const struct registry *registry, const struct registry_config *config,
	uint64_t now_us, struct plan *plan, struct why *ret_why)
{
	int r = collect_groups(config, plan, ret_why);

	if (r == 0)
		r = names_are_free(registry, plan, ret_why);
	if (r == 0)
		r = make_entries(registry, plan, now_us);
	if (r == 0)
		r = membership_make(config, &plan->membership);
	for (size_t i = 0; r == 0 && i < plan->n_groups; i++)
		if (plan->groups[i].fresh)
			r = find_next_services(
				&plan->membership, config, plan->groups[i].fresh, &plan->groups[i]);
	for (size_t i = 0; r == 0 && i < registry->entries.len; i++) {
		struct entry *entry = registry->entries.slots[i];

		r = find_next_services(&plan->membership, config, entry,
			find_group(plan, &entry->backend.address));
	}
	if (r == -ENOSPC)
		why_set(ret_why, "more than %u backends", REGISTRY_BACKENDS_MAX);
	if (r < 0)
		return r;
	plan->keeping = calloc(config->n_services + 1, sizeof(*plan->keeping));
	plan->tallies = calloc(config->n_services + 1, sizeof(*plan->tallies));
	plan->tiers = tiers_new(config->n_services);
	return plan->keeping && plan->tallies && plan->tiers ? 0 : -ENOMEM;
}

/* A service that was keeping goes on where it has the same id. */
static void carry_keeping(
	const struct registry *registry, const struct registry_config *config, struct plan *plan)
{
	for (size_t i = 0; registry->fail_open.n_kept && i < config->n_services; i++) {
		size_t old = membership_service(&registry->membership, config->services[i].id);

		if (old != SIZE_MAX)
			plan->keeping[i] = registry->fail_open.keeping[old];
	}
}

static void remove_leaving(struct registry *registry, const struct plan *plan, uint64_t now_us)
{
	for (size_t i = registry->entries.len; i-- > 0;) {
		struct entry *entry = registry->entries.slots[i];

		if (find_group(plan, &entry->backend.address))
			continue;
		if (entry->backend.source == BACKEND_STATIC) {
			departed_leave(registry, entry, now_us);
			continue;
		}
		entry->is_static = false;
		entry->given_mac = (struct mac){ 0 };
	}
}

/* Agents at configured addresses that may not be there any more: what they leave is taken to be well. */
static void end_agents(struct registry *registry, const struct registry_config *config,
	const struct plan *plan, uint64_t now_us)
{
	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct group *group = &plan->groups[i];
		struct entry *entry =
			entries_by_address(&registry->entries, &group->static_.address);
		bool was_up;

		if (!entry || entry->backend.source != BACKEND_AGENT ||
			may_stand_in(config, group, entry))
			continue;
		was_up = entry->backend.state == BACKEND_UP && !mac_is_zero(&entry->backend.mac);
		liveness_end_agent(registry, entry, now_us);
		entry->backend.reachable = was_up;
	}
}

/* The line's words over what is there. */
static void take_static(struct registry *registry, struct entry *entry, const struct group *group)
{
	const struct registry_static *static_ = &group->static_;
	struct backend *backend = &entry->backend;

	entry->is_static = true;
	entry->no_check = static_->no_check;
	entry->name_given = group->name_given;
	entry->given_mac = static_->mac;
	if (!mac_is_zero(&static_->mac) && !mac_equal(&static_->mac, &backend->mac))
		entries_set_mac(&registry->entries, entry, &static_->mac, true);
	if (backend->source == BACKEND_AGENT)
		backend->approved = true;
}

/*
 * Names may have changed places, so those that change give their old one up first. A name of
 * three bytes beyond any address or legal name cannot collide.
 */
static void rename_statics(struct registry *registry, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct registry_static *static_ = &plan->groups[i].static_;
		struct entry *entry = entries_by_address(&registry->entries, &static_->address);
		char place[REGISTRY_NAME_BYTES];

		if (!entry || streq(entry->backend.name, static_->name) ||
			(entry->backend.source == BACKEND_AGENT && !plan->groups[i].name_given))
			continue;
		snprintf(place, sizeof(place), "\x7f %u", entry->backend.id);
		entries_rename(&registry->entries, entry, place);
	}
	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct registry_static *static_ = &plan->groups[i].static_;
		struct entry *entry = entries_by_address(&registry->entries, &static_->address);

		if (entry && entry->backend.name[0] == '\x7f')
			entries_rename(&registry->entries, entry, static_->name);
	}
}

static void take_groups(struct registry *registry, struct plan *plan)
{
	for (size_t i = 0; i < plan->n_groups; i++) {
		struct group *group = &plan->groups[i];
		struct entry *entry =
			entries_by_address(&registry->entries, &group->static_.address);

		if (!entry) {
			entry = TAKE_PTR(group->fresh);
			entries_add(&registry->entries, entry);
			take_static(registry, entry, group);
			departed_restore(&registry->departed, &entry->backend);
			continue;
		}
		take_static(registry, entry, group);
	}
}

static void take_services(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	liveness_take_services(
		registry, entry, TAKE_PTR(entry->next_services), entry->n_next_services, now_us);
	/* One that was up before a restart is taken to be there until the kernel says otherwise. */
	if (entry->backend.source == BACKEND_STATIC && entry->backend.restored) {
		entry->backend.restored = false;
		entry->backend.reachable =
			entry->was_up && !entry->silent && !mac_is_zero(&entry->backend.mac);
	}
	entry->neigh_next_us = MIN(entry->neigh_next_us, now_us);
}

int statics_configure(struct registry *registry, const struct registry_config *config,
	uint64_t now_us, struct why *ret_why)
{
	_cleanup_(plan_clear) struct plan plan = { 0 };
	int r;

	*ret_why = (struct why){ 0 };
	r = plan_make(registry, config, now_us, &plan, ret_why);
	if (r < 0)
		return r;
	carry_keeping(registry, config, &plan);
	remove_leaving(registry, &plan, now_us);
	end_agents(registry, config, &plan, now_us);
	rename_statics(registry, &plan);
	take_groups(registry, &plan);
	free(registry->fail_open.keeping);
	free(registry->fail_open.tallies);
	tiers_free(registry->tiers);
	membership_clear(&registry->membership);
	registry->membership = plan.membership;
	plan.membership = (struct membership){ 0 };
	registry->fail_open.keeping = TAKE_PTR(plan.keeping);
	registry->fail_open.tallies = TAKE_PTR(plan.tallies);
	registry->tiers = TAKE_PTR(plan.tiers);
	registry->config = *config;
	registry->configured = true;
	registry->fail_open.until_us = REGISTRY_NEVER_US;
	for (size_t i = 0; i < registry->entries.len; i++)
		take_services(registry, registry->entries.slots[i], now_us);
	for (size_t i = 0; i < registry->entries.len; i++)
		health_judge(registry, registry->entries.slots[i], now_us);
	entries_mark_changed(&registry->entries, true);
	registry->fail_open.due = true;
	return 0;
}
