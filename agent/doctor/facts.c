/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only place of the doctor that looks: configuration, daemon, netlink, /proc/sys. Called by examine.c.
 */
#include "agent/doctor/facts.h"

#include "agent/host/observe.h"
#include "agent/host/undo_log.h"
#include "common/cli/cli.h"
#include "common/doctor/files.h"

#define FACTS_DIRECTORY  "/run/dsr-agent"
#define FACTS_PATH_BYTES 96u
/* Clients are anywhere; these are of benchmarks (RFC 2544, RFC 5180), to which nobody routes apart. */
#define FACTS_CLIENT4 "198.18.0.1"
#define FACTS_CLIENT6 "2001:2::1"

/* A number of /proc/sys/net; 0 where it is not there. */
static uint32_t facts_sysctl(const char *family, const char *name)
{
	_cleanup_free_ char *text = NULL;
	char path[FACTS_PATH_BYTES];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s", family, name);
	return files_read("", path, &text) == 0 ? (uint32_t)strtol(text, NULL, 10) : 0;
}

static struct facts_conf facts_read_conf(const char *which)
{
	static const char *const names[] = { "arp_ignore", "arp_announce", "rp_filter", "proxy_arp",
		"accept_redirects" };
	uint32_t values[ARRAY_LEN(names)];
	char name[FACTS_PATH_BYTES];

	for (size_t idx = 0; idx < ARRAY_LEN(names); idx++) {
		snprintf(name, sizeof(name), "conf/%s/%s", which, names[idx]);
		values[idx] = facts_sysctl("ipv4", name);
	}
	snprintf(name, sizeof(name), "conf/%s/proxy_ndp", which);
	return (struct facts_conf){ values[0], values[1], values[2], values[3], values[4],
		facts_sysctl("ipv6", name) };
}

static void facts_read_way(const char *to, const struct addr *from, struct facts_way *way)
{
	const struct addr anything = { 0 };
	struct addr client;

	(void)addr_parse(to, &client);
	way->error = survey_ask(&client, from, &way->route);
	/* A VIP that this host does not hold is no source: which way is another question. */
	if (way->error < 0)
		way->error = survey_ask(&client, &anything, &way->route);
}

static void facts_read_ways(struct facts *facts)
{
	const struct addr *vips = facts->config->vips.items;
	const struct addr_port *balancers = facts->config->balancers.items;
	const struct addr anything = { 0 };

	ARRAY_FOREACH (vip, vips, facts->config->vips.len)
		facts_read_way(vip->family == AF_INET ? FACTS_CLIENT4 : FACTS_CLIENT6, vip,
			vip->family == AF_INET ? &facts->answer4 : &facts->answer6);
	for (size_t idx = 0; idx < facts->config->balancers.len; idx++)
		facts->to_balancer[idx].error =
			survey_ask(&balancers[idx].addr, &anything, &facts->to_balancer[idx].route);
}

/* With frames as long as the interface takes that leads to each. */
static void facts_ask_balancers(struct facts *facts)
{
	const struct addr_port *balancers = facts->config->balancers.items;
	size_t len = facts->config->balancers.len;

	for (size_t idx = 0; idx < len; idx++) {
		const struct survey_link *link =
			survey_link(&facts->survey, facts->to_balancer[idx].route.ifindex);

		facts->echoes[idx] = (struct echo_target){ .addr = balancers[idx].addr,
			.mtu_bytes = link ? link->mtu_bytes : 0 };
		/* Where no way leads nobody need be waited for. */
		facts->echoes[idx].answers_full = !link;
		facts->echoes[idx].answers = !link;
	}
	facts->echo_error = echo_probe(facts->echoes, len);
}

static void facts_find_identity(struct nl *nl, struct facts *facts)
{
	const struct config *config = facts->config;
	const struct identity_wanted wanted = {
		.balancer = ((const struct addr_port *)config->balancers.items)[0].addr,
		.real_ip = config->real_ip,
		.interface = config->interface,
		.vips = config->vips.items,
		.n_vips = config->vips.len,
	};
	struct host_wanted exempt = { .exempt = config->arp_exempt.items,
		.n_exempt = config->arp_exempt.len };

	facts->has_identity = identity_find(nl, &facts->host, &wanted, &facts->identity,
				      &facts->identity_why) == 0;
	exempt.balancer_ifindex = facts->has_identity ? facts->identity.ifindex : 0;
	host_mark_exempt(&facts->host, &exempt);
}

