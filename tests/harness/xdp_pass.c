/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts an XDP program that passes everything on an interface of this namespace (xdp_pass.h), where it
 * stays until the interface goes:
 *
 *	xdp_pass INTERFACE
 */
#include "tests/harness/xdp_pass.h"

#include <err.h>

int main(int argc, char **argv)
{
	int r;

	if (argc != 2)
		errx(64, "usage: xdp_pass INTERFACE");
	if (if_nametoindex(argv[1]) == 0)
		err(1, "%s", argv[1]);
	r = xdp_pass_attach(argv[1]);
	if (r < 0)
		errx(1, "%s: no native XDP: %s", argv[1], strerror(-r));
	return 0;
}
