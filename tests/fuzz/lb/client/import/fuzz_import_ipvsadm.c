/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `ipvsadm -S` prints, from any bytes; names of any kind have an address or a port when they begin with "w". */
#include "lb/client/import/ipvsadm.h"

#include "tests/fuzz/lb/client/import/import_loads.h"

static uint16_t port_of(void *context, const char *service, const char *protocol)
{
	return *service == 'w' ? (uint16_t)(80 + strlen(service)) : 0;
}

static bool address_of(void *context, const char *host, struct addr *ret_address)
{
	return *host == 'w' && addr_parse("192.0.2.11", ret_address) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct import_names names = { port_of, address_of, NULL };
	_cleanup_(farm_freep) struct farm *farm = farm_new();
	struct why why = { 0 };

	if (farm)
		import_must_load(
			ipvsadm_read((const char *)data, size, &names, farm, &why), farm, &why);
	return 0;
}
