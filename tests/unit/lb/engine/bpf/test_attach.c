/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs over lives that are cut short. A daemon with the unit's capabilities starts an engine and is
 * killed after the first call that changes something, and another one after the second, and so on: whatever it
 * left, the next one has its own program on the interface, alone, and known by its pin. The programs have their
 * names and maps, and do nothing: to verify what they really do takes a quarter of a second in each life.
 */
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <linux/ptrace.h>

#include "tests/unit/lb/engine/engine_fixture.h"

#define TCX_INGRESS ((enum bpf_attach_type)46) /* since Linux 6.6; the headers may be older */
#define IDS_MAX     8u
#define CUTS_MIN    3u /* to pin, to attach, to give the pin its name */
#define CUTS_MAX    100u

/* What becomes of a life that is not cut short. */
enum end {
	END_STAYING,   /* its program goes on */
	END_DETACHING, /* --detach-on-exit */
};

static char pins[TEMP_DIR_BYTES];

/* ---- what is there ---- */

static const char *pin(const char *program, const char *suffix)
{
	static char path[sizeof(pins) + 32];

	snprintf(path, sizeof(path), "%s/dsr_%s%s", pins, program, suffix);
	return path;
}

static bool is_pinned(const char *program)
{
	return access(pin(program, ""), F_OK) == 0 || access(pin(program, "_next"), F_OK) == 0;
}

static uint32_t id_of(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size_bytes = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size_bytes) == 0 ? info.id : 0;
}

static uint32_t pinned_id(const char *suffix)
{
	_cleanup_close_ int fd = bpf_obj_get(pin(ops->name, suffix));

	return id_of(fd);
}

/* How many programs are on the interface, and one of them. */
static uint32_t attached(const char *interface, uint32_t *ret_id)
{
	int ifindex = (int)if_nametoindex(interface);
	uint32_t ids[IDS_MAX] = { 0 }, len = IDS_MAX;

	if (kind_is(&engine_xdp_ops)) {
		assert_int_equal(bpf_xdp_query_id(ifindex, 0, &ids[0]), 0);
		len = ids[0] ? 1 : 0;
	} else {
		assert_int_equal(bpf_prog_query(ifindex, TCX_INGRESS, 0, NULL, ids, &len), 0);
	}
	*ret_id = ids[0];
	return len;
}

static bool has_tcx(void)
{
	uint32_t ids[IDS_MAX], len = IDS_MAX;

	return bpf_prog_query((int)if_nametoindex("lo"), TCX_INGRESS, 0, NULL, ids, &len) == 0;
}

/* ---- programs that do nothing ---- */

static int load_nothing(struct bpf_program *program, struct bpf_prog_load_opts *options, long pass)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = (int)pass },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	options->func_info_cnt = options->line_info_cnt = 0;
	return bpf_program__set_insns(program, insns, ARRAY_LEN(insns));
}

static void let_programs_do_nothing(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, xdp, .prog_prepare_load_fn = load_nothing,
		.cookie = XDP_PASS);
	LIBBPF_OPTS(libbpf_prog_handler_opts, tc, .prog_prepare_load_fn = load_nothing,
		.cookie = TC_ACT_UNSPEC);

	if (libbpf_register_prog_handler("xdp", BPF_PROG_TYPE_XDP, BPF_XDP, &xdp) < 0 ||
		libbpf_register_prog_handler(
			"tc", BPF_PROG_TYPE_SCHED_CLS, (enum bpf_attach_type)0, &tc) < 0)
		abort();
}

/* ---- lives ---- */

/* As the unit has them: programs cannot be asked for by id. */
static bool keep_units_capabilities(void)
{
	const uint64_t wanted = UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW |
		UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (size_t idx = 0; idx < ARRAY_LEN(data); idx++)
		data[idx].effective = data[idx].permitted = (uint32_t)(wanted >> 32 * idx);
	return syscall(SYS_capset, &header, data) == 0;
}

/* In a child: a daemon's. */
static void live(enum end end, bool is_traced)
{
	struct engine_config config = {
		.ifindex = if_nametoindex("in0"),
		.outs = { if_nametoindex(kind_out()) },
		.n_workers = 1,
		.flows_map = keep_flows_map(kept.keep),
		.loads_map = keep_loads_map(kept.keep),
		.pin_directory = pins,
	};
	struct snapshot *snapshot = snapshot_make(OUT_MAC, SERVER_MAC, MTU_BYTES);
	struct why why = { 0 };
	struct engine *engine;

	if (!keep_units_capabilities())
		_exit(2);
	if (is_traced && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0))
		_exit(3);
	if (ops->start(&config, &engine, &why) < 0) {
		fprintf(stderr, "start: %s\n", why.text);
		_exit(1);
	}
	if (ops->load(engine, snapshot) < 0 || ops->health(engine) < 0)
		_exit(4);
	ops->stop(engine, end == END_DETACHING);
	_exit(0);
}

static pid_t begin_life(enum end end, bool is_traced)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		live(end, is_traced);
	return pid;
}

