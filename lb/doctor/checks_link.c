/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces, routes and addresses of this host. Called by examine.c. */
#include "lb/doctor/checks_link.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "common/doctor/doctor.h"
#include "lb/doctor/facts.h"

#define CHECKS_PROTO       217u /* NEIGH_ROUTE_PROTOCOL */
#define CHECKS_ROUTE_PROTO 83u  /* ROUTE_ANNOUNCE_PROTOCOL */
/* Routers keep for minutes what they heard of a MAC: only longer silence says something. */
#define CHECKS_UNHEARD_S   600.0
#define CHECKS_ASKED_BYTES 160u

static void checks_one_interface(
	const struct facts *facts, const char *key, const char *name, struct doctor *doctor)
{
	const struct survey_link *link = survey_link_by_name(&facts->survey, name);
	const struct survey_link *master = link ? survey_link(&facts->survey, link->master) : NULL;
	char word[DOCTOR_WORD_BYTES];

	if (!link) {
		doctor_fail(doctor, name, "is not there; %s = names it", key);
	} else if (master) {
		doctor_fail(doctor, name,
			"is a port of %s, to which its frames belong; write %s = %s", master->name,
			key, master->name);
	} else if (!(link->flags & IFF_UP)) {
		doctor_fail(doctor, name, "is down");
		doctor_mend(doctor, "ip link set dev %s up", doctor_word(name, word));
	} else if (!(link->flags & IFF_RUNNING)) {
		doctor_fail(doctor, name, "has no carrier: no cable, or the other end is down");
	} else {
		doctor_ok(doctor, name, "is up");
	}
}

void checks_interface(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!facts_are_whole(facts))
		return;
	checks_one_interface(facts, "interface", facts->config->interface, doctor);
	for (size_t i = 0; i < facts_n_backends(facts); i++) {
		const char *name = config_backend_interface(facts->config, i);

		if (!streq(facts->config->interface, name))
			checks_one_interface(facts, "backend-interface", name, doctor);
	}
}

static void checks_one_bond(const struct survey_link *link, struct doctor *doctor)
{
	static const char *const modes[] = { "balance-rr", "active-backup", "balance-xor",
		"broadcast", "802.3ad", "balance-tlb", "balance-alb" };
	const char *mode;

	if (!link || !link->has_bond_mode)
		return;
	mode = link->bond_mode < ARRAY_LEN(modes) ? modes[link->bond_mode] : "of an unknown mode";
	if (streq(mode, "active-backup") || streq(mode, "802.3ad") || streq(mode, "balance-xor"))
		doctor_ok(doctor, link->name, "is a bond, %s", mode);
	else
		doctor_warn(doctor, link->name,
			"is a bond, %s, which sends or takes frames of one MAC by several ports; "
			"active-backup, 802.3ad and balance-xor do not",
			mode);
}

void checks_bond(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!facts_are_whole(facts))
		return;
	checks_one_bond(facts_clients(facts), doctor);
	for (size_t i = 0; i < facts_n_backends(facts); i++)
		if (facts_backends(facts, i) != facts_clients(facts))
			checks_one_bond(facts_backends(facts, i), doctor);
}

static void checks_mtu_of_backends(const struct facts *facts, struct doctor *doctor)
{
	bool found = false;
	char text[ADDR_STRLEN];

	if (facts->echo_error < 0) {
		found = true;
		service_warn_hidden(&facts->service, doctor, "backends",
			"this user may not ask them for the size of frames");
	}
	ARRAY_FOREACH (echo, facts->echoes, facts->n_echoes) {
		if (!echo->answers || echo->answers_full)
			continue;
		found = true;
		doctor_warn(doctor, addr_format(&echo->addr, text),
			"answers small packets and none of %u bytes: its MTU, or one on the way, is smaller",
			echo->mtu_bytes);
	}
	if (!found && facts->n_echoes > 0)
		doctor_ok(doctor, "backends", "frames of full size come there and back");
}

static void checks_mtu_of_link(const struct survey_link *clients,
	const struct survey_link *backends, struct doctor *doctor)
{
	char word[DOCTOR_WORD_BYTES];

	if (clients->mtu_bytes == backends->mtu_bytes) {
		doctor_ok(doctor, clients->name, "MTU %u, as to the real servers on %s",
			clients->mtu_bytes, backends->name);
		return;
	}
	doctor_warn(doctor, backends->name,
		"MTU %u, and frames arrive on %s with up to %u: what is longer is answered, not forwarded",
		backends->mtu_bytes, clients->name, clients->mtu_bytes);
	doctor_mend(doctor, "ip link set dev %s mtu %u", doctor_word(backends->name, word),
		clients->mtu_bytes);
}

