/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What answers for a VIP in the balancer's place. Called by examine.c. */
#include "agent/doctor/checks_arp.h"

#include "agent/doctor/facts.h"
#include "common/doctor/doctor.h"

#define CHECKS_SETTING_BYTES 96u

/* "net.ipv4.conf.eth0.arp_ignore"; with slashes where the interface's name has dots. */
static const char *checks_setting(const char *family, const char *interface, const char *name,
	char buffer[CHECKS_SETTING_BYTES])
{
	char separator = strchr(interface, '.') ? '/' : '.';

	snprintf(buffer, CHECKS_SETTING_BYTES, "net%c%s%cconf%c%s%c%s", separator, family,
		separator, separator, interface, separator, name);
	return buffer;
}

static void checks_mend_setting(struct doctor *doctor, const char *family, const char *interface,
	const char *name, unsigned int value)
{
	char setting[CHECKS_SETTING_BYTES], word[DOCTOR_WORD_BYTES];

	checks_setting(family, interface, name, setting);
	doctor_mend(doctor, "sysctl -w %s=%u", doctor_word(setting, word), value);
}

static void checks_arp_all(const struct facts *facts, struct doctor *doctor)
{
	if ((int32_t)facts->host.all_arp_ignore > 2) {
		doctor_fail(doctor, "all",
			"arp_ignore is %d and spoils every interface; the agent cannot set it",
			(int)facts->host.all_arp_ignore);
		checks_mend_setting(doctor, "ipv4", "all", "arp_ignore", 0);
	}
	if ((int32_t)facts->host.all_arp_announce > 2) {
		doctor_fail(doctor, "all",
			"arp_announce is %d and spoils every interface; the agent cannot set it",
			(int)facts->host.all_arp_announce);
		checks_mend_setting(doctor, "ipv4", "all", "arp_announce", 0);
	}
}

static void checks_arp_link(
	const struct facts *facts, const struct host_link *link, struct doctor *doctor)
{
	char setting[CHECKS_SETTING_BYTES], word[DOCTOR_WORD_BYTES], other[DOCTOR_WORD_BYTES];

	if (link->exempt) {
		doctor_ok(doctor, link->name, "is left alone (arp-exempt)");
		return;
	}
	if (host_ignore_is_right(link->arp_ignore) && host_announce_is_right(link->arp_announce)) {
		/* Else `all` spoils it, and has its own line. */
		if (host_link_is_silent(&facts->host, link))
			doctor_ok(doctor, link->name,
				"answers no ARP for the VIPs (arp_ignore %u, arp_announce %u)",
				host_effective_ignore(&facts->host, link),
				host_effective_announce(&facts->host, link));
		return;
	}
	doctor_fail(doctor, link->name,
		"answers or asks in the VIPs' name: arp_ignore is %u (1 or 2 are right), "
		"arp_announce %u (2 is)",
		link->arp_ignore, link->arp_announce);
	doctor_word(checks_setting("ipv4", link->name, "arp_ignore", setting), word);
	doctor_word(checks_setting("ipv4", link->name, "arp_announce", setting), other);
	doctor_mend(doctor, "sysctl -w %s=%u %s=%u", word,
		host_ignore_is_right(link->arp_ignore) ? link->arp_ignore : HOST_ARP_IGNORE, other,
		HOST_ARP_ANNOUNCE);
}

void checks_arp(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!facts->config || facts->host_error < 0)
		return;
	if (!facts_have_vip_of(facts, AF_INET)) {
		doctor_ok(doctor, "VIPs", "none is of IPv4: nobody asks for them by ARP");
		return;
	}
	checks_arp_all(facts, doctor);
	ARRAY_FOREACH (link, facts->host.links, facts->host.n_links) {
		if (link->arp && link->has_inet)
			checks_arp_link(facts, link, doctor);
	}
}

