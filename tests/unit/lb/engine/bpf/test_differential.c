/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF programs against the same core in user space: both get the same frames over the same
 * snapshots, each with flows, rows, loads, rates and fragments of its own. Verdict, reason, counters
 * and bytes have to be equal after every frame, and all that was written, byte by byte, again and
 * again. DIFFERENTIAL_FRAMES (200,000 for each program) and DIFFERENTIAL_SEED change the run.
 */
#include "tests/unit/lb/engine/bpf/bpf_program.h"

#include <sched.h>
#include <time.h>

#include "lb/engine/counters.h"
#include "lb/fwd/core.h"
#include "lb/state/keep_map.h"
#include "lb/engine/port_user.h"
#include "tests/unit/lb/engine/engine_kind.h"
#include "tests/unit/lb/engine/bpf/frame_grammar.h"
#include "tests/vectors/world.h"

#define FRAMES        200000u
#define NEARLY_A_HALF ((1u << 31) - 100)
#define PHASE_FRAMES  20000u /* then backends, rows and loads change */
#define CHECK_FRAMES  1000u  /* then all memory is compared */
#define RATE_FRAMES   2000u  /* then rates are full again */
/* A bucket at one SYN a second gives no more than its burst until then, whatever the clock says. */
#define RATE_MS         400u
#define IP6_FRAME_BYTES 54u
/* Frames wait for the next second if this one is nearly over: both sides are to see the same. */
#define TURN_NS 970000000L

/* Beside those of the vectors. VIPs end in the number of their service. */
enum own_service {
	OWN_ROUND_ROBIN = 20,
	OWN_LEAST_LOADED,
	OWN_PERSISTENT,
	OWN_PERSISTENT_ROUND_ROBIN,
	OWN_MOVING_NEW, /* a balancer that knows nothing yet */
	OWN_MOVING,
	OWN_SERVICE_N_
};
#define OWN_BACKEND1 5u
#define OWN_BACKENDS 4u

enum own_rows { OWN_ROWS_SETTLED = VECTOR_ROWS_N_, OWN_ROWS_MOVING, ALL_ROWS_N_ };
_Static_assert(ALL_ROWS_N_ <= ENGINE_ROWS_MAX, "rows of their own for each");

/* What one of the two has to itself. */
struct side {
	struct vector_memory memory;
	struct fwd_table *rows[ALL_ROWS_N_];
	int rows_maps[ALL_ROWS_N_];
	struct fwd_load *loads;
	struct scheduler_loads *scheduler_loads;
	struct scheduler *schedules[OWN_SERVICE_N_];
	struct rates rates;
	struct snapshot *snapshot;
};

static struct differential {
	struct grammar grammar;
	struct bpf_program_under_test program;
	struct engine_memory kept;
	struct side kernel, user;
	struct fragments *fragments;
	struct counters *counters;
	struct bpf_totals expected; /* of the program, by what user space decided */
	unsigned int cpu;
	uint64_t rates_full_ms;
	uint16_t flags[OWN_BACKENDS]; /* of backends in this phase */
	unsigned int n_frames, n_turns, reasons[FWD_REASON_N_];
	uint8_t kernel_frame[GRAMMAR_FRAME_BYTES], user_frame[GRAMMAR_FRAME_BYTES];
} test;

/* ---- the world ---- */

static void side_add_schedule(struct side *side, uint16_t id)
{
	static const uint16_t in_turn[] = { 5, 6, 5, 7, 5, 8 }, once[] = { 5, 6, 7, 8 };
	bool is_least = id == OWN_LEAST_LOADED;
	int r = snapshot_add_schedule(side->snapshot, id, is_least ? once : in_turn,
		is_least ? ARRAY_LEN(once) : ARRAY_LEN(in_turn), side->schedules[id]);

	assert_int_equal(r, 0);
}