void checks_mtu(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	const struct survey_link *clients, *backends;
	bool asked = false;

	if (!facts_are_whole(facts))
		return;
	clients = facts_clients(facts);
	for (size_t i = 0; i < facts_n_backends(facts); i++) {
		backends = facts_backends(facts, i);
		if (!clients || !backends)
			continue;
		if (!asked)
			checks_mtu_of_backends(facts, doctor);
		asked = true;
		checks_mtu_of_link(clients, backends, doctor);
	}
}

static bool checks_is_blackholed(const struct facts *facts, const struct addr *vip)
{
	ARRAY_FOREACH (route, facts->survey.routes, facts->survey.n_routes) {
		if (route->type == RTN_BLACKHOLE && addr_equal(&route->destination.addr, vip) &&
			route->destination.len == 8 * addr_size_bytes(vip))
			return true;
	}
	return false;
}

static bool checks_is_local(const struct facts *facts, const struct addr *vip)
{
	ARRAY_FOREACH (address, facts->survey.addresses, facts->survey.n_addresses) {
		if (addr_equal(&address->addr, vip))
			return true;
	}
	return false;
}

/* Calls with each VIP of all virtual servers. */
#define CHECKS_EACH_VIP(vip, config) \
	for (size_t v_ = 0; v_ < (config)->n_virtual_servers; v_++) \
		ARRAY_FOREACH (vip, \
			(const struct addr *)(config)->virtual_servers[v_]->vips.items, \
			(config)->virtual_servers[v_]->vips.len)

void checks_forwarding(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	/* In the other modes the kernel sees no frame for a VIP, while the balancer is active. */
	bool is_exposed = streq(facts_text(facts->service.status, "mode"), "packet") ||
		!json_is_true(json_object_get(facts->service.status, "active"));
	bool found = false;
	char text[ADDR_STRLEN];

	if (!facts_are_whole(facts) || facts->service.error != 0)
		return;
	if (!is_exposed || (!facts->forwards4 && !facts->forwards6)) {
		doctor_ok(doctor, "kernel", "forwards nothing that comes for a VIP");
		return;
	}
	CHECKS_EACH_VIP(vip, facts->config)
	{
		if (!(vip->family == AF_INET ? facts->forwards4 : facts->forwards6) ||
			checks_is_blackholed(facts, vip) || checks_is_local(facts, vip))
			continue;
		found = true;
		addr_format(vip, text);
		doctor_fail(doctor, text,
			"this host forwards, and has no blackhole route for the VIP: its kernel forwards "
			"the same frames, too");
		doctor_mend(doctor, "ip route add blackhole %s proto %u", text, CHECKS_PROTO);
	}
	if (!found)
		doctor_ok(doctor, "kernel", "forwards, but has a blackhole route for each VIP");
}

static void checks_rp_filter_of(
	const struct facts *facts, const struct survey_link *link, struct doctor *doctor)
{
	char word[DOCTOR_WORD_BYTES];
	uint32_t effective;

	if (!link)
		return;
	effective = MAX(survey_conf4(link, IPV4_DEVCONF_RP_FILTER), facts->all_rp_filter);
	if (effective == 0 || !facts->forwards4 ||
		!streq(facts_text(facts->service.status, "mode"), "packet")) {
		doctor_ok(doctor, link->name, "rp_filter %u drops no answer of a real server",
			effective);
		return;
	}
	doctor_warn(doctor, link->name,
		"this host forwards with rp_filter %u: answers of real servers whose gateway it is come "
		"from a VIP and are dropped",
		effective);
	doctor_word(link->name, word);
	if (strchr(link->name, '.'))
		doctor_mend(doctor,
			"sysctl -w net/ipv4/conf/all/rp_filter=0 net/ipv4/conf/%s/rp_filter=0",
			word);
	else
		doctor_mend(doctor,
			"sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.%s.rp_filter=0",
			word);
}

void checks_rp_filter(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	if (!facts_are_whole(facts) || facts->service.error != 0)
		return;
	for (size_t i = 0; i < facts_n_backends(facts); i++)
		checks_rp_filter_of(facts, facts_backends(facts, i), doctor);
}

static void checks_vip_of(const struct facts *facts, const struct addr *vip,
	const struct survey_address *address, struct doctor *doctor)
{
	const struct survey_link *link = survey_link(&facts->survey, address->ifindex);
	char text[ADDR_STRLEN], word[DOCTOR_WORD_BYTES];

	doctor_warn(doctor, addr_format(vip, text),
		"is an address of this host, on %s: what this host itself sends there never leaves it; "
		"with active-when that would be meant",
		link ? link->name : "?");
	if (link)
		doctor_mend(doctor, "ip address del %s/%u dev %s", text, address->prefix_len,
			doctor_word(link->name, word));
}

