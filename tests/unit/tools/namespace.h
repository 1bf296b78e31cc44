/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces of a test's own. Header only. */
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "common/util.h"

/* False, and said, where that is not permitted. */
static inline bool namespace_make(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return true;
	print_message("no network namespace may be made here: %s\n", strerror(errno));
	return false;
}

static inline void namespace_enter(int fd)
{
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

static inline int namespace_current(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Two new ones, `*ret_here` entered; the caller closes the descriptors. False as above. */
static inline bool namespace_make_two(int *ret_here, int *ret_peer)
{
	if (!namespace_make())
		return false;
	*ret_peer = namespace_current();
	assert_true(namespace_make());
	*ret_here = namespace_current();
	return true;
}

/* Until it sends what it is given: the kernel sees to that some time after `ip link set up` has returned. */
static inline void namespace_wait_up(const char *link)
{
	const time_t deadline = time(NULL) + 20;
	char command[96];

	snprintf(
		command, sizeof(command), "ip -o link show dev %.15s | grep -q ' state UP '", link);
	while (system(command) != 0)
		assert_true(time(NULL) < deadline);
}
