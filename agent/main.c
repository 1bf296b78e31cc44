/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsr-agent: hands the daemon to the command line, and the verbs to the daemon. */
#include "agent/control/client.h"
#include "agent/control/paths.h"
#include "agent/control/verbs.h"
#include "agent/daemon/daemon.h"
#include "common/cli/cli.h"
#include "common/log.h"

static int main_run(const struct cli *cli)
{
	static const struct daemon_verbs verbs = { verbs_serve, paths_start };

	log_open(cli->program);
	return daemon_run(cli->config_path, cli->runtime_dir, &verbs);
}

int main(int argc, char **argv)
{
	return client_main(argc, argv, main_run);
}
