/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsr-agent. */
#include "agent/control/client.h"

int main(int argc, char **argv)
{
	return client_main(argc, argv);
}
