/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file of a configuration: see keys.h. */
#include "lb/config/keys.h"

#include "common/ini/ini_report.h"
#include "common/os/systemd.h"

#define KEYS_DEFAULT_FILE "/etc/dsr-lb/keys"
#define KEYS_CREDENTIAL   "keys"

int keys_load(const struct config *config, struct ini_report *report, struct keyring **ret_ring)
{
	_cleanup_free_ char *path = NULL;
	struct why why = { 0 };
	int r = systemd_key_path(config->key_file, KEYS_DEFAULT_FILE, KEYS_CREDENTIAL, &path);

	if (r < 0)
		why_set(&why, "out of memory");
	else
		r = keyring_load(path, true, ret_ring, &why);
	if (r < 0)
		ini_report_add(report, "balancer", NULL, "key-file", "%s", why.text);
	return r;
}
