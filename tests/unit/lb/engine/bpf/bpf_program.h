/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the programs of dsr.bpf.c without an interface: loads one over given flows and loads,
 * gives it snapshots, and runs it on frames by BPF_PROG_TEST_RUN. One that does not hand over counts
 * exceptions itself, by their reasons. Header only.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>

#include "lb/engine/bpf/layout.h"
#include "lb/engine/bpf/dsr_tc.skel.h"
#include "lb/engine/bpf/dsr_xdp.skel.h"
#include "lb/engine/rates.h"
#include "lb/engine/snapshot.h"

#define BPF_PROGRAM_LOG_BYTES 65536u

struct bpf_program_under_test {
	bool is_xdp;
	struct bpf_object *object;
	int fd;
	unsigned int n_cpus;
	struct bpf_totals *totals;   /* of each CPU */
	struct bpf_pair *pairs;      /* BPF_PAIRS of each CPU */
	struct bpf_pair_rest *rests; /* the same */
	struct rates rates;
	char log[BPF_PROGRAM_LOG_BYTES]; /* what the verifier said of itself */
};

static inline void *under_test_memory(
	const struct bpf_program_under_test *program, const char *map, size_t size_bytes)
{
	void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_object__find_map_fd_by_name(program->object, map), 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static inline struct bpf_map *under_test_map(
	const struct bpf_program_under_test *program, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(program->object, name);

	assert_non_null(map);
	return map;
}

static inline void under_test_open(struct bpf_program_under_test *program, bool hands_over)
{
	/* The links of its snapshots have no index either: a forwarded frame's verdict is XDP_TX. */
	const struct bpf_constants constants = {
		.ifindex = 0,
		.hands_over = hands_over,
	};
	const char *name = program->is_xdp ? "dsr_xdp" : "dsr_tc";
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
	size_t size_bytes;
	const void *bytes =
		program->is_xdp ? dsr_xdp__elf_bytes(&size_bytes) : dsr_tc__elf_bytes(&size_bytes);

	program->object = bpf_object__open_mem(bytes, size_bytes, &options);
	assert_non_null(program->object);
	assert_int_equal(bpf_map__set_initial_value(
				 under_test_map(program, ".rodata"), &constants, sizeof(constants)),
		0);
}

/* `flows_map` and `loads_map` stay the caller's. */
static inline void under_test_load(struct bpf_program_under_test *program, bool is_xdp,
	bool hands_over, int flows_map, int loads_map)
{
	struct bpf_program *loaded;

	*program = (struct bpf_program_under_test){ .is_xdp = is_xdp };
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	program->n_cpus = (unsigned int)libbpf_num_possible_cpus();
	under_test_open(program, hands_over);
	bpf_map__reuse_fd(under_test_map(program, "dsr_flows"), flows_map);
	bpf_map__reuse_fd(under_test_map(program, "dsr_loads"), loads_map);
	bpf_map__set_max_entries(under_test_map(program, "dsr_totals"), program->n_cpus);
	bpf_map__set_max_entries(
		under_test_map(program, "dsr_pairs"), (size_t)program->n_cpus * BPF_PAIRS);
	bpf_map__set_max_entries(
		under_test_map(program, "dsr_pair_rests"), (size_t)program->n_cpus * BPF_PAIRS);
	loaded = bpf_object__find_program_by_name(program->object, is_xdp ? "dsr_xdp" : "dsr_tc");
	assert_non_null(loaded);
	bpf_program__set_log_level(loaded, 4 /* BPF_LOG_STATS */);
	bpf_program__set_log_buf(loaded, program->log, sizeof(program->log));
	if (bpf_object__load(program->object) < 0)
		fail_msg("the kernel refuses the program: %s", program->log);
	program->fd = bpf_program__fd(loaded);
	program->totals = under_test_memory(
		program, "dsr_totals", program->n_cpus * sizeof(*program->totals));
	program->pairs = under_test_memory(program, "dsr_pairs",
		(size_t)program->n_cpus * BPF_PAIRS * sizeof(*program->pairs));
	program->rests = under_test_memory(program, "dsr_pair_rests",
		(size_t)program->n_cpus * BPF_PAIRS * sizeof(*program->rests));
	program->rates.services = under_test_memory(
		program, "dsr_rates", (FWD_ID_MAX + 1) * sizeof(*program->rates.services));
	program->rates.sources = under_test_memory(
		program, "dsr_source_rates", FWD_SOURCE_RATES * sizeof(*program->rates.sources));
}

static inline void under_test_close(struct bpf_program_under_test *program)
{
	munmap(program->totals, program->n_cpus * sizeof(*program->totals));
	munmap(program->pairs, (size_t)program->n_cpus * BPF_PAIRS * sizeof(*program->pairs));
	munmap(program->rests, (size_t)program->n_cpus * BPF_PAIRS * sizeof(*program->rests));
	munmap(program->rates.services, (FWD_ID_MAX + 1) * sizeof(*program->rates.services));
	munmap(program->rates.sources, FWD_SOURCE_RATES * sizeof(*program->rates.sources));
	bpf_object__close(program->object);
}

static inline void under_test_publish_clients(
	const struct bpf_program_under_test *program, const struct fwd_clients *clients)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dsr_clients", sizeof(uint32_t),
		sizeof(struct fwd_clients), 1, &options);
	uint32_t zero = 0;

	assert_true(map >= 0);
	assert_int_equal(bpf_map_update_elem(map, &zero, clients, BPF_ANY), 0);
	assert_int_equal(
		bpf_map_update_elem(bpf_object__find_map_fd_by_name(program->object, "dsr_clients"),
			&zero, &map, BPF_ANY),
		0);
	util_close(map);
}

