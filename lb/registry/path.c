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
	const struct registry_service *service = service_of(registry, member);

	return service->path != REGISTRY_PATH_NONE || service->n_requests > 0;
}

/* An agent that says that it lacks the VIP does not serve it; one that is a static always does. */
static bool is_judged(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member)
{
	const struct backend_vip *vip = agent_status_vip(&entry->backend.status, member->vip);

	return (is_probed(registry, member) || member->paths[0].n_lost > 0) &&
		(member->vip == ENTRY_NO_VIP || (vip && vip->usable));
}

static bool one_is_proven(const struct entry_path *path)
{
	return path->is_needed ? path->ok : path->n_lost == 0;
}

bool path_is_proven(const struct entry_service *member)
{
	return !member->is_unproven;
}

/* After each change of a path. */
static void note_proven(struct entry_service *member)
{
	member->is_unproven = false;
	ARRAY_FOREACH (path, member->paths, ENTRY_PATHS)
		member->is_unproven |= !one_is_proven(path);
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

/* Whether a reload left a request as it was. Never 0. */
static uint32_t key_of(const struct registry_request *request)
{
	uint32_t key = util_fnv_32(
		UTIL_FNV_32_BASIS ^ request->port, request->name, strlen(request->name));

	return key ? key : 1;
}

/* `old` NULL: the service was not there. What is asked now and was not is taken as proven while it gets clients. */
static void carry_one(const struct entry *entry, const struct entry_path *old, bool is_kept,
	uint64_t now_us, struct entry_path *path)
{
	const bool needed = path->is_needed;
	const uint32_t key = path->key;
	const bool same = old && (old->key == key || !needed);

	if (same)
		*path = *old;
	else
		path->since_us = now_us;
	path->key = key;
	if (path->is_needed != needed)
		path->n_lost = 0; /* what would end it is another thing now */
	path->is_needed = needed;
	path->ok |= old ? (!old->is_needed || (!same && old->ok)) && entry->was_up : is_kept;
	path->is_added |= !old && serves(entry);
	/* What gets clients already is failed like any other, not passed over. */
	path->was_proven |= path->ok;
}

static void carry_service(const struct registry *registry, const struct entry *entry,
	const struct entry_service *old, struct entry_service *member, uint64_t now_us)
{
	const struct registry_service *service = service_of(registry, member);
	bool is_kept = !old && was_kept_as_proven(entry, service->id);

	member->id = service->id;
	for (size_t k = 0; k < ENTRY_PATHS; k++) {
		struct entry_path *path = &member->paths[k];

		path->is_needed =
			k == 0 ? service->path != REGISTRY_PATH_NONE : k <= service->n_requests;
		path->key = k > 0 && path->is_needed ? key_of(&service->requests[k - 1]) : 0;
		carry_one(entry, old ? &old->paths[k] : NULL, is_kept, now_us, path);
	}
	note_proven(member);
}

/* Whether something is to be probed, or was. */
static bool wants_paths(const struct entry_service *members, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ARRAY_FOREACH (path, members[i].paths, ENTRY_PATHS)
			if (path->is_needed)
				return true;
	return false;
}

void path_carry(struct registry *registry, struct entry *entry, struct entry_service *services,
	size_t n_services, uint64_t now_us)
{
	uint32_t *at = registry->path_at;

	for (size_t i = 0; i < entry->n_services; i++)
		at[entry->services[i].id] = (uint32_t)i + 1;
	for (size_t i = 0; i < n_services; i++) {
		uint16_t id = service_of(registry, &services[i])->id;
		const struct entry_service *old = at[id] ? &entry->services[at[id] - 1] : NULL;

		carry_service(registry, entry, old, &services[i], now_us);
		services[i].connections = old ? old->connections : 0;
		services[i].unheard = old && old->unheard;
	}
	for (size_t i = 0; i < entry->n_services; i++)
		at[entry->services[i].id] = 0;
	free(TAKE_PTR(entry->restored_paths));
	entry->n_restored_paths = 0;
	entry->paths_carried = true;
	if (!wants_paths(entry->services, entry->n_services) && !wants_paths(services, n_services))
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

static void flip(struct registry *registry, struct entry_service *member, struct entry_path *path,
	bool ok, uint64_t now_us)
{
	path->ok = ok;
	path->n_lost = ok ? 0 : path->n_lost;
	path->was_proven |= ok;
	path->streak = 0;
	path->since_us = now_us;
	note_proven(member);
	entries_mark_changed(&registry->entries, !ok);
}

/* What began before it was asked anew, or is not asked any more, is of no interest. */
static struct entry_path *find_path(
	struct entry_service *member, const struct registry_path_result *result)
{
	struct entry_path *path =
		member && result->check < ENTRY_PATHS ? &member->paths[result->check] : NULL;

	return path && path->is_needed && result->began_us >= path->from_us ? path : NULL;
}

/* A word of the host's, or its silence. */
static void note_host(
	struct entry *entry, const struct registry_path_result *result, uint64_t now_us)
{
	if (result->verdict == REGISTRY_PATH_NO_ANSWER)
		entry->path_silent_us = MAX(entry->path_silent_us, result->began_us);
	else
		entry->answered_us = now_us;
}

/*
 * Nothing was heard of its agent since the probe began, though it was asked: what takes heartbeats away may have taken the
 * probe too, and its silence says no more of the path than theirs. They judge it within heartbeat-fall intervals of the
 * last word, and no silence that is longer is excused. Where the agent is heard in the probe's time the probe is sent
 * again at once (path_probe_again), and its silence counts. Where either way loses 20 %, a heartbeat is unanswered in
 * 1 - 0.8² = 36 %: about so many probes are excused at most, and a dead path is found after check-fall / 0.64 of them on
 * average; none is excused where check-timeout is longer than the silence that takes an agent down, as by default. Once an
 * agent is silent, the path is what tells whether its host is there.
 */
static bool proves_nothing(const struct entry *entry, const struct registry_path_result *result)
{
	bool is_silence =
		result->verdict == REGISTRY_PATH_NO_ANSWER || result->verdict == REGISTRY_PATH_MUTE;

	return is_silence && entry->backend.source == BACKEND_AGENT && !entry->silent &&
		entry->unanswered > 0 && entry->backend.heard_us < result->began_us;
}

bool path_settle(struct registry *registry, struct entry *entry,
	const struct registry_path_result *result, uint64_t now_us)
{
	struct entry_service *member = find_member(registry, entry, result->service);
	struct entry_path *path = find_path(member, result);
	bool good = result->verdict == REGISTRY_PATH_OK, before;
	const struct registry_service *service;
	uint32_t wanted;

	if (!path || result->verdict == REGISTRY_PATH_NOT_MADE || proves_nothing(entry, result))
		return false;
	service = service_of(registry, member);
	if (result->verdict == REGISTRY_PATH_NO_ADDRESS) {
		before = path->verdict != result->verdict && !path->known && !path->ok;
		path->verdict = path->known || path->ok ? path->verdict : (uint8_t)result->verdict;
		return before;
	}
	note_host(entry, result, now_us);
	/* The last word of a failure stays until the next failure, for who looks why it was. */
	before = path->known &&
		(good ||
			(path->verdict == (uint8_t)result->verdict &&
				path->status == result->status));
	path->known = true;
	if (!good) {
		path->verdict = (uint8_t)result->verdict;
		path->status = result->status;
	}
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
	flip(registry, member, path, good, now_us);
	return true;
}

bool path_lose(struct registry *registry, struct entry *entry, const struct registry_loss *loss,
	uint64_t now_us)
{
	struct entry_service *member = find_member(registry, entry, loss->service);
	struct entry_path *path;

	if (!member)
		return false;
	path = &member->paths[0];
	if (path->is_needed) {
		/* What is out already gets no clients; good probes end it. */
		if (loss->n_syns == 0 || !path->ok)
			return false;
		path->known = true;
		path->verdict = REGISTRY_PATH_LOST;
		path->from_us = now_us + REGISTRY_LOSS_US;
		path->n_lost = loss->n_syns;
		flip(registry, member, path, false, now_us);
		return true;
	}
	if ((loss->n_syns == 0) == (path->n_lost == 0))
		return false;
	path->n_lost = loss->n_syns;
	path->verdict = REGISTRY_PATH_LOST;
	note_proven(member);
	entries_mark_changed(&registry->entries, loss->n_syns > 0);
	return true;
}

static void forgive_one(const struct entry *entry, struct entry_path *path, uint64_t now_us)
{
	if (!path->is_needed || path->ok)
		return;
	path->known = false;
	path->was_proven = false;
	path->is_added = serves(entry);
	path->streak = 0;
	path->from_us = now_us;
}

void path_forgive(const struct registry *registry, struct entry *entry, uint64_t now_us)
{
	for (size_t i = 0; i < entry->n_services; i++) {
		struct entry_service *member = &entry->services[i];
		const struct backend_vip *vip =
			agent_status_vip(&entry->backend.status, member->vip);

		if (!vip || !vip->gained || !is_probed(registry, member))
			continue;
		ARRAY_FOREACH (path, member->paths, ENTRY_PATHS)
			forgive_one(entry, path, now_us);
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

/* Of a request: what was asked, and where, is the same in all of them. */
static void request_words(const struct registry_service *service,
	const struct registry_request *request, const struct entry_path *path, struct why *ret_why)
{
	const struct addr_port endpoint = { service->vip, request->port };
	char place[ADDR_PORT_STRLEN], asked[ADDR_PORT_STRLEN + 80];

	snprintf(asked, sizeof(asked), "GET %.64s at %s", request->target,
		addr_port_format(&endpoint, place));
	if (!path->known) {
		why_set(ret_why,
			path->verdict == REGISTRY_PATH_NO_ADDRESS
				? "%s cannot be asked: this balancer has no address of its kind"
				: "%s has not been answered yet",
			asked);
		return;
	}
	switch ((enum registry_path_verdict)path->verdict) {
	case REGISTRY_PATH_STATUS:
		why_set(ret_why, "answered %u to %s", path->status, asked);
		break;
	case REGISTRY_PATH_MUTE:
		why_set(ret_why, "took the connection, but did not answer %s within %llu ms", asked,
			(unsigned long long)(service->check_timeout_us / US_PER_MS));
		break;
	case REGISTRY_PATH_CLOSED:
		why_set(ret_why, "closed the connection without an answer to %s", asked);
		break;
	case REGISTRY_PATH_NOT_HTTP:
		why_set(ret_why, "answered something else than HTTP to %s", asked);
		break;
	case REGISTRY_PATH_REFUSED:
		why_set(ret_why, "connection refused for %s (nothing listens there)", asked);
		break;
	case REGISTRY_PATH_NO_ANSWER:
		why_set(ret_why, "no connection for %s (VIP missing on lo? firewall?)", asked);
		break;
	default:
		why_set(ret_why, "unreachable or prohibited by ICMP: %s", asked);
	}
}

void path_words(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, size_t check, struct why *ret_why)
{
	const struct registry_service *service = service_of(registry, member);
	const struct entry_path *path = &member->paths[check];
	char place[ADDR_PORT_STRLEN];

	*ret_why = (struct why){ 0 };
	if (path->n_lost > 0 && path->verdict == REGISTRY_PATH_LOST)
		lost_words(service, entry, path->n_lost, ret_why);
	else if (path->ok)
		return;
	else if (check > 0)
		request_words(service, &service->requests[check - 1], path, ret_why);
	else if (path->known)
		failure_words(service, entry, (enum registry_path_verdict)path->verdict, ret_why);
	else if (path->verdict == REGISTRY_PATH_NO_ADDRESS)
		why_set(ret_why,
			"path: %s cannot be probed: this balancer has no address of its kind",
			format_place(service, place));
	else
		why_set(ret_why, "path: %s has not answered yet", format_place(service, place));
}

bool path_view(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, size_t check, struct registry_check_view *ret_view)
{
	const struct entry_path *path =
		member && check < ENTRY_PATHS ? &member->paths[check] : NULL;

	if (!path || !path->is_needed)
		return false;
	ret_view->ok = path->ok;
	ret_view->since_us = path->since_us;
	path_words(registry, entry, member, check, &ret_view->reason);
	return true;
}

/* What one probe or request says, which has not been proven. */
static enum path_judgement judge_one(const struct entry_path *path)
{
	if (path->n_lost > 0)
		return PATH_BAD;
	if (path->is_added && !path->was_proven)
		return PATH_GOOD;
	return path->known ? PATH_BAD : PATH_UNPROVEN;
}

/* What is said of a backend: the worst of what fails, and how much more there is. */
struct saying {
	enum path_judgement judgement;
	size_t n_said, n_more;
	struct why *why;
};

/* One more; the first takes the place of what was there. */
static void say(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member, size_t check, struct saying *saying)
{
	enum path_judgement one = judge_one(&member->paths[check]);
	struct why *why = saying->why;
	struct why words;
	size_t used;

	if (one < saying->judgement)
		return;
	/* What is worse takes the place of what is not. */
	if (one > saying->judgement)
		saying->n_said = saying->n_more = 0;
	saying->judgement = one;
	if (saying->n_said == PATH_SAID_MAX) {
		saying->n_more++;
		return;
	}
	path_words(registry, entry, member, check, &words);
	used = saying->n_said++ > 0 ? strlen(why->text) : 0;
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
	struct saying saying = { .judgement = PATH_GOOD, .why = ret_why };

	*ret_why = (struct why){ 0 };
	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];

		if (path_is_proven(member) || !is_judged(registry, entry, member))
			continue;
		for (size_t k = 0; k < ENTRY_PATHS; k++)
			if (!one_is_proven(&member->paths[k]))
				say(registry, entry, member, k, &saying);
	}
	if (saying.n_more > 0)
		say_more(saying.n_more, ret_why);
	return saying.judgement;
}

/* Of all that is known: whether each is so; false where nothing is. */
static bool all_are(const struct registry *registry, const struct entry *entry,
	bool (*is_so)(const struct entry_path *path))
{
	bool any = false;

	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];

		if (!is_judged(registry, entry, member))
			continue;
		ARRAY_FOREACH (path, member->paths, ENTRY_PATHS) {
			if (!path->is_needed || !path->known)
				continue;
			if (!is_so(path))
				return false;
			any = true;
		}
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

static bool one_is_refused(const struct entry_path *path)
{
	return path->is_needed && path->known && !path->ok &&
		path->verdict != REGISTRY_PATH_NO_ANSWER;
}

bool path_is_refused(const struct registry *registry, const struct entry *entry)
{
	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];

		if (!is_judged(registry, entry, member))
			continue;
		ARRAY_FOREACH (path, member->paths, ENTRY_PATHS)
			if (one_is_refused(path))
				return true;
	}
	return false;
}
