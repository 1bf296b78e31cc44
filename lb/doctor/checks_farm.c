/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the daemon's document alone. Called by examine.c. */
#include "lb/doctor/checks_farm.h"

#include "common/doctor/doctor.h"
#include "lb/doctor/facts.h"

#define CHECKS_NEIGHBOURS_MIN 4096u

/* A claim is news for so long (CLAIMS_LIVE_US), a refusal until its agent must have tried again. */
#define CHECKS_CLAIM_S   180.0
#define CHECKS_REFUSED_S 60.0

typedef bool checks_backend_fn(
	const struct facts *facts, const json_t *backend, struct doctor *doctor);

/* Whether a backend was met in an earlier virtual server: it is one thing in all of them. */
static bool checks_is_known(json_t *known, const char *name)
{
	bool is_known = json_object_get(known, name);

	if (!is_known)
		(void)json_object_set_new(known, name, json_true());
	return is_known;
}

/* Calls with each backend, once; returns whether any call found something. */
static bool checks_each_backend(
	const struct facts *facts, checks_backend_fn *judge, struct doctor *doctor)
{
	json_t *known = json_object();
	bool found = false;
	json_t *server, *backend;
	size_t s, b;

	json_array_foreach (json_object_get(facts->service.status, "virtual_servers"), s, server) {
		json_array_foreach (json_object_get(server, "backends"), b, backend) {
			if (!checks_is_known(known, facts_text(backend, "name")))
				found |= judge(facts, backend, doctor);
		}
	}
	json_decref(known);
	return found;
}

static bool checks_is_down(const struct facts *facts, const json_t *backend, struct doctor *doctor)
{
	const char *name = facts_text(backend, "name"), *state = facts_text(backend, "state");
	const char *reason = facts_text(backend, "reason"), *options = facts->service.options;

	if (streq(state, "up"))
		return false;
	if (strstr(reason, "waits for approval") || strstr(reason, "rejected by")) {
		doctor_warn(doctor, name, "%s: %s", state, reason);
		doctor_mend(doctor, "dsr-lb adopt %s%s", name, options);
	} else if (strstr(reason, "by an administrator")) {
		doctor_warn(doctor, name, "%s: %s", state, reason);
		doctor_mend(doctor, "dsr-lb enable %s%s", name, options);
	} else if (streq(state, "down")) {
		doctor_fail(doctor, name, "%s", reason);
	} else {
		doctor_warn(doctor, name, "%s: %s", state, reason);
	}
	return true;
}

void checks_backend(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool found = false;
	json_t *server;
	size_t idx;

	if (facts->service.error != 0)
		return;
	json_array_foreach (
		json_object_get(facts->service.status, "virtual_servers"), idx, server) {
		if (json_array_size(json_object_get(server, "backends")) > 0)
			continue;
		found = true;
		doctor_fail(doctor, facts_text(server, "name"),
			"has no backend: no agent with its VIPs has registered, and it has no real-server");
	}
	found |= checks_each_backend(facts, checks_is_down, doctor);
	if (!found)
		doctor_ok(doctor, "backends", "all are up");
}

/* One that is up serves at other VIPs all the same. */
static bool checks_of_backend(const json_t *backend, struct doctor *doctor)
{
	const char *name = facts_text(backend, "name");
	bool found = false;
	json_t *check;
	size_t idx;

	json_array_foreach (json_object_get(backend, "checks"), idx, check) {
		const char *vip = facts_text(check, "vip"), *reason = facts_text(check, "reason");

		if (!json_is_false(json_object_get(check, "ok")))
			continue;
		found = true;
		if (streq(facts_text(backend, "state"), "down"))
			doctor_fail(doctor, name, "check %s%s%s: %s", facts_text(check, "check"),
				vip[0] ? " of " : "", vip, reason);
		else
			doctor_warn(doctor, name, "check %s%s%s: %s", facts_text(check, "check"),
				vip[0] ? " of " : "", vip, reason);
	}
	return found;
}

void checks_check(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool found = false;
	json_t *server, *backend;
	size_t s, b;

	if (facts->service.error != 0)
		return;
	json_array_foreach (json_object_get(facts->service.status, "virtual_servers"), s, server) {
		json_array_foreach (json_object_get(server, "backends"), b, backend) {
			found |= checks_of_backend(backend, doctor);
		}
	}
	if (!found)
		doctor_ok(doctor, "backends", "no check speaks against one");
}

static bool checks_is_other(const struct facts *facts, const json_t *backend, struct doctor *doctor)
{
	const char *version = facts_text(backend, "version");
	const char *ours = facts_text(facts->service.status, "version");

	if (!version[0] || streq(version, ours))
		return false;
	doctor_warn(doctor, facts_text(backend, "name"),
		"runs dsr-agent %s, and the balancer is %s", version, ours);
	return true;
}

