/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of this host against the VIPs. Called by examine.c. */
#include "agent/doctor/checks_vip.h"

#include "agent/doctor/facts.h"
#include "common/doctor/doctor.h"

typedef bool checks_vip_fn(const struct facts *facts, const struct host_address *address,
	const struct addr *vip, struct doctor *doctor);

#define CHECKS_VIPS_TOLD 64u /* one by one; of more, those that are well are counted */

/* Calls with each VIP's every address on this host; returns whether any call found something. */
static bool checks_each_address(
	const struct facts *facts, checks_vip_fn *judge, struct doctor *doctor)
{
	const struct addr *vips = facts->config->vips.items;
	bool found = false;

	ARRAY_FOREACH (vip, vips, facts->config->vips.len) {
		ARRAY_FOREACH (address, facts->host.addresses, facts->host.n_addresses) {
			if (addr_equal(&address->addr, vip))
				found |= judge(facts, address, vip, doctor);
		}
	}
	return found;
}

static bool checks_is_blind(const struct facts *facts)
{
	return !facts->config || facts->host_error < 0;
}

static void checks_mend_address(
	const struct facts *facts, const struct host_address *address, struct doctor *doctor)
{
	const struct host_link *link = host_link(&facts->host, address->ifindex);
	char text[ADDR_STRLEN], word[DOCTOR_WORD_BYTES];

	if (link)
		doctor_mend(doctor, "ip address del %s/%u dev %s",
			addr_format(&address->addr, text), address->prefix_len,
			doctor_word(link->name, word));
}

static void checks_vip_missing(const struct facts *facts, const struct host_link *loopback,
	const struct addr *vip, struct doctor *doctor)
{
	char text[ADDR_STRLEN], word[DOCTOR_WORD_BYTES];

	addr_format(vip, text);
	doctor_fail(doctor, text, "is not on %s", loopback->name);
	/* What the agent took away when it stopped is put back when ARP is silent, by itself alone. */
	if (facts->service.error == -ENOENT || facts->service.error == -ECONNREFUSED)
		service_mend_start(&facts->service, doctor);
	else
		doctor_mend(doctor, "ip address add %s/%u dev %s%s", text, host_full_prefix(vip),
			doctor_word(loopback->name, word),
			vip->family == AF_INET6 ? " nodad preferred_lft 0" : "");
}

void checks_vip(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const struct host_link *loopback;
	const struct addr *vips;
	size_t n_well = 0; /* of many */
	char text[ADDR_STRLEN], word[DOCTOR_WORD_BYTES];

	if (checks_is_blind(facts))
		return;
	loopback = facts_loopback(facts);
	vips = facts->config->vips.items;
	if (!loopback) {
		doctor_fail(
			doctor, facts->config->loopback, "there is no such interface for the VIPs");
		return;
	}
	if (!loopback->up) {
		doctor_fail(
			doctor, loopback->name, "is down: the kernel serves nothing at the VIPs");
		doctor_mend(doctor, "ip link set %s up", doctor_word(loopback->name, word));
	}
	ARRAY_FOREACH (vip, vips, facts->config->vips.len) {
		if (!host_vip(&facts->host, loopback->ifindex, vip))
			checks_vip_missing(facts, loopback, vip, doctor);
		else if (facts->config->vips.len <= CHECKS_VIPS_TOLD)
			doctor_ok(doctor, addr_format(vip, text), "is on %s", loopback->name);
		else
			n_well++;
	}
	if (n_well > 0)
		doctor_ok(doctor, "VIPs", "%zu are on %s", n_well, loopback->name);
}

static bool checks_has_prefix(const struct facts *facts, const struct host_address *address,
	const struct addr *vip, struct doctor *doctor)
{
	const struct host_link *loopback = facts_loopback(facts);
	char text[ADDR_STRLEN];

	if (!loopback || address->ifindex != loopback->ifindex ||
		address->prefix_len == host_full_prefix(vip))
		return false;
	doctor_fail(doctor, addr_format(vip, text),
		"is on %s as /%u: all of that subnet is this host's; it must be /%u",
		loopback->name, address->prefix_len, host_full_prefix(vip));
	checks_mend_address(facts, address, doctor);
	return true;
}

void checks_vip_prefix(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!checks_is_blind(facts) && !checks_each_address(facts, checks_has_prefix, doctor))
		doctor_ok(doctor, "VIPs", "no subnet is on %s with them", facts->config->loopback);
}

static bool checks_is_elsewhere(const struct facts *facts, const struct host_address *address,
	const struct addr *vip, struct doctor *doctor)
{
	const struct host_link *link = host_link(&facts->host, address->ifindex);
	char text[ADDR_STRLEN];

	if (!link || streq(link->name, facts->config->loopback))
		return false;
	if (link->arp)
		doctor_fail(doctor, addr_format(vip, text),
			"is on %s, too, where this host answers for it in the balancer's place",
			link->name);
	else
		doctor_warn(doctor, addr_format(vip, text), "is on %s, too: it is there twice",
			link->name);
	checks_mend_address(facts, address, doctor);
	return true;
}

void checks_vip_place(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!checks_is_blind(facts) && !checks_each_address(facts, checks_is_elsewhere, doctor))
		doctor_ok(doctor, "VIPs", "none is on another interface than %s",
			facts->config->loopback);
}

static bool checks_is_alias(const struct facts *facts, const struct host_address *address,
	const struct addr *vip, struct doctor *doctor)
{
	const struct host_link *link = host_link(&facts->host, address->ifindex);
	char text[ADDR_STRLEN];

	/* The agent's own has one, too; whose they are is written down. */
	if (!link || address->label[0] == '\0' || streq(address->label, link->name) ||
		!facts->has_undo || host_undo_has_address(&facts->undo, link->ifindex, vip))
		return false;
	doctor_warn(doctor, addr_format(vip, text),
		"is on the alias %s, which is none of the agent's: it stays when the agent stops",
		address->label);
	checks_mend_address(facts, address, doctor);
	return true;
}

void checks_vip_alias(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!checks_is_blind(facts) && !checks_each_address(facts, checks_is_alias, doctor))
		doctor_ok(doctor, "VIPs", "none is on an alias");
}
