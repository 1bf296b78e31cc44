/* SPDX-License-Identifier: GPL-2.0-or-later */
/* synack_log.c against the running kernel, in a network namespace of its own: what the log shows, and to whom. */
#include "agent/host/synack_log.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/packet/checksum.h"
#include "tests/unit/agent/host/netns.h"

#define WAIT_MS 5000

struct heard {
	unsigned int n;
	uint16_t port;        /* of the newest, */
	unsigned int ifindex; /* and where that came in; 0: it was sent */
};

static int make_namespace(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	netns_set_up("lo");
	netns_add_veth();
	netns_add_address("eth0", "192.0.2.11", 24);
	netns_set_up("eth0");
	netns_set_up("peer0");
	return 0;
}

static struct synack_log *open_log(void)
{
	struct synack_log *log = NULL;

	assert_int_equal(synack_log_open(&log), 0);
	assert_non_null(log);
	return log;
}

/* A segment of this host, as its TCP would send it. */
static void send_segment(const char *to, uint16_t port, uint8_t flags)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP },
		.tcp = { .source = htons(port), .doff = 5 } };
	struct sockaddr_in name = { .sin_family = AF_INET };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, to, &name.sin_addr), 1);
	packet.ip.tot_len = htons(sizeof(packet));
	packet.ip.daddr = name.sin_addr.s_addr;
	((uint8_t *)&packet.tcp)[13] = flags;
	assert_int_equal(
		sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&name, sizeof(name)),
		sizeof(packet));
}

static void on_packet(const uint8_t *packet, size_t size_bytes, unsigned int ifindex, void *context)
{
	struct heard *heard = context;

	assert_true(size_bytes >= sizeof(struct iphdr) + 14);
	assert_int_equal(packet[0], 0x45);
	heard->n++;
	heard->ifindex = ifindex;
	heard->port = (uint16_t)(packet[20] << 8 | packet[21]);
}

/* The kernel gathers for some milliseconds. */
static struct heard hear(struct synack_log *log, unsigned int wanted)
{
	struct heard heard = { 0 };

	while (heard.n < wanted) {
		struct pollfd waiting = { synack_log_fd(log), POLLIN, 0 };

		assert_int_equal(poll(&waiting, 1, WAIT_MS), 1);
		while (synack_log_read(log, on_packet, &heard)) {
		}
	}
	return heard;
}

static void synack_log_shows_synacks_alone(void **state)
{
	_cleanup_(synack_log_freep) struct synack_log *log = open_log();
	struct heard heard;

	send_segment("192.0.2.9", 1, 0x02);  /* SYN */
	send_segment("192.0.2.9", 2, 0x10);  /* ACK */
	send_segment("192.0.2.9", 3, 0x14);  /* RST, ACK */
	send_segment("192.0.2.11", 4, 0x12); /* stays on this host */
	send_segment("192.0.2.9", 5, 0x12);
	send_segment("192.0.2.9", 80, 0x52); /* with ECN's bit */
	heard = hear(log, 2);
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.port, 80);
	assert_int_equal(heard.ifindex, 0);
	assert_false(synack_log_read(log, on_packet, &heard));
}

/* A SYN that peer0 sends and eth0 gets. To close a packet socket takes milliseconds: all are sent by one. */
static void receive_syn(int fd, const char *from, uint16_t port)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP },
		.tcp = { .source = htons(port), .doff = 5 } };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex("peer0"),
		.sll_halen = ETH_ALEN };

	memset(to.sll_addr, 0xff, ETH_ALEN);
	packet.ip.tot_len = htons(sizeof(packet));
	assert_int_equal(inet_pton(AF_INET, from, &packet.ip.saddr), 1);
	assert_int_equal(inet_pton(AF_INET, "192.0.2.11", &packet.ip.daddr), 1);
	((uint8_t *)&packet.tcp)[13] = SYNACK_FLAG_SYN;
	packet.ip.check = htons(checksum_of(&packet.ip, sizeof(packet.ip)));
	assert_int_equal(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(packet));
}

static void synack_log_shows_who_has_no_way_back(void **state)
{
	_cleanup_(synack_log_freep) struct synack_log *log = open_log();
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct heard heard;

	assert_true(fd >= 0);
	receive_syn(fd, "192.0.2.9", 1); /* is on that link */
	receive_syn(fd, "203.0.113.2", 2);
	heard = hear(log, 1);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.port, 2);
	assert_int_equal(heard.ifindex, if_nametoindex("eth0"));
	/* A flood is a few. */
	for (uint16_t port = 3; port < 1000; port++)
		receive_syn(fd, "203.0.113.2", port);
	heard = hear(log, 1);
	usleep(100 * 1000);
	while (synack_log_read(log, on_packet, &heard)) {
	}
	assert_in_range(heard.n, 1, 30);
}

static void synack_log_is_one_of_several(void **state)
{
	_cleanup_(synack_log_freep) struct synack_log *first = open_log();
	_cleanup_(synack_log_freep) struct synack_log *second = open_log();

	send_segment("192.0.2.9", 80, 0x12);
	assert_int_equal(hear(first, 1).n, 1);
	assert_int_equal(hear(second, 1).n, 1);
	first = synack_log_free(first);
	first = open_log();
	send_segment("192.0.2.9", 81, 0x12);
	assert_int_equal(hear(first, 1).port, 81);
	assert_int_equal(hear(second, 1).port, 81);
}

#define TEST(name) cmocka_unit_test_setup(name, make_namespace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(synack_log_shows_synacks_alone),
		TEST(synack_log_shows_who_has_no_way_back),
		TEST(synack_log_is_one_of_several),
	};

	return cmocka_run_group_tests_name("synack_log", tests, NULL, NULL);
}
