/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A NetScaler's configuration from any bytes. */
#include "lb/client/import/netscaler.h"

#include "tests/fuzz/lb/client/import/import_loads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(farm_freep) struct farm *farm = farm_new();
	struct why why = { 0 };

	if (farm)
		import_must_load(netscaler_read((const char *)data, size, farm, &why), farm, &why);
	return 0;
}
