/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsr-lb: the balancer's program. Everything is in the verbs.
 */
#include "common/cli/cli.h"
#include "common/log.h"
#include "lb/client/check_config.h"
#include "lb/client/client.h"
#include "lb/control/verbs.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/daemon.h"

static int main_run(const struct cli *cli, void *context)
{
	static const struct daemon_verbs verbs = { verbs_start, verbs_stop, verbs_serve };

	const struct balancer_paths paths = { cli->config_path, cli->runtime_dir };

	return daemon_run(&paths, cli->detach, &verbs);
}

static int main_check_config(const struct cli *cli, void *context)
{
	return check_config(cli);
}

int main(int argc, char **argv)
{
	log_open("dsr-lb");
	return client_main(argc, argv, main_run, main_check_config);
}
