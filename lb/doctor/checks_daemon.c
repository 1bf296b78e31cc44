/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon says of itself, and what its files say. Called by examine.c. */
#include "lb/doctor/checks_daemon.h"

#include <linux/capability.h>

#include "common/doctor/doctor.h"
#include "lb/doctor/facts.h"

#define CHECKS_BIT(capability) (UINT64_C(1) << (capability))
/* Drivers take native XDP with frames of one page; this fits all of them. */
#define CHECKS_XDP_MTU 3498u
/* Our own filters' priorities (lb/engine/bpf/attach.c): the engine's, and the guard's. */
#define CHECKS_TC_PRIORITY    0xd5au
#define CHECKS_GUARD_PRIORITY 0xd5bu

void checks_daemon(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	service_judge_daemon(&facts->service, doctor);
}

void checks_capabilities(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	uint64_t wanted = CHECKS_BIT(CAP_NET_ADMIN) | CHECKS_BIT(CAP_NET_RAW);

	/* Only mode packet does without programs in the kernel. */
	if (!facts->config || facts->config->mode != CONFIG_MODE_PACKET)
		wanted |= CHECKS_BIT(CAP_BPF) | CHECKS_BIT(CAP_PERFMON);
	/* Before these two were made, this one was for them, too. */
	if (facts->service.capabilities & CHECKS_BIT(CAP_SYS_ADMIN))
		wanted &= ~(CHECKS_BIT(CAP_BPF) | CHECKS_BIT(CAP_PERFMON));
	service_judge_capabilities(&facts->service, wanted, doctor);
}

