/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path.h. Called by registry.c, liveness.c, health.c and fail_open.c. */
#include "lb/registry/path.h"

#include "lb/registry/entries.h"
#include "lb/registry/membership.h"

/* Failures that are named; of more their number. */
#define PATH_SAID_MAX 2u

static const struct registry_service *service_of(
	const struct registry *registry, const struct entry_service *member)
{
	return &registry->config.services[member->idx];
}

static bool is_probed(const struct registry *registry, const struct entry_service *member)
{
	return service_of(registry, member)->path != REGISTRY_PATH_NONE;
}

/* An agent that says that it lacks the VIP does not serve it; one that is a static always does. */
static bool is_judged(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member)
{
	return (is_probed(registry, member) || member->path.n_lost > 0) &&
		(member->vip == ENTRY_NO_VIP || (entry->usable_vips & UINT64_C(1) << member->vip));
}

bool path_is_proven(const struct entry_service *member)
{
	return member->path.is_needed ? member->path.ok : member->path.n_lost == 0;
}

static bool was_kept_as_proven(const struct entry *entry, uint16_t service)
{
	for (size_t i = 0; i < entry->n_restored_paths; i++)
		if (entry->restored_paths[i] == service)
			return true;
	/* Versions that did not probe kept nothing of it: what was up goes on, and is proven meanwhile. */
	return !entry->restored_paths && !entry->paths_carried && entry->backend.restored &&
		entry->was_up;
}

static bool serves(const struct entry *entry)
{
	return entry->backend.state == BACKEND_UP || entry->backend.state == BACKEND_DRAIN;
}

void path_carry(struct registry *registry, struct entry *entry, struct entry_service *services,
	size_t n_services, uint64_t now_us)
{
	uint32_t *at = registry->path_at;
	bool any = false;

	for (size_t i = 0; i < entry->n_services; i++) {
		at[entry->services[i].path.service] = (uint32_t)i + 1;
		any |= entry->services[i].path.is_needed;
	}
	for (size_t i = 0; i < n_services; i++) {
		const struct registry_service *service = service_of(registry, &services[i]);
		const struct entry_service *old =
			at[service->id] ? &entry->services[at[service->id] - 1] : NULL;
		struct entry_path *path = &services[i].path;

		if (old)
			*path = old->path;
		else
			path->since_us = now_us;
		if (path->is_needed != (service->path != REGISTRY_PATH_NONE))
			path->n_lost = 0; /* what would end it is another thing now */
		path->ok |= old ? !old->path.is_needed && entry->was_up
				: was_kept_as_proven(entry, service->id);
		path->is_added |= !old && serves(entry);
		/* What gets clients already is failed like any other, not passed over. */
		path->was_proven |= path->ok;
		path->service = service->id;
		path->is_needed = service->path != REGISTRY_PATH_NONE;
		any |= path->is_needed;
	}
	for (size_t i = 0; i < entry->n_services; i++)
		at[entry->services[i].path.service] = 0;
	free(TAKE_PTR(entry->restored_paths));
	entry->n_restored_paths = 0;
	entry->paths_carried = true;
	if (!any)
		return;
	entry->wants_paths = true;
	entries_mark_dirty(&registry->entries, entry);
}

static struct entry_service *find_member(
	const struct registry *registry, const struct entry *entry, uint16_t service)
{
	size_t idx = membership_service(&registry->membership, service);
	const struct entry_service *member = idx == SIZE_MAX ? NULL : membership_in(entry, idx);

	return member ? &entry->services[member - entry->services] : NULL;
}

static void flip(struct registry *registry, struct entry_path *path, bool ok, uint64_t now_us)
{
	path->ok = ok;
	path->n_lost = ok ? 0 : path->n_lost;
	path->was_proven |= ok;
	path->streak = 0;
	path->since_us = now_us;
	entries_mark_changed(&registry->entries, !ok);
}

