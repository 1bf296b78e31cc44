/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests over a veth pair to a host of the test's own, of both families: answered, refused, dropped, and none at all.
 */
#include "agent/doctor/answers.h"

#include <linux/if_packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "tests/unit/tools/namespace.h"

static struct answers_place place(const char *address, uint16_t port)
{
	struct answers_place made = { .place.port = port };

	assert_int_equal(addr_parse(address, &made.place.addr), 0);
	return made;
}

/* The client's side is `peer`; the host's is where the test is. */
static bool make_link(int *ret_here, int *ret_peer)
{
	char command[512];

	if (!namespace_make_two(ret_here, ret_peer))
		return false;
	snprintf(command, sizeof(command),
		"ip link add here0 type veth peer name peer0 netns /proc/%d/fd/%d && ip link set here0 up && "
		"ip link set lo up && ip address add 192.0.2.9/24 dev here0 && "
		"ip address add 2001:db8::9/64 dev here0 nodad",
		getpid(), *ret_peer);
	assert_int_equal(system(command), 0);
	namespace_enter(*ret_peer);
	assert_int_equal(system("ip link set peer0 up && ip address add 192.0.2.2/24 dev peer0 && "
				"ip address add 2001:db8::2/64 dev peer0 nodad"),
		0);
	namespace_enter(*ret_here);
	return true;
}

static int listen_on(const char *address, uint16_t port)
{
	struct answers_place where = place(address, port);
	struct sockaddr_storage name;
	socklen_t size_bytes = addr_to_sockaddr(&where.place, 0, &name);
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size_bytes), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* A process at the peer that asks all of them again and again, until it is killed. */
static pid_t ask(int peer, const struct answers_place *places, size_t n_places)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (setns(peer, CLONE_NEWNET) < 0)
		_exit(1);
	for (;;) {
		ARRAY_FOREACH (each, places, n_places) {
			struct sockaddr_storage name;
			socklen_t size_bytes = addr_to_sockaddr(&each->place, 0, &name);
			int fd = socket(
				name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

			(void)connect(fd, (struct sockaddr *)&name, size_bytes);
			(void)usleep(20000);
			close(fd);
		}
	}
}

static void ask_no_more(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void requests_are_seen_with_their_answers(void **state)
{
	struct answers_place places[] = { place("192.0.2.9", 80), place("2001:db8::9", 80),
		place("192.0.2.9", 81) };
	int here, peer, fd4, fd6;
	pid_t pid;

	if (!make_link(&here, &peer))
		skip();
	fd4 = listen_on("192.0.2.9", 80);
	fd6 = listen_on("2001:db8::9", 80);
	pid = ask(peer, places, ARRAY_LEN(places));
	assert_int_equal(answers_look(places, ARRAY_LEN(places)), 0);
	ask_no_more(pid);
	/* A reset is an answer, too. */
	ARRAY_FOREACH (each, places, ARRAY_LEN(places))
		assert_true(each->is_answered);
	close(fd4);
	close(fd6);
	close(here);
	close(peer);
}

/* The host takes nothing from there, as a packet filter would not: no route leads back. */
static void requests_that_are_dropped_are_known(void **state)
{
	struct answers_place places[] = { place("192.0.2.9", 80), place("2001:db8::9", 80),
		place("192.0.2.9", 81) };
	uint64_t begin_us;
	int here, peer, fd4, fd6;
	pid_t pid;

	if (!make_link(&here, &peer))
		skip();
	fd4 = listen_on("192.0.2.9", 80);
	fd6 = listen_on("2001:db8::9", 80);
	assert_int_equal(system("ip route add blackhole 192.0.2.2"), 0);
	begin_us = clock_now_us();
	pid = ask(peer, places, 2);
	assert_int_equal(answers_look(places, ARRAY_LEN(places)), 0);
	ask_no_more(pid);
	assert_true(places[0].is_asked && !places[0].is_answered);
	assert_true(places[1].is_answered);
	/* Nobody asked. */
	assert_true(!places[2].is_asked && !places[2].is_answered);
	assert_true(clock_now_us() - begin_us < 5 * (ANSWERS_LOOK_US + ANSWERS_WAIT_US));
	close(fd4);
	close(fd6);
	close(here);
	close(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_seen_with_their_answers),
		cmocka_unit_test(requests_that_are_dropped_are_known),
	};

	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
