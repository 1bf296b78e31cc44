/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests that need real interfaces: a network namespace of the test's own, veth pairs, raw
 * frames in and out. Fails the running cmocka test on any error. Header only.
 */
#pragma once

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <cmocka.h>

#include "common/util.h"

#include "tests/unit/tools/namespace.h"

#define WIRE_DEADLINE_MS 60000u /* patience, no fact: a busy machine has little time for a test */
#define WIRE_FRAME_BYTES 65536u

static inline uint64_t wire_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits until the condition holds, by asking again every millisecond, or fails. */
#define WIRE_WAIT(condition) \
	do { \
		uint64_t deadline_ms_ = wire_now_ms() + WIRE_DEADLINE_MS; \
		while (!(condition)) { \
			if (wire_now_ms() > deadline_ms_) \
				fail_msg("waited in vain for: %s", #condition); \
			(void)poll(NULL, 0, 1); \
		} \
	} while (0)

static inline void _printf_(1, 2) wire_run(const char *format, ...)
{
	char command[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* An empty namespace without IPv6 chatter. False where that is not permitted. */
static inline bool wire_enter_namespace(void)
{
	static const char *const files[] = {
		"/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"/proc/sys/net/ipv6/conf/default/disable_ipv6",
	};

	if (!namespace_make())
		return false;
	ARRAY_FOREACH (file, files, ARRAY_LEN(files)) {
		_cleanup_close_ int fd = open(*file, O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "1", 1) != 1)
			return false;
	}
	return system("ip link set lo up") == 0;
}

/* Up, and so is the other end: until then the kernel discards what is sent. */
static inline bool wire_is_running(const char *interface)
{
	struct ifreq request = { 0 };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING);
}

static inline void wire_add_pair(
	const char *name, const char *mac, const char *peer, const char *peer_mac)
{
	wire_run("ip link add %s address %s type veth peer name %s address %s", name, mac, peer,
		peer_mac);
	wire_run("ip link set %s up && ip link set %s up", name, peer);
	WIRE_WAIT(wire_is_running(name));
}

/* A raw socket that sees what arrives on the interface and sends on it. */
static inline int wire_open(const char *interface)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int one = 1;
	int size_bytes = 32 << 20;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size_bytes, sizeof(size_bytes));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void wire_send(int fd, const void *frame, size_t size_bytes)
{
	assert_int_equal(send(fd, frame, size_bytes, 0), size_bytes);
}

/*
 * The next frame, waited for until the deadline; returns its size. `*ret_tci` (may be NULL) is the
 * VLAN tag that the kernel took out, or 0.
 */
static inline size_t wire_receive(int fd, void *ret_frame, uint16_t *ret_tci)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec vector = { ret_frame, WIRE_FRAME_BYTES };
	struct msghdr message = { .msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&polled, 1, (int)WIRE_DEADLINE_MS) != 1)
		fail_msg("no frame arrived");
	n = recvmsg(fd, &message, MSG_DONTWAIT);
	assert_true(n > 0);
	if (ret_tci) {
		const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		struct tpacket_auxdata auxdata = { 0 };

		if (!header)
			fail_msg("no auxiliary data arrived");
		else
			memcpy(&auxdata, CMSG_DATA(header), sizeof(auxdata));
		*ret_tci = auxdata.tp_status & TP_STATUS_VLAN_VALID ? auxdata.tp_vlan_tci : 0;
	}
	return (size_t)n;
}

static inline bool wire_is_silent(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, 0) == 0;
}

/* Frames that arrived on an interface, by the kernel's own count. */
static inline uint64_t wire_received_pkts(const char *interface)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/thread-self/net/dev", "re");
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		const char *name = line + strspn(line, " ");
		unsigned long long bytes, pkts;
		size_t len = strlen(interface);

		if (strncmp(name, interface, len) == 0 && name[len] == ':' &&
			sscanf(name + len + 1, "%llu %llu", &bytes, &pkts) == 2)
			return pkts;
	}
	fail_msg("no interface %s", interface);
	return 0;
}