bool path_settle(struct registry *registry, struct entry *entry,
	const struct registry_path_result *result, uint64_t now_us)
{
	struct entry_service *member = find_member(registry, entry, result->service);
	bool good = result->verdict == REGISTRY_PATH_OK, before;
	const struct registry_service *service;
	struct entry_path *path;
	uint32_t wanted;

	if (!member || !is_probed(registry, member) || result->verdict == REGISTRY_PATH_NOT_MADE ||
		result->began_us < member->path.from_us)
		return false;
	path = &member->path;
	service = service_of(registry, member);
	if (result->verdict == REGISTRY_PATH_NO_ADDRESS) {
		before = path->verdict != result->verdict && !path->known && !path->ok;
		path->verdict = path->known || path->ok ? path->verdict : (uint8_t)result->verdict;
		return before;
	}
	if (result->verdict == REGISTRY_PATH_NO_ANSWER)
		entry->path_silent_us = MAX(entry->path_silent_us, result->began_us);
	else
		entry->answered_us = now_us;
	/* The last word of a failure stays until the next failure, for who looks why it was. */
	before = path->known && (good || path->verdict == (uint8_t)result->verdict);
	path->known = true;
	if (!good)
		path->verdict = (uint8_t)result->verdict;
	if (good == path->ok) {
		path->streak = 0;
		return !before;
	}
	/* What was kept never left the tables, and what was never proven has nothing to come back from. */
	wanted = path->ok ? service->check_fall : service->check_rise;
	if (good && (entry->backend.kept || !path->was_proven))
		wanted = 1;
	if (++path->streak < wanted)
		return !before;
	flip(registry, path, good, now_us);
	return true;
}

bool path_lose(struct registry *registry, struct entry *entry, const struct registry_loss *loss,
	uint64_t now_us)
{
	struct entry_service *member = find_member(registry, entry, loss->service);
	struct entry_path *path;

	if (!member)
		return false;
	path = &member->path;
	if (is_probed(registry, member)) {
		/* What is out already gets no clients; good probes end it. */
		if (loss->n_syns == 0 || !path->ok)
			return false;
		path->known = true;
		path->verdict = REGISTRY_PATH_LOST;
		path->from_us = now_us + REGISTRY_LOSS_US;
		path->n_lost = loss->n_syns;
		flip(registry, path, false, now_us);
		return true;
	}
	if ((loss->n_syns == 0) == (path->n_lost == 0))
		return false;
	path->n_lost = loss->n_syns;
	path->verdict = REGISTRY_PATH_LOST;
	entries_mark_changed(&registry->entries, loss->n_syns > 0);
	return true;
}

void path_forgive(
	const struct registry *registry, struct entry *entry, uint64_t vips, uint64_t now_us)
{
	for (size_t i = 0; i < entry->n_services; i++) {
		struct entry_service *member = &entry->services[i];

		if (member->vip == ENTRY_NO_VIP || !(vips & UINT64_C(1) << member->vip) ||
			member->path.ok || !is_probed(registry, member))
			continue;
		member->path.known = false;
		member->path.was_proven = false;
		member->path.is_added = serves(entry);
		member->path.streak = 0;
		member->path.from_us = now_us;
	}
}

/* The place that is probed: "198.51.100.10:80", or the VIP alone. */
static const char *format_place(const struct registry_service *service, char *buffer)
{
	const struct addr_port place = { service->vip, service->path_port };

	return service->path == REGISTRY_PATH_ECHO ? addr_format(&service->vip, buffer)
						   : addr_port_format(&place, buffer);
}

/* "1,200" */
static void lost_words(const struct registry_service *service, const struct entry *entry,
	uint32_t n_syns, struct why *ret_why)
{
	const struct addr_port port = { service->vip,
		service->n_ports ? service->ports[0].first : 0 };
	char place[ADDR_PORT_STRLEN], number[16];

	if (n_syns < 1000)
		snprintf(number, sizeof(number), "%u", n_syns);
	else if (n_syns < 1000000)
		snprintf(number, sizeof(number), "%u,%03u", n_syns / 1000, n_syns % 1000);
	else
		snprintf(number, sizeof(number), "%u,%03u,%03u", n_syns / 1000000,
			n_syns / 1000 % 1000, n_syns % 1000);
	addr_port_format(&port, place);
	if (entry->backend.source == BACKEND_AGENT)
		why_set(ret_why,
			"accepted 0 of %s connections to %s (does its firewall drop clients?)",
			number, place);
	else
		why_set(ret_why,
			"no client went on after %s SYNs to %s (does its firewall drop clients?)",
			number, place);
}

static void failure_words(const struct registry_service *service, const struct entry *entry,
	enum registry_path_verdict verdict, struct why *ret_why)
{
	char place[ADDR_PORT_STRLEN], mac[MAC_STRLEN];