static uint16_t own_flags(uint16_t id)
{
	switch ((enum own_service)id) {
	case OWN_ROUND_ROBIN:
	case OWN_PERSISTENT_ROUND_ROBIN:
		return FWD_SERVICE_RECORD_ALL | FWD_SERVICE_ROUND_ROBIN;
	case OWN_LEAST_LOADED:
		return FWD_SERVICE_RECORD_ALL | FWD_SERVICE_LEAST_LOADED;
	case OWN_PERSISTENT:
		return FWD_SERVICE_RECORD_ALL;
	case OWN_MOVING_NEW:
		return FWD_SERVICE_RECORD_NEW;
	default:
		return 0;
	}
}

/* Short times, so that records die while the test runs. */
static void side_add_service(struct side *side, uint16_t id, const uint32_t *tables)
{
	bool is_moving = id == OWN_MOVING || id == OWN_MOVING_NEW;
	bool is_persistent = id == OWN_PERSISTENT || id == OWN_PERSISTENT_ROUND_ROBIN;
	const struct fwd_service service = {
		.id = id,
		.table = tables[is_moving],
		.flags = own_flags(id),
		.tcp_timeout_s = 3,
		.fin_timeout_s = 2,
		.udp_timeout_s = 2,
		.n_members = OWN_BACKENDS,
		.persistence_s = is_persistent ? 4 : 0,
		.persistence_prefix4 = 24,
		.persistence_prefix6 = 56,
	};
	char vip[40];

	assert_int_equal(snapshot_add_service(side->snapshot, &service), 0);
	if (side->schedules[id])
		side_add_schedule(side, id);
	for (uint16_t i = 0; i < OWN_BACKENDS; i++) {
		snapshot_add_member(side->snapshot, id, (uint16_t)(OWN_BACKEND1 + i));
		if (test.flags[i] & FWD_BACKEND_NEW_SOME && id % 2)
			snapshot_shut_member(side->snapshot, id, (uint16_t)(OWN_BACKEND1 + i));
	}
	for (int is_ip6 = 0; is_ip6 < 2; is_ip6++) {
		snprintf(vip, sizeof(vip), is_ip6 ? "2001:db8::%u" : "198.51.100.%u", id);
		vector_world_bind_all(side->snapshot, vip, id);
	}
}

static void side_build(struct side *side)
{
	uint32_t tables[2];

	snapshot_free(side->snapshot);
	side->snapshot = vector_memory_snapshot(&side->memory);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(
			snapshot_add_table(side->snapshot, side->rows[OWN_ROWS_SETTLED + i],
				side->rows_maps[OWN_ROWS_SETTLED + i], NULL, NULL, &tables[i]),
			0);
	for (uint16_t i = 0; i < OWN_BACKENDS; i++) {
		struct fwd_backend backend = { .mac = { 2, 0, 0, 0, 2, (uint8_t)i },
			.flags = test.flags[i] };

		assert_int_equal(snapshot_add_backend(
					 side->snapshot, (uint16_t)(OWN_BACKEND1 + i), &backend),
			0);
	}
	for (uint32_t id = OWN_ROUND_ROBIN; id < OWN_SERVICE_N_; id++)
		side_add_service(side, (uint16_t)id, tables);
}

/* `side->loads` is all zero. */
static void side_make_schedules(struct side *side)
{
	static const uint16_t scheduled[] = { OWN_ROUND_ROBIN, OWN_LEAST_LOADED,
		OWN_PERSISTENT_ROUND_ROBIN };

	side->scheduler_loads = scheduler_loads_new(side->loads);
	assert_non_null(side->scheduler_loads);
	ARRAY_FOREACH (id, scheduled, ARRAY_LEN(scheduled)) {
		bool is_least = *id == OWN_LEAST_LOADED;

		side->schedules[*id] = scheduler_new(side->scheduler_loads, is_least);
		assert_non_null(side->schedules[*id]);
		for (uint16_t i = 0; is_least && i < OWN_BACKENDS; i++)
			assert_int_equal(scheduler_add_load(side->schedules[*id],
						 (uint16_t)(OWN_BACKEND1 + i)),
				0);
	}
}

