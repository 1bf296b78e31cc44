/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the live page, or the Content-Security-Policy that it is sent with:
 *
 *	page body | policy
 */
#include <sodium.h>
#include <stdio.h>

#include "common/page/page.h"
#include "common/util.h"

int main(int argc, char **argv)
{
	char policy[PAGE_POLICY_BYTES];
	size_t bytes;
	_cleanup_free_ char *page = sodium_init() < 0 ? NULL : page_make(policy, &bytes);

	if (!page || argc != 2)
		return 2;
	if (streq(argv[1], "policy"))
		puts(policy);
	else
		fwrite(page, 1, bytes, stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
