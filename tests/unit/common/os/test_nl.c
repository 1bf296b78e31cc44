/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink against the real kernel, in a network namespace of the test's own: requests and their
 * errors, dumps, events and their loss.
 */
#include "common/os/nl.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LOOPBACK_IFINDEX 1
#define ABSENT_IFINDEX   0x7ffffff0
#define DEADLINE_MS      5000

static const char *missing; /* what this host does not allow; NULL: everything is there */

static int enter_namespace(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		missing = "a network namespace of its own (CAP_SYS_ADMIN)";
	return 0;
}

static struct nl *open_or_skip(void)
{
	struct nl *nl = NULL;

	if (missing) {
		print_message("skipped: needs %s\n", missing);
		skip();
	}
	assert_int_equal(nl_open(NETLINK_ROUTE, &nl), 0);
	return nl;
}

struct seen {
	unsigned int n_messages;
	unsigned int n_loopback;
	unsigned int flags; /* of the loopback interface, when last seen */
	int result;         /* for the callback to return */
};

static int see_link(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct seen *seen = context;

	seen->n_messages++;
	if (message->nlmsg_type == RTM_NEWLINK && info->ifi_index == LOOPBACK_IFINDEX) {
		seen->n_loopback++;
		seen->flags = info->ifi_flags;
	}
	return seen->result;
}

static struct nlmsghdr *request_links(struct nl *nl)
{
	return nl_request(nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), NULL);
}

static int set_loopback(struct nl *nl, bool up)
{
	struct ifinfomsg *info;
	void *extra;
	struct nlmsghdr *request = nl_request(nl, RTM_NEWLINK, 0, sizeof(*info), &extra);

	info = extra;
	info->ifi_index = LOOPBACK_IFINDEX;
	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	return nl_transact(nl, request);
}

static void nl_request_starts_zeroed(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	static const struct ifinfomsg zero;
	struct nlmsghdr *request;
	void *extra;

	for (unsigned int idx = 0; idx < 2; idx++) {
		request = nl_request(nl, RTM_NEWLINK, NLM_F_CREATE, sizeof(zero), &extra);
		assert_int_equal(request->nlmsg_type, RTM_NEWLINK);
		assert_int_equal(request->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
		assert_int_equal(request->nlmsg_len, NLMSG_LENGTH(sizeof(zero)));
		assert_memory_equal(extra, &zero, sizeof(zero));
		memset(extra, 0xff, sizeof(zero));
	}
}

static void nl_query_all_gives_every_link(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	struct seen seen = { 0 };

	assert_int_equal(nl_query_all(nl, request_links(nl), see_link, &seen), 0);
	assert_int_equal(seen.n_loopback, 1);
}

static void nl_query_all_returns_the_callbacks_error(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	struct seen failing = { .result = -EXDEV };
	struct seen seen = { 0 };

	assert_int_equal(nl_query_all(nl, request_links(nl), see_link, &failing), -EXDEV);
	assert_int_equal(failing.n_messages, 1);
	assert_int_equal(nl_query_all(nl, request_links(nl), see_link, &seen), 0);
	assert_int_equal(seen.n_loopback, 1);
}

static void nl_query_all_returns_the_kernels_error(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	struct seen seen = { 0 };
	struct nlmsghdr *request;

	/* A type above all that rtnetlink has. */
	request = nl_request(nl, RTM_MAX + 1, 0, sizeof(struct ifinfomsg), NULL);
	assert_int_equal(nl_query_all(nl, request, see_link, &seen), -EOPNOTSUPP);
	assert_int_equal(seen.n_messages, 0);
}

static void nl_transact_returns_the_kernels_answer(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	struct nlmsghdr *request;
	struct ifinfomsg *info;
	void *extra;

	assert_int_equal(set_loopback(nl, true), 0);
	request = nl_request(nl, RTM_DELLINK, 0, sizeof(*info), &extra);
	info = extra;
	info->ifi_index = ABSENT_IFINDEX;
	assert_int_equal(nl_transact(nl, request), -ENODEV);
}

static void nl_query_gives_the_answer(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	struct nlmsghdr *request;
	struct seen seen = { 0 };
	struct ifinfomsg *info;
	void *extra;

	request = nl_request(nl, RTM_GETLINK, 0, sizeof(*info), &extra);
	info = extra;
	info->ifi_index = LOOPBACK_IFINDEX;
	assert_int_equal(nl_query(nl, request, see_link, &seen), 0);
	assert_int_equal(seen.n_messages, 1);
	assert_int_equal(seen.n_loopback, 1);
}

static struct nl *open_events(void)
{
	static const unsigned int groups[] = { RTNLGRP_LINK, 0 };
	struct nl *events = NULL;

	assert_int_equal(nl_open_events(NETLINK_ROUTE, groups, &events), 0);
	return events;
}

static void wait_readable(const struct nl *nl)
{
	struct pollfd waiting = { .fd = nl_fd(nl), .events = POLLIN };

	assert_int_equal(poll(&waiting, 1, DEADLINE_MS), 1);
}

static void nl_events_follow_changes(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	_cleanup_(nl_freep) struct nl *events = NULL;
	struct seen seen = { 0 };

	assert_int_equal(set_loopback(nl, false), 0);
	events = open_events();
	assert_int_equal(nl_read_events(events, see_link, &seen), 0);
	assert_int_equal(seen.n_messages, 0);
	assert_int_equal(set_loopback(nl, true), 0);
	wait_readable(events);
	assert_int_equal(nl_read_events(events, see_link, &seen), 0);
	assert_true(seen.n_loopback >= 1);
	assert_true(seen.flags & IFF_UP);
}

static void nl_events_say_when_some_were_lost(void **state)
{
	_cleanup_(nl_freep) struct nl *nl = open_or_skip();
	_cleanup_(nl_freep) struct nl *events = open_events();
	struct seen seen = { 0 };
	int least = 1;

	/* The kernel takes the smallest buffer that it knows: a few messages. */
	assert_int_equal(
		setsockopt(nl_fd(events), SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
	for (unsigned int idx = 0; idx < 64; idx++)
		assert_int_equal(set_loopback(nl, idx % 2), 0);
	wait_readable(events);
	assert_int_equal(nl_read_events(events, see_link, &seen), -ENOBUFS);
	assert_int_equal(nl_read_events(events, see_link, &seen), 0);
	assert_int_equal(set_loopback(nl, false), 0);
	wait_readable(events);
	assert_int_equal(nl_read_events(events, see_link, &seen), 0);
	assert_false(seen.flags & IFF_UP);
}

static void nl_free_takes_nothing(void **state)
{
	assert_null(nl_free(NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nl_request_starts_zeroed),
		cmocka_unit_test(nl_query_all_gives_every_link),
		cmocka_unit_test(nl_query_all_returns_the_callbacks_error),
		cmocka_unit_test(nl_query_all_returns_the_kernels_error),
		cmocka_unit_test(nl_transact_returns_the_kernels_answer),
		cmocka_unit_test(nl_query_gives_the_answer),
		cmocka_unit_test(nl_events_follow_changes),
		cmocka_unit_test(nl_events_say_when_some_were_lost),
		cmocka_unit_test(nl_free_takes_nothing),
	};

	return cmocka_run_group_tests_name("nl", tests, enter_namespace, NULL);
}