static void side_open_kernel(struct side *side)
{
	side->memory.flows = *keep_flows(test.kept.keep);
	for (unsigned int i = 0; i < ALL_ROWS_N_; i++) {
		side->rows[i] = keep_rows_table(test.kept.rows[i]);
		side->rows_maps[i] = keep_rows_map(test.kept.rows[i]);
	}
	side->loads = keep_loads(test.kept.keep);
	side->rates = test.program.rates;
}

static void *zeroed(size_t size_bytes)
{
	void *memory = aligned_alloc(64, (size_bytes + 63) & ~(size_t)63);

	assert_non_null(memory);
	return memset(memory, 0, size_bytes);
}

static size_t seen_bytes(const struct flows_table *flows)
{
	return flow_seen_len(flows->n_seen) * sizeof(*flows->seen);
}

static void side_open_user(struct side *side)
{
	side->memory.flows = test.kernel.memory.flows;
	side->memory.flows.flow4 = zeroed(side->memory.flows.n_flow4 * sizeof(struct flow4_bucket));
	side->memory.flows.flow6 = zeroed(side->memory.flows.n_flow6 * sizeof(struct flow6_bucket));
	side->memory.flows.seen = zeroed(seen_bytes(&side->memory.flows));
	for (unsigned int i = 0; i < ALL_ROWS_N_; i++) {
		side->rows[i] = zeroed(sizeof(struct fwd_table));
		side->rows_maps[i] = -1;
	}
	side->loads = zeroed(FWD_LOADS * sizeof(*side->loads));
	side->rates.services = zeroed((FWD_ID_MAX + 1) * sizeof(__u64));
	side->rates.sources = zeroed(FWD_SOURCE_RATES * sizeof(__u64));
}

static void side_close(struct side *side)
{
	snapshot_free(side->snapshot);
	ARRAY_FOREACH (schedule, side->schedules, OWN_SERVICE_N_)
		scheduler_unref(*schedule);
	scheduler_loads_free(side->scheduler_loads);
}

static void side_free_user(struct side *side)
{
	free(side->memory.flows.flow4);
	free(side->memory.flows.flow6);
	free(side->memory.flows.seen);
	ARRAY_FOREACH (rows, side->rows, ALL_ROWS_N_)
		free(*rows);
	free(side->loads);
	free(side->rates.services);
	free(side->rates.sources);
}

/* ---- time ---- */

/* The clock of the programs (lb/engine/bpf/dsr.bpf.c:port_now_s). */
static struct timespec read_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now;
}

static uint32_t wait_for_a_young_second(void)
{
	struct timespec now;

	while ((now = read_clock()).tv_nsec > TURN_NS)
		(void)poll(NULL, 0, 1);
	return (uint32_t)now.tv_sec;
}

static void fill_rates(void)
{
	struct side *const sides[] = { &test.kernel, &test.user };

	ARRAY_FOREACH (side, sides, ARRAY_LEN(sides)) {
		memset((*side)->rates.services, 0, (FWD_ID_MAX + 1) * sizeof(__u64));
		memset((*side)->rates.sources, 0, FWD_SOURCE_RATES * sizeof(__u64));
	}
	test.rates_full_ms = wire_now_ms();
}

/* ---- phases ---- */

/* Nothing is to be had in these buckets: all their records are of proven flows. */
static void fill_buckets(struct flows_table *flows, uint32_t first, uint32_t len, uint32_t now_s)
{
	for (uint32_t i = first * FLOW4_PER_BUCKET; i < (first + len) * FLOW4_PER_BUCKET; i++)
		flows->flow4[i / FLOW4_PER_BUCKET].entries[i % FLOW4_PER_BUCKET] = (struct flow4){
			.client = htonl(i + 1),
			.meta = flow_meta(VECTOR_WEB, 1, FLOW_TCP_ESTABLISHED, now_s),
		};
}

