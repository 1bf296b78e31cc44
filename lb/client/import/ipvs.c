/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPVS's schedulers in our words: see ipvs.h. */
#include "lb/client/import/ipvs.h"

struct scheduler {
	const char *name;
	enum config_scheduler nearest;
	bool weights_ignored; /* net/netfilter/ipvs/ip_vs_rr.c:ip_vs_rr_schedule knows only 0 and more */
	const char *difference; /* NULL: the same */
};

static const struct scheduler schedulers[] = {
	{ "rr", CONFIG_RR, true, NULL },
	{ "wrr", CONFIG_RR, false, NULL },
	{ "lc", CONFIG_LC, true, NULL },
	{ "wlc", CONFIG_LC, false, NULL },
	{ "sh", CONFIG_SOURCE_HASH, false, NULL },
	{ "mh", CONFIG_MAGLEV, false, NULL },
	{ "sed", CONFIG_LC, false, "counts the connection that comes; lc is nearest" },
	{ "nq", CONFIG_LC, false, "prefers an idle server; lc is nearest" },
	{ "twos", CONFIG_LC, false, "compares two servers that it draws; lc is nearest" },
	{ "fo", CONFIG_LC, false, NULL }, /* see farm_server.failover */
	{ "ovf", CONFIG_LC, false,
		"fills the server of the highest weight first; max-connections is nearest" },
	{ "dh", CONFIG_SOURCE_HASH, true,
		"hashes the destination, which is the VIP; source-hash is written" },
	{ "lblc", CONFIG_LC, true, "goes by the destination, which is the VIP; lc is written" },
	{ "lblcr", CONFIG_LC, true, "goes by the destination, which is the VIP; lc is written" },
};

void ipvs_schedule(
	struct farm *farm, struct farm_server *server, const struct ipvs_scheduling *scheduling)
{
	const struct scheduler *found = NULL;

	ARRAY_FOREACH (each, schedulers, ARRAY_LEN(schedulers))
		if (streq(each->name, scheduling->name))
			found = each;
	if (!found) {
		farm_note(farm, scheduling->line, "scheduler %s is not known", scheduling->name);
		return;
	}
	server->scheduler = found->nearest;
	server->weights_ignored = found->weights_ignored;
	server->failover = streq(found->name, "fo");
	if (found->difference)
		farm_note(
			farm, scheduling->line, "scheduler %s %s", found->name, found->difference);
	/* mh and sh hash the address alone unless they are told otherwise. */
	server->hash = scheduling->with_port ? CONFIG_SOURCE_IP_PORT : CONFIG_SOURCE_IP;
	if (found->nearest == CONFIG_SOURCE_HASH && scheduling->with_port)
		server->scheduler = CONFIG_MAGLEV;
	server->sessionless = scheduling->each_packet;
}

void ipvs_granularity(
	struct farm *farm, struct farm_server *server, const char *mask, unsigned int line)
{
	bool ip6 = server->n_vips > 0 && server->vips[0].family == AF_INET6;
	unsigned int bits;

	if (!farm_parse_mask(mask, &bits) || bits == 0 || bits > (ip6 ? 128 : 32)) {
		farm_note(farm, line, "granularity %s is no mask that counts bits from the left",
			mask);
		return;
	}
	if (ip6)
		server->prefix6 = bits;
	else
		server->prefix4 = bits;
}
