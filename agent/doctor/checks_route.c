/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes, MTUs and what the kernel makes of packets on their way. Called by examine.c. */
#include "agent/doctor/checks_route.h"

#include "agent/doctor/facts.h"
#include "common/doctor/doctor.h"

#define CHECKS_STRICT 1u

static const char *checks_interface(const struct facts *facts, unsigned int ifindex)
{
	const struct survey_link *link = survey_link(&facts->survey, ifindex);

	return link ? link->name : "an interface";
}

static bool checks_is_balancer(const struct facts *facts, const struct addr *addr)
{
	const struct addr_port *balancers = facts->config->balancers.items;

	ARRAY_FOREACH (balancer, balancers, facts->config->balancers.len) {
		if (addr_equal(&balancer->addr, addr))
			return true;
	}
	return false;
}

static void checks_way(const struct facts *facts, const struct facts_way *way, const char *subject,
	struct doctor *doctor)
{
	char text[ADDR_STRLEN];

	addr_format(&way->route.gateway, text);
	if (way->error < 0)
		doctor_fail(doctor, subject,
			"there is no default route: who is not on the link gets no answer");
	else if (checks_is_balancer(facts, &way->route.gateway))
		doctor_warn(doctor, subject,
			"the default route leads through the balancer %s, which answers need not cross",
			text);
	else
		doctor_ok(doctor, subject, "clients are reached by way of %s on %s",
			text[0] ? text : "the link", checks_interface(facts, way->route.ifindex));
}

void checks_route(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!facts->config || facts->host_error < 0)
		return;
	if (facts_have_vip_of(facts, AF_INET))
		checks_way(facts, &facts->answer4, "IPv4", doctor);
	if (facts_have_vip_of(facts, AF_INET6))
		checks_way(facts, &facts->answer6, "IPv6", doctor);
}

void checks_rp_filter(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const struct survey_link *link;
	char word[DOCTOR_WORD_BYTES];
	uint32_t effective;
	bool dotted;

	if (!facts->config || facts->host_error < 0 || !facts->has_identity ||
		!facts_have_vip_of(facts, AF_INET))
		return;
	link = survey_link(&facts->survey, facts->identity.ifindex);
	if (!link)
		return;
	/* The larger of the two (Documentation/networking/ip-sysctl.rst). */
	effective = MAX(survey_conf4(link, IPV4_DEVCONF_RP_FILTER), facts->all.rp_filter);
	if (effective != CHECKS_STRICT || facts->answer4.error < 0 ||
		facts->answer4.route.ifindex == link->ifindex) {
		doctor_ok(doctor, link->name, "rp_filter %u takes requests from where they come",
			effective);
		return;
	}
	dotted = strchr(link->name, '.');
	doctor_fail(doctor, link->name,
		"rp_filter is strict (1), and the way back to clients is %s: their requests are dropped here",
		checks_interface(facts, facts->answer4.route.ifindex));
	doctor_word(link->name, word);
	doctor_mend(doctor,
		dotted ? "sysctl -w net/ipv4/conf/%s/rp_filter=2"
		       : "sysctl -w net.ipv4.conf.%s.rp_filter=2",
		word);
}

/* By IPv4 `all` speaks, too, and differently on a router (include/linux/inetdevice.h: IN_DEV_RX_REDIRECTS). */
static bool checks_takes_redirects4(const struct facts *facts, const struct survey_link *link)
{
	bool all = facts->all.accept_redirects;
	bool own = survey_conf4(link, IPV4_DEVCONF_ACCEPT_REDIRECTS);

	return survey_conf4(link, IPV4_DEVCONF_FORWARDING) ? all && own : all || own;
}

/* No fault, since kernels do from the start and gateways may mean it: it is told with the command that ends it. */
static void checks_redirects_of(
	const struct facts *facts, const struct survey_link *link, struct doctor *doctor)
{
	char word[DOCTOR_WORD_BYTES], ipv4[2 * DOCTOR_WORD_BYTES] = "";
	char ipv6[2 * DOCTOR_WORD_BYTES] = "";

	doctor_word(link->name, word);
	if (checks_takes_redirects4(facts, link))
		snprintf(ipv4, sizeof(ipv4),
			" net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/%s/accept_redirects=0",
			word);
	if (link->takes_redirects6)
		snprintf(ipv6, sizeof(ipv6), " net/ipv6/conf/%s/accept_redirects=0", word);
	if (!ipv4[0] && !ipv6[0]) {
		doctor_ok(doctor, link->name, "takes no ICMP redirects");
		return;
	}
	doctor_ok(doctor, link->name,
		"takes ICMP redirects, as kernels do from the start; none is needed here, and who is on the "
		"link can forge one that leads answers astray");
	doctor_mend(doctor, "sysctl -w%s%s", ipv4, ipv6);
}