/* A group of the dense part, a quarter of the table (tests/vectors/world.h), and a third of what is behind it. */
static void fill_groups(uint32_t now_s)
{
	struct side *const sides[] = { &test.kernel, &test.user };

	ARRAY_FOREACH (side, sides, ARRAY_LEN(sides)) {
		uint32_t quarter = (*side)->memory.flows.n_flow4 / 4;

		fill_buckets(&(*side)->memory.flows, 0, FLOW_GROUP_BUCKETS, now_s);
		fill_buckets(&(*side)->memory.flows, quarter, quarter, now_s);
	}
}

static void change_rows(uint32_t now_s)
{
	for (uint32_t i = 0; i < FWD_ROWS; i++) {
		uint16_t owner =
			(uint16_t)(OWN_BACKEND1 + grammar_draw(&test.grammar, OWN_BACKENDS));
		uint16_t base =
			(uint16_t)(OWN_BACKEND1 + grammar_draw(&test.grammar, OWN_BACKENDS));
		bool is_moving = grammar_draw(&test.grammar, 4) > 0;

		test.kernel.rows[OWN_ROWS_SETTLED]->rows[i] = (struct fwd_slot){ owner, owner, 0 };
		test.kernel.rows[OWN_ROWS_MOVING]->rows[i] = is_moving
			? (struct fwd_slot){ owner, base, now_s - 1 }
			: (struct fwd_slot){ owner, owner, 0 };
	}
	for (unsigned int i = OWN_ROWS_SETTLED; i < ALL_ROWS_N_; i++) {
		table_list_settled(test.kernel.rows[i]);
		memcpy(test.user.rows[i], test.kernel.rows[i], sizeof(struct fwd_table));
	}
}

/* The generations turn: what was marked in the last phase is known in this one, and no longer. */
static void turn_filter(void)
{
	struct side *const sides[] = { &test.kernel, &test.user };

	ARRAY_FOREACH (side, sides, ARRAY_LEN(sides)) {
		struct flow_seen_turn turn = { 0 };

		(*side)->memory.flows.seen[SEEN_STARTED_S] = 1;
		flow_seen_turn(&(*side)->memory.flows, &turn, 1, 100);
		assert_int_equal((*side)->memory.flows.seen[SEEN_STARTED_S], 0);
	}
}

static void change_loads(void)
{
	for (uint16_t i = 0; i < OWN_BACKENDS; i++) {
		uint16_t backend = (uint16_t)(OWN_BACKEND1 + i);
		uint32_t weight = grammar_draw(&test.grammar, 4);
		uint32_t established = grammar_draw(&test.grammar, 100);
		struct side *const sides[] = { &test.kernel, &test.user };

		ARRAY_FOREACH (side, sides, ARRAY_LEN(sides)) {
			struct scheduler *schedule = (*side)->schedules[OWN_LEAST_LOADED];

			scheduler_load(schedule, backend)->weight = weight;
			scheduler_report(schedule, backend, established);
		}
	}
}

/* Backends come, drain and go; rows move and settle. */
static void begin_phase(void)
{
	static const uint16_t states[] = { FWD_BACKEND_FLOWS | FWD_BACKEND_NEW |
			FWD_BACKEND_PASSES_ON | FWD_BACKEND_NAMED,
		FWD_BACKEND_FLOWS | FWD_BACKEND_NEW | FWD_BACKEND_NAMED,
		FWD_BACKEND_FLOWS | FWD_BACKEND_NEW | FWD_BACKEND_NEW_SOME, FWD_BACKEND_FLOWS, 0 };

	for (unsigned int i = 0; i < OWN_BACKENDS; i++)
		test.flags[i] = states[grammar_draw(&test.grammar, ARRAY_LEN(states))];
	change_rows(wait_for_a_young_second());
	fill_groups(wait_for_a_young_second());
	turn_filter();
	change_loads();
	side_build(&test.user);
	side_build(&test.kernel);
	under_test_publish(&test.program, test.kernel.snapshot);
}

/* ---- comparing ---- */

