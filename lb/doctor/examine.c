/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts once, checks over them, one report. Called by the client. Changes nothing. */
#include "lb/doctor/examine.h"

#include "common/cli/cli.h"
#include "common/proto/auth.h"
#include "lb/doctor/checks_daemon.h"
#include "lb/doctor/checks_farm.h"
#include "lb/doctor/checks_link.h"
#include "lb/doctor/facts.h"

static const struct doctor_check examine_table[] = {
	{ "daemon", checks_daemon },
	{ "capabilities", checks_capabilities },
	{ "boot", checks_boot },
	{ "config", checks_config },
	{ "key", checks_key },
	{ "state", checks_state },
	{ "listen", checks_listen },
	{ "interface", checks_interface },
	{ "bond", checks_bond },
	{ "mode", checks_mode },
	{ "kernel", checks_kernel },
	{ "mtu", checks_mtu },
	{ "forwarding", checks_forwarding },
	{ "rp-filter", checks_rp_filter },
	{ "neighbours", checks_neighbours },
	{ "vip", checks_vip },
	{ "claim", checks_claim },
	{ "router", checks_router },
	{ "off-link", checks_off_link },
	{ "advertisements", checks_advertisements },
	{ "backend", checks_backend },
	{ "check", checks_check },
	{ "agent-version", checks_agent_version },
	{ "refused", checks_refused },
	{ "tables", checks_tables },
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
