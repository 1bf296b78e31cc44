/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file of a configuration: see keys.h. */
#include "lb/config/keys.h"

#include "common/ini/ini_report.h"
#include "common/os/systemd.h"

#define KEYS_DEFAULT_FILE "/etc/dsr-lb/keys"
#define KEYS_CREDENTIAL   "keys"

typedef int keys_load_fn(
	const char *path, bool with_bindings, struct keyring **ret_ring, struct why *ret_why);

static int keys_load_by(keys_load_fn *load, struct ini_report *report, struct keyring **ret_ring)
{
	const char *file = ini_report_value(report, "balancer", NULL, "key-file");
	_cleanup_free_ char *path = NULL;
	struct why why = { 0 };
	int r;

	if (!file)
		return -EINVAL;
	r = systemd_key_path(file, KEYS_DEFAULT_FILE, KEYS_CREDENTIAL, &path);
	if (r < 0)
		why_set(&why, "out of memory");
	else
		r = load(path, true, ret_ring, &why);
	if (r < 0)
		ini_report_add(report, "balancer", NULL, "key-file", "%s", why.text);
	return r;
}

int keys_load(struct ini_report *report, struct keyring **ret_ring)
{
	return keys_load_by(keyring_load, report, ret_ring);
}

int keys_load_for_verb(struct ini_report *report, struct keyring **ret_ring)
{
	return keys_load_by(keyring_load_as_owner, report, ret_ring);
}
