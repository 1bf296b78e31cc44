/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * observe.c and apply.c against the running kernel, in a network namespace of the test's own: one
 * veth pair and lo. Skipped where namespaces may not be made.
 */
#include "agent/host/apply.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_addr.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/host/observe.h"
#include "agent/host/undo_log.h"
#include "tests/unit/agent/host/netns.h"
#include "tests/unit/tools/namespace.h"
#include "tests/unit/tools/temp_dir.h"

#define TEST_UID 61001

struct fixture {
	char directory[TEMP_DIR_BYTES];
	struct nl *nl;
	struct apply *apply;
	struct host host;
	struct host_wanted wanted;
	struct plan plan;
	struct why why;
};

static void write_sysctl(const char *interface, const char *setting, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", interface, setting);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), (ssize_t)strlen(value));
	close(fd);
}

static void observe(struct fixture *f)
{
	host_clear(&f->host);
	assert_int_equal(observe_host(f->nl, &f->host), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	if (!namespace_make()) {
		*state = NULL;
		free(f);
		return 0;
	}
	temp_dir_make(f->directory);
	assert_int_equal(chmod(f->directory, 0777), 0);
	netns_add_veth();
	netns_set_up("lo");
	netns_set_up("eth0");
	netns_set_up("peer0");
	netns_add_address("eth0", "192.0.2.11", 24);
	assert_int_equal(nl_open(NETLINK_ROUTE, &f->nl), 0);
	assert_int_equal(apply_new(f->directory, &f->apply), 0);
	f->wanted.loopback_ifindex = if_nametoindex("lo");
	strcpy(f->wanted.loopback, "lo");
	f->wanted.vips[0] = netns_addr("198.51.100.10");
	f->wanted.vips[1] = netns_addr("198.51.100.11");
	f->wanted.vips[2] = netns_addr("2001:db8::10");
	f->wanted.n_vips = 3;
	observe(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (!f)
		return 0;
	plan_clear(&f->plan);
	host_clear(&f->host);
	apply_free(f->apply);
	nl_free(f->nl);
	undo_log_remove(f->directory);
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static struct fixture *fixture(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static int serve(struct fixture *f)
{
	plan_clear(&f->plan);
	assert_int_equal(plan_serve(&f->host, &f->wanted, apply_undo(f->apply), &f->plan), 0);
	return apply_plan(f->apply, &f->host, &f->wanted, &f->plan, &f->why);
}

static void withdraw(struct fixture *f)
{
	observe(f);
	plan_clear(&f->plan);
	assert_int_equal(plan_withdraw(&f->host, apply_undo(f->apply), &f->plan), 0);
	assert_int_equal(apply_plan(f->apply, &f->host, NULL, &f->plan, &f->why), 0);
	assert_int_equal(apply_forget(f->apply), 0);
}

static void expect_arp(struct fixture *f, const char *name, uint32_t ignore, uint32_t announce)
{
	const struct host_link *link = host_link_by_name(&f->host, name);

	assert_non_null(link);
	assert_true(link->has_inet);
	assert_int_equal(link->arp_ignore, ignore);
	assert_int_equal(link->arp_announce, announce);
}

static void verify(
	const struct fixture *f, const struct addr *vip, struct plan_verdict *ret_verdict)
{
	struct plan_view view;

	assert_int_equal(plan_view_make(&f->host, &f->wanted, &view), 0);
	plan_verify(&view, vip, ret_verdict);
	plan_view_clear(&view);
}

static void expect_well(struct fixture *f)
{
	struct plan_verdict verdict;

	observe(f);
	ARRAY_FOREACH (vip, f->wanted.vips, f->wanted.n_vips) {
		verify(f, vip, &verdict);
		assert_string_equal(verdict.reason.text, "");
		assert_true(verdict.present && verdict.silent);
	}
	assert_int_equal(serve(f), 0);
	assert_int_equal(f->plan.n_ops, 0);
}

/* The host as text, for comparison; the caller frees it. */
static char *describe(struct fixture *f)
{
	char text[ADDR_STRLEN];
	char *description = NULL;
	size_t size_bytes;
	FILE *stream = open_memstream(&description, &size_bytes);

	assert_non_null(stream);
	observe(f);
	ARRAY_FOREACH (link, f->host.links, f->host.n_links)
		fprintf(stream, "%u %s %u %u\n", link->ifindex, link->name, link->arp_ignore,
			link->arp_announce);
	ARRAY_FOREACH (address, f->host.addresses, f->host.n_addresses) {
		/* Kernel-made link-local addresses lose "tentative" in their own time. */
		if (addr_is_link_local6(&address->addr))
			continue;
		fprintf(stream, "%u %s/%u %x %u %s\n", address->ifindex,
			addr_format(&address->addr, text), address->prefix_len, address->flags,
			address->scope, address->label);
	}
	fclose(stream);
	return description;
}

static void observe_sees_links_and_addresses(void **state)
{
	struct fixture *f = fixture(state);
	const struct host_link *lo = host_link_by_name(&f->host, "lo");
	const struct host_link *eth0 = host_link_by_name(&f->host, "eth0");
	struct addr real_ip = netns_addr("192.0.2.11");
	bool found = false;

	assert_non_null(lo);
	assert_non_null(eth0);
	assert_true(lo->up && !lo->arp);
	assert_true(eth0->up && eth0->arp && eth0->has_inet && !mac_is_zero(&eth0->mac));
	ARRAY_FOREACH (address, f->host.addresses, f->host.n_addresses) {
		if (addr_equal(&address->addr, &real_ip))
			found = address->ifindex == eth0->ifindex && address->prefix_len == 24 &&
				streq(address->label, "eth0");
	}
	assert_true(found);
	write_sysctl("all", "arp_ignore", "-1");
	write_sysctl("all", "arp_announce", "3");
	write_sysctl("eth0", "arp_ignore", "2147483647");
	observe(f);
	assert_int_equal(f->host.all_arp_ignore, UINT32_MAX);
	assert_int_equal(f->host.all_arp_announce, 3);
	expect_arp(f, "eth0", INT32_MAX, 0);
}

static void observe_finds_the_route(void **state)
{
	struct fixture *f = fixture(state);
	struct addr real_ip = netns_addr("192.0.2.11");
	struct addr balancer = netns_addr("192.0.2.2");
	struct addr elsewhere = netns_addr("203.0.113.1");
	struct addr ourselves = netns_addr("127.0.0.1");
	struct addr source;
	unsigned int ifindex;

	assert_int_equal(observe_route(f->nl, &balancer, &source, &ifindex), 0);
	assert_true(addr_equal(&source, &real_ip));
	assert_int_equal(ifindex, host_link_by_name(&f->host, "eth0")->ifindex);
	assert_int_equal(observe_route(f->nl, &elsewhere, &source, &ifindex), -ENETUNREACH);
	assert_int_equal(observe_route(f->nl, &ourselves, &source, &ifindex), -ENETUNREACH);
}

static void apply_silences_then_adds(void **state)
{
	struct fixture *f = fixture(state);
	const struct host_address *address;

	assert_int_equal(serve(f), 0);
	expect_well(f);
	expect_arp(f, "eth0", 1, 2);
	expect_arp(f, "peer0", 1, 2);
	expect_arp(f, "lo", 0, 0);
	address = host_vip(&f->host, f->wanted.loopback_ifindex, &f->wanted.vips[0]);
	assert_string_equal(address->label, "lo:1");
	address = host_vip(&f->host, f->wanted.loopback_ifindex, &f->wanted.vips[1]);
	assert_string_equal(address->label, "lo:2");
	address = host_vip(&f->host, f->wanted.loopback_ifindex, &f->wanted.vips[2]);
	assert_true(address->flags & IFA_F_NODAD);
	assert_true(address->flags & IFA_F_DEPRECATED); /* preferred_lft 0 */
	assert_true(address->flags & IFA_F_PERMANENT);
	assert_false(address->flags & IFA_F_TENTATIVE);
}

static void apply_leaves_the_host_as_it_was(void **state)
{
	struct fixture *f = fixture(state);
	char *before, *after;

	write_sysctl("eth0", "arp_ignore", "8");
	write_sysctl("eth0", "arp_announce", "-7");
	write_sysctl("peer0", "arp_ignore", "2");
	netns_add_address("lo", "198.51.100.11", 32);
	netns_add_address("lo", "203.0.113.5", 32);
	before = describe(f);
	assert_int_equal(serve(f), 0);
	expect_well(f);
	expect_arp(f, "peer0", 2, 2);
	withdraw(f);
	after = describe(f);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void apply_adopts_after_a_crash(void **state)
{
	struct fixture *f = fixture(state);
	char *before = describe(f);
	char *after;

	assert_int_equal(serve(f), 0);
	apply_free(f->apply);
	f->apply = NULL;
	assert_int_equal(apply_new(f->directory, &f->apply), 0);
	assert_int_equal(apply_undo(f->apply)->n_added, 3);
	assert_int_equal(apply_undo(f->apply)->n_originals, 2);
	expect_well(f);
	/* Repaired after the crash: the value of the others is no original. */
	write_sysctl("eth0", "arp_ignore", "5");
	observe(f);
	assert_int_equal(serve(f), 0);
	expect_well(f);
	withdraw(f);
	after = describe(f);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void apply_disowns_what_others_added_first(void **state)
{
	struct fixture *f = fixture(state);
	struct addr vip = netns_addr("198.51.100.10");

	netns_add_address("lo", "198.51.100.10", 32); /* after we looked */
	assert_int_equal(serve(f), 0);
	assert_int_equal(apply_undo(f->apply)->n_added, 2);
	withdraw(f);
	observe(f);
	assert_non_null(host_vip(&f->host, f->wanted.loopback_ifindex, &vip));
}

static void apply_follows_interfaces(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(serve(f), 0);
	netns_change_link("peer0", "lan0", -1);
	expect_well(f);
	expect_arp(f, "lan0", 1, 2);
	netns_change_link("eth0", NULL, -1);
	netns_add_veth();
	observe(f);
	expect_arp(f, "eth0", 0, 0);
	assert_int_equal(serve(f), 0);
	expect_well(f);
	expect_arp(f, "eth0", 1, 2);
	/* The originals of the two that went are forgotten. */
	assert_int_equal(apply_undo(f->apply)->n_originals, 2);
	withdraw(f);
	observe(f);
	expect_arp(f, "eth0", 0, 0);
}

static void apply_forgives_an_interface_that_went(void **state)
{
	struct fixture *f = fixture(state);

	netns_change_link("eth0", NULL, -1); /* after we looked */
	assert_int_equal(serve(f), 0);
	expect_well(f);
}

static void apply_ignores_the_file_of_another_host(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(serve(f), 0);
	apply_free(f->apply);
	f->apply = NULL;
	assert_true(namespace_make());
	assert_int_equal(apply_new(f->directory, &f->apply), 0);
	assert_int_equal(apply_undo(f->apply)->n_added, 0);
	assert_int_equal(apply_undo(f->apply)->n_originals, 0);
}

static void apply_refuses_a_damaged_file(void **state)
{
	struct fixture *f = fixture(state);
	struct apply *apply;

	temp_dir_write(f->directory, UNDO_LOG_FILE_NAME, "{\"schema\": 1, \"identity\"");
	assert_int_equal(apply_new(f->directory, &apply), -EBADMSG);
}

/* Another user, /proc/sys read-only, and of all capabilities only `capabilities` (a mask). */
static void become_service(uint32_t capabilities)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { capabilities, capabilities, 0 }, { 0, 0, 0 } };

	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
	assert_int_equal(setresgid(TEST_UID, TEST_UID, TEST_UID), 0);
	assert_int_equal(setresuid(TEST_UID, TEST_UID, TEST_UID), 0);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

/* Runs `body` as the service; its exit status is 0 when it returned true. */
static bool as_service(struct fixture *f, uint32_t capabilities, bool (*body)(struct fixture *f))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		become_service(capabilities);
		_exit(body(f) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool serve_and_withdraw(struct fixture *f)
{
	if (apply_new(f->directory, &f->apply) < 0 || nl_open(NETLINK_ROUTE, &f->nl) < 0)
		return false;
	observe(f);
	if (serve(f) < 0)
		return false;
	expect_well(f);
	withdraw(f);
	return true;
}

static bool serve_is_refused(struct fixture *f)
{
	if (apply_new(f->directory, &f->apply) < 0 || nl_open(NETLINK_ROUTE, &f->nl) < 0)
		return false;
	observe(f);
	return serve(f) == -EPERM &&
		strstr(f->why.text, "cannot set arp_ignore 1, arp_announce 2 on ");
}

static void apply_needs_net_admin_and_nothing_else(void **state)
{
	struct fixture *f = fixture(state);
	char *before = describe(f);
	char *after;

	assert_true(as_service(f, UINT32_C(1) << CAP_NET_ADMIN, serve_and_withdraw));
	after = describe(f);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void apply_says_what_it_may_not_do(void **state)
{
	struct fixture *f = fixture(state);

	assert_true(as_service(f, 0, serve_is_refused));
}

/* Somebody who writes a setting back for as long as `go_on`. */
struct fighter {
	int fd;
	atomic_bool go_on;
};

static void *fighter_run(void *context)
{
	struct fighter *fighter = context;

	for (unsigned int n = 0; atomic_load(&fighter->go_on); n++)
		(void)!pwrite(fighter->fd, n % 2 ? "0" : "3", 1, 0);
	return NULL;
}

/* Until he was quicker so often than the look at what was set, and so about as often than that at what was put back. */
#define FIGHTS 20u

static void apply_silences_the_others_when_one_is_fought_for(void **state)
{
	struct fixture *f = fixture(state);
	bool eth0_is_first = if_nametoindex("eth0") < if_nametoindex("peer0");
	struct fighter fighter = { .go_on = true };
	struct plan_verdict verdict;
	pthread_t thread;

	fighter.fd = open(eth0_is_first ? "/proc/sys/net/ipv4/conf/eth0/arp_ignore"
					: "/proc/sys/net/ipv4/conf/peer0/arp_ignore",
		O_WRONLY | O_CLOEXEC);
	assert_true(fighter.fd >= 0);
	assert_int_equal(pthread_create(&thread, NULL, fighter_run, &fighter), 0);
	for (unsigned int n_lost = 0; n_lost < FIGHTS;) {
		int r = serve(f);

		assert_true(r == 0 || r == -ECANCELED);
		observe(f);
		expect_arp(f, eth0_is_first ? "peer0" : "eth0", HOST_ARP_IGNORE, HOST_ARP_ANNOUNCE);
		verify(f, &f->wanted.vips[0], &verdict);
		assert_int_equal(verdict.present, r == 0);
		n_lost += r < 0;
		/* What he writes meanwhile is his decision. */
		withdraw(f);
		observe(f);
	}
	atomic_store(&fighter.go_on, false);
	pthread_join(thread, NULL);
	close(fighter.fd);
	observe(f);
	assert_int_equal(serve(f), 0);
	expect_well(f);
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(observe_sees_links_and_addresses),
		fact(observe_finds_the_route),
		fact(apply_silences_then_adds),
		fact(apply_leaves_the_host_as_it_was),
		fact(apply_adopts_after_a_crash),
		fact(apply_disowns_what_others_added_first),
		fact(apply_follows_interfaces),
		fact(apply_forgives_an_interface_that_went),
		fact(apply_silences_the_others_when_one_is_fought_for),
		fact(apply_ignores_the_file_of_another_host),
		fact(apply_refuses_a_damaged_file),
		fact(apply_needs_net_admin_and_nothing_else),
		fact(apply_says_what_it_may_not_do),
	};

	return cmocka_run_group_tests_name("agent/apply", tests, NULL, NULL);
}
