/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_target.h. Called by path_probe.c. */
#include "lb/link/path/path_target.h"

struct probe *path_target_free(struct probe *probe)
{
	if (!probe)
		return NULL;
	free(probe->payload);
	free(probe->expect);
	free(probe);
	return NULL;
}

static int bytes_copy(const struct path_bytes *from, uint8_t **ret_data, size_t *ret_size_bytes)
{
	uint8_t *data = NULL;

	if (from->size_bytes > 0) {
		data = malloc(from->size_bytes);
		if (!data)
			return -ENOMEM;
		memcpy(data, from->data, from->size_bytes);
	}
	*ret_data = data;
	*ret_size_bytes = from->size_bytes;
	return 0;
}

struct probe *path_target_new(const struct path_target *target)
{
	_cleanup_(path_target_freep) struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->service = target->service;
	probe->kind = target->kind;
	probe->vip = target->vip;
	probe->port = target->port;
	probe->interval_us = target->interval_us;
	probe->timeout_us = target->timeout_us;
	if (bytes_copy(&target->payload, &probe->payload, &probe->payload_bytes) < 0 ||
		bytes_copy(&target->expect, &probe->expect, &probe->expect_bytes) < 0)
		return NULL;
	return TAKE_PTR(probe);
}

static bool bytes_equal(const struct path_bytes *bytes, const uint8_t *data, size_t size_bytes)
{
	return bytes->size_bytes == size_bytes &&
		(size_bytes == 0 || memcmp(bytes->data, data, size_bytes) == 0);
}

bool path_target_is(const struct probe *probe, const struct path_target *target)
{
	return probe->service == target->service && probe->kind == target->kind &&
		addr_equal(&probe->vip, &target->vip) && probe->port == target->port &&
		bytes_equal(&target->payload, probe->payload, probe->payload_bytes) &&
		bytes_equal(&target->expect, probe->expect, probe->expect_bytes);
}
