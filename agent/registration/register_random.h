/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The randomness of a registration, all of it from one seed. Pure. */
#pragma once

#include "common/util.h"

#define REGISTER_SEED_BYTES 32u

struct register_random {
	uint8_t seed[REGISTER_SEED_BYTES];
	uint64_t n_drawn;
};

/* 16 to 64 bytes. */
void register_random_draw(struct register_random *random, void *ret_data, size_t size_bytes);
/* A quarter to either side, so that a rack that boots at once does not ask at once. */
uint64_t register_random_jitter(struct register_random *random, uint64_t delay_us);
/* The same of `first_us`, doubled for each of `tries` up to `max_us`. */
uint64_t register_random_back_off(
	struct register_random *random, uint64_t first_us, unsigned int tries, uint64_t max_us);