/* Tables stand at the places that the snapshot gives them, lists of clients at the first. */
static inline void under_test_publish(
	const struct bpf_program_under_test *program, const struct snapshot *snapshot)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int images = bpf_object__find_map_fd_by_name(program->object, "dsr_images");
	int tables = bpf_object__find_map_fd_by_name(program->object, "dsr_tables");
	int image = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dsr_image", sizeof(uint32_t),
		sizeof(struct fwd_image), 1, &options);
	uint32_t zero = 0;

	assert_true(image >= 0);
	assert_int_equal(bpf_map_update_elem(image, &zero, snapshot_image(snapshot), BPF_ANY), 0);
	for (uint32_t i = 0; i < snapshot_tables_len(snapshot); i++) {
		int map = snapshot_table_map(snapshot, i);

		assert_int_equal(bpf_map_update_elem(tables, &i, &map, BPF_ANY), 0);
	}
	if (snapshot_clients(snapshot))
		under_test_publish_clients(program, snapshot_clients(snapshot));
	assert_int_equal(bpf_map_update_elem(images, &zero, &image, BPF_ANY), 0);
	util_close(image);
}

/* Runs it once; the frame that comes out is in `ret_frame`, which has room for what came in. */
static inline int under_test_run(const struct bpf_program_under_test *program, const void *frame,
	size_t size_bytes, uint32_t gso, void *ret_frame, size_t *ret_size_bytes,
	uint32_t *ret_verdict)
{
	struct __sk_buff context = { .gso_size = gso };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame,
		.data_size_in = (uint32_t)size_bytes, .data_out = ret_frame,
		.data_size_out = (uint32_t)size_bytes, .repeat = 1);
	int r;

	if (gso) {
		options.ctx_in = &context;
		options.ctx_size_in = sizeof(context);
	}
	r = bpf_prog_test_run_opts(program->fd, &options);
	if (r < 0)
		return r;
	*ret_size_bytes = options.data_size_out;
	*ret_verdict = options.retval;
	return 0;
}

/* Whether a frame that is ICMP to a VIP is neighbour discovery, behind any tags. */
static inline bool under_test_is_nd(const uint8_t *frame, size_t size_bytes)
{
	size_t at = 12; /* bytes: the type */

	while (at + 2 < size_bytes && (frame[at] == 0x81 || frame[at] == 0x88))
		at += 4;
	return at + 2 + 42 <= size_bytes && frame[at] == 0x86 && frame[at + 2 + 6] == 58 &&
		(frame[at + 2 + 40] == 135 || frame[at + 2 + 40] == 136);
}

/* What the program makes of what the core decided: of frames for VIPs the host's stack gets no others. */
static inline uint32_t under_test_verdict(const struct bpf_program_under_test *program,
	const struct fwd_result *result, const uint8_t *frame, size_t size_bytes)
{
	uint32_t dropped = program->is_xdp ? (uint32_t)XDP_DROP : TC_ACT_SHOT;

	switch (result->verdict) {
	case FWD_FORWARD:
		return program->is_xdp ? XDP_TX : TC_ACT_REDIRECT;
	case FWD_PASS:
		if (result->reason == FWD_REASON_NO_SERVICE ||
			(result->reason == FWD_REASON_NOT_FORWARDED_ICMP &&
				!under_test_is_nd(frame, size_bytes)))
			return dropped;
		return program->is_xdp ? XDP_PASS : (uint32_t)TC_ACT_UNSPEC;
	default:
		return dropped;
	}
}
