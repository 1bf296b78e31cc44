/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file of a configuration: see keys.h. */
#include "lb/config/keys.h"

#include "common/systemd.h"

#define KEYS_DEFAULT_FILE "/etc/dsr-lb/keys"
#define KEYS_CREDENTIAL   "keys"

int keys_load(const struct config *config, struct keyring **ret_ring, struct why *ret_why)
{
	_cleanup_free_ char *path = NULL;
	int r = systemd_key_path(config->key_file, KEYS_DEFAULT_FILE, KEYS_CREDENTIAL, &path);

	if (r < 0)
		return why_fail(ret_why, r, "out of memory");
	return keyring_load(path, true, ret_ring, ret_why);
}
