/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core on the packet vectors: verdict, reason, backend and bytes of each; then each cut at every
 * byte. Frames lie in heap memory of exactly their size, so that AddressSanitizer sees a byte too
 * many.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/world.h"

static const __u64 fragment_seed[2] = { 3, 4 };

struct bench {
	struct vector_world *world;
	struct snapshot *snapshot;
	struct fragments *fragments;
};

static void bench_open(struct bench *bench)
{
	bench->world = aligned_alloc(64, sizeof(*bench->world));
	assert_non_null(bench->world);
	vector_world_reset(bench->world);
	bench->snapshot = vector_world_snapshot(bench->world);
	assert_int_equal(fragments_new(64, fragment_seed, &bench->fragments), 0);
}

static void bench_close(struct bench *bench)
{
	fragments_free(bench->fragments);
	snapshot_free(bench->snapshot);
	free(bench->world);
}

/* A frame in memory of its own size, and what became of it. */
struct run {
	uint8_t *before, *after;
	size_t size_bytes;
	struct fwd_result result;
};

static struct run bench_run(
	const struct bench *bench, const uint8_t *frame, size_t size_bytes, bool gso)
{
	struct fwd_port port = {
		.snapshot = bench->snapshot,
		.fragments = bench->fragments,
		.rates = vector_world_rates(bench->world),
		.now_ns = VECTOR_NOW_S * UINT64_C(1000000000),
		.now_s = VECTOR_NOW_S,
	};
	struct fwd_frame description = { .length_bytes = (uint32_t)size_bytes, .gso = gso };
	struct run run = { malloc(size_bytes + 1), NULL, size_bytes, { 0 } };

	/*
	 * A frame of no bytes stands somewhere too, and a byte of it cannot be touched unseen: so
	 * glibc's malloc(0), which is never NULL.
	 */
	run.after = malloc(size_bytes); /* NOLINT(clang-analyzer-optin.portability.UnixAPI) */
	assert_non_null(run.before);
	assert_non_null(run.after);
	memcpy(run.before, frame, size_bytes);
	memcpy(run.after, frame, size_bytes);
	fwd_run(&port, run.after, run.after + size_bytes, &description, &run.result);
	return run;
}

static void run_free(struct run *run)
{
	free(run->before);
	free(run->after);
}

/* What holds for every frame whatsoever. */
static void check_bytes(const struct bench *bench, const struct run *run)
{
	const struct fwd_backend *backend;

	assert_in_range(run->result.reason, 0, FWD_REASON_N_ - 1);
	if (run->result.reason != FWD_REASON_FORWARDED) {
		assert_int_not_equal(run->result.verdict, FWD_FORWARD);
		assert_int_equal(run->result.backend, 0);
		assert_memory_equal(run->after, run->before, run->size_bytes);
		return;
	}
	assert_int_equal(run->result.verdict, FWD_FORWARD);
	backend = snapshot_backend(bench->snapshot, run->result.backend);
	assert_non_null(backend);
	assert_memory_equal(run->after, backend->mac, 6);
	assert_memory_equal(run->after + 6,
		vector_mac_bytes(run->result.alternative ? VECTOR_MAC_NAMED2 : VECTOR_MAC_OUT), 6);
	assert_memory_equal(run->after + 12, run->before + 12, run->size_bytes - 12);
}

static uint16_t expected_backend(
	const struct bench *bench, const struct vector *vector, uint16_t before)
{
	const struct vector_packet *packet = &vector->packet;
	const char *client = packet->source ? packet->source
		: packet->ip6               ? "2001:db8:7::7"
					    : "192.0.2.7";
	struct addr addr = { .family = packet->ip6 ? AF_INET6 : AF_INET };
	struct fwd_addr address;
	__be16 port = htons(packet->client_port ? packet->client_port : 40000);

	switch (vector->rule) {
	case VECTOR_BY_PORTS:
	case VECTOR_BY_SOURCE:
		assert_int_equal(inet_pton(addr.family, client, addr.bytes), 1);
		snapshot_addr(&addr, &address);
		return vector_world_owner(hash_row(snapshot_settings(bench->snapshot), &address,
			vector->rule == VECTOR_BY_PORTS ? port : 0));
	case VECTOR_AS_BEFORE:
		return before;
	case VECTOR_BACKEND1:
	case VECTOR_BACKEND1_OR_2:
		return 1;
	case VECTOR_BACKEND2:
		return 2;
	case VECTOR_NOBODY:
		break;
	}
	return 0;
}

static uint16_t run_before(const struct bench *bench, const struct vector *vector, uint8_t *frame)
{
	uint16_t backend = 0;

	for (size_t i = 0; i < vector->n_before; i++) {
		size_t size_bytes = vector_build(&vector->before[i], frame);
		struct run run = bench_run(bench, frame, size_bytes, vector->before[i].gso);

		check_bytes(bench, &run);
		backend = run.result.backend;
		run_free(&run);
	}
	return backend;
}

