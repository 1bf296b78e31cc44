/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packet sockets whose interface goes and comes, in network namespaces of the test's own. */
#include "common/os/packet_socket.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "tests/unit/tools/namespace.h"

/* The namespace by a descriptor of ours. */
static void move_to(int namespace)
{
	char command[128];

	snprintf(command, sizeof(command), "ip link set eth0 netns /proc/%d/fd/%d", (int)getpid(),
		namespace);
	assert_int_equal(system(command), 0);
}

static void a_socket_knows_that_its_interface_was_elsewhere(void **state)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	unsigned int ifindex;
	int here = -1, there = -1, fd;

	if (!namespace_make_two(&here, &there))
		skip();
	assert_int_equal(system("ip link add eth0 index 77 type veth peer name eth1 && "
				"ip link set eth0 up && ip link set eth1 up"),
		0);
	ifindex = if_nametoindex("eth0");
	address.sll_ifindex = (int)ifindex;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_true(packet_socket_is_at(fd, ifindex));
	assert_false(packet_socket_is_at(fd, ifindex + 1));
	assert_int_equal(system("ip link set eth0 down && ip link set eth0 name other && "
				"ip link set other up && ip link set other name eth0"),
		0);
	assert_true(packet_socket_is_at(fd, ifindex));
	move_to(there);
	namespace_enter(there);
	move_to(here);
	namespace_enter(here);
	/* What is compared elsewhere. */
	assert_int_equal(if_nametoindex("eth0"), ifindex);
	assert_false(packet_socket_is_at(fd, ifindex));
	close(fd);
	assert_false(packet_socket_is_at(fd, ifindex));
	close(here);
	close(there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_knows_that_its_interface_was_elsewhere),
	};

	return cmocka_run_group_tests_name("packet_socket", tests, NULL, NULL);
}