void checks_boot(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	service_judge_boot(&facts->service, doctor);
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

void checks_state(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const json_t *status = facts->service.status;
	const char *why = facts_text(status, "inactive_reason");

	if (facts->service.error != 0)
		return;
	if (json_is_true(json_object_get(status, "active"))) {
		doctor_ok(doctor, "balancer", "is active");
	} else if (strstr(why, "by an administrator")) {
		doctor_warn(doctor, "balancer", "is %s", why);
		doctor_mend(doctor, "dsr-lb active%s", facts->service.options);
	} else if (strncmp(why, "active-when:", strlen("active-when:")) == 0) {
		doctor_ok(doctor, "balancer", "is on standby, as it should be (%s)", why);
	} else {
		doctor_fail(doctor, "balancer", "does not forward: %s",
			why[0] ? why : facts_text(status, "mode_reason"));
	}
}

void checks_listen(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const json_t *control = json_object_get(facts->service.status, "control");

	if (facts->service.error != 0)
		return;
	if (json_is_false(json_object_get(control, "listening")))
		doctor_fail(doctor, "agents", "cannot register: %s",
			facts_text(control, "listening_reason"));
	else
		doctor_ok(doctor, "agents", "can register");
}

/* What keeps native XDP off an interface that could have it. */
static bool checks_hindrance(const struct facts *facts, struct doctor *doctor)
{
	const struct survey_link *link = facts_clients(facts);
	char word[DOCTOR_WORD_BYTES];

	if (!link || facts->config->mode > CONFIG_MODE_XDP)
		return false;
	doctor_word(link->name, word);
	if (facts->card.has_lro) {
		doctor_warn(doctor, link->name,
			"joins received frames (LRO), which native XDP cannot have");
		doctor_mend(doctor, "ethtool -K %s lro off", word);
		return true;
	}
	if (link->mtu_bytes > CHECKS_XDP_MTU && !streq(facts->card.driver, "veth")) {
		doctor_warn(doctor, link->name,
			"MTU %u is more than native XDP takes with most drivers (%u)",
			link->mtu_bytes, CHECKS_XDP_MTU);
		doctor_mend(doctor, "ip link set dev %s mtu %u", word, CHECKS_XDP_MTU);
		return true;
	}
	return false;
}

static bool checks_is_own(const struct survey_filter *filter)
{
	return streq(filter->kind, "bpf") &&
		(filter->priority == CHECKS_TC_PRIORITY ||
			filter->priority == CHECKS_GUARD_PRIORITY);
}

/*
 * The first filter of somebody else; NULL: there is none. `*ret_before`: frames come to it before they come to ours,
 * which they never do where ours is no filter: at tcx and XDP it is before them all, and so is a packet socket.
 */
static const struct survey_filter *checks_other_filter(const struct facts *facts, bool *ret_before)
{
	const struct survey_filter *other = NULL;

	*ret_before = false;
	ARRAY_FOREACH (filter, facts->filters, facts->n_filters) {
		if (!checks_is_own(filter))
			other = other ? other : filter;
		else if (filter->priority == CHECKS_TC_PRIORITY)
			*ret_before = other != NULL;
	}
	return other;
}

/* Whether somebody else's program has the frames before ours. */
static bool checks_overtaken(const struct facts *facts, const char *mode, struct doctor *doctor)
{
	const struct survey_link *link = facts_clients(facts);
	const struct survey_filter *filter;
	char word[DOCTOR_WORD_BYTES];
	bool before;

	if (!link)
		return false;
	doctor_word(link->name, word);
	filter = checks_other_filter(facts, &before);
	/* In mode xdp the one that is there is ours: no other is ever replaced. */
	if (!streq(mode, "xdp") && link->xdp_id) {
		doctor_warn(doctor, link->name,
			"somebody else's XDP program (id %u) has the frames before mode %s",
			link->xdp_id, mode);
		doctor_mend(doctor, "ip link set dev %s xdp off", word);
	} else if (streq(mode, "tc") && facts->tcx_before) {
		doctor_warn(doctor, link->name,
			"somebody else's program (id %u) at tc's ingress has the frames before ours; see "
			"`bpftool net show dev %s`",
			facts->tcx_before, word);
	} else if (streq(mode, "tc") && before) {
		doctor_warn(doctor, link->name,
			"somebody else's program (%s%s%s, pref %u) at tc's ingress has the frames before "
			"ours; see `tc filter show dev %s ingress`",
			filter->kind, filter->name[0] ? " " : "", filter->name, filter->priority,
			word);
		doctor_mend(doctor, "tc filter del dev %s ingress pref %u", word, filter->priority);
	} else {
		return false;
	}
	return true;
}

void checks_mode(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const char *mode = facts_text(facts->service.status, "mode");
	const struct survey_filter *filter;
	bool before;

	if (facts->service.error != 0 || !facts_are_whole(facts) ||
		checks_overtaken(facts, mode, doctor))
		return;
	if (!streq(mode, "xdp") && checks_hindrance(facts, doctor))
		return;
	if (streq(mode, "tc") && facts->filters_error < 0) {
		doctor_warn(doctor, facts->config->interface,
			"whether somebody else's filter at tc's ingress has the frames before ours is not known: %s",
			strerror(-facts->filters_error));
		return;
	}
	filter = checks_other_filter(facts, &before);
	doctor_ok(doctor, facts->config->interface, "%s on %s (%s)%s%s", mode[0] ? mode : "?",
		facts->card.driver[0] ? facts->card.driver : "a driver without a name",
		facts_text(facts->service.status, "mode_reason"),
		filter ? "; somebody else's program at tc's ingress is behind ours: " : "",
		filter ? filter->kind : "");
}

void checks_kernel(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!facts_are_whole(facts))
		return;
	if (facts->config->mode == CONFIG_MODE_PACKET) {
		doctor_ok(doctor, "kernel", "mode packet needs nothing of it");
	} else if (!facts->has_bpf) {
		doctor_warn(doctor, "kernel", "has no BPF: only mode packet is left");
	} else if (!facts->has_jit) {
		doctor_warn(doctor, "kernel",
			"interprets BPF programs, which costs several times their time");
		doctor_mend(doctor, "sysctl -w net.core.bpf_jit_enable=1");
	} else {
		doctor_ok(doctor, "kernel", "has BPF, and compiles it%s",
			facts->has_btf ? "; it tells its types" : "");
	}
}
