/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check-config: see check.h. Runs without the daemon, but for --diff, and as any user who can
 * read the files.
 */
#include "lb/client/check_config.h"

#include <ifaddrs.h>
#include <net/if.h>

#include "common/proto/auth.h"
#include "common/proto/keyring.h"
#include "common/cli/cli.h"
#include "common/cli/cli_verb.h"
#include "lb/config/config.h"
#include "lb/config/keys.h"
#include "lb/link/link_advice.h"
#include "lb/link/neigh/neigh.h"

/* What to call with the prefix of each address of the interface; true ends the walk. */
static bool check_same_subnet(const struct ifaddrs *address, const struct addr *target)
{
	struct addr_port own, mask;

	if (!address->ifa_addr || !address->ifa_netmask ||
		addr_from_sockaddr(address->ifa_addr, &own) < 0 ||
		addr_from_sockaddr(address->ifa_netmask, &mask) < 0 ||
		own.addr.family != target->family)
		return false;
	for (size_t i = 0; i < addr_size_bytes(target); i++)
		if ((own.addr.bytes[i] ^ target->bytes[i]) & mask.addr.bytes[i])
			return false;
	return true;
}

static bool check_is_on_link(const char *interface, const struct addr *target)
{
	struct ifaddrs *addresses = NULL;
	bool found = false;

	if (getifaddrs(&addresses) < 0)
		return true; /* cannot tell: no warning */
	for (const struct ifaddrs *each = addresses; each && !found; each = each->ifa_next)
		found = streq(each->ifa_name, interface) && check_same_subnet(each, target);
	freeifaddrs(addresses);
	return found;
}

/* By a look at the links, as the daemon takes it at its start; whoever may not look says nothing. */
static void check_link(const struct cli *cli, const struct config *config, const char *interface)
{
	static const struct neigh_callbacks callbacks; /* no loop runs, and none is called */
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(neigh_freep) struct neigh *neigh = NULL;
	struct why advice = { 0 };

	if (sd_event_new(&event) < 0 ||
		neigh_start(event, config->interface, interface, &callbacks, NULL, &neigh) < 0)
		return;
	if (link_advice(neigh_client_link(neigh), neigh_backend_link(neigh), &advice))
		fprintf(stderr, "%s: warning: %s\n", cli->config_path, advice.text);
}

/* True: it is there. */
static bool check_is_there(const struct cli *cli, const char *key, const char *interface)
{
	if (if_nametoindex(interface) > 0)
		return true;
	fprintf(stderr, "%s: warning: %s: interface %s is not there; dsr-lb would wait for it\n",
		cli->config_path, key, interface);
	return false;
}

static bool check_is_on_any_link(const struct config *config, const struct addr *target)
{
	for (size_t i = 0; i < config->backend_interfaces.len; i++)
		if (check_is_on_link(config_backend_interface(config, i), target))
			return true;
	return false;
}

static void check_real_servers(const struct cli *cli, const struct config *config,
	const struct config_virtual_server *server)
{
	const struct config_real_server *items = server->real_servers.items;
	bool several = config->backend_interfaces.len > 1;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < server->real_servers.len; i++)
		if (!check_is_on_any_link(config, &items[i].address))
			fprintf(stderr,
				"%s: warning: real-server: %s (%s) is on no subnet of %s; `run` would "
				"refuse it: a MAC rewrite cannot reach it\n",
				cli->config_path, addr_format(&items[i].address, text),
				server->name,
				several ? "any backend-interface"
					: config_backend_interface(config, 0));
}

static void check_host(const struct cli *cli, const struct config *config)
{
	bool missing = !check_is_there(cli, "interface", config->interface);

	for (size_t i = 0; i < config->backend_interfaces.len; i++) {
		const char *interface = config_backend_interface(config, i);

		if (!streq(interface, config->interface))
			missing |= !check_is_there(cli, "backend-interface", interface);
	}
	for (size_t v = 0; !missing && v < config->n_virtual_servers; v++)
		check_real_servers(cli, config, config->virtual_servers[v]);
}

int check_config(const struct cli *cli)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	int r, r_keys = 0;

	if (auth_init() < 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "cannot initialise libsodium");
	r = config_load(cli->config_path, &config, &report);
	if (report && !cli->no_keys)
		r_keys = keys_load_for_verb(report, &ring);
	if (r == 0)
		r = r_keys;
	for (size_t i = 0; report && i < ini_report_warnings_len(report); i++)
		fprintf(stderr, "%s\n", ini_report_warning(report, i));
	for (size_t i = 0; report && i < ini_report_len(report); i++)
		fprintf(stderr, "%s\n", ini_report_line(report, i));
	if (r == -ENOMEM)
		return cli_fail(cli, CONTROL_CONFIG, "out of memory");
	if (r < 0)
		return CONTROL_CONFIG;
	check_host(cli, config);
	for (size_t i = 0; i < config->backend_interfaces.len; i++)
		check_link(cli, config, config_backend_interface(config, i));
	if (cli->diff)
		return cli_diff(cli, report);
	cli_print_done(cli, NULL);
	return 0;
}
