/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel grants, with CAP_NET_ADMIN and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/socket_buffer.h"

#define NOBODY     65534u
#define HUGE_BYTES (1 << 30)

static const struct kind {
	int (*set)(int fd, int size_bytes);
	int option, force_option;
} kinds[] = {
	{ socket_buffer_set_receive, SO_RCVBUF, SO_RCVBUFFORCE },
	{ socket_buffer_set_send, SO_SNDBUF, SO_SNDBUFFORCE },
};

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* The kernel's own part too. */
static int granted_bytes(int fd, const struct kind *kind)
{
	int bytes = 0;
	socklen_t size_bytes = sizeof(bytes);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, kind->option, &bytes, &size_bytes), 0);
	return bytes;
}

/* What net.core allows. */
static int limit_bytes(const struct kind *kind)
{
	const int size_bytes = HUGE_BYTES;
	int fd = open_socket(), granted;

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, kind->option, &size_bytes, sizeof(size_bytes)), 0);
	granted = granted_bytes(fd, kind);
	close(fd);
	return granted / 2;
}

static bool may_force(const struct kind *kind)
{
	const int size_bytes = 65536;
	int fd = open_socket();
	bool may = setsockopt(fd, SOL_SOCKET, kind->force_option, &size_bytes,
			   sizeof(size_bytes)) == 0;

	close(fd);
	return may;
}

static void a_socket_buffer_is_as_large_as_wanted(void **state)
{
	ARRAY_FOREACH (kind, kinds, ARRAY_LEN(kinds)) {
		const int wanted_bytes = limit_bytes(kind) + 65536;
		int fd;

		if (!may_force(kind)) {
			print_message("CAP_NET_ADMIN is needed\n");
			skip();
		}
		fd = open_socket();
		assert_int_equal(kind->set(fd, wanted_bytes), 0);
		assert_int_equal(granted_bytes(fd, kind), 2 * wanted_bytes);
		close(fd);
	}
}

static void a_socket_buffer_is_as_large_as_allowed(void **state)
{
	const bool root = geteuid() == 0;

	/* What is effective goes with the user, and comes back with it (capabilities(7)). */
	assert_int_equal(root ? seteuid(NOBODY) : 0, 0);
	ARRAY_FOREACH (kind, kinds, ARRAY_LEN(kinds)) {
		int fd = open_socket();

		assert_false(may_force(kind));
		assert_int_equal(kind->set(fd, 16384), 0);
		assert_int_equal(granted_bytes(fd, kind), 2 * 16384);
		assert_int_equal(kind->set(fd, HUGE_BYTES), 0);
		assert_int_equal(granted_bytes(fd, kind), 2 * limit_bytes(kind));
		close(fd);
	}
	assert_int_equal(root ? seteuid(0) : 0, 0);
}

static void a_socket_buffer_is_a_sockets(void **state)
{
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	ARRAY_FOREACH (kind, kinds, ARRAY_LEN(kinds)) {
		assert_int_equal(kind->set(-1, 16384), -EBADF);
		assert_int_equal(kind->set(pipes[0], 16384), -ENOTSOCK);
	}
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_buffer_is_as_large_as_wanted),
		cmocka_unit_test(a_socket_buffer_is_as_large_as_allowed),
		cmocka_unit_test(a_socket_buffer_is_a_sockets),
	};

	return cmocka_run_group_tests_name("socket_buffer", tests, NULL, NULL);
}
