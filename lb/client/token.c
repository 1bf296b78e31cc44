/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes into a token, and from where: see token.h. */
#include "lb/client/token.h"

#include <ifaddrs.h>
#include <sodium.h>

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/control/control_call.h"
#include "common/proto/token.h"
#include "lb/client/keygen.h"
#include "lb/config/model.h"

#define TOKEN_ASK_US (5 * US_PER_S)

/* ---- VIPs ---- */

static bool token_has_vip(const struct token *token, const struct addr *vip)
{
	ARRAY_FOREACH (each, token->vips, token->n_vips)
		if (addr_equal(each, vip))
			return true;
	return false;
}

static bool token_may_have(const struct keyring_key *key, const struct addr *vip)
{
	struct why why;

	return keyring_key_allows(key, key->agent, vip, 1, 0, &why);
}

static int token_add_vips(const struct cli *cli, const struct config *config, struct token *token)
{
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct config_virtual_server *server = config->virtual_servers[v];
		const struct addr *vips = server->vips.items;

		for (size_t i = 0; server->check_agent && i < server->vips.len; i++) {
			if (token_has_vip(token, &vips[i]) ||
				!token_may_have(&token->key, &vips[i]))
				continue;
			if (token->n_vips == PROTO_VIPS_WHOLE)
				return cli_fail(cli, CONTROL_CONFIG,
					"token: more than %u VIPs for one agent; name those that it "
					"serves by vip= on the line \"%s master\" of %s",
					PROTO_VIPS_WHOLE, token->key.id, config->key_file);
			token->vips[token->n_vips++] = vips[i];
		}
	}
	if (token->n_vips == 0)
		return cli_fail(cli, CONTROL_CONFIG,
			"token: no VIP for an agent: no virtual server with check = agent has one that "
			"key %s may be used for",
			token->key.id);
	return 0;
}

/* ---- balancers ---- */

static bool token_is_vip(const struct config *config, const struct addr *address)
{
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct addr *vips = config->virtual_servers[v]->vips.items;

		for (size_t i = 0; i < config->virtual_servers[v]->vips.len; i++)
			if (addr_equal(&vips[i], address))
				return true;
	}
	return false;
}

/* The interface's first address that is its own, of a family. Its others come and go with keepalived. */
static bool token_find_address(const struct config *config, const char *interface,
	const struct ifaddrs *addresses, int family, struct addr *ret_address)
{
	for (const struct ifaddrs *each = addresses; each; each = each->ifa_next) {
		struct addr_port own;

		if (!each->ifa_addr || each->ifa_addr->sa_family != family ||
			!streq(each->ifa_name, interface) ||
			addr_from_sockaddr(each->ifa_addr, &own) < 0 ||
			!addr_is_unicast(&own.addr) || addr_is_link_local6(&own.addr) ||
			addr_equal(&own.addr, &config->active_when) ||
			token_is_vip(config, &own.addr))
			continue;
		*ret_address = own.addr;
		return true;
	}
	return false;
}

static int token_add_ourselves(
	const struct cli *cli, const struct config *config, struct token *token)
{
	struct addr_port *ours = &token->balancers[token->n_balancers++];
	struct ifaddrs *addresses = NULL;
	bool found = false;

	*ours = config->listen;
	if (ours->addr.family != AF_UNSPEC)
		return 0;
	if (getifaddrs(&addresses) == 0)
		for (size_t i = 0; i < config->backend_interfaces.len && !found; i++) {
			const char *interface = config_backend_interface(config, i);

			found = token_find_address(
					config, interface, addresses, AF_INET, &ours->addr) ||
				token_find_address(
					config, interface, addresses, AF_INET6, &ours->addr);
		}
	freeifaddrs(addresses);
	if (found)
		return 0;
	return cli_fail(cli, CONTROL_CONFIG,
		"token: %s has no address that a real server could reach; give it one, or write listen "
		"= ADDRESS in [balancer]",
		config_backend_interface(config, 0));
}

/* An agent's balancers are of one family. Where another listens is not known: as we do. */
static void token_add_other(struct token *token, const json_t *balancer)
{
	const char *text = json_string_value(json_object_get(balancer, "address"));
	struct addr_port other = { .port = token->balancers[0].port };

	if (!text || addr_parse(text, &other.addr) < 0 ||
		other.addr.family != token->balancers[0].addr.family ||
		token->n_balancers == TOKEN_BALANCERS_MAX)
		return;
	ARRAY_FOREACH (each, token->balancers, token->n_balancers)
		if (addr_equal(&each->addr, &other.addr))
			return;
	token->balancers[token->n_balancers++] = other;
}

/* Those that our agents serve, too: the daemon knows them, if it runs. */
static void token_add_others(const struct cli *cli, struct token *token)
{
	_cleanup_free_ char *error = NULL;
	json_t *document = NULL;
	const json_t *balancer;
	size_t idx;

	if (control_call(cli->runtime_dir, "status", NULL, TOKEN_ASK_US, &document, &error) == 0)
		json_array_foreach (json_object_get(document, "balancers"), idx, balancer)
			token_add_other(token, balancer);
	json_decref(document);
}

/* ---- the verb ---- */

static int token_take_key(const struct cli *cli, const struct config *config,
	const struct keyring *ring, struct token *token)
{
	const struct keyring_key *master = keyring_newest_master(ring);

	if (!master)
		return cli_fail(cli, CONTROL_CONFIG,
			"token: %s has no master line, from which keys of agents are derived; on every "
			"balancer add the same one (dsr-lb keygen main master >> %s) and reload",
			config->key_file, config->key_file);
	keyring_key_of_agent(master, cli->args[0], &token->key);
	return 0;
}

static int token_fill(const struct cli *cli, struct token *token)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	int status = keygen_load(cli, &config, &ring);

	if (status == 0)
		status = token_take_key(cli, config, ring, token);
	if (status == 0)
		status = token_add_vips(cli, config, token);
	if (status == 0)
		status = token_add_ourselves(cli, config, token);
	if (status == 0)
		token_add_others(cli, token);
	return status;
}

static void token_show(const struct cli *cli, const char *text)
{
	json_t *token;

	if (cli->json == CLI_JSON_OFF) {
		printf("%s\n", text);
		return;
	}
	token = json_pack("{s:s, s:s}", "name", cli->args[0], "token", text);
	cli_print_json(cli, token);
	json_decref(token);
}

int token_print(const struct cli *cli, void *context)
{
	struct token made = { 0 };
	char text[TOKEN_BYTES];
	struct addr address;
	int status;

	if (auth_init() < 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "cannot initialise libsodium");
	if (!proto_name_is_valid(cli->args[0]) || addr_parse(cli->args[0], &address) == 0)
		return cli_fail(cli, CONTROL_USAGE,
			"token: '%s' is no name of an agent; use at most %u letters, digits, '.', '-' "
			"and '_', and no address",
			cli->args[0], PROTO_NAME_MAX);
	status = token_fill(cli, &made);
	if (status == 0 && token_format(&made, text) < 0)
		status = cli_fail(cli, CONTROL_CONFIG, "token: an address in it is not legal");
	if (status == 0)
		token_show(cli, text);
	sodium_memzero(text, sizeof(text));
	keyring_key_wipe(&made.key);
	return status;
}
