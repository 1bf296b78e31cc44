/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent says of itself, and what its files say. Called by examine.c. */
#include "agent/doctor/checks_agent.h"

#include <linux/capability.h>

#include "agent/doctor/facts.h"
#include "common/doctor/doctor.h"

static const char *checks_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

void checks_config(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	service_judge_config(
		&facts->service, facts->report, facts->config_error, facts->config_path, doctor);
}

void checks_key(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (facts->config)
		keyfile_judge(&facts->keyfile, &facts->service, doctor);
}

void checks_daemon(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	service_judge_daemon(&facts->service, doctor);
}

void checks_capabilities(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	service_judge_capabilities(&facts->service, UINT64_C(1) << CAP_NET_ADMIN, doctor);
}

void checks_boot(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	service_judge_boot(&facts->service, doctor);
}

void checks_host(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	char text[ADDR_STRLEN];

	if (facts->host_error < 0)
		service_warn_hidden(
			&facts->service, doctor, "host", "its interfaces cannot be looked at");
	else if (facts->config && !facts->has_identity)
		doctor_fail(doctor, "host", "%s", facts->identity_why.text);
	else if (facts->config)
		doctor_ok(doctor, facts->identity.interface, "%s faces the balancers",
			addr_format(&facts->identity.real_ip, text));
}

/* Whoever answers echo requests is there: then it is not the way. */
static bool checks_is_there(const struct facts *facts, const char *address)
{
	char text[ADDR_STRLEN];

	ARRAY_FOREACH (echo, facts->echoes, ARRAY_LEN(facts->echoes)) {
		if (echo->answers && streq(addr_format(&echo->addr, text), address))
			return true;
	}
	return false;
}

static const char *checks_hint(const struct facts *facts, const json_t *balancer)
{
	static const char silence[] = "no answer";

	if (strncmp(checks_text(balancer, "reason"), silence, strlen(silence)) != 0 ||
		!checks_is_there(facts, checks_text(balancer, "address")))
		return "";
	return "; its host answers echo requests, so that the key differs, or dsr-lb does not run, or "
	       "a filter drops UDP: ask `dsr-lb doctor` there";
}

void checks_balancer(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const json_t *balancer;
	size_t idx;

	json_array_foreach (json_object_get(facts->service.status, "balancers"), idx, balancer) {
		const char *state = checks_text(balancer, "state");
		const char *reason = checks_text(balancer, "reason");

		if (streq(state, "up"))
			doctor_ok(doctor, checks_text(balancer, "address"), "is registered with");
		else if (streq(state, "drain"))
			doctor_warn(doctor, checks_text(balancer, "address"), "is being left");
		else
			doctor_fail(doctor, checks_text(balancer, "address"), "%s%s",
				reason[0] ? reason : state, checks_hint(facts, balancer));
	}
}

void checks_state(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const char *state = checks_text(facts->service.status, "state");
	const char *admin = checks_text(facts->service.status, "admin");
	const char *name = checks_text(facts->service.status, "name");

	if (facts->service.error != 0)
		return;
	if (streq(state, "up")) {
		doctor_ok(doctor, name, "is up");
	} else if (streq(admin, "drain") || streq(admin, "maint")) {
		doctor_warn(doctor, name, "an administrator said %s", admin);
		doctor_mend(doctor, "dsr-agent enable%s", facts->service.options);
	} else if (streq(state, "down")) {
		doctor_fail(
			doctor, name, "is down: %s", checks_text(facts->service.status, "reason"));
	} else {
		doctor_warn(doctor, name, "is %s: %s", state,
			checks_text(facts->service.status, "reason"));
	}
}

void checks_check(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const json_t *check;
	bool found = false;
	size_t idx;

	if (facts->service.error != 0)
		return;
	json_array_foreach (json_object_get(facts->service.status, "checks"), idx, check) {
		const char *name = checks_text(check, "name"), *state = checks_text(check, "state");
		const char *vip = checks_text(check, "vip"), *reason = checks_text(check, "reason");
		bool warns = json_is_true(json_object_get(check, "warning"));

		if (streq(state, "up") && !warns)
			continue;
		found = true;
		if (streq(state, "down"))
			doctor_fail(doctor, name, "%s%sdown: %s", vip, vip[0] ? ": " : "", reason);
		else
			doctor_warn(
				doctor, name, "%s%s%s: %s", vip, vip[0] ? ": " : "", state, reason);
	}
	if (!found)
		doctor_ok(doctor, "service", "no local check speaks against it");
}
