/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of engines run on: each engine, with one interface and with two, over veth pairs in a
 * namespace of the test's own, and the kept memory that the engine can use. Header only.
 *
 *   c0 ──── in0 [engine] out0 ──── b0	with one interface frames go back to c0
 */
#pragma once

#include "common/why.h"
#include "lb/engine/bpf/engine_bpf.h"
#include "lb/engine/packet/engine_packet.h"
#include "lb/engine/snapshot.h"
#include "lb/state/keep.h"
#include "tests/harness/xdp_pass.h"
#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/temp_dir.h"

#define ENGINE_FLOWS_MAX 64u /* so few that buckets run full */
#define ENGINE_ROWS_MAX  5u
/* The longest that native XDP takes on a veth is what fits into a page beside its headroom. */
#define ENGINE_XDP_MTU_BYTES 3400u

struct engine_kind {
	const struct engine_ops *ops;
	bool one_interface;
};

static const struct engine_kind engine_kinds[] = {
	{ &engine_packet_ops, false },
	{ &engine_packet_ops, true },
	{ &engine_xdp_ops, false },
	{ &engine_xdp_ops, true },
	{ &engine_tc_ops, false },
	{ &engine_tc_ops, true },
};

/* Of the group that runs. */
static const struct engine_kind *kind;
static const struct engine_ops *ops;
static char why_not[WHY_BYTES]; /* this kind cannot run here; "": it can */

static inline bool kind_is(const struct engine_ops *of)
{
	return ops == of;
}

/* In the kernel. */
static inline bool kind_is_bpf(void)
{
	return !kind_is(&engine_packet_ops);
}

/* To the backends, and the interface at its other end. */
static inline const char *kind_out(void)
{
	return kind->one_interface ? "in0" : "out0";
}

static inline const char *kind_server(void)
{
	return kind->one_interface ? "c0" : "b0";
}

#define NEEDS_ENGINE() \
	do { \
		if (*why_not) { \
			print_message("skipped: %s\n", why_not); \
			skip(); \
		} \
	} while (0)

/* ---- links ---- */

/* After the pairs were made, before an engine starts. */
static inline void kind_prepare_links(void)
{
	static const char *const ends[] = { "c0", "b0" };

	if (!kind_is(&engine_xdp_ops))
		return;
	ARRAY_FOREACH (end, ends, ARRAY_LEN(ends))
		assert_int_equal(xdp_pass_attach(*end), 0);
}

/* ---- memory ---- */

/* Flows and rows in files for the packet engine, in maps for the others. */
struct engine_memory {
	char directory[TEMP_DIR_BYTES];
	struct keep *keep;
	struct keep_rows *rows[ENGINE_ROWS_MAX];
};

static inline void engine_memory_open(struct engine_memory *memory)
{
	struct why why = { 0 };
	bool fresh;

	temp_dir_make(memory->directory);
	if (keep_open(&(struct keep_config){ memory->directory,
			      kind_is_bpf() ? KEEP_MAPS : KEEP_FILES, ENGINE_FLOWS_MAX },
		    &memory->keep, &fresh, &why) < 0)
		fail_msg("keep: %s", why.text);
	ARRAY_FOREACH (rows, memory->rows, ENGINE_ROWS_MAX)
		assert_int_equal(keep_rows_new(keep_rows_list(memory->keep), rows), 0);
}

/* After the engine was stopped. */
static inline void engine_memory_close(struct engine_memory *memory)
{
	ARRAY_FOREACH (rows, memory->rows, ENGINE_ROWS_MAX)
		*rows = keep_rows_unref(*rows);
	memory->keep = keep_free(memory->keep);
	if (*memory->directory)
		temp_dir_remove(memory->directory);
	*memory->directory = '\0';
}

static inline int engine_start_over(const struct engine_memory *memory, const char *in,
	const char *out, unsigned int n_workers, struct engine **ret_engine, struct why *ret_why)
{
	struct engine_config config = {
		.ifindex = if_nametoindex(in),
		.outs = { if_nametoindex(out) },
		.n_workers = n_workers,
		.flows_map = keep_flows_map(memory->keep),
		.loads_map = keep_loads_map(memory->keep),
	};

	return ops->start(&config, ret_engine, ret_why);
}

/* ---- running ---- */

/* What an engine refuses here for another reason is a failure. */
static inline void kind_choose(const struct engine_kind *of, bool is_permitted)
{
	struct why why = { 0 };

	kind = of;
	ops = of->ops;
	*why_not = '\0';
	if (!ops->load)
		snprintf(why_not, sizeof(why_not), "built without BPF (XDP=0)");
	else if (!is_permitted)
		snprintf(why_not, sizeof(why_not), "no network namespaces here");
	else if (kind_is_bpf() && !keep_maps_supported(&why))
		snprintf(why_not, sizeof(why_not), "%s", why.text);
}

/* The tests of one group on one kind, each named "NAME on KIND". */
static inline int kind_run(const char *group, const struct CMUnitTest *tests, size_t n_tests,
	CMFixtureFunction setup, CMFixtureFunction teardown)
{
	_cleanup_free_ struct CMUnitTest *named = calloc(n_tests, sizeof(*named));
	char(*names)[128] = calloc(n_tests, sizeof(*names));
	int failed;

	if (!named || !names)
		abort();
	for (size_t i = 0; i < n_tests; i++) {
		snprintf(names[i], sizeof(names[i]), "%s on %s, %s", tests[i].name, ops->name,
			kind->one_interface ? "one interface" : "two interfaces");
		named[i] = tests[i];
		named[i].name = names[i];
	}
	failed = _cmocka_run_group_tests(group, named, n_tests, setup, teardown);
	free(names);
	return failed;
}

static inline int kind_run_judged(const struct engine_kind *of, const char *group,
	const struct CMUnitTest *tests, size_t n_tests, CMFixtureFunction setup,
	CMFixtureFunction teardown, bool is_permitted)
{
	kind_choose(of, is_permitted);
	return kind_run(group, tests, n_tests, setup, teardown);
}

/* The same on every kind; ENGINE=xdp in the environment limits it to one engine. */
static inline int kinds_run(const char *group, const struct CMUnitTest *tests, size_t n_tests,
	CMFixtureFunction setup, CMFixtureFunction teardown, bool is_permitted)
{
	const char *only = getenv("ENGINE");
	int failed = 0;

	ARRAY_FOREACH (each, engine_kinds, ARRAY_LEN(engine_kinds))
		if (!only || streq(only, each->ops->name))
			failed += kind_run_judged(
				each, group, tests, n_tests, setup, teardown, is_permitted);
	return failed;
}