	format_place(service, place);
	switch (verdict) {
	case REGISTRY_PATH_REFUSED:
		why_set(ret_why, "path: nothing listens on %s (connection refused)", place);
		break;
	case REGISTRY_PATH_PORT_UNREACHABLE:
		why_set(ret_why, "path: nothing listens on %s (ICMP port unreachable)", place);
		break;
	case REGISTRY_PATH_PROHIBITED:
		why_set(ret_why, "path: %s is prohibited by ICMP (firewall?)", place);
		break;
	case REGISTRY_PATH_UNREACHABLE:
		why_set(ret_why, "path: %s is unreachable by ICMP (VIP missing on lo?)", place);
		break;
	case REGISTRY_PATH_UNEXPECTED:
		why_set(ret_why, "path: the answer of %s has not what check-expect says", place);
		break;
	default:
		why_set(ret_why, "path: no answer for %s from %s (VIP missing on lo? firewall?)",
			place, mac_format(&entry->backend.mac, mac));
	}
}

void path_words(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, struct why *ret_why)
{
	const struct registry_service *service = service_of(registry, member);
	const struct entry_path *path = &member->path;
	char place[ADDR_PORT_STRLEN];

	*ret_why = (struct why){ 0 };
	if (path->n_lost > 0 && path->verdict == REGISTRY_PATH_LOST)
		lost_words(service, entry, path->n_lost, ret_why);
	else if (path->ok)
		return;
	else if (path->known)
		failure_words(service, entry, (enum registry_path_verdict)path->verdict, ret_why);
	else if (path->verdict == REGISTRY_PATH_NO_ADDRESS)
		why_set(ret_why,
			"path: %s cannot be probed: this balancer has no address of its kind",
			format_place(service, place));
	else
		why_set(ret_why, "path: %s has not answered yet", format_place(service, place));
}

/* What one service says, which has not been proven. */
static enum path_judgement judge_one(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member)
{
	if (path_is_proven(member) || !is_judged(registry, entry, member))
		return PATH_GOOD;
	if (member->path.n_lost > 0)
		return PATH_BAD;
	if (member->path.is_added && !member->path.was_proven)
		return PATH_GOOD;
	return member->path.known ? PATH_BAD : PATH_UNPROVEN;
}

/* One more of `n_said`; the first takes the place of what was there. */
static void say(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, size_t n_said, struct why *why)
{
	size_t used = n_said > 0 ? strlen(why->text) : 0;
	struct why words;

	path_words(registry, entry, member, &words);
	snprintf(why->text + used, sizeof(why->text) - used, "%s%s", used > 0 ? "; " : "",
		words.text);
}

static void say_more(size_t n_more, struct why *why)
{
	size_t used = strlen(why->text);

	snprintf(why->text + used, sizeof(why->text) - used, "; and %zu more", n_more);
}

enum path_judgement path_judge(
	const struct registry *registry, const struct entry *entry, struct why *ret_why)
{
	enum path_judgement judgement = PATH_GOOD;
	size_t n_said = 0, n_more = 0;

	*ret_why = (struct why){ 0 };
	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];
		enum path_judgement one = judge_one(registry, entry, member);

		if (path_is_proven(member) || !is_judged(registry, entry, member) ||
			one < judgement)
			continue;
		/* What is worse takes the place of what is not. */
		if (one > judgement)
			n_said = n_more = 0;
		judgement = one;
		if (n_said < PATH_SAID_MAX)
			say(registry, entry, member, n_said++, ret_why);
		else
			n_more++;
	}
	if (n_more > 0)
		say_more(n_more, ret_why);
	return judgement;
}

/* Of all that is known: whether each is so; false where nothing is. */
static bool all_are(const struct registry *registry, const struct entry *entry,
	bool (*is_so)(const struct entry_path *path))
{
	bool any = false;

	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];

		if (!member->path.known || !is_judged(registry, entry, member))
			continue;
		if (!is_so(&member->path))
			return false;
		any = true;
	}
	return any;
}

static bool one_is_suspect(const struct entry_path *path)
{
	return (!path->ok || path->streak > 0) && path->verdict == REGISTRY_PATH_NO_ANSWER;
}

static bool one_is_silent(const struct entry_path *path)
{
	/* A good answer after it is one to come back, whatever `rise` says. */
	return !path->ok && path->streak == 0 && path->verdict == REGISTRY_PATH_NO_ANSWER;
}

bool path_is_suspect(const struct registry *registry, const struct entry *entry)
{
	return all_are(registry, entry, one_is_suspect);
}

bool path_is_silent(const struct registry *registry, const struct entry *entry)
{
	return all_are(registry, entry, one_is_silent);
}

bool path_is_refused(const struct registry *registry, const struct entry *entry)
{
	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];

		if (member->path.known && !member->path.ok && is_judged(registry, entry, member) &&
			member->path.verdict != REGISTRY_PATH_NO_ANSWER)
			return true;
	}
	return false;
}