static void live_on(enum end end)
{
	pid_t pid = begin_life(end, false);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Whether the next life finds something changed by it. */
static bool is_change(const struct ptrace_syscall_info *info)
{
	switch (info->entry.nr) {
	case SYS_bpf:
		return info->entry.args[0] == BPF_OBJ_PIN || info->entry.args[0] == BPF_PROG_ATTACH;
#ifdef SYS_unlink
	case SYS_unlink:
	case SYS_rename:
#endif
	case SYS_unlinkat:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_sendto: /* netlink's */
	case SYS_sendmsg:
		return true;
	default:
		return false;
	}
}

/* To its next stop in a system call; false: it has ended. */
static bool next_stop(pid_t pid, struct ptrace_syscall_info *ret_info)
{
	int status;

	for (;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status)) {
			assert_int_equal(status, 0);
			return false;
		}
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		assert_true(ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, pid,
				    sizeof(*ret_info), ret_info) > 0);
		return true;
	}
}

/* Killed when it has changed something for the n-th time; false: it came to its end before. */
static bool live_until(enum end end, unsigned int n)
{
	struct ptrace_syscall_info info;
	pid_t pid = begin_life(end, true);
	bool is_changing = false;
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status)) {
		print_message("skipped: no process can be traced here\n");
		skip();
	}
	assert_int_equal(
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	while (next_stop(pid, &info)) {
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			is_changing = is_change(&info);
			continue;
		}
		if (!is_changing || --n > 0)
			continue;
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		return true;
	}
	return false;
}

/* ---- facts ---- */

static void assert_one_program(uint32_t former)
{
	uint32_t id;

	assert_int_equal(attached("in0", &id), 1);
	assert_int_not_equal(id, former);
	assert_int_equal(pinned_id(""), id);
	assert_int_equal(pinned_id("_next"), 0);
}

static void assert_nothing_left(void)
{
	uint32_t id;

	assert_int_equal(attached("in0", &id), 0);
	assert_int_equal(attached("out0", &id), 0);
	assert_false(is_pinned(ops->name));
	assert_false(is_pinned("pass"));
}

static void a_first_start_that_is_cut_short_is_taken_over(void **state)
{
	unsigned int n = 1;

	NEEDS_ENGINE();
	for (; live_until(END_STAYING, n); n++) {
		uint32_t left = 0;

		assert_true(n < CUTS_MAX);
		(void)attached("in0", &left);
		live_on(END_STAYING);
		assert_one_program(left);
		live_on(END_DETACHING);
		assert_nothing_left();
	}
	assert_true(n > CUTS_MIN);
}

static void a_restart_that_is_cut_short_is_taken_over(void **state)
{
	unsigned int n = 1;

	NEEDS_ENGINE();
	live_on(END_STAYING);
	for (; live_until(END_STAYING, n); n++) {
		uint32_t left;

		assert_true(n < CUTS_MAX);
		/* Whichever it is, one goes on. */
		assert_int_equal(attached("in0", &left), 1);
		live_on(END_STAYING);
		assert_one_program(left);
	}
	assert_true(n > CUTS_MIN);
	live_on(END_DETACHING);
	assert_nothing_left();
}

/* Two deaths, one after the other, before anybody settles. */
static void two_restarts_that_are_cut_short_are_taken_over(void **state)
{
	unsigned int n = 1;

	NEEDS_ENGINE();
	live_on(END_STAYING);
	for (; live_until(END_STAYING, n); n++) {
		uint32_t left;

		if (!live_until(END_STAYING, n))
			break;
		assert_true(n < CUTS_MAX);
		assert_int_equal(attached("in0", &left), 1);
		live_on(END_STAYING);
		assert_one_program(left);
	}
	assert_true(n > CUTS_MIN);
	live_on(END_DETACHING);
	assert_nothing_left();
}

/* ---- */

static int setup_with_pins(void **state)
{
	temp_dir_make(pins);
	if (mount("none", pins, "bpf", 0, "mode=0700") < 0)
		return -1;
	return setup(state);
}

static int teardown_with_pins(void **state)
{
	(void)umount2(pins, MNT_DETACH);
	(void)rmdir(pins);
	return teardown(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_pins, teardown_with_pins)
	const struct CMUnitTest tests[] = {
		TEST(a_first_start_that_is_cut_short_is_taken_over),
		TEST(a_restart_that_is_cut_short_is_taken_over),
		TEST(two_restarts_that_are_cut_short_are_taken_over),
	};
	int failed = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("skip: no mount namespaces here\n");
		return 77;
	}
	fixture_start();
	let_programs_do_nothing();
	ARRAY_FOREACH (each, engine_kinds, ARRAY_LEN(engine_kinds)) {
		if (each->ops == &engine_packet_ops || each->one_interface)
			continue;
		kind_choose(each, is_permitted);
		if (!*why_not && kind_is(&engine_tc_ops) && !has_tcx())
			snprintf(why_not, sizeof(why_not), "this kernel has no tcx");
		failed += kind_run("attach", tests, ARRAY_LEN(tests), NULL, NULL);
	}
	return failed;
}
