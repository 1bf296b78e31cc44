/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsr-lb.conf from any bytes: it loads whole, or says at least one thing that is wrong.
 */
#include "lb/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	int r = config_load_text("fuzz", (const char *)data, size, &config, &report);

	if (r == -ENOMEM)
		return 0;
	if ((r == 0) != (config != NULL) || (r == 0) != (ini_report_len(report) == 0))
		abort();
	for (size_t i = 0; config && i < config->n_virtual_servers; i++) {
		_cleanup_free_ char *ports = config_ports_format(config->virtual_servers[i]);

		if (!ports || config->virtual_servers[i]->vips.len == 0)
			abort();
	}
	return 0;
}
