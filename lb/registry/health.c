/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See health.h. Knows nothing of how signs of life arrive. */
#include "lb/registry/health.h"

#include "lb/registry/detection.h"
#include "lb/registry/entries.h"
#include "lb/registry/entry.h"
#include "lb/registry/membership.h"
#include "lb/registry/path.h"
#include "lb/registry/tier.h"

/* A remark about a backend that is up is not made more often. */
#define HEALTH_REMARK_US (60 * US_PER_S)

static bool vip_is_usable(const struct entry *entry, uint16_t vip)
{
	const struct backend_vip *found = agent_status_vip(&entry->backend.status, vip);

	return vip == ENTRY_NO_VIP || (found && found->usable);
}

/* What it has for the members of a service of its own: the VIP, and somebody who listens. */
static bool member_is_fit(const struct entry *entry, const struct entry_service *member)
{
	return vip_is_usable(entry, member->vip) && !member->unheard;
}

/* Whether its agent can be asked about ports, and there are any. */
static bool asks_ports(const struct entry *entry)
{
	return entry->backend.source == BACKEND_AGENT &&
		entry->backend.protocol >= PROTO_VERSION_SERVE && entry->asked.len > 0;
}

void health_note_flap(struct entry *entry, uint64_t now_us)
{
	entry->backend.flaps = MIN(entry->backend.flaps + 1, REGISTRY_FLAPS_MAX);
	entry->fade_us = now_us + REGISTRY_FLAP_FADE_US;
}

uint32_t health_flap_answers(const struct registry *registry, const struct entry *entry)
{
	uint32_t flaps = entry->backend.flaps;

	return flaps > 0 ? registry->config.rise << (flaps - 1) : 0;
}

/*
 * A port where nobody listens any more is a flap, as a word is that takes a better one back (liveness.c): until somebody
 * is believed to listen again it takes as long as a better word would.
 */
static void note_ports(const struct registry *registry, struct entry *entry, bool worse,
	bool better, uint64_t now_us)
{
	if (worse && entry->ports_improved) {
		entry->ports_until_us = now_us +
			detection_answers_us(
				&registry->config, health_flap_answers(registry, entry));
		health_note_flap(entry, now_us);
		entry->ports_improved = false;
	}
	entry->ports_improved |= better;
}

/* Finds anew in which services nobody listens; true: it is not as it was. What is not known stays. */
static bool judge_ports(const struct registry *registry, struct entry *entry, uint64_t now_us)
{
	bool asks = asks_ports(entry), worse = false, better = false;
	uint16_t missed[PROTO_PORTS_MAX];
	size_t n_missed = 0;

	entry->ports_due_us = REGISTRY_NEVER_US;
	if (asks && !ports_are_answered(&entry->asked))
		return false;
	for (size_t k = 0; asks && k < entry->asked.len; k++)
		if (ports_is_missed(&entry->asked, k))
			missed[n_missed++] = entry->asked.owners[k];
	for (size_t i = 0; i < entry->n_services; i++) {
		struct entry_service *member = &entry->services[i];
		bool unheard = false;

		for (size_t k = 0; k < n_missed && !unheard; k++)
			unheard = missed[k] == member->idx;
		if (asks && !unheard && member->unheard && now_us < entry->ports_until_us) {
			entry->ports_due_us = entry->ports_until_us;
			continue;
		}
		worse |= unheard && !member->unheard;
		better |= !unheard && member->unheard;
		member->unheard = unheard;
	}
	note_ports(registry, entry, worse, better, now_us);
	return worse || better;
}

/* The agent has words for the first port of all that nobody listens on. */
static void say_unheard(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, struct why *ret_why)
{
	const struct ports *asked = &entry->asked;
	char text[ADDR_PORT_STRLEN];
	bool first = true;

	for (size_t i = 0; i < asked->len; i++) {
		struct addr_port place = { registry->config.services[member->idx].vip,
			asked->items[i].first };

		if (!ports_is_missed(asked, i))
			continue;
		if (asked->owners[i] == member->idx) {
			if (first && asked->answer.why[0])
				why_set(ret_why, "%s", asked->answer.why);
			else
				why_set(ret_why, "nothing listens on %s",
					addr_port_format(&place, text));
			return;
		}
		first = false;
	}
	if (entry->ports_due_us != REGISTRY_NEVER_US)
		why_set(ret_why, "nothing listened on its ports a moment ago: it flapped");
	else
		why_set(ret_why, "nothing listens on its ports, by its agent's last word");
}