void checks_vip(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	bool found = false;

	if (!facts_are_whole(facts))
		return;
	if (facts->config->active_when.family != AF_UNSPEC) {
		doctor_ok(doctor, "VIPs", "may be addresses of this host (active-when)");
		return;
	}
	CHECKS_EACH_VIP(vip, facts->config)
	{
		ARRAY_FOREACH (address, facts->survey.addresses, facts->survey.n_addresses) {
			if (!addr_equal(&address->addr, vip))
				continue;
			found = true;
			checks_vip_of(facts, vip, address, doctor);
		}
	}
	if (!found)
		doctor_ok(doctor, "VIPs", "none is an address of this host");
}

/* Of announce = route: by such a route alone the router learns of a VIP. */
static bool checks_is_announced(const struct facts *facts, const struct addr *vip)
{
	ARRAY_FOREACH (route, facts->survey.routes, facts->survey.n_routes) {
		if (route->type == RTN_BLACKHOLE && route->protocol == CHECKS_ROUTE_PROTO &&
			route->table == RT_TABLE_MAIN &&
			addr_equal(&route->destination.addr, vip) &&
			route->destination.len == 8 * addr_size_bytes(vip))
			return true;
	}
	return false;
}

static bool checks_lacks_routes(const struct facts *facts, struct doctor *doctor)
{
	bool found = false;
	char text[ADDR_STRLEN];

	if (facts->config->announce != CONFIG_ANNOUNCE_ROUTE ||
		!json_is_true(json_object_get(facts->service.status, "active")))
		return false;
	CHECKS_EACH_VIP(vip, facts->config)
	{
		if (checks_is_announced(facts, vip))
			continue;
		found = true;
		doctor_fail(doctor, addr_format(vip, text),
			"no route announces it: a virtual server with it is not ready (`dsr-lb ready`), or a "
			"route of somebody else has the place");
	}
	return found;
}

/* Calls with each VIP that is announced by ARP and ND: `entry` of the virtual server `server`. */
#define CHECKS_EACH_ANNOUNCED(status, s, server, e, entry) \
	json_array_foreach (json_object_get(status, "virtual_servers"), s, server) \
		json_array_foreach (json_object_get(server, "announced"), e, entry)

/* For how long all VIPs are announced without a question or a packet, in seconds; 0: none is, or something came. */
static double checks_unheard_s(const struct facts *facts)
{
	json_t *server, *entry;
	double least_s = 0;
	size_t s, e;

	CHECKS_EACH_ANNOUNCED(facts->service.status, s, server, e, entry)
	{
		double since_s = json_number_value(json_object_get(entry, "since_s"));

		if (facts_text(entry, "asker")[0] ||
			json_integer_value(json_object_get(server, "packets")) > 0)
			return 0;
		least_s = least_s > 0 ? MIN(least_s, since_s) : since_s;
	}
	return least_s;
}

/* Who asked last for a VIP: "; 192.0.2.1 asked for 198.51.100.10 7 s ago"; "" where nobody did. */
static const char *checks_asked(const struct facts *facts, char *ret_text, size_t size_bytes)
{
	double last_s = 0;
	json_t *server, *entry;
	size_t s, e;

	ret_text[0] = '\0';
	CHECKS_EACH_ANNOUNCED(facts->service.status, s, server, e, entry)
	{
		double asked_s = json_number_value(json_object_get(entry, "asked_s"));

		if (!facts_text(entry, "asker")[0] || (ret_text[0] && asked_s >= last_s))
			continue;
		last_s = asked_s;
		snprintf(ret_text, size_bytes, "; %s asked for %s %.0f s ago",
			facts_text(entry, "asker"), facts_text(entry, "vip"), asked_s);
	}
	return ret_text;
}

void checks_router(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	json_int_t forwarded = json_integer_value(
		json_object_get(json_object_get(facts->service.status, "packets"), "forwarded"));
	const struct survey_route *route;
	const struct survey_neighbour *neighbour;
	char text[ADDR_STRLEN], asked[CHECKS_ASKED_BYTES];

	if (!facts_are_whole(facts) || facts->service.error != 0 ||
		checks_lacks_routes(facts, doctor))
		return;
	route = survey_default_route(&facts->survey, AF_INET);
	if (!route)
		route = survey_default_route(&facts->survey, AF_INET6);
	addr_format(route ? &route->gateway : &(struct addr){ 0 }, text);
	neighbour =
		route ? survey_neighbour(&facts->survey, route->ifindex, &route->gateway) : NULL;
	checks_asked(facts, asked, sizeof(asked));
	if (forwarded == 0 && neighbour && (neighbour->state & NUD_FAILED))
		doctor_fail(doctor, text,
			"the router does not answer, and no client's frame has come yet%s", asked);
	else if (forwarded == 0 && checks_unheard_s(facts) >= CHECKS_UNHEARD_S)
		doctor_warn(doctor, text[0] ? text : "router",
			"the VIPs are announced for %.0f min, and nobody asked for one or sent to one: they "
			"have no clients yet, or the router has no way to them",
			checks_unheard_s(facts) / 60);
	else if (forwarded > 0)
		doctor_ok(doctor, text[0] ? text : "router",
			"clients' frames for the VIPs arrive (%lld forwarded)%s",
			(long long)forwarded, asked);
	else
		doctor_ok(doctor, text[0] ? text : "router",
			"no client's frame has come yet, and nothing speaks against the router%s",
			asked);
}

