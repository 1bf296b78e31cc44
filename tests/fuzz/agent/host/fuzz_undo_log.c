/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owned.json as it might stand in the runtime directory. */
#include "agent/host/undo_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(host_undo_clear) struct host_undo undo = { 0 };

	if (undo_log_parse((const char *)data, size, "boot/1", &undo) < 0)
		return 0;
	if (undo.n_originals > HOST_LINKS_MAX || undo.n_added > HOST_ADDED_MAX)
		abort();
	return 0;
}