bool health_serves(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member)
{
	const struct backend *backend = &entry->backend;

	if (backend->kept)
		return !registry->config.services[member->idx].drop_on_all_down &&
			member_is_fit(entry, member);
	return backend->state != BACKEND_UP ||
		(member_is_fit(entry, member) && path_is_proven(member));
}

bool health_is_silent(const struct registry *registry, const struct entry *entry)
{
	/* Whose agent answers is on the link: the silence of its path is its own. */
	return entry->silent ||
		(entry->backend.source == BACKEND_STATIC && path_is_silent(registry, entry));
}

uint64_t health_drain_end_us(const struct registry *registry, const struct entry *entry)
{
	uint64_t longest_us = 0;

	for (size_t i = 0; i < entry->n_services; i++)
		longest_us = MAX(longest_us,
			registry->config.services[entry->services[i].idx].drain_timeout_us);
	return entry->drain_started_us + longest_us;
}

/*
 * False, with the first offence in words, when it is fit for none of its services. One that it is not fit
 * for beside others is said too.
 */
static bool services_are_good(
	const struct registry *registry, const struct entry *entry, struct why *ret_why)
{
	bool good = false, said = false;

	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];
		const struct backend_vip *vip;
		char text[ADDR_STRLEN];

		if (member_is_fit(entry, member)) {
			good = true;
			continue;
		}
		if (said)
			continue;
		said = true;
		if (vip_is_usable(entry, member->vip)) {
			say_unheard(registry, entry, member, ret_why);
			continue;
		}
		addr_format(&registry->config.services[member->idx].vip, text);
		vip = agent_status_vip(&entry->backend.status, member->vip);
		if (!vip || !vip->present)
			why_set(ret_why, "VIP %s is missing on its loopback interface", text);
		else
			why_set(ret_why, "VIP %s is not silent: it would answer ARP or ND for it",
				text);
	}
	return good;
}

/* A VIP of the agent that it has for nothing; not when it has none that it serves. */
static void say_unserved(
	const struct registry *registry, const struct entry *entry, struct why *why)
{
	const struct backend *backend = &entry->backend;
	char text[ADDR_STRLEN];

	ARRAY_FOREACH (vip, backend->status.vips, backend->status.n_vips) {
		size_t end, at;

		if (vip->served)
			continue;
		at = membership_of_vip(&registry->membership, &vip->address, &end);
		addr_format(&vip->address, text);
		if (at == end)
			why_set(why, "no virtual server has its VIP %s", text);
		else
			why_set(why, "no virtual server with its VIP %s takes it", text);
		return;
	}
}

/* Switches deliver frames to whichever of the two spoke last. */
static void say_twin(const struct registry *registry, const struct entry *entry, struct why *why)
{
	const struct entry *twin = registry->entries.by_id[entry->twin];
	size_t used = strlen(why->text);
	char mac[MAC_STRLEN], address[ADDR_STRLEN];

	if (!entry->twin || !twin)
		return;
	snprintf(why->text + used, sizeof(why->text) - used,
		"%sshares its MAC %s with %s (%s): a cloned machine? give it a MAC of its own",
		used > 0 ? "; " : "", mac_format(&entry->backend.mac, mac), twin->backend.name,
		addr_format(&twin->backend.address, address));
}

/* False with a reason when a check is against it; `*ret_known` when it was ever known. */
static bool checks_are_good(const struct entry *entry, struct why *ret_why, bool *ret_known)
{
	const struct backend *backend = &entry->backend;

	*ret_known = true;
	for (size_t i = 0; i < backend->n_checks; i++) {
		const struct registry_check *check = &backend->checks[i];

		if (check->known && !check->ok) {
			why_set(ret_why, "check %s",
				check->reason[0] ? check->reason : "failed without a reason");
			return false;
		}
		/* A check that is new on a proven backend does not stop it before it has run. */
		if (!check->known && !entry->was_up) {
			*ret_known = false;
			why_set(ret_why, "check tcp:%u has not answered yet", check->port);
		}
	}
	return *ret_known;
}