static void fail_frame(const char *what, size_t size_bytes, uint32_t kernel, uint32_t user)
{
	print_message("# frame %u, %zu bytes:", test.n_frames, size_bytes);
	for (size_t i = 0; i < MIN(size_bytes, (size_t)160); i++)
		print_message("%s%02x", i % 32 ? "" : "\n# ", test.grammar.built[i]);
	fail_msg("%s: the program says %u, user space %u", what, kernel, user);
}

static const struct bpf_totals *kernel_totals(void)
{
	return &test.program.totals[test.cpu];
}

static void expect_totals(const struct fwd_result *result, size_t size_bytes)
{
	test.expected.reason_pkts[result->reason]++;
	test.expected.evictions += result->evicted;
	test.expected.unrecorded += result->unrecorded;
	test.expected.named += result->alternative != 0;
	test.reasons[result->reason]++;
	counters_add_frame(test.counters, result, (uint32_t)size_bytes);
}

static void compare_frame(
	const struct fwd_result *result, uint32_t verdict, size_t size_bytes, size_t kernel_bytes)
{
	const struct bpf_totals *totals = kernel_totals();

	if (verdict != under_test_verdict(&test.program, result, test.user_frame, size_bytes))
		fail_frame("verdict", size_bytes, verdict, result->verdict);
	for (uint32_t reason = 0; reason < FWD_REASON_N_; reason++)
		if (totals->reason_pkts[reason] != test.expected.reason_pkts[reason])
			fail_frame("reason", size_bytes, reason, result->reason);
	if (totals->evictions != test.expected.evictions ||
		totals->unrecorded != test.expected.unrecorded ||
		totals->named != test.expected.named ||
		totals->uncounted_pairs != test.expected.uncounted_pairs)
		fail_frame("evicted, unrecorded or named", size_bytes, (uint32_t)totals->evictions,
			(uint32_t)test.expected.evictions);
	if (kernel_bytes != size_bytes)
		fail_frame("size", size_bytes, (uint32_t)kernel_bytes, (uint32_t)size_bytes);
	if (memcmp(test.kernel_frame, test.user_frame, size_bytes) != 0)
		fail_frame("bytes", size_bytes, test.kernel_frame[5], test.user_frame[5]);
}

static void compare_memory(void)
{
	const struct flows_table *kernel = &test.kernel.memory.flows;
	const struct flows_table *user = &test.user.memory.flows;

	assert_memory_equal(kernel->flow4, user->flow4, kernel->n_flow4 * sizeof(*kernel->flow4));
	assert_memory_equal(kernel->flow6, user->flow6, kernel->n_flow6 * sizeof(*kernel->flow6));
	assert_memory_equal(kernel->seen, user->seen, seen_bytes(kernel));
	for (unsigned int i = 0; i < ALL_ROWS_N_; i++)
		assert_memory_equal(
			test.kernel.rows[i], test.user.rows[i], sizeof(struct fwd_table));
	assert_memory_equal(
		test.kernel.loads, test.user.loads, FWD_LOADS * sizeof(*test.user.loads));
}

/* A second turned while the program ran: nobody knows which of the two it saw. */
static void copy_memory(void)
{
	const struct flows_table *kernel = &test.kernel.memory.flows;
	const struct flows_table *user = &test.user.memory.flows;

	memcpy(user->flow4, kernel->flow4, kernel->n_flow4 * sizeof(*kernel->flow4));
	memcpy(user->flow6, kernel->flow6, kernel->n_flow6 * sizeof(*kernel->flow6));
	memcpy(user->seen, kernel->seen, seen_bytes(kernel));
	for (unsigned int i = 0; i < ALL_ROWS_N_; i++)
		memcpy(test.user.rows[i], test.kernel.rows[i], sizeof(struct fwd_table));
	memcpy(test.user.loads, test.kernel.loads, FWD_LOADS * sizeof(*test.user.loads));
	test.expected = *kernel_totals();
	test.n_turns++;
}

/*
 * Pairs that have counted before: their next hundred packets fill a half of the 32 bits that they
 * count in.
 */
