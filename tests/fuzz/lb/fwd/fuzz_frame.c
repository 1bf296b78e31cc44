/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fwd_run() on any bytes. Of the input, the first byte chooses how much is readable and whether the
 * frame is a super-frame; the rest is up to four frames, each led by its length, run one after
 * another in one world, so that fragments and flows meet. Each lies in memory of exactly its
 * size. What holds for every frame: only the MACs change, only where it is forwarded, and
 * explain's way of looking changes nothing at all.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

#include "tests/vectors/world.h"

#define FRAMES_MAX 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct vector_world *memory;
	struct snapshot *snapshot;
	uint64_t now_ns; /* of the rates: at each input they are full again */
};

static struct world world;

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void world_begin(void)
{
	if (!world.memory) {
		world.memory = aligned_alloc(64, sizeof(*world.memory));
		expect(world.memory != NULL);
		vector_world_reset(world.memory);
		world.snapshot = vector_world_snapshot(world.memory);
	}
	world.now_ns += 10 * UINT64_C(1000000000);
	memset(world.memory->flow4, 0, sizeof(world.memory->flow4));
	memset(world.memory->flow6, 0, sizeof(world.memory->flow6));
}

static void check_result(const struct fwd_result *result)
{
	expect(result->reason < FWD_REASON_N_);
	expect(result->verdict == (FWD_REASON_VERDICTS >> (2 * result->reason) & 3));
	expect((result->verdict == FWD_FORWARD) == (result->backend != 0));
	expect(result->how < FWD_HOW_N_);
	expect(result->slot < FWD_ROWS);
	expect(!(result->recorded && result->unrecorded));
	expect(result->alternative == 0 || (result->backend == 1 && result->alternative == 2));
}

static void check_bytes(const struct fwd_result *result, const uint8_t *before,
	const uint8_t *after, size_t size_bytes)
{
	const struct fwd_backend *backend;

	if (result->verdict != FWD_FORWARD) {
		expect(size_bytes == 0 || memcmp(before, after, size_bytes) == 0);
		return;
	}
	backend = snapshot_backend(world.snapshot, result->backend);
	/* A later fragment is judged by its IP header alone. */
	expect(backend && size_bytes >= sizeof(struct wire_ethernet) + sizeof(struct wire_ip4));
	expect(memcmp(after, backend->mac, 6) == 0);
	expect(memcmp(after + 6,
		       vector_mac_bytes(result->alternative ? VECTOR_MAC_NAMED2 : VECTOR_MAC_OUT),
		       6) == 0);
	expect(memcmp(before + 12, after + 12, size_bytes - 12) == 0);
}

static void run_frame(struct fwd_port *port, const uint8_t *data, size_t size_bytes,
	uint32_t hidden_bytes, uint32_t gso)
{
	const struct fwd_frame frame = {
		.length_bytes = (uint32_t)size_bytes + hidden_bytes,
		.gso = gso,
	};
	uint8_t *copy = calloc(1, size_bytes);
	struct fwd_result looked, result;

	expect(copy || size_bytes == 0);
	if (size_bytes > 0)
		memcpy(copy, data, size_bytes);
	port->only_looks = 1;
	fwd_run(port, copy, copy + size_bytes, &frame, &looked);
	check_result(&looked);
	check_bytes(&looked, data, copy, size_bytes);
	if (size_bytes > 0)
		memcpy(copy, data, size_bytes);
	port->only_looks = 0;
	fwd_run(port, copy, copy + size_bytes, &frame, &result);
	check_result(&result);
	check_bytes(&result, data, copy, size_bytes);
	/* Looking foretells, and tells the row also of a flow that is found without. */
	if (result.how == FWD_HOW_FLOW) {
		result.slot = looked.slot;
		result.moving = looked.moving;
	}
	expect(memcmp(&looked, &result, sizeof(result)) == 0);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const __u64 seed[2] = { 5, 6 };
	_cleanup_(fragments_freep) struct fragments *fragments = NULL;
	struct fwd_port port = { .now_s = VECTOR_NOW_S };
	uint8_t mode;

	if (size < 1)
		return 0;
	world_begin();
	expect(fragments_new(16, seed, &fragments) == 0);
	port.snapshot = world.snapshot;
	port.rates = vector_world_rates(world.memory);
	port.now_ns = world.now_ns;
	port.fragments = fragments;
	mode = *data++;
	size--;
	for (size_t i = 0; i < FRAMES_MAX && size >= 2; i++) {
		size_t frame_bytes = MIN((size_t)(data[0] << 8 | data[1]), size - 2);

		run_frame(&port, data + 2, frame_bytes, mode & 2 ? 1000 : 0, mode & 1);
		data += 2 + frame_bytes;
		size -= 2 + frame_bytes;
	}
	return 0;
}