static void core_decides_vector(void **state)
{
	const struct vector *vector = *state;
	_cleanup_free_ uint8_t *frame = malloc(VECTOR_FRAME_MAX);
	struct bench bench;
	uint16_t backend;
	struct run run;

	assert_non_null(frame);
	bench_open(&bench);
	backend = run_before(&bench, vector, frame);
	run = bench_run(&bench, frame, vector_build(&vector->packet, frame), vector->packet.gso);
	check_bytes(&bench, &run);
	assert_int_equal(run.result.reason, vector->reason);
	assert_int_equal(run.result.verdict, FWD_REASON_VERDICTS >> 2 * vector->reason & 3);
	if (vector->reason == FWD_REASON_FORWARDED) {
		assert_int_equal(run.result.service, vector->service);
		assert_int_equal(run.result.backend, expected_backend(&bench, vector, backend));
		assert_int_equal(
			run.result.alternative, vector->rule == VECTOR_BACKEND1_OR_2 ? 2 : 0);
	}
	run_free(&run);
	bench_close(&bench);
}

/* Ends of the packet proper: what is behind is padding, which may be missing. */
static bool is_longer_than_its_packet(
	const struct vector_packet *packet, size_t size_bytes, size_t cut)
{
	return packet->pad_bytes > 0 && cut >= size_bytes - packet->pad_bytes;
}

static void core_forwards_nothing_that_was_cut(void **state)
{
	_cleanup_free_ uint8_t *frame = malloc(VECTOR_FRAME_MAX);
	size_t n_vectors;
	const struct vector *vectors = vector_table(&n_vectors);
	struct bench bench;

	assert_non_null(frame);
	bench_open(&bench);
	ARRAY_FOREACH (vector, vectors, n_vectors) {
		const struct vector_packet *packet = &vector->packet;
		size_t size_bytes;

		run_before(&bench, vector, frame);
		size_bytes = vector_build(packet, frame);
		for (size_t cut = 0; cut < MIN(size_bytes, (size_t)200); cut++) {
			struct run run = bench_run(&bench, frame, cut, packet->gso);

			check_bytes(&bench, &run);
			if (vector->reason == FWD_REASON_FORWARDED && !packet->zero_total &&
				!is_longer_than_its_packet(packet, size_bytes, cut))
				assert_int_equal(run.result.reason, FWD_REASON_TRUNCATED);
			run_free(&run);
		}
	}
	bench_close(&bench);
}

/* Each reason that the core gives by itself; the others belong to engines. */
static void core_has_a_vector_for_each_reason(void **state)
{
	bool seen[FWD_REASON_N_] = {
		[FWD_REASON_RING_FULL] = true, [FWD_REASON_SEND_FAILED] = true
	};
	size_t n_vectors;
	const struct vector *vectors = vector_table(&n_vectors);

	assert_true(n_vectors >= 150);
	ARRAY_FOREACH (vector, vectors, n_vectors)
		seen[vector->reason] = true;
	for (size_t i = 0; i < FWD_REASON_N_; i++)
		assert_true(seen[i]);
}

static void core_trusts_no_frame_that_is_readable_in_part(void **state)
{
	static const struct vector_packet packet = { .payload_bytes = 1000 };
	_cleanup_free_ uint8_t *frame = malloc(VECTOR_FRAME_MAX);
	struct fwd_frame description;
	struct fwd_result result;
	struct fwd_port port;
	struct bench bench;

	assert_non_null(frame);
	bench_open(&bench);
	port = (struct fwd_port){ .snapshot = bench.snapshot, .now_s = VECTOR_NOW_S };
	description = (struct fwd_frame){ .length_bytes = (uint32_t)vector_build(&packet, frame) };
	fwd_run(&port, frame, frame + 54, &description, &result);
	assert_int_equal(result.reason, FWD_REASON_FORWARDED);
	vector_build(&packet, frame);
	fwd_run(&port, frame, frame + 53, &description, &result);
	assert_int_equal(result.reason, FWD_REASON_TRUNCATED);
	bench_close(&bench);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(core_forwards_nothing_that_was_cut),
		cmocka_unit_test(core_has_a_vector_for_each_reason),
		cmocka_unit_test(core_trusts_no_frame_that_is_readable_in_part),
	};
	size_t n_vectors;
	const struct vector *vectors = vector_table(&n_vectors);
	struct CMUnitTest tests[512] = { 0 };

	if (n_vectors > ARRAY_LEN(tests))
		return 1;
	for (size_t i = 0; i < n_vectors; i++)
		tests[i] = (struct CMUnitTest){
			.name = vectors[i].name,
			.test_func = core_decides_vector,
			.initial_state = (void *)&vectors[i],
		};
	return (_cmocka_run_group_tests("vectors", tests, n_vectors, NULL, NULL) +
		       cmocka_run_group_tests(others, NULL, NULL)) != 0;
}
