/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A keepalived.conf from any bytes; what it includes is a file of a few lines, or itself. */
#include "lb/client/import/keepalived/keepalived.h"

#include "tests/fuzz/lb/client/import/import_loads.h"

struct bytes {
	const char *data;
	size_t size_bytes;
};

static int include(void *context, const char *folder, const char *pattern, keepalived_file_fn *take,
	void *reader)
{
	static const char small[] = "real_server 192.0.2.11 80 { weight 2 }\n$A= \\\n$B \\\n}\n";
	const struct bytes *self = context;

	if (streq(pattern, "self"))
		return take(reader, folder, self->data, self->size_bytes);
	return streq(pattern, "small") ? take(reader, folder, small, strlen(small)) : -ENOENT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(farm_freep) struct farm *farm = farm_new();
	struct bytes self = { (const char *)data, size };
	struct keepalived_outside outside = { include, &self, "/etc/keepalived", "main" };
	struct why why = { 0 };

	if (farm)
		import_must_load(
			keepalived_read(self.data, size, &outside, farm, &why), farm, &why);
	return 0;
}