/* The subnet of IPv6 that it has by an address with a lifetime alone; NULL: there is none. */
static const struct survey_address *checks_passing_subnet(
	const struct facts *facts, const struct survey_link *link)
{
	ARRAY_FOREACH (passing, facts->survey.addresses, facts->survey.n_addresses) {
		bool lasts = false;

		if (passing->ifindex != link->ifindex || passing->lasting ||
			passing->addr.family != AF_INET6 || passing->prefix_len == 128)
			continue;
		ARRAY_FOREACH (other, facts->survey.addresses, facts->survey.n_addresses)
			lasts |= other->lasting && other->ifindex == link->ifindex &&
				survey_is_in_subnet(other, &passing->addr);
		if (!lasts)
			return passing;
	}
	return NULL;
}

/* Where an interface takes advertisements, and a subnet of another is not held by anything better. */
static void checks_advertisements_at(
	const struct facts *facts, const struct survey_link *link, struct doctor *doctor)
{
	const struct survey_address *passing = NULL;
	const struct survey_link *other = NULL;
	char text[ADDR_STRLEN], word[DOCTOR_WORD_BYTES];

	for (size_t i = 0; i < facts_n_backends(facts) && !passing; i++) {
		other = facts_backends(facts, i);
		if (other && other != link)
			passing = checks_passing_subnet(facts, other);
	}
	if (!link->takes_prefixes6 || !passing) {
		doctor_ok(doctor, link->name,
			"the kernel takes no router advertisements there that could move backends of another interface");
		return;
	}
	doctor_warn(doctor, link->name,
		"takes router advertisements (accept_ra, autoconf), and %s has %s with a lifetime alone: who "
		"advertises its subnet here moves its backends here; give %s a fixed address, or %s",
		other->name, addr_format(&passing->addr, text), other->name, link->name);
	doctor_mend(
		doctor, "sysctl -w net/ipv6/conf/%s/accept_ra=0", doctor_word(link->name, word));
}

void checks_advertisements(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;

	/* Where there is one interface alone, there is nothing to choose. */
	if (!facts_are_whole(facts) || facts_n_backends(facts) < 2)
		return;
	for (size_t i = 0; i < facts_n_backends(facts); i++)
		if (facts_backends(facts, i))
			checks_advertisements_at(facts, facts_backends(facts, i), doctor);
}

/* All that are there, as one text. */
static const char *checks_reaching(const struct facts *facts, char *ret_text, size_t size_bytes)
{
	size_t len = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < facts_n_backends(facts) && len < size_bytes; i++)
		len += (size_t)snprintf(ret_text + len, size_bytes - len, "%s%s", i ? ", " : "",
			config_backend_interface(facts->config, i));
	return ret_text;
}

static void checks_real_server(const struct facts *facts, const char *reaching,
	const struct config_real_server *server, bool *found, struct doctor *doctor)
{
	char text[ADDR_STRLEN];

	if (facts_link_of(facts, &server->address))
		return;
	*found = true;
	doctor_fail(doctor, addr_format(&server->address, text),
		"is a real-server, and on no subnet of %s: a MAC rewrite cannot reach it",
		reaching);
}

void checks_off_link(const void *context, struct doctor *doctor)
{
	const struct facts *facts = context;
	char reaching[DOCTOR_WORD_BYTES * 2];
	bool found = false;

	if (!facts_are_whole(facts))
		return;
	/* Of one that is not there nobody knows whom it reaches. */
	for (size_t i = 0; i < facts_n_backends(facts); i++)
		if (!facts_backends(facts, i))
			return;
	checks_reaching(facts, reaching, sizeof(reaching));
	for (size_t idx = 0; idx < facts->config->n_virtual_servers; idx++) {
		const struct ini_list *list = &facts->config->virtual_servers[idx]->real_servers;
		const struct config_real_server *servers = list->items;

		ARRAY_FOREACH (server, servers, list->len)
			checks_real_server(facts, reaching, server, &found, doctor);
	}
	if (!found)
		doctor_ok(doctor, reaching, "reaches every real server of the configuration");
}