/* What else there is to say of an agent whose last words are better than what is judged. */
static void say_held(const struct registry *registry, const struct entry *entry, struct why *why)
{
	uint32_t left = entry->hold - MIN(entry->hold, entry->backend.streak);
	uint64_t left_us = detection_answers_us(&registry->config, MAX(left, 1u));
	size_t used = strlen(why->text);

	if (!entry->held)
		return;
	snprintf(why->text + used, sizeof(why->text) - used, "%s%s again in %u s: it flapped",
		used > 0 ? "; " : "",
		entry->said == entry->backend.status.state ? "better"
							   : proto_state_name(entry->said),
		(unsigned int)((left_us + US_PER_S - 1) / US_PER_S));
}

/* Why an agent's own word or silence keeps it from serving; BACKEND_UP: nothing does. */
static enum backend_state judge_agent(
	const struct registry *registry, const struct entry *entry, struct why *ret_why)
{
	const struct backend *backend = &entry->backend;
	const struct backend_status *status = &backend->status;
	struct why vip_why = { 0 };

	if (entry->silent) {
		if (backend->restored && backend->reason[0])
			why_set(ret_why, "%s", backend->reason);
		else
			why_set(ret_why, "no answer to %u heartbeats", registry->config.fall);
		return BACKEND_DOWN;
	}
	if (status->state == PROTO_STATE_DOWN || status->state == PROTO_STATE_MAINT) {
		why_set(ret_why, "agent: %s",
			status->reason[0] ? status->reason : "gave no reason");
		say_held(registry, entry, ret_why);
		return status->state == PROTO_STATE_DOWN ? BACKEND_DOWN : BACKEND_MAINT;
	}
	if (!backend->approved) {
		why_set(ret_why, "waits for approval: dsr-lb adopt %s", backend->name);
		return BACKEND_PENDING;
	}
	if (!services_are_good(registry, entry, &vip_why)) {
		why_set(ret_why, "%s", vip_why.text);
		return entry->was_up ? BACKEND_DOWN : BACKEND_PENDING;
	}
	if (backend->streak < entry->need) {
		if (!entry->was_up)
			why_set(ret_why, "registered, no heartbeat answered yet");
		else
			why_set(ret_why, "answers again: %u of %u good answers", backend->streak,
				entry->need);
		return entry->was_up ? BACKEND_DOWN : BACKEND_PENDING;
	}
	/* A port that is new on a proven backend does not stop it before it was answered. */
	if (asks_ports(entry) && !ports_are_answered(&entry->asked) && !entry->was_up) {
		why_set(ret_why, "its agent has not said yet whether its ports are listened on");
		return BACKEND_PENDING;
	}
	if (!vip_why.text[0])
		say_unserved(registry, entry, &vip_why);
	why_set(ret_why, "%s", vip_why.text);
	if (status->state == PROTO_STATE_UP)
		say_held(registry, entry, ret_why);
	return BACKEND_UP;
}

static enum backend_state judge_static(const struct entry *entry, struct why *ret_why)
{
	const char *protocol = entry->backend.address.family == AF_INET6 ? "ND" : "ARP";

	if (entry->silent) {
		why_set(ret_why, "no answer to %s", protocol);
		return BACKEND_DOWN;
	}
	if (mac_is_zero(&entry->backend.mac) || (!entry->no_check && !entry->backend.reachable)) {
		why_set(ret_why, "no answer to %s yet", protocol);
		return entry->was_up ? BACKEND_DOWN : BACKEND_PENDING;
	}
	return BACKEND_UP;
}

static void say_too(struct why *why, const struct why *more)
{
	size_t used = strlen(why->text);

	if (more->text[0])
		snprintf(why->text + used, sizeof(why->text) - used, "%s%s", used > 0 ? "; " : "",
			more->text);
}

