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
static void check_links(const struct cli *cli, const struct config *config)
{
	static const struct neigh_callbacks callbacks; /* no loop runs, and none is called */
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(neigh_freep) struct neigh *neigh = NULL;
	struct why advice = { 0 };

	if (sd_event_new(&event) < 0 ||
		neigh_start(event, config->interface, config->backend_interface, &callbacks, NULL,
			&neigh) < 0)
		return;
	if (link_advice(neigh_client_link(neigh), neigh_backend_link(neigh), &advice))
		fprintf(stderr, "%s: warning: %s\n", cli->config_path, advice.text);
}

static void check_host(const struct cli *cli, const struct config *config)
{
	const char *const names[] = { config->interface, config->backend_interface };
	bool missing = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (if_nametoindex(names[i]) > 0 || (i == 1 && streq(names[0], names[1])))
			continue;
		missing = true;
		fprintf(stderr,
			"%s: warning: %s: interface %s is not there; dsr-lb would wait for it\n",
			cli->config_path, i == 0 ? "interface" : "backend-interface", names[i]);
	}
	for (size_t v = 0; !missing && v < config->n_virtual_servers; v++) {
		const struct config_virtual_server *each = config->virtual_servers[v];
		const struct config_real_server *servers = each->real_servers.items;

		for (size_t i = 0; i < each->real_servers.len; i++) {
			char text[ADDR_STRLEN];

			if (check_is_on_link(config->backend_interface, &servers[i].address))
				continue;
			fprintf(stderr,
				"%s: warning: real-server: %s (%s) is on no subnet of %s; `run` would "
				"refuse it: a MAC rewrite cannot reach it\n",
				cli->config_path, addr_format(&servers[i].address, text),
				each->name, config->backend_interface);
		}
	}
}

int check_config(const struct cli *cli)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	int r;

	if (auth_init() < 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "cannot initialise libsodium");
	r = config_load(cli->config_path, &config, &report);
	if (r == 0 && !cli->no_keys)
		r = keys_load_for_verb(config, report, &ring);
	for (size_t i = 0; report && i < ini_report_warnings_len(report); i++)
		fprintf(stderr, "%s\n", ini_report_warning(report, i));
	for (size_t i = 0; report && i < ini_report_len(report); i++)
		fprintf(stderr, "%s\n", ini_report_line(report, i));
	if (r == -ENOMEM)
		return cli_fail(cli, CONTROL_CONFIG, "out of memory");
	if (r < 0)
		return CONTROL_CONFIG;
	check_host(cli, config);
	check_links(cli, config);
	return cli->diff ? cli_diff(cli, report) : 0;
}
