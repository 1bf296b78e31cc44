/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that any forwarder over raw sockets must do, as fast as it can be made: take frames from
 * a mapped ring, write two MAC addresses, send them with sendmmsg() from the ring's own memory. No
 * look at what the frames are, no virtio_net_hdr, no VLAN tags, no super-frames.
 *
 *	packet_loop v2|v3 INTERFACE SERVER-MAC [bypass]
 *
 * v2 is a ring of frames, v3 one of blocks, handed over when full or after a millisecond. `bypass`
 * sends past the queueing discipline, and so past tcpdump. Prints "ready"; ends at SIGTERM.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/util.h"

#define RING_BYTES     (8u << 20)
#define FRAME_BYTES    2048u
#define V2_BLOCK_BYTES 65536u
#define V3_BLOCK_BYTES 131072u
#define V3_RETIRE_MS   1u
#define BATCH          64u
#define SEND_BUFFER    (16 << 20)

struct loop {
	int rx_fd, tx_fd;
	uint8_t *ring;
	uint8_t macs[2 * ETH_ALEN];
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	unsigned int n;
};

static void set_option(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		err(1, "socket option %d", option);
}

static void bind_to(int fd, const char *interface, uint16_t protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)if_nametoindex(interface) };

	if (address.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", interface);
}

static void open_rx(struct loop *loop, const char *interface, int version)
{
	struct tpacket_req3 request = {
		.tp_block_size = version == TPACKET_V3 ? V3_BLOCK_BYTES : V2_BLOCK_BYTES,
		.tp_frame_size = FRAME_BYTES,
		.tp_frame_nr = RING_BYTES / FRAME_BYTES,
		.tp_retire_blk_tov = V3_RETIRE_MS,
	};
	/* tpacket_req is the beginning of tpacket_req3. */
	socklen_t size_bytes = version == TPACKET_V3 ? sizeof(request) : sizeof(struct tpacket_req);

	request.tp_block_nr = RING_BYTES / request.tp_block_size;
	loop->rx_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (loop->rx_fd < 0)
		err(1, "packet socket");
	set_option(loop->rx_fd, SOL_PACKET, PACKET_VERSION, version);
	set_option(loop->rx_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (setsockopt(loop->rx_fd, SOL_PACKET, PACKET_RX_RING, &request, size_bytes) < 0)
		err(1, "PACKET_RX_RING");
	loop->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, loop->rx_fd, 0);
	if (loop->ring == MAP_FAILED)
		err(1, "cannot map the ring");
	bind_to(loop->rx_fd, interface, ETH_P_ALL);
}

static void open_tx(struct loop *loop, const char *interface, bool bypass)
{
	loop->tx_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (loop->tx_fd < 0)
		err(1, "packet socket");
	set_option(loop->tx_fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
	if (bypass)
		set_option(loop->tx_fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	bind_to(loop->tx_fd, interface, 0);
	for (unsigned int i = 0; i < BATCH; i++) {
		loop->messages[i].msg_hdr.msg_iov = &loop->vectors[i];
		loop->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static void read_macs(struct loop *loop, const char *interface, const char *server)
{
	struct ifreq request = { 0 };
	unsigned int bytes[ETH_ALEN];

	if (sscanf(server, "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
		    &bytes[4], &bytes[5]) != ETH_ALEN)
		errx(64, "%s: not a MAC address", server);
	for (size_t i = 0; i < ETH_ALEN; i++)
		loop->macs[i] = (uint8_t)bytes[i];
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(loop->tx_fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s: no MAC address", interface);
	memcpy(loop->macs + ETH_ALEN, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

static void flush(struct loop *loop)
{
	for (unsigned int at = 0; at < loop->n;) {
		int n = sendmmsg(loop->tx_fd, loop->messages + at, loop->n - at, 0);

		at += n > 0 ? (unsigned int)n : 1;
	}
	loop->n = 0;
}

static inline void add(struct loop *loop, uint8_t *data, uint32_t size_bytes)
{
	memcpy(data, loop->macs, sizeof(loop->macs));
	loop->vectors[loop->n].iov_base = data;
	loop->vectors[loop->n++].iov_len = size_bytes;
	if (loop->n == BATCH)
		flush(loop);
}

static void wait_for_frames(const struct loop *loop)
{
	struct pollfd polled = { .fd = loop->rx_fd, .events = POLLIN };

	(void)poll(&polled, 1, -1);
}

static void run_v2(struct loop *loop)
{
	const unsigned int n_frames = RING_BYTES / FRAME_BYTES;
	unsigned int next = 0, taken = 0;

	for (;;) {
		struct tpacket2_hdr *header = (void *)(loop->ring + (size_t)next * FRAME_BYTES);
		bool is_there =
			__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;

		if (is_there) {
			add(loop, (uint8_t *)header + header->tp_mac, header->tp_snaplen);
			taken++;
			next = (next + 1) % n_frames;
		}
		/* What was sent may be given back: now, when the batch is gone. */
		if (!is_there && loop->n > 0)
			flush(loop);
		for (; loop->n == 0 && taken > 0; taken--) {
			unsigned int idx = (next + n_frames - taken) % n_frames;

			header = (void *)(loop->ring + (size_t)idx * FRAME_BYTES);
			__atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		}
		if (!is_there)
			wait_for_frames(loop);
	}
}

static void run_v3(struct loop *loop)
{
	const unsigned int n_blocks = RING_BYTES / V3_BLOCK_BYTES;

	for (unsigned int idx = 0;; idx = (idx + 1) % n_blocks) {
		struct tpacket_block_desc *block =
			(void *)(loop->ring + (size_t)idx * V3_BLOCK_BYTES);
		uint32_t *status = &block->hdr.bh1.block_status;
		uint8_t *at;

		while (!(__atomic_load_n(status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			wait_for_frames(loop);
		at = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
		for (uint32_t n = block->hdr.bh1.num_pkts; n > 0; n--) {
			const struct tpacket3_hdr *header = (void *)at;

			add(loop, at + header->tp_mac, header->tp_snaplen);
			at += header->tp_next_offset;
		}
		flush(loop);
		__atomic_store_n(status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	}
}

int main(int argc, char **argv)
{
	static struct loop loop;
	bool is_v3 = argc > 1 && streq(argv[1], "v3");

	if (argc < 4 || argc > 5 || (!is_v3 && !streq(argv[1], "v2")))
		errx(64, "usage: packet_loop v2|v3 INTERFACE SERVER-MAC [bypass]");
	open_rx(&loop, argv[2], is_v3 ? TPACKET_V3 : TPACKET_V2);
	open_tx(&loop, argv[2], argc == 5);
	read_macs(&loop, argv[2], argv[3]);
	printf("ready\n");
	fflush(stdout);
	if (is_v3)
		run_v3(&loop);
	else
		run_v2(&loop);
	return 0;
}