static void nearly_fill_halves(void)
{
	for (size_t i = 0; i < (size_t)test.program.n_cpus * BPF_PAIRS; i++)
		if (test.program.pairs[i].key)
			test.program.pairs[i].packets += NEARLY_A_HALF;
}

/* Packets, bytes and new flows of each service and backend. */
static void compare_pairs(void)
{
	unsigned int n_pairs = 0, n_carried = 0;

	if (test.n_turns > 0)
		return; /* a frame may be counted under another backend */
	for (size_t i = 0; i < (size_t)test.program.n_cpus * BPF_PAIRS; i++) {
		const struct bpf_pair *pair = &test.program.pairs[i];
		const struct bpf_pair_rest *rest = &test.program.rests[i];
		uint64_t packets = bpf_pair_packets(pair, rest);
		struct engine_pair_counters sum = { 0 };

		if (!pair->key)
			continue;
		counters_sum_pair(
			test.counters, (uint16_t)(pair->key >> 16), (uint16_t)pair->key, &sum);
		assert_int_equal(
			packets >= NEARLY_A_HALF ? packets - NEARLY_A_HALF : packets, sum.packets);
		assert_int_equal(pair->bytes, sum.bytes);
		assert_int_equal(rest->new_flows, sum.new_flows);
		n_carried += rest->halves;
		n_pairs++;
	}
	assert_true(n_carried > 0 || test.n_frames < FRAMES);
	assert_true(n_pairs > OWN_BACKENDS);
}

/* ---- running ---- */

static void run_user(size_t size_bytes, uint32_t gso, uint32_t now_s, struct fwd_result *result)
{
	struct fwd_port port = {
		.snapshot = test.user.snapshot,
		.fragments = test.fragments,
		.rates = test.user.rates,
		.now_s = now_s,
		.now_ns = wire_now_ms() * UINT64_C(1000000),
	};
	const struct fwd_frame frame = { .length_bytes = (uint32_t)size_bytes, .gso = gso };

	memcpy(test.user_frame, test.grammar.built, size_bytes);
	fwd_run(&port, test.user_frame, test.user_frame + size_bytes, &frame, result);
}

static void run_frame(void)
{
	size_t size_bytes = grammar_next(&test.grammar), kernel_bytes = 0;
	uint32_t gso = 0, verdict = 0, now_s;
	struct fwd_result result;
	int r;

	if (!test.program.is_xdp && size_bytes > VECTOR_MTU_BYTES + 100)
		gso = grammar_draw(&test.grammar, 2) * (600 + grammar_draw(&test.grammar, 1000));
	if (wire_now_ms() - test.rates_full_ms > RATE_MS || test.n_frames % RATE_FRAMES == 0)
		fill_rates();
	now_s = wait_for_a_young_second();
	r = under_test_run(&test.program, test.grammar.built, size_bytes, gso, test.kernel_frame,
		&kernel_bytes, &verdict);
	/* Of IP, the call itself takes no less than a header (net/bpf/test_run.c). */
	if (r == -EINVAL && !test.program.is_xdp && size_bytes < IP6_FRAME_BYTES)
		return;
	if (r < 0)
		fail_frame(strerror(-r), size_bytes, 0, 0);
	run_user(size_bytes, gso, now_s, &result);
	expect_totals(&result, size_bytes);
	if (now_s == (uint32_t)read_clock().tv_sec)
		compare_frame(&result, verdict, size_bytes, kernel_bytes);
	else
		copy_memory();
}

static unsigned long setting(const char *name, unsigned long ordinary)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : ordinary;
}

