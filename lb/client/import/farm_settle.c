/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what another configuration says to what ours can: ranges, names, one binding for one virtual server, one
 * backend for one address. See farm_settle.h.
 */
#include "lb/client/import/farm_settle.h"

#include <inttypes.h>

#include "common/grow.h"
#include "common/hash_map.h"
#include "lb/fwd/types.h"
#include "lb/registry/registry.h"

#define DAY_S           UINT64_C(86400)
#define PREFIX_BITS_MIN 8u

/* A value in its range, or the nearest one that is, with a note. 0 stays: it was not said. */
static void clamp(struct farm *farm, const struct farm_server *server, const char *what,
	uint64_t low, uint64_t high, uint64_t *value)
{
	uint64_t nearest = MIN(MAX(*value, low), high);

	if (*value == 0 || nearest == *value)
		return;
	farm_note(farm, server->line,
		"%s %" PRIu64 " is written as %" PRIu64 "; %s is %" PRIu64 " to %" PRIu64 " here",
		what, *value, nearest, what, low, high);
	*value = nearest;
}

static void clamp_u32(struct farm *farm, const struct farm_server *server, const char *what,
	uint64_t low, uint64_t high, unsigned int *value)
{
	uint64_t wide = *value;

	clamp(farm, server, what, low, high, &wide);
	*value = (unsigned int)wide;
}

/* What is too many of one kind of check is said, and freed. */
static void settle_kind(struct farm *farm, struct farm_server *server, const char *kind, size_t max)
{
	size_t n_kind = 0, len = 0;

	for (size_t i = 0; i < server->n_checks; i++) {
		char *check = server->checks[i];

		if (strncmp(check, kind, strlen(kind)) == 0 && ++n_kind > max) {
			farm_note(farm, server->line, "check %.128s: more than %zu such checks",
				check, max);
			free(check);
			continue;
		}
		server->checks[len++] = check;
	}
	server->n_checks = len;
}

static void settle_checks(struct farm *farm, struct farm_server *server)
{
	clamp(farm, server, "check-interval (ms)", 100, 3600000, &server->check_interval_ms);
	clamp(farm, server, "check-timeout (ms)", 10, 60000, &server->check_timeout_ms);
	clamp_u32(farm, server, "check-fall", 1, 20, &server->check_fall);
	clamp_u32(farm, server, "check-rise", 1, 20, &server->check_rise);
	settle_kind(farm, server, "tcp:", CONFIG_CHECKS_MAX);
	settle_kind(farm, server, "http:", CONFIG_REQUESTS_MAX);
}

static void settle_memory(struct farm *farm, struct farm_server *server)
{
	bool turns = server->scheduler == CONFIG_RR || server->scheduler == CONFIG_LC;

	if (server->sessionless && turns) {
		farm_note(farm, server->line,
			"every packet on its own: scheduler %s records flows here; with maglev or "
			"source-hash, sessionless = yes would be possible",
			config_scheduler_names[server->scheduler]);
		server->sessionless = false;
	}
	if (server->sessionless && server->persistence_s > 0) {
		farm_note(farm, server->line,
			"persistence: a sessionless virtual server remembers no client; scheduler = "
			"source-hash keeps them at their servers");
		server->persistence_s = 0;
	}
	clamp(farm, server, "persistence (s)", 1, DAY_S, &server->persistence_s);
	clamp_u32(farm, server, "persistence-prefix", PREFIX_BITS_MIN, 32, &server->prefix4);
	clamp_u32(farm, server, "persistence-prefix", PREFIX_BITS_MIN, 128, &server->prefix6);
	clamp(farm, server, "tcp-timeout (s)", 1, DAY_S, &server->tcp_timeout_s);
	clamp(farm, server, "fin-timeout (s)", 1, DAY_S, &server->fin_timeout_s);
	clamp(farm, server, "udp-timeout (s)", 1, DAY_S, &server->udp_timeout_s);
}

static void make_key(const struct addr *addr, uint64_t key[2])
{
	struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (addr->family == AF_INET6)
		mapped = addr->ip6;
	else
		memcpy(mapped.s6_addr + 12, addr->bytes, 4);
	memcpy(key, &mapped, sizeof(mapped));
}

static bool knows_connections(const struct farm_server *server)
{
	return server->scheduler == CONFIG_RR || server->scheduler == CONFIG_LC ||
		server->persistence_s > 0;
}

/* What is said of weights is their proportion: it stays when all of them are divided. */
static void settle_weights(struct farm *farm, struct farm_server *server)
{
	uint64_t most = 0;

	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers)
		most = MAX(most, each->weight);
	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers) {
		if (each->weight > 0 && server->weights_ignored)
			each->weight = 1;
		else if (each->weight > 0 && most > WEIGHT_MAX)
			each->weight = MAX(each->weight * WEIGHT_MAX / most, UINT64_C(1));
	}
	if (most > WEIGHT_MAX && !server->weights_ignored)
		farm_note(farm, server->line,
			"weights over %u: all are divided, their proportions stay nearly the same",
			WEIGHT_MAX);
}