/* What it would be if no administrator had an override. */
static enum backend_state health_of(
	const struct registry *registry, const struct entry *entry, struct why *ret_why)
{
	enum backend_state against = entry->was_up ? BACKEND_DOWN : BACKEND_PENDING;
	enum path_judgement path;
	struct why check_why, path_why;
	enum backend_state state;
	bool known;

	if (entry->n_services == 0) {
		why_set(ret_why, "no virtual server has its VIPs, or allows its address");
		return against;
	}
	if (entry->checks_overflow) {
		why_set(ret_why, "its virtual servers have more than %u checks",
			REGISTRY_CHECKS_MAX);
		return against;
	}
	if (entry->cut[0]) {
		why_set(ret_why, "%s", entry->cut);
		return against;
	}
	if (entry->backend.source == BACKEND_AGENT)
		state = judge_agent(registry, entry, ret_why);
	else
		state = judge_static(entry, ret_why);
	path = path_judge(registry, entry, &path_why);
	if (state == BACKEND_PENDING && path != PATH_GOOD)
		say_too(ret_why, &path_why);
	if (state != BACKEND_UP)
		return state;
	if (entry->leak[0]) {
		why_set(ret_why, "%s", entry->leak);
		return against;
	}
	if (!checks_are_good(entry, &check_why, &known)) {
		why_set(ret_why, "%s", check_why.text);
		return known ? BACKEND_DOWN : BACKEND_PENDING;
	}
	if (mac_is_zero(&entry->backend.mac)) {
		why_set(ret_why, "its MAC address is not known yet");
		return against;
	}
	if (path != PATH_GOOD) {
		*ret_why = path_why;
		return path == PATH_BAD ? BACKEND_DOWN : against;
	}
	say_too(ret_why, &path_why);
	return BACKEND_UP;
}

static const char *keeping_virtual_server(
	const struct registry *registry, const struct entry *entry)
{
	for (size_t i = 0; i < entry->n_services; i++)
		if (registry->fail_open.keeping[entry->services[i].idx].on)
			return registry->config.services[entry->services[i].idx].virtual_server;
	return "";
}

static enum backend_state judge_state(
	const struct registry *registry, const struct entry *entry, struct why *ret_why)
{
	const struct backend *backend = &entry->backend;
	enum backend_state state;
	size_t used;

	if (backend->rejected) {
		why_set(ret_why, "rejected by an administrator; dsr-lb adopt %s lets it in",
			backend->name);
		return BACKEND_MAINT;
	}
	if (backend->admin == BACKEND_ADMIN_MAINT) {
		why_set(ret_why, "disabled by an administrator");
		return BACKEND_MAINT;
	}
	state = health_of(registry, entry, ret_why);
	if (state == BACKEND_DOWN && backend->kept) {
		used = strlen(ret_why->text);
		snprintf(ret_why->text + used, sizeof(ret_why->text) - used,
			"; kept: most of virtual server %s vanished at once, it still gets clients",
			keeping_virtual_server(registry, entry));
	}
	if (state != BACKEND_UP)
		return state;
	if (backend->admin == BACKEND_ADMIN_DRAIN) {
		why_set(ret_why, "drained by an administrator");
		return BACKEND_DRAIN;
	}
	if (backend->source == BACKEND_AGENT && backend->status.state == PROTO_STATE_DRAIN) {
		why_set(ret_why, "agent: %s",
			backend->status.reason[0] ? backend->status.reason : "drains");
		say_held(registry, entry, ret_why);
		return BACKEND_DRAIN;
	}
	return BACKEND_UP;
}

/* A failure is to be answered for: rise good answers, twice as many for each recent one. */
static void note_failure(const struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct backend *backend = &entry->backend;
	uint64_t need = (uint64_t)registry->config.rise << backend->flaps;

	entry->need = (uint32_t)MIN(need, UINT32_MAX);
	backend->streak = 0;
	health_note_flap(entry, now_us);
}

static void enter_state(
	struct registry *registry, struct entry *entry, enum backend_state state, uint64_t now_us)
{
	struct backend *backend = &entry->backend;
	enum backend_state old = backend->state;

	if (!entry->wants_state)
		entry->told_state = old;
	entry->wants_state = true;
	entries_mark_dirty(&registry->entries, entry);
	backend->state = state;
	backend->since_us = now_us;
	backend->n_state_changes++;
	registry->fail_open.due = true;
	if (state == BACKEND_DRAIN)
		entry->drain_started_us = now_us;
	if (state == BACKEND_UP || state == BACKEND_DRAIN)
		entry->was_up = true;
	if (old == BACKEND_UP && state == BACKEND_DOWN && health_is_silent(registry, entry)) {
		entry->fell_silent_us = now_us;
		registry->fail_open.until_us = MAX(registry->fail_open.until_us,
			now_us + detection_window_us(&registry->config, entry));
	}
}