void checks_redirects(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const unsigned int out4 = facts->answer4.error < 0 ? 0 : facts->answer4.route.ifindex;
	const unsigned int out6 = facts->answer6.error < 0 ? 0 : facts->answer6.route.ifindex;

	if (!facts->config || facts->host_error < 0 || !facts->has_identity)
		return;
	ARRAY_FOREACH (link, facts->survey.links, facts->survey.n_links) {
		if (link->ifindex == facts->identity.ifindex || link->ifindex == out4 ||
			link->ifindex == out6)
			checks_redirects_of(facts, link, doctor);
	}
}

/* The segment between here and each balancer. */
static void checks_mtu_of_balancers(const struct facts *facts, struct doctor *doctor)
{
	char text[ADDR_STRLEN];

	if (facts->echo_error < 0) {
		service_warn_hidden(&facts->service, doctor, "balancers",
			"this user may not ask them for the size of frames");
		return;
	}
	for (size_t idx = 0; idx < facts->config->balancers.len; idx++) {
		const struct echo_target *echo = &facts->echoes[idx];

		addr_format(&echo->addr, text);
		if (echo->answers && !echo->answers_full)
			doctor_warn(doctor, text,
				"answers small packets and none of %u bytes: its MTU, or one on the way, "
				"is smaller",
				echo->mtu_bytes);
		else
			doctor_ok(doctor, text, "%s",
				echo->answers ? "takes frames of full size"
					      : "answers no echo request, which says nothing");
	}
}

void checks_mtu(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const struct facts_way *const ways[] = { &facts->answer4, &facts->answer6 };
	const struct survey_link *link;
	char word[DOCTOR_WORD_BYTES];

	if (!facts->config || facts->host_error < 0 || !facts->has_identity)
		return;
	checks_mtu_of_balancers(facts, doctor);
	link = survey_link(&facts->survey, facts->identity.ifindex);
	for (size_t idx = 0; link && idx < ARRAY_LEN(ways); idx++) {
		const struct survey_link *out =
			survey_link(&facts->survey, ways[idx]->route.ifindex);

		if (ways[idx]->error < 0 || !out || out->mtu_bytes == link->mtu_bytes)
			continue;
		doctor_warn(doctor, link->name,
			"MTU %u, and answers leave by %s with %u: one of them is wrong, or large answers are lost",
			link->mtu_bytes, out->name, out->mtu_bytes);
		doctor_mend(doctor, "ip link set dev %s mtu %u", doctor_word(link->name, word),
			out->mtu_bytes);
		return;
	}
	if (link)
		doctor_ok(doctor, link->name, "MTU %u, as where answers leave", link->mtu_bytes);
}

void checks_off_link(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const struct addr_port *balancers;
	char text[ADDR_STRLEN], gateway[ADDR_STRLEN];

	if (!facts->config || facts->host_error < 0)
		return;
	balancers = facts->config->balancers.items;
	for (size_t idx = 0; idx < facts->config->balancers.len; idx++) {
		const struct facts_way *way = &facts->to_balancer[idx];

		addr_format(&balancers[idx].addr, text);
		if (way->error < 0)
			doctor_fail(doctor, text, "there is no route to this balancer");
		else if (way->route.gateway.family != AF_UNSPEC)
			doctor_fail(doctor, text,
				"is reached by way of %s: a balancer must be on the same link, for it "
				"rewrites MAC addresses alone",
				addr_format(&way->route.gateway, gateway));
		else
			doctor_ok(doctor, text, "is on the link of %s",
				checks_interface(facts, way->route.ifindex));
	}
}

void checks_tcp(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (facts->host_error < 0)
		return;
	if (facts->tcp_tw_recycle) {
		doctor_fail(doctor, "tcp_tw_recycle",
			"is on: of clients behind one address only one is let in");
		doctor_mend(doctor, "sysctl -w net.ipv4.tcp_tw_recycle=0");
	}
	if (facts->tcp_syncookies > 1) {
		doctor_warn(doctor, "tcp_syncookies",
			"is %u: every connection begins with a cookie, and loses its options",
			facts->tcp_syncookies);
		doctor_mend(doctor, "sysctl -w net.ipv4.tcp_syncookies=1");
	}
	if (!facts->tcp_tw_recycle && facts->tcp_syncookies <= 1)
		doctor_ok(doctor, "TCP", "its settings are fit for a server");
}