/* The first of those of the highest weight serves, and all others are there for when it does not. */
static void settle_failover(struct farm *farm, struct farm_server *server)
{
	struct farm_real_server *best = NULL;
	size_t n_backups = 0;

	if (!server->failover)
		return;
	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers)
		if (!each->backup && each->weight > (best ? best->weight : 0))
			best = each;
	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers) {
		each->backup |= best && each != best && each->weight > 0;
		n_backups += each->backup;
	}
	if (n_backups > 1)
		farm_note(farm, server->line,
			"scheduler fo has real servers take over one after the other; here all %zu "
			"backups do at once",
			n_backups);
}

static void drop_ceiling(struct farm *farm, const struct farm_server *server,
	struct farm_real_server *each, const char *why)
{
	char text[ADDR_STRLEN];

	farm_note(farm, each->line,
		"real server %s of line %u: at most %" PRIu64 " connections: %s",
		addr_format(&each->address, text), server->line, each->max_connections, why);
	each->max_connections = 0;
}

static void settle_ceilings(struct farm *farm, struct farm_server *server)
{
	bool counts = knows_connections(server);

	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers) {
		if (each->max_connections > PROTO_CONNECTIONS_MAX)
			drop_ceiling(farm, server, each, "more than a ceiling may be");
		else if (each->max_connections > 0 && !counts)
			drop_ceiling(farm, server, each,
				"this scheduler records no flows to be counted; use lc, or say "
				"max-connections in its dsr-agent.conf");
	}
}

/* Those that no configuration of ours may name. */
static void settle_real_servers(struct farm *farm, struct farm_server *server)
{
	size_t len = 0;

	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers) {
		bool is_vip = false;
		char text[ADDR_STRLEN];

		for (size_t i = 0; i < server->n_vips; i++)
			is_vip |= addr_equal(&server->vips[i], &each->address);
		if (!is_vip && addr_is_unicast(&each->address)) {
			server->real_servers[len++] = *each;
			continue;
		}
		farm_note(farm, each->line, "real server %s: %s", addr_format(&each->address, text),
			is_vip ? "is the virtual server's own address"
			       : "is no address of a host on the link");
		server->refused |= !each->backup;
	}
	server->n_real_servers = len;
}

static void settle_vips(struct farm *farm, struct farm_server *server)
{
	size_t len = 0;

	for (size_t i = 0; i < server->n_vips; i++) {
		const struct addr *vip = &server->vips[i];
		char text[ADDR_STRLEN];

		if (!addr_is_unicast(vip) || addr_is_link_local6(vip))
			farm_note(farm, server->line, "%s cannot be a VIP", addr_format(vip, text));
		else
			server->vips[len++] = *vip;
	}
	server->n_vips = len;
}

static bool is_known_protocol(const char *protocol)
{
	for (size_t i = 0; config_protocol_names[i]; i++)
		if (streq(config_protocol_names[i], protocol))
			return true;
	return false;
}

static void settle_alone(struct farm *farm, struct farm_server *server)
{
	if (!is_known_protocol(server->protocol)) {
		farm_note(farm, server->line, "protocol %s", server->protocol);
		server->dropped = true;
		return;
	}
	settle_vips(farm, server);
	settle_real_servers(farm, server);
	settle_checks(farm, server);
	settle_memory(farm, server);
	settle_weights(farm, server);
	settle_failover(farm, server);
	settle_ceilings(farm, server);
	clamp_u32(farm, server, "minimum", 1, server->minimum_percent ? 100 : CONFIG_MINIMUM_MAX,
		&server->minimum);
}

/* ---- what virtual servers say together ---- */

/* One virtual server at one VIP. */
struct binding {
	const struct farm_server *server;
	uint32_t next; /* of the same VIP; UINT32_MAX: none */
};

/* One real server, in all virtual servers. */
struct host {
	const struct farm_server *server; /* the last that has it */
	char name[PROTO_NAME_MAX + 1];
};

struct together {
	struct farm *farm;
	struct hash_map vips, addresses; /* of bindings, the last one of each; of hosts */
	struct binding *bindings;
	size_t n_bindings;
	struct host *hosts;
	size_t n_hosts;
};

static void together_clear(struct together *together)
{
	hash_map_clear(&together->vips);
	hash_map_clear(&together->addresses);
	free(together->bindings);
	free(together->hosts);
}

static bool protocols_overlap(const struct farm_server *a, const struct farm_server *b)
{
	return streq(a->protocol, b->protocol) || streq(a->protocol, "any") ||
		streq(b->protocol, "any");
}

/* Whether the VIP is this virtual server's: 0 or 1; -ENOMEM. */
static int take_vip(
	struct together *together, const struct farm_server *server, const struct addr *vip)
{
	uint32_t first = UINT32_MAX;
	char text[ADDR_STRLEN];
	uint64_t key[2];

