/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buckets of lb/fwd/rate.h: an engine's own, shared by its workers and read by explain. They
 * outlive snapshots, so that a reload does not fill them.
 */
#pragma once

#include "common/util.h"
#include "lb/fwd/types.h"

/* All NULL: nothing is metered. */
struct rates {
	__u64 *services; /* FWD_ID_MAX + 1, by service id */
	__u64 *sources;  /* FWD_SOURCE_RATES, by hash */
};
