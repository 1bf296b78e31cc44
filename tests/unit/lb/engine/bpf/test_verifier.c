/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the programs are from what the verifier refuses: it gives up at a million instructions
 * walked through, and older kernels walk through more of the same program than newer ones. It walks
 * through no code that constants switch off: the program under test has all of it.
 */
#include "tests/unit/lb/engine/bpf/bpf_program.h"

#include "tests/unit/lb/engine/engine_kind.h"

#define VERIFIED_MAX 500000u

static void judge(bool is_xdp)
{
	static struct bpf_program_under_test program;
	static struct engine_memory kept;
	struct bpf_prog_info info = { 0 };
	uint32_t size_bytes = sizeof(info);

	NEEDS_ENGINE();
	engine_memory_open(&kept);
	under_test_load(
		&program, is_xdp, true, keep_flows_map(kept.keep), keep_loads_map(kept.keep));
	assert_int_equal(bpf_obj_get_info_by_fd(program.fd, &info, &size_bytes), 0);
	for (const char *line = strtok(program.log, "\n"); line; line = strtok(NULL, "\n"))
		print_message("# %s: %s\n", info.name, line);
	print_message("# %s: %u instructions, %u bytes translated, %u verified\n", info.name,
		info.xlated_prog_len / (uint32_t)sizeof(struct bpf_insn), info.xlated_prog_len,
		info.verified_insns);
	assert_in_range(info.verified_insns, 1, VERIFIED_MAX);
	under_test_close(&program);
	engine_memory_close(&kept);
}

static void xdp_program_is_far_from_the_limit(void **state)
{
	judge(true);
}

static void tc_program_is_far_from_the_limit(void **state)
{
	judge(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp_program_is_far_from_the_limit),
		cmocka_unit_test(tc_program_is_far_from_the_limit),
	};

	kind_choose(&engine_kinds[ARRAY_LEN(engine_kinds) - 1], true); /* memory is maps */
	return cmocka_run_group_tests_name("bpf_verifier", tests, NULL, NULL);
}
