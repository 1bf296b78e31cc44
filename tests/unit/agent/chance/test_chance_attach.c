/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the program is put: on a kernel without links of tcx (before Linux 6.6) it is a classifier, which works as the
 * link does, and goes. Such a kernel is this one with a filter of system calls. Wants root.
 */
#include "agent/chance/chance.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/tools/namespace.h"
#include "tests/unit/tools/refuse_bpf.h"

#define LO 1u /* in every network namespace */

/* In a child a failed assertion of cmocka would go on with the parent's tests. */
#define CHILD_ASSERT(holds) \
	do { \
		if (!(holds)) { \
			fprintf(stderr, "line %d: %s\n", __LINE__, #holds); \
			_exit(1); \
		} \
	} while (0)

static bool filter_is_at(uint32_t place)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LO, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = place, .priority = place);

	return bpf_tc_query(&hook, &options) == 0;
}

/* At the place that dsr-agent's has. */
static bool classifier_is_there(void)
{
	return filter_is_at(0xd5c);
}

/* Somebody else's, which does nothing. */
static void put_filter_at(uint32_t place)
{
	static const struct bpf_insn code[] = { { BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, -1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 } };
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LO, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = place, .priority = place);

	options.prog_fd =
		bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "other", "GPL", code, ARRAY_LEN(code), NULL);
	CHILD_ASSERT(options.prog_fd >= 0);
	CHILD_ASSERT(bpf_tc_hook_create(&hook) == 0);
	CHILD_ASSERT(bpf_tc_attach(&hook, &options) == 0);
	close(options.prog_fd);
}

static bool qdisc_is_there(void)
{
	return system("tc qdisc show dev lo | grep -q clsact") == 0;
}

/* A segment for a connection that nobody has here, and that names a server. */
static void send_named(void)
{
	static const uint8_t frame[14 + 20 + 20] = { 0, 0, 0, 0, 0, 0, PROTO_NAMED_MAC_FIRST, 0, 0,
		1, 0, 5, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, IPPROTO_TCP, 0, 0, 192, 0, 2, 77,
		127, 0, 0, 1, 0x9c, 0x40, 0, 1, [14 + 20 + 12] = 0x50, 0x10 };
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = LO, .sll_halen = 6
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	CHILD_ASSERT(fd >= 0);
	CHILD_ASSERT(sendto(fd, frame, sizeof(frame), 0, (const struct sockaddr *)&to,
			     sizeof(to)) == (ssize_t)sizeof(frame));
	close(fd);
}

static uint64_t passed_on(const struct chance *chance)
{
	uint64_t taken, passed_on;

	chance_count(chance, &taken, &passed_on);
	return passed_on;
}

/* lo hands a frame over within the call that sends it, or soon after. */
static void wait_passed_on(const struct chance *chance, uint64_t n)
{
	const time_t deadline = time(NULL) + 20;

	while (passed_on(chance) < n)
		CHILD_ASSERT(time(NULL) < deadline);
}

static struct chance *serve(void)
{
	const struct addr vip = { .family = AF_INET, .bytes = { 127, 0, 0, 1 } };
	const struct addr balancer = { .family = AF_INET, .bytes = { 192, 0, 2, 2 } };
	const struct proto_peers peers = { .named_mac = { PROTO_NAMED_MAC_FIRST, 0, 0, 1 },
		.change = 1,
		.n_items = 1,
		.items = { { 5, { { 2, 0, 0, 0, 0, 5 } } } } };
	struct chance *chance = NULL;
	struct why why = { 0 };

	CHILD_ASSERT(chance_new(&chance, &why) == 0);
	CHILD_ASSERT(chance_serve(chance, &vip, 1) == 0);
	CHILD_ASSERT(chance_take(chance, &balancer, &peers) == 0);
	CHILD_ASSERT(chance_follow(chance, LO, &why) == 0);
	return chance;
}

static void as_a_classifier(void)
{
	struct chance *chance;

	CHILD_ASSERT(refuse_bpf(BPF_LINK_CREATE, EINVAL));
	chance = serve();
	CHILD_ASSERT(classifier_is_there());
	send_named();
	wait_passed_on(chance, 1);
	chance_free(chance);
	CHILD_ASSERT(!classifier_is_there());
	CHILD_ASSERT(!qdisc_is_there());
}

/* What was there before it stays, and what is at other places. */
static void beside_others(void)
{
	CHILD_ASSERT(refuse_bpf(BPF_LINK_CREATE, EINVAL));
	put_filter_at(7);
	chance_free(serve());
	CHILD_ASSERT(!classifier_is_there());
	CHILD_ASSERT(filter_is_at(7));
}

/* The program of a run that was killed is there still: the next one's takes its place, and the option's end removes it. */
static void after_a_killed_run(void)
{
	struct chance *chance;

	CHILD_ASSERT(refuse_bpf(BPF_LINK_CREATE, EINVAL));
	(void)serve();
	chance = serve();
	send_named();
	wait_passed_on(chance, 1);
	CHILD_ASSERT(classifier_is_there());
	chance_sweep(LO);
	CHILD_ASSERT(!classifier_is_there());
}

static void as_a_link(void)
{
	struct chance *chance = serve();

	CHILD_ASSERT(!classifier_is_there());
	send_named();
	wait_passed_on(chance, 1);
	chance_free(chance);
	CHILD_ASSERT(!qdisc_is_there());
}

/* In a process and a network of its own. */
static void in_a_child(void (*test)(void))
{
	int host = namespace_current(), status;
	pid_t child;

	if (!namespace_make()) {
		close(host);
		skip();
	}
	assert_int_equal(system("ip link set lo up"), 0);
	child = fork();
	if (child == 0) {
		test();
		_exit(0);
	}
	namespace_enter(host);
	close(host);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void chance_without_links_is_a_classifier_and_goes(void **state)
{
	in_a_child(as_a_classifier);
}

static void chance_as_a_classifier_leaves_what_others_have_there(void **state)
{
	in_a_child(beside_others);
}

static void chance_takes_the_place_of_a_killed_run(void **state)
{
	in_a_child(after_a_killed_run);
}

static void chance_with_links_needs_no_classifier(void **state)
{
	LIBBPF_OPTS(bpf_link_create_opts, none);

	/* Of no program, on no interface: whoever knows the kind of link says that of them. */
	if (bpf_link_create(-1, LO, (enum bpf_attach_type)46, &none) == -EINVAL) {
		print_message("this kernel has no links of tcx\n");
		skip();
	}
	in_a_child(as_a_link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chance_without_links_is_a_classifier_and_goes),
		cmocka_unit_test(chance_as_a_classifier_leaves_what_others_have_there),
		cmocka_unit_test(chance_takes_the_place_of_a_killed_run),
		cmocka_unit_test(chance_with_links_needs_no_classifier),
	};

	return cmocka_run_group_tests_name("chance_attach", tests, NULL, NULL);
}