	make_key(vip, key);
	(void)hash_map_get(&together->vips, key, &first);
	for (uint32_t i = first; together->bindings && i != UINT32_MAX;
		i = together->bindings[i].next) {
		const struct farm_server *other = together->bindings[i].server;

		if (other->port != server->port || !protocols_overlap(other, server))
			continue;
		if (other != server)
			farm_note(together->farm, server->line,
				"%s %s port %u (0: any) is served by line %u already",
				addr_format(vip, text), server->protocol, server->port,
				other->line);
		return 0;
	}
	if (together->n_bindings == FWD_SERVICES_MAX) {
		farm_note(together->farm, server->line, "%s: more than %u VIPs in all",
			addr_format(vip, text), FWD_SERVICES_MAX);
		return 0;
	}
	if (GROW(together->bindings, together->n_bindings) < 0 ||
		hash_map_put(&together->vips, key, (uint32_t)together->n_bindings) < 0)
		return -ENOMEM;
	together->bindings[together->n_bindings++] = (struct binding){ server, first };
	return 1;
}

static int take_vips(struct together *together, struct farm_server *server)
{
	size_t len = 0;

	for (size_t i = 0; i < server->n_vips; i++) {
		int r = len < CONFIG_VIPS_MAX ? take_vip(together, server, &server->vips[i]) : 0;

		if (r < 0)
			return r;
		if (len == CONFIG_VIPS_MAX)
			farm_note(
				together->farm, server->line, "more than %u VIPs", CONFIG_VIPS_MAX);
		if (r == 1)
			server->vips[len++] = server->vips[i];
		else if (len == CONFIG_VIPS_MAX)
			break;
	}
	server->n_vips = len;
	return 0;
}

/* A name is one address's, and no address; else the address is its own name. */
static void settle_name(const struct together *together, struct farm_real_server *each)
{
	struct addr address;

	if (addr_parse(each->name, &address) == 0)
		each->name[0] = '\0';
	for (size_t i = 0; each->name[0] && i < together->n_hosts; i++)
		if (streq(together->hosts[i].name, each->name))
			each->name[0] = '\0';
}

/* Whether the real server stays in this virtual server: 0 or 1; -ENOMEM. */
static int take_real_server(
	struct together *together, const struct farm_server *server, struct farm_real_server *each)
{
	char text[ADDR_STRLEN];
	uint64_t key[2];
	uint32_t idx;

	make_key(&each->address, key);
	if (hash_map_get(&together->addresses, key, &idx)) {
		struct host *host = &together->hosts[idx];

		if (host->server == server) {
			farm_note(together->farm, each->line,
				"real server %s stands in this virtual server already",
				addr_format(&each->address, text));
			return 0;
		}
		host->server = server;
		memcpy(each->name, host->name, sizeof(each->name));
		return 1;
	}
	if (together->n_hosts == REGISTRY_BACKENDS_MAX) {
		farm_note(together->farm, each->line, "real server %s: more than %u in all",
			addr_format(&each->address, text), REGISTRY_BACKENDS_MAX);
		return 0;
	}
	settle_name(together, each);
	if (GROW(together->hosts, together->n_hosts) < 0 ||
		hash_map_put(&together->addresses, key, (uint32_t)together->n_hosts) < 0)
		return -ENOMEM;
	together->hosts[together->n_hosts] = (struct host){ server, "" };
	memcpy(together->hosts[together->n_hosts++].name, each->name, sizeof(each->name));
	return 1;
}

static int take_real_servers(struct together *together, struct farm_server *server)
{
	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers) {
		int r = take_real_server(together, server, each);

		if (r < 0)
			return r;
		each->dropped = r == 0;
	}
	return 0;
}

/* A section's name is its alone: behind the same one a number is put. */
static void take_name(const struct farm *farm, struct farm_server *server, size_t idx)
{
	char base[PROTO_NAME_MAX + 1];
	bool taken = server->name[0] == '\0';
	unsigned int number = 1;

	if (taken)
		farm_server_name(server);
	memcpy(base, server->name, sizeof(base));
	do {
		taken = false;
		for (size_t i = 0; i < idx && !taken; i++)
			taken = !farm->servers[i]->dropped &&
				streq(farm->servers[i]->name, server->name);
		if (taken)
			(void)snprintf(server->name, sizeof(server->name), "%.*s-%u",
				(int)(PROTO_NAME_MAX - 6), base, ++number);
	} while (taken);
}

static int settle_together(struct together *together)
{
	struct farm *farm = together->farm;

	for (size_t i = 0; i < farm->n_servers; i++) {
		struct farm_server *server = farm->servers[i];
		int r = server->dropped ? 0 : take_vips(together, server);

		if (r < 0)
			return r;
		if (server->dropped || server->n_vips == 0) {
			server->dropped = true;
			continue;
		}
		if (server->n_real_servers == 0 && server->refused) {
			farm_note(farm, server->line,
				"the virtual server: none of its real servers can be served");
			server->dropped = true;
			continue;
		}
		r = take_real_servers(together, server);
		if (r < 0)
			return r;
		take_name(farm, server, i);
	}
	return 0;
}

int farm_settle(struct farm *farm)
{
	_cleanup_(together_clear) struct together together = { .farm = farm };

	for (size_t i = 0; i < farm->n_servers; i++)
		if (!farm->servers[i]->dropped)
			settle_alone(farm, farm->servers[i]);
	if (settle_together(&together) < 0 || farm->failed)
		return -ENOMEM;
	return 0;
}
