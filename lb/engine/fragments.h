/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the first fragment of a datagram went, for the fragments that follow it: a table of fixed
 * size, shared by the workers of the packet engine (the receive hash of a later fragment knows no
 * ports, so it may be another worker's). Behind a mutex for each stripe: fragments are rare, and
 * nothing else waits for it. Full means: in its bucket the oldest record is forgotten.
 */
#pragma once

#include "common/util.h"
#include "lb/fwd/types.h"

#define FRAGMENTS_MAX (1u << 20)

struct fragments;

/* Room for at least `n_records` (1–FRAGMENTS_MAX, else -EINVAL); `seed` keeps outsiders from aiming. */
int fragments_new(uint32_t n_records, const __u64 seed[2], struct fragments **ret_fragments);
struct fragments *fragments_free(struct fragments *fragments);
DEFINE_CLEANUP(struct fragments *, fragments_free)

/* Any thread. The newest record of the key; its age is the caller's question. */
bool fragments_get(struct fragments *fragments, const struct fwd_fragment_key *key,
	struct fwd_fragment *ret_fragment);
/* Any thread. Replaces the key's own record, else a free one, else the oldest of its bucket. */
void fragments_put(struct fragments *fragments, const struct fwd_fragment_key *key,
	const struct fwd_fragment *fragment);