/* Totals are each CPU's own. */
static void stay_on_one_cpu(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	assert_true(cpu >= 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	test.cpu = (unsigned int)cpu;
}

static void open_sides(bool is_xdp)
{
	static const __u64 seed[2] = { 5, 6 };
	struct side *const sides[] = { &test.kernel, &test.user };

	engine_memory_open(&test.kept);
	under_test_load(&test.program, is_xdp, false, keep_flows_map(test.kept.keep),
		keep_loads_map(test.kept.keep));
	side_open_kernel(&test.kernel);
	side_open_user(&test.user);
	ARRAY_FOREACH (side, sides, ARRAY_LEN(sides)) {
		memcpy((*side)->memory.rows, (*side)->rows, sizeof((*side)->memory.rows));
		memcpy((*side)->memory.rows_maps, (*side)->rows_maps,
			sizeof((*side)->memory.rows_maps));
		vector_memory_reset(&(*side)->memory);
		side_make_schedules(*side);
	}
	/* So large that no bucket of it is ever full: what is forgotten then differs by design. */
	assert_int_equal(fragments_new(FRAGMENTS_MAX, seed, &test.fragments), 0);
	assert_int_equal(counters_new(&test.counters), 0);
}

static void close_sides(void)
{
	side_close(&test.kernel);
	side_close(&test.user);
	side_free_user(&test.user);
	fragments_free(test.fragments);
	counters_free(test.counters);
	under_test_close(&test.program);
	engine_memory_close(&test.kept);
}

static unsigned int marks(void)
{
	const struct flows_table *flows = &test.kernel.memory.flows;
	unsigned int n_marks = 0;

	for (uint64_t i = SEEN_CONTROL_WORDS; i < flow_seen_len(flows->n_seen); i++)
		n_marks += (unsigned int)__builtin_popcountll(flows->seen[i]);
	return n_marks;
}

/* Nothing is shown by frames that all end alike. */
static void report(unsigned int n_frames)
{
	static const char *const names[] = {
#define NAME(id, name, verdict, text) [FWD_REASON_##id] = (name),
		FWD_REASONS(NAME)
#undef NAME
	};

	print_message(
		"# %u frames, %u at a second's turn, %llu evictions, %llu unrecorded, %llu named\n#",
		n_frames, test.n_turns, (unsigned long long)test.expected.evictions,
		(unsigned long long)test.expected.unrecorded,
		(unsigned long long)test.expected.named);
	for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++)
		print_message(" %s %u", names[reason], test.reasons[reason]);
	print_message("\n");
	if (n_frames < FRAMES)
		return;
	assert_true(marks() > 1000);
	for (unsigned int reason = 0; reason < FWD_REASON_RING_FULL; reason++)
		if (test.reasons[reason] == 0)
			fail_msg("no frame was %s", names[reason]);
	assert_true(test.expected.evictions > 0);
	assert_true(test.expected.unrecorded > 0);
	assert_true(test.expected.named > 0);
	assert_true(test.n_turns < n_frames / 1000);
}

static void compare_program(bool is_xdp, unsigned int n_frames)
{
	NEEDS_ENGINE();
	memset(&test, 0, sizeof(test));
	stay_on_one_cpu();
	grammar_begin(&test.grammar, setting("DIFFERENTIAL_SEED", 1), 10, OWN_SERVICE_N_ - 1);
	open_sides(is_xdp);
	for (test.n_frames = 0; test.n_frames < n_frames; test.n_frames++) {
		if (test.n_frames % PHASE_FRAMES == 0)
			begin_phase();
		if (test.n_frames == PHASE_FRAMES)
			nearly_fill_halves();
		run_frame();
		if (test.n_frames % CHECK_FRAMES == 0)
			compare_memory();
	}
	compare_memory();
	compare_pairs();
	report(n_frames);
	close_sides();
}

static void xdp_program_decides_as_user_space(void **state)
{
	compare_program(true, (unsigned int)setting("DIFFERENTIAL_FRAMES", FRAMES));
}

static void tc_program_decides_as_user_space(void **state)
{
	compare_program(false, (unsigned int)setting("DIFFERENTIAL_FRAMES", FRAMES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp_program_decides_as_user_space),
		cmocka_unit_test(tc_program_decides_as_user_space),
	};

	kind_choose(&engine_kinds[ARRAY_LEN(engine_kinds) - 1], true); /* memory is maps */
	return cmocka_run_group_tests_name("bpf_differential", tests, NULL, NULL);
}