void checks_agent_version(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (facts->service.error == 0 && !checks_each_backend(facts, checks_is_other, doctor))
		doctor_ok(doctor, "agents", "none is of another version");
}

void checks_refused(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const json_t *refusals = json_object_get(facts->service.status, "refusals");
	bool found = false;
	json_t *refusal;
	size_t idx;

	if (facts->service.error != 0)
		return;
	json_array_foreach (refusals, idx, refusal) {
		if (json_number_value(json_object_get(refusal, "last_s")) > CHECKS_REFUSED_S)
			continue;
		found = true;
		doctor_warn(doctor, facts_text(refusal, "address"), "was refused (%s): %s",
			facts_text(refusal, "reason"), facts_text(refusal, "words"));
	}
	if (!found)
		doctor_ok(doctor, "agents", "nobody was refused lately");
}

/* VIPs that are held back; true: there is one. */
static bool checks_held(const struct facts *facts, struct doctor *doctor)
{
	bool found = false;
	json_t *server;
	size_t idx;

	json_array_foreach (
		json_object_get(facts->service.status, "virtual_servers"), idx, server) {
		const char *reason = facts_text(server, "ready_reason");

		if (!json_is_true(json_object_get(server, "ready")) || !reason[0])
			continue;
		found = true;
		doctor_fail(doctor, facts_text(server, "name"),
			"%s; take the address away there, or the VIP out of the configuration",
			reason);
	}
	return found;
}

void checks_claim(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool found = false;
	json_t *claim;
	size_t idx;

	if (facts->service.error != 0)
		return;
	json_array_foreach (json_object_get(facts->service.status, "claims"), idx, claim) {
		const char *backend = facts_text(claim, "backend");

		if (json_number_value(json_object_get(claim, "last_s")) > CHECKS_CLAIM_S)
			continue;
		found = true;
		doctor_fail(doctor, facts_text(claim, "vip"),
			"%s%s%s says that it has this VIP; look there with `dsr-agent doctor`",
			facts_text(claim, "mac"), backend[0] ? " of backend " : "", backend);
	}
	found |= checks_held(facts, doctor);
	if (!found)
		doctor_ok(doctor, "VIPs", "nobody else says that it has one");
}

void checks_tables(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool found = false;
	json_t *balancer, *difference;
	size_t b, d;

	if (facts->service.error != 0)
		return;
	json_array_foreach (json_object_get(facts->service.status, "balancers"), b, balancer) {
		json_array_foreach (json_object_get(balancer, "differences"), d, difference) {
			found = true;
			doctor_warn(doctor, facts_text(balancer, "address"),
				"virtual server %s: its table %s; clients that change from one balancer "
				"to the other change their server: compare `dsr-lb config` on both",
				facts_text(difference, "virtual_server"),
				facts_text(difference, "words"));
		}
	}
	if (!found)
		doctor_ok(doctor, "balancers", "no other is known to choose otherwise");
}

static size_t checks_count_backends(const struct facts *facts)
{
	json_t *known = json_object();
	json_t *server, *backend;
	size_t s, b, n;

	json_array_foreach (json_object_get(facts->service.status, "virtual_servers"), s, server)
		json_array_foreach (json_object_get(server, "backends"), b, backend)
			(void)checks_is_known(known, facts_text(backend, "name"));
	n = json_object_size(known);
	json_decref(known);
	return n;
}

/* True: it keeps fewer than it should. */
static bool checks_neighbours_of(
	const char *family, uint32_t kept, size_t n_backends, struct doctor *doctor)
{
	size_t needed = 2 * n_backends, more = CHECKS_NEIGHBOURS_MIN;

	if (kept == 0 || kept >= needed)
		return false;
	while (more < needed)
		more *= 2;
	doctor_warn(doctor, family,
		"the kernel keeps %u neighbours that it learned, with %zu real servers: when it has as "
		"many it answers no question of a new one, so that agents that start do not find the "
		"balancer",
		kept, n_backends);
	doctor_mend(doctor, "sysctl -w net.%s.neigh.default.gc_thresh3=%zu", family, more);
	return true;
}

void checks_neighbours(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	size_t n_backends;
	bool found;

	if (!facts_are_whole(facts) || facts->service.error != 0)
		return;
	n_backends = checks_count_backends(facts);
	found = checks_neighbours_of("ipv4", facts->neighbours4, n_backends, doctor);
	found |= checks_neighbours_of("ipv6", facts->neighbours6, n_backends, doctor);
	if (!found)
		doctor_ok(doctor, "neighbours",
			"nothing says that the kernel keeps too few for this farm");
}