static uint64_t ramp_steps(uint64_t slow_start_us)
{
	return MAX(MIN(slow_start_us / REGISTRY_RAMP_STEP_US, (uint64_t)REGISTRY_RAMP_STEPS_MAX),
		UINT64_C(1));
}

/* A straight line in steps: each is a new table, so there is a bounded number of them. */
static uint8_t ramp_percent(uint64_t slow_start_us, uint64_t age_us)
{
	uint64_t n_steps = ramp_steps(slow_start_us);

	if (age_us >= slow_start_us)
		return 100;
	return (uint8_t)(REGISTRY_RAMP_FROM_PERCENT +
		(100 - REGISTRY_RAMP_FROM_PERCENT) * (age_us * n_steps / slow_start_us) / n_steps);
}

/* True: in some service the backend has another share of its weight than before. */
static bool ramp_services(const struct registry *registry, struct entry *entry, uint64_t now_us)
{
	uint64_t age_us = now_us - MIN(entry->ramp_started_us, now_us);
	bool changed = false;

	entry->ramp_next_us = REGISTRY_NEVER_US;
	for (size_t i = 0; i < entry->n_services; i++) {
		struct entry_service *member = &entry->services[i];
		uint64_t slow_start_us = registry->config.services[member->idx].slow_start_us;
		uint64_t n_steps = ramp_steps(slow_start_us), next;
		uint8_t percent = ramp_percent(slow_start_us, age_us);

		changed |= member->takes_new &&
			percent != (member->ramp_percent ? member->ramp_percent : 100);
		member->ramp_percent = percent;
		if (!member->takes_new || age_us >= slow_start_us)
			continue;
		/* Rounded up: a moment before it the step has not come. */
		next = age_us * n_steps / slow_start_us + 1;
		entry->ramp_next_us = MIN(entry->ramp_next_us,
			entry->ramp_started_us + (next * slow_start_us + n_steps - 1) / n_steps);
	}
	return changed;
}

/* Where it is up, and has no room for new flows in some of its virtual servers. */
static void say_full(const struct registry *registry, const struct entry *entry, struct why *why)
{
	const struct entry_service *first = NULL;
	size_t n_full = 0;

	for (size_t i = 0; i < entry->n_services; i++)
		if (tier_is_full(registry, entry, &entry->services[i])) {
			first = first ? first : &entry->services[i];
			n_full++;
		}
	if (n_full == 0)
		return;
	if (entry->full_of > 0)
		why_set(why, "full: takes no new connections while it has %u", entry->full_of);
	else if (n_full == entry->n_services)
		why_set(why, "full: takes no new connections while it has %u",
			tier_max_connections(entry, first));
	else
		why_set(why, "full in virtual server %s: takes no new connections while it has %u",
			registry->config.services[first->idx].virtual_server,
			tier_max_connections(entry, first));
}

/* The agent's, or that of the line, which has one for each virtual server. */
static uint32_t configured_weight(const struct entry *entry, const struct entry_service *member)
{
	bool by_line = member->line &&
		(entry->backend.source == BACKEND_STATIC || member->vip == ENTRY_NO_VIP);

	return by_line ? member->line->weight : entry->backend.status.weight;
}

/* What it is to each of its services. True: not as before; `*ret_less`: some have no use of it any more. */
static bool judge_members(
	const struct registry *registry, struct entry *entry, bool wanted, bool *ret_less)
{
	struct backend *backend = &entry->backend;
	bool changed = false;

	backend->takes_new = false;
	for (size_t i = 0; i < entry->n_services; i++) {
		struct entry_service *member = &entry->services[i];
		const bool took_new = member->takes_new, was_usable = member->is_usable;
		const bool was_full = member->is_full;
		const uint32_t weight = member->weight;
		bool would_take;

		member->is_backup = member->line && member->line->is_backup;
		member->weight = weight_of(&backend->words,
			registry->config.services[member->idx].virtual_server,
			configured_weight(entry, member));
		would_take = wanted && member->weight > 0;
		member->takes_new = would_take && !tier_is_full(registry, entry, member);
		would_take = would_take && backend->state == BACKEND_UP &&
			health_serves(registry, entry, member);
		member->is_usable = would_take && member->takes_new;
		member->is_full = would_take && !member->takes_new;
		backend->takes_new |= member->takes_new;
		changed |= was_usable != member->is_usable || took_new != member->takes_new ||
			was_full != member->is_full ||
			(member->takes_new && weight != member->weight);
		*ret_less |= took_new && !member->takes_new;
	}
	return changed;
}

