/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A keyed hash of a counter: see register_random.h. */
#include "agent/registration/register_random.h"

#include <sodium.h>

void register_random_draw(struct register_random *random, void *ret_data, size_t size_bytes)
{
	uint64_t number = random->n_drawn++;

	crypto_generichash(ret_data, size_bytes, (const uint8_t *)&number, sizeof(number),
		random->seed, REGISTER_SEED_BYTES);
}

uint64_t register_random_jitter(struct register_random *random, uint64_t delay_us)
{
	uint64_t values[crypto_generichash_BYTES_MIN / sizeof(uint64_t)];

	register_random_draw(random, values, sizeof(values));
	return delay_us - delay_us / 4 + values[0] % (delay_us / 2 + 1);
}

uint64_t register_random_back_off(
	struct register_random *random, uint64_t first_us, unsigned int tries, uint64_t max_us)
{
	uint64_t delay_us = first_us;

	for (unsigned int i = 0; i < tries && delay_us < max_us; i++)
		delay_us *= 2;
	return register_random_jitter(random, MIN(delay_us, max_us));
}