static int facts_read_host(struct facts *facts)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	int r = nl_open(NETLINK_ROUTE, &nl);

	if (r == 0)
		r = observe_host(nl, &facts->host);
	if (r == 0)
		r = survey_make(&facts->survey);
	if (r < 0)
		return r;
	facts->all = facts_read_conf("all");
	facts->fresh = facts_read_conf("default");
	facts->tcp_syncookies = facts_sysctl("ipv4", "tcp_syncookies");
	facts->tcp_tw_recycle = facts_sysctl("ipv4", "tcp_tw_recycle");
	if (facts->config) {
		facts_find_identity(nl, facts);
		facts_read_ways(facts);
		facts_ask_balancers(facts);
	}
	return 0;
}

static void facts_read_listeners(struct facts *facts)
{
	facts->listeners_error = listeners_new(&facts->sockets);
	if (facts->listeners_error == 0)
		facts->listeners_error = listeners_refresh(facts->sockets);
	if (facts->listeners_error == 0)
		facts->listeners = listeners_all(facts->sockets, &facts->n_listeners);
}

/* Where somebody listens, and a balancer sends clients. */
static void facts_read_answers(struct facts *facts)
{
	const json_t *listener;
	size_t idx;

	json_array_foreach (json_object_get(facts->service.status, "listeners"), idx, listener) {
		struct answers_place *place = &facts->answers[facts->n_answers];
		const char *vip = json_string_value(json_object_get(listener, "vip"));
		const char *protocol = json_string_value(json_object_get(listener, "protocol"));

		if (facts->n_answers == ANSWERS_PLACES_MAX || !vip || !protocol ||
			!streq(protocol, "tcp") ||
			!json_is_true(json_object_get(listener, "asked")) ||
			addr_parse(vip, &place->place.addr) < 0)
			continue;
		place->place.port = (uint16_t)json_integer_value(json_object_get(listener, "port"));
		facts->n_answers++;
	}
	facts->answers_error = answers_look(facts->answers, facts->n_answers);
}

static void facts_read_undo(struct facts *facts)
{
	char identity[UNDO_LOG_IDENTITY_BYTES];

	facts->has_undo = undo_log_identity(identity) == 0 &&
		undo_log_load(facts->service.directory, identity, &facts->undo) == 0;
}

int facts_read(const struct cli *cli, const char *root, struct facts *ret_facts)
{
	struct facts facts = { 0 };
	int r;

	service_look(cli, FACTS_DIRECTORY, root, &facts.service);
	facts.config_path = service_config_path(&facts.service, cli);
	facts.config_error = config_load(facts.config_path, &facts.config, &facts.report);
	r = facts.config_error == -ENOMEM ? -ENOMEM : 0;
	if (r == 0 && facts.config)
		r = keyfile_look(facts.config->key_file, false, &facts.service, &facts.keyfile);
	if (r == 0) {
		facts_read_undo(&facts);
		facts_read_listeners(&facts);
		facts_read_answers(&facts);
		facts.host_error = facts_read_host(&facts);
		r = facts.host_error == -ENOMEM ? -ENOMEM : 0;
	}
	if (r == 0 && facts.config)
		r = facts_files_read(root, facts.config->vips.items, facts.config->vips.len,
			facts_loopback(&facts), &facts.files);
	if (r < 0)
		facts_clear(&facts);
	else
		*ret_facts = facts;
	return r;
}

void facts_clear(struct facts *facts)
{
	service_clear(&facts->service);
	config_free(facts->config);
	ini_report_free(facts->report);
	keyfile_clear(&facts->keyfile);
	host_clear(&facts->host);
	host_undo_clear(&facts->undo);
	survey_clear(&facts->survey);
	facts_files_clear(&facts->files);
	listeners_free(facts->sockets);
	*facts = (struct facts){ 0 };
}

const struct host_link *facts_loopback(const struct facts *facts)
{
	return host_link_by_name(&facts->host, facts->config->loopback);
}

bool facts_have_vip_of(const struct facts *facts, sa_family_t family)
{
	const struct addr *vips = facts->config->vips.items;

	ARRAY_FOREACH (vip, vips, facts->config->vips.len) {
		if (vip->family == family)
			return true;
	}
	return false;
}
