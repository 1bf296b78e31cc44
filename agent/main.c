/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsr-agent: hands the daemon to the command line, and the verbs to the daemon. */
#include "agent/control/client.h"
#include "agent/control/verbs.h"
#include "agent/daemon/daemon.h"
#include "common/cli/cli.h"
#include "common/log.h"

static int main_run(const struct cli *cli)
{
	log_open(cli->program);
	return daemon_run(cli->config_path, cli->runtime_dir, verbs_serve);
}

int main(int argc, char **argv)
{
	return client_main(argc, argv, main_run);
}
