/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts once, checks over them, one report. Called by main.c. Changes nothing. */
#include "agent/doctor/examine.h"

#include "agent/doctor/checks_agent.h"
#include "agent/doctor/checks_arp.h"
#include "agent/doctor/checks_files.h"
#include "agent/doctor/checks_listen.h"
#include "agent/doctor/checks_route.h"
#include "agent/doctor/checks_vip.h"
#include "agent/doctor/facts.h"
#include "common/cli/cli.h"
#include "common/proto/auth.h"

static const struct doctor_check examine_table[] = {
	{ "daemon", checks_daemon },
	{ "capabilities", checks_capabilities },
	{ "boot", checks_boot },
	{ "config", checks_config },
	{ "key", checks_key },
	{ "host", checks_host },
	{ "state", checks_state },
	{ "check", checks_check },
	{ "balancer", checks_balancer },
	{ "off-link", checks_off_link },
	{ "arp", checks_arp },
	{ "arp-default", checks_arp_default },
	{ "proxy-arp", checks_proxy_arp },
	{ "proxy-ndp", checks_proxy_ndp },
	{ "vip", checks_vip },
	{ "vip-prefix", checks_vip_prefix },
	{ "vip-place", checks_vip_place },
	{ "vip-alias", checks_vip_alias },
	{ "route", checks_route },
	{ "rp-filter", checks_rp_filter },
	{ "redirects", checks_redirects },
	{ "mtu", checks_mtu },
	{ "tcp", checks_tcp },
	{ "listener", checks_listener },
	{ "filter", checks_filter },
	{ "sysctl", checks_sysctl },
	{ "managed", checks_managed },
	{ "leftover", checks_leftover },
};

const struct doctor_check *examine_checks(size_t *ret_n_checks)
{
	*ret_n_checks = ARRAY_LEN(examine_table);
	return examine_table;
}

int examine(const struct cli *cli, void *context)
{
	_cleanup_(doctor_freep) struct doctor *doctor = doctor_new();
	struct facts facts;
	int status;

	if (!doctor || auth_init() < 0 || facts_read(cli, "", &facts) < 0)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "out of memory");
	doctor_run(doctor, examine_table, ARRAY_LEN(examine_table), &facts);
	status = doctor_tell(doctor, cli);
	facts_clear(&facts);
	return status;
}