void checks_arp_default(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const struct facts_conf *fresh = &facts->fresh;

	if (!facts->config || facts->host_error < 0 || !facts_have_vip_of(facts, AF_INET))
		return;
	if ((int32_t)fresh->arp_ignore > 2 || (int32_t)fresh->arp_announce > 2) {
		doctor_warn(doctor, "default",
			"new interfaces begin with arp_ignore %u and arp_announce %u, of which nobody "
			"knows what they do",
			fresh->arp_ignore, fresh->arp_announce);
		doctor_mend(doctor,
			"sysctl -w net.ipv4.conf.default.arp_ignore=1 "
			"net.ipv4.conf.default.arp_announce=2");
	} else if (host_ignore_is_right(fresh->arp_ignore) &&
		host_announce_is_right(fresh->arp_announce)) {
		doctor_ok(doctor, "default", "new interfaces are silent from the start");
	} else {
		doctor_ok(doctor, "default",
			"new interfaces are silent as soon as the agent has seen them, within 100 ms");
	}
}

/* An address that this host answers for as a proxy, and that is a VIP. */
static bool checks_proxied(const struct facts *facts, sa_family_t family, struct doctor *doctor)
{
	const struct addr *vips = facts->config->vips.items;
	bool found = false;

	ARRAY_FOREACH (neighbour, facts->survey.neighbours, facts->survey.n_neighbours) {
		ARRAY_FOREACH (vip, vips, facts->config->vips.len) {
			const struct survey_link *link =
				survey_link(&facts->survey, neighbour->ifindex);
			char text[ADDR_STRLEN], word[DOCTOR_WORD_BYTES];

			if (!neighbour->is_proxied || !link || vip->family != family ||
				!addr_equal(&neighbour->addr, vip))
				continue;
			found = true;
			doctor_fail(doctor, link->name, "answers for %s as a proxy",
				addr_format(vip, text));
			doctor_mend(doctor, "ip neigh del proxy %s dev %s", text,
				doctor_word(link->name, word));
		}
	}
	return found;
}

void checks_proxy_arp(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool found;

	if (!facts->config || facts->host_error < 0 || !facts_have_vip_of(facts, AF_INET))
		return;
	found = checks_proxied(facts, AF_INET, doctor);
	if (facts->all.proxy_arp) {
		found = true;
		doctor_warn(doctor, "all",
			"proxy_arp is on: where this host forwards, it answers for a VIP that it does not hold");
		checks_mend_setting(doctor, "ipv4", "all", "proxy_arp", 0);
	}
	ARRAY_FOREACH (link, facts->survey.links, facts->survey.n_links) {
		const struct host_link *known = host_link(&facts->host, link->ifindex);

		if (!survey_conf4(link, IPV4_DEVCONF_PROXY_ARP) || !known || known->exempt)
			continue;
		found = true;
		doctor_warn(doctor, link->name,
			"proxy_arp is on: where this host forwards, it answers for a VIP that it does not hold");
		checks_mend_setting(doctor, "ipv4", link->name, "proxy_arp", 0);
	}
	if (!found)
		doctor_ok(doctor, "proxy_arp", "off on every interface");
}

void checks_proxy_ndp(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool found;

	if (!facts->config || facts->host_error < 0 || !facts_have_vip_of(facts, AF_INET6))
		return;
	found = checks_proxied(facts, AF_INET6, doctor);
	if (facts->all.proxy_ndp) {
		found = true;
		doctor_warn(
			doctor, "all", "proxy_ndp is on: it answers for whatever it is told to");
		checks_mend_setting(doctor, "ipv6", "all", "proxy_ndp", 0);
	}
	ARRAY_FOREACH (link, facts->survey.links, facts->survey.n_links) {
		if (!link->proxy_ndp)
			continue;
		found = true;
		doctor_warn(doctor, link->name,
			"proxy_ndp is on: it answers for whatever it is told to");
		checks_mend_setting(doctor, "ipv6", link->name, "proxy_ndp", 0);
	}
	if (!found)
		doctor_ok(doctor, "proxy_ndp", "off on every interface");
}
