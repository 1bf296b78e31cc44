/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of new pools. Called by publication. */
#pragma once

#include "lb/publish/pool.h"

struct fill_request {
	const uint8_t *seed; /* TABLE_SEED_BYTES */
	bool follow;         /* bases follow owners */
	uint32_t now_s;
};

/* Makes the rows, by several threads where there are many; nothing but these pools changes. -ENOMEM. */
int fill_pools(const struct fill_request *request, struct pool **pools, size_t len);