/* Which VIPs are usable now. */
struct vips_judged {
	bool any, gained, lost;
};

static struct vips_judged judge_vips(struct backend *backend)
{
	struct vips_judged judged = { 0 };

	ARRAY_FOREACH (vip, backend->status.vips, backend->status.n_vips) {
		bool usable = vip->present && vip->silent;

		vip->gained = usable && !vip->usable;
		judged.any |= usable;
		judged.gained |= vip->gained;
		judged.lost |= vip->usable && !usable;
		vip->usable = usable;
	}
	return judged;
}

/* It stays up, and there is something new to say of it. */
static void note_remark(
	struct registry *registry, struct entry *entry, const char *reason, uint64_t now_us)
{
	if (!reason[0] || streq(reason, entry->backend.reason) ||
		(entry->remarked_us > 0 && now_us - entry->remarked_us < HEALTH_REMARK_US))
		return;
	entry->remarked_us = now_us;
	entry->wants_remark = true;
	entries_mark_dirty(&registry->entries, entry);
}

bool health_agent_is_well(
	const struct registry *registry, const struct entry *entry, struct why *ret_why)
{
	bool is_well = judge_agent(registry, entry, ret_why) == BACKEND_UP;

	if (is_well)
		*ret_why = (struct why){ 0 };
	return is_well;
}

static void judge_agent_check(const struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct why why;
	bool ok = entry->backend.source == BACKEND_AGENT &&
		health_agent_is_well(registry, entry, &why);

	if (ok == entry->agent_ok && entry->agent_since_us > 0)
		return;
	entry->agent_ok = ok;
	entry->agent_since_us = now_us;
}

void health_judge(struct registry *registry, struct entry *entry, uint64_t now_us)
{
	struct backend *backend = &entry->backend;
	bool took_flows = backend->takes_flows, changed, less = false;
	struct vips_judged vips;
	struct why why = { 0 };
	bool was_kept = backend->kept, ports_changed;
	enum backend_state state;

	if (!registry->configured)
		return;
	vips = judge_vips(backend);
	if (vips.gained)
		path_forgive(registry, entry, now_us);
	judge_agent_check(registry, entry, now_us);
	ports_changed = judge_ports(registry, entry, now_us);
	state = judge_state(registry, entry, &why);
	if (state == BACKEND_UP)
		say_full(registry, entry, &why);
	if (state != BACKEND_MAINT && state != BACKEND_DRAIN)
		say_twin(registry, entry, &why);
	/* Heard, disabled, announced or cut off: then it is no longer kept for its silence. */
	if (backend->kept &&
		(!health_is_silent(registry, entry) || state != BACKEND_DOWN || entry->cut[0])) {
		backend->kept = false;
		registry->fail_open.n_kept--;
		registry->fail_open.due = true;
	}
	/* Announced and silent failures are answered for; failed checks have their own rise. */
	if (backend->source == BACKEND_AGENT && state == BACKEND_DOWN && entry->need == 0 &&
		(entry->silent || backend->status.state == PROTO_STATE_DOWN || !vips.any))
		note_failure(registry, entry, now_us);
	if (state == BACKEND_UP && backend->state != BACKEND_UP && !was_kept)
		entry->ramp_started_us = now_us;
	if (state != backend->state)
		enter_state(registry, entry, state, now_us);
	else if (state == BACKEND_UP)
		note_remark(registry, entry, why.text, now_us);
	(void)snprintf(backend->reason, sizeof(backend->reason), "%.*s",
		(int)sizeof(backend->reason) - 1, why.text);

	changed = judge_members(registry, entry,
		state == BACKEND_UP || (backend->kept && backend->admin != BACKEND_ADMIN_DRAIN),
		&less);
	backend->takes_flows = state == BACKEND_UP || backend->kept ||
		(state == BACKEND_DRAIN && now_us < health_drain_end_us(registry, entry));
	if (ramp_services(registry, entry, now_us) || changed ||
		backend->takes_flows != took_flows || vips.gained || vips.lost || ports_changed)
		entries_mark_changed(&registry->entries,
			ports_changed || less || (took_flows && !backend->takes_flows) ||
				vips.lost);
}
