/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packet sockets with a mapped receive ring; see ring.h for the contract and
 * doc/adr/0001-packet-ring.md for why this variant. Kernel facts are of net/packet/af_packet.c.
 *
 * A ring frame, as tpacket_rcv() fills it, with the offsets that follow from RING_RESERVE_BYTES:
 *
 *   0        32           52         72              82      96
 *   | tpacket2_hdr | sockaddr_ll | free | virtio_net_hdr | Ethernet | IP …
 *
 * The free bytes are where a VLAN tag finds its room.
 */
#include "lb/engine/packet/ring.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/why.h"
#include "common/os/packet_socket.h"
#include "common/os/socket_buffer.h"
#include "lb/engine/link_check.h"

#define RING_BYTES         ((size_t)RING_FRAMES * RING_FRAME_BYTES_MIN)
#define RING_BLOCK_BYTES   65536u /* contiguous for the kernel: easy to find at any time */
#define RING_RESERVE_BYTES 6u     /* puts the IP header on a multiple of 16 */

_Static_assert(RING_BLOCK_BYTES % RING_FRAME_BYTES_MAX == 0, "frames must not cross blocks");
_Static_assert(RING_BYTES % RING_BLOCK_BYTES == 0, "ring must be whole blocks");

/* What recv() fills for a frame that is longer than a ring frame. */
struct long_buffer {
	uint8_t vlan_room[RING_VLAN_BYTES];
	struct virtio_net_hdr vnet;
	uint8_t data[RING_LONG_BYTES_MAX];
};
_Static_assert(offsetof(struct long_buffer, data) ==
		offsetof(struct long_buffer, vnet) + sizeof(struct virtio_net_hdr),
	"the frame must follow its vnet header");

/* Of one interface. */
struct sender {
	unsigned int ifindex; /* 0: free */
	int header_fd;        /* frames go out with their virtio_net_hdr … */
	int plain_fd;         /* … and those without one that says anything, past it */
};

struct ring {
	int rx_fd;
	unsigned int ifindex;
	struct sender senders[RING_SENDERS_MAX]; /* the first is the client interface's */
	size_t next_sender;                      /* whose place the next new one takes */
	uint8_t *memory;                         /* RING_BYTES */
	uint32_t frame_bytes;
	uint32_t n_frames;
	uint32_t next;    /* to be looked at */
	uint32_t n_taken; /* before `next`, not yet released */
	bool is_losing;
	bool is_shared; /* one of a fanout group */
	int error;      /* found while receiving, not yet asked for */
	struct mmsghdr messages[RING_BATCH];
	struct iovec vectors[RING_BATCH];
	uint8_t places[RING_BATCH];                    /* of each message's frame in its batch */
	struct long_buffer longs[RING_LONG_PER_BATCH]; /* takes no memory before its first use */
};

/* ---- pure parts ---- */

uint32_t ring_frame_bytes(uint32_t mtu_bytes)
{
	uint32_t frame_bytes = RING_FRAME_BYTES_MIN;

	while (frame_bytes < RING_FRAME_BYTES_MAX &&
		frame_bytes - RING_HEADROOM_BYTES < mtu_bytes + ETH_HLEN + RING_VLAN_BYTES)
		frame_bytes *= 2;
	return frame_bytes;
}

void ring_insert_vlan(struct ring_frame *frame, uint16_t tpid, uint16_t tci)
{
	/* The moved MACs lie where the header was, so it is kept aside meanwhile. */
	struct virtio_net_hdr vnet = *frame->vnet;
	uint16_t tag[2] = { htons(tpid), htons(tci) };

	if (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		vnet.csum_start += RING_VLAN_BYTES;
	/* 0 where it does not apply: without GSO the kernel does not set it. */
	if (vnet.hdr_len)
		vnet.hdr_len += RING_VLAN_BYTES;
	frame->data -= RING_VLAN_BYTES;
	frame->size_bytes += RING_VLAN_BYTES;
	memmove(frame->data, frame->data + RING_VLAN_BYTES, (size_t)2 * ETH_ALEN);
	memcpy(frame->data + (size_t)2 * ETH_ALEN, tag, sizeof(tag));
	frame->vnet = (struct virtio_net_hdr *)(frame->data - sizeof(vnet));
	*frame->vnet = vnet;
}

/* ---- opening ---- */

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? util_negative_errno() : 0;
}

static int bind_to(int fd, unsigned int ifindex, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)ifindex,
	};

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return util_negative_errno();
	return 0;
}

static int read_mtu(int fd, unsigned int ifindex, uint32_t *ret_mtu_bytes)
{
	struct ifreq request = { .ifr_ifindex = (int)ifindex };

	if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0)
		return util_negative_errno();
	*ret_mtu_bytes = (uint32_t)request.ifr_mtu;
	return 0;
}

/* Protocol 0: it receives nothing. */
static int open_socket(unsigned int ifindex, bool with_header, int *ret_fd, struct why *ret_why)
{
	struct timeval timeout = { .tv_usec = RING_SEND_TIMEOUT_MS * US_PER_MS };
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return why_errno(ret_why, util_negative_errno(), "packet socket for sending");
	r = with_header ? set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1) : 0;
	if (r < 0)
		return why_errno(ret_why, r, "PACKET_VNET_HDR for sending");
	(void)socket_buffer_set_send(fd, RING_SOCKET_BYTES);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return why_errno(ret_why, util_negative_errno(), "SO_SNDTIMEO");
	r = bind_to(fd, ifindex, 0);
	if (r < 0)
		return why_errno(ret_why, r, "bind to an interface for sending");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void sender_close(struct sender *sender)
{
	if (sender->ifindex == 0)
		return;
	util_close(sender->header_fd);
	util_close(sender->plain_fd);
	sender->ifindex = 0;
}

static int sender_open(struct sender *sender, unsigned int ifindex, struct why *ret_why)
{
	_cleanup_close_ int header_fd = -1, plain_fd = -1;
	int r = open_socket(ifindex, true, &header_fd, ret_why);

	if (r == 0)
		r = open_socket(ifindex, false, &plain_fd, ret_why);
	if (r < 0)
		return r;
	*sender = (struct sender){ ifindex, TAKE_FD(header_fd), TAKE_FD(plain_fd) };
	return 0;
}

/* Opened when it is needed first; NULL: it cannot be had. */
static struct sender *sender_get(struct ring *ring, unsigned int ifindex)
{
	struct sender *sender;

	ARRAY_FOREACH (each, ring->senders, ifindex ? RING_SENDERS_MAX : 0)
		if (each->ifindex == ifindex)
			return each;
	if (ifindex == 0)
		return NULL;
	/* Interfaces come and go; the first stays. */
	sender = &ring->senders[1 + ring->next_sender];
	ring->next_sender = (ring->next_sender + 1) % (RING_SENDERS_MAX - 1);
	sender_close(sender);
	return sender_open(sender, ifindex, NULL) == 0 ? sender : NULL;
}

/* The order matters: version, headers and reserve cannot change once there is a ring. */
static int set_rx_options(struct ring *ring, struct why *ret_why)
{
	static const struct {
		int option;
		int value;
		const char *why;
	} options[] = {
		{ PACKET_VERSION, TPACKET_V2, "PACKET_VERSION" },
		{ PACKET_VNET_HDR, 1, "PACKET_VNET_HDR" },
		{ PACKET_RESERVE, RING_RESERVE_BYTES, "PACKET_RESERVE" },
		{ PACKET_COPY_THRESH, 1, "PACKET_COPY_THRESH" },
		{ PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING (Linux 4.20)" },
	};

	ARRAY_FOREACH (option, options, ARRAY_LEN(options)) {
		int r = set_option(ring->rx_fd, SOL_PACKET, option->option, option->value);

		if (r < 0)
			return why_errno(ret_why, r, option->why);
	}
	(void)socket_buffer_set_receive(ring->rx_fd, RING_SOCKET_BYTES);
	return 0;
}

static int map_ring(struct ring *ring, unsigned int ifindex, struct why *ret_why)
{
	struct tpacket_req request = { 0 };
	uint32_t mtu_bytes = 0;
	void *memory;
	int r;

	r = read_mtu(ring->rx_fd, ifindex, &mtu_bytes);
	if (r < 0)
		return why_errno(ret_why, r, "MTU of the client interface");
	ring->frame_bytes = ring_frame_bytes(mtu_bytes);
	ring->n_frames = (uint32_t)(RING_BYTES / ring->frame_bytes);
	request.tp_block_size = RING_BLOCK_BYTES;
	request.tp_block_nr = RING_BYTES / RING_BLOCK_BYTES;
	request.tp_frame_size = ring->frame_bytes;
	request.tp_frame_nr = ring->n_frames;
	if (setsockopt(ring->rx_fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0)
		return why_errno(ret_why, util_negative_errno(), "PACKET_RX_RING");
	memory = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring->rx_fd, 0);
	if (memory == MAP_FAILED)
		return why_errno(ret_why, util_negative_errno(), "mmap of the ring");
	ring->memory = memory;
	return 0;
}

/*
 * Nothing comes in before ring_begin(): a socket that has not joined its fanout group yet would see
 * the frames of all the others.
 */
static int shut_filter(int fd)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &drop };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return util_negative_errno();
	return 0;
}

static int open_rx(struct ring *ring, unsigned int ifindex, struct why *ret_why)
{
	int r;

	ring->rx_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (ring->rx_fd < 0)
		return why_errno(ret_why, util_negative_errno(), "packet socket for receiving");
	r = set_rx_options(ring, ret_why);
	if (r < 0)
		return r;
	r = map_ring(ring, ifindex, ret_why);
	if (r < 0)
		return r;
	r = shut_filter(ring->rx_fd);
	if (r < 0)
		return why_errno(ret_why, r, "SO_ATTACH_FILTER");
	r = bind_to(ring->rx_fd, ifindex, ETH_P_ALL);
	return r < 0 ? why_errno(ret_why, r, "bind to the client interface") : 0;
}

int ring_open(unsigned int ifindex, struct ring **ret_ring, struct why *ret_why)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int r;

	if (!ring)
		return why_errno(ret_why, -ENOMEM, "memory");
	ring->rx_fd = -1;
	ring->ifindex = ifindex;
	r = open_rx(ring, ifindex, ret_why);
	if (r == 0)
		r = sender_open(&ring->senders[0], ifindex, ret_why);
	if (r < 0) {
		ring_free(ring);
		return r;
	}
	*ret_ring = ring;
	return 0;
}

struct ring *ring_free(struct ring *ring)
{
	if (!ring)
		return NULL;
	if (ring->memory)
		munmap(ring->memory, RING_BYTES);
	util_close(ring->rx_fd);
	ARRAY_FOREACH (sender, ring->senders, RING_SENDERS_MAX)
		sender_close(sender);
	free(ring);
	return NULL;
}

int ring_join(struct ring *ring, int *fanout_id)
{
	bool is_first = *fanout_id == RING_FANOUT_NONE;
	uint32_t type = PACKET_FANOUT_HASH | (is_first ? PACKET_FANOUT_FLAG_UNIQUEID : 0);
	uint32_t value = (is_first ? 0 : (uint32_t)*fanout_id) | type << 16;
	socklen_t size_bytes = sizeof(value);

	if (setsockopt(ring->rx_fd, SOL_PACKET, PACKET_FANOUT, &value, sizeof(value)) < 0)
		return util_negative_errno();
	if (getsockopt(ring->rx_fd, SOL_PACKET, PACKET_FANOUT, &value, &size_bytes) < 0)
		return util_negative_errno();
	*fanout_id = (int)(value & UINT16_MAX);
	ring->is_shared = true;
	return 0;
}

/*
 * A fanout group hears what the host itself sends, whatever its sockets said: its hook is its own
 * (net/packet/af_packet.c:fanout_add), and the flag that mends it is younger than Linux 6.1. Every frame
 * that we forward would come back as one received. What a filter refuses is not counted.
 */
int ring_begin(struct ring *ring)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	/* PACKET_IGNORE_OUTGOING is enough for a socket that stands alone, and costs nothing. */
	if (!ring->is_shared)
		return set_option(ring->rx_fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
	/* In place of the one that let nothing in. */
	if (setsockopt(ring->rx_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return util_negative_errno();
	return 0;
}

int ring_fd(const struct ring *ring)
{
	return ring->rx_fd;
}

/* ---- receiving ---- */

static struct tpacket2_hdr *header_at(const struct ring *ring, uint32_t idx)
{
	return (struct tpacket2_hdr *)(ring->memory + (size_t)idx * ring->frame_bytes);
}

/*
 * Takes the frame that tpacket_rcv() queued whole beside the ring entry. The queue and the ring
 * are in step, as both are filled under one lock; a pending socket error is reported first and
 * leaves the queue as it is, so it is taken and the call repeated.
 */
static bool take_long(struct ring *ring, struct long_buffer *buffer, struct ring_frame *ret_frame)
{
	const size_t want_bytes = sizeof(buffer->vnet) + sizeof(buffer->data);
	ssize_t n;

	do {
		n = recv(ring->rx_fd, &buffer->vnet, want_bytes, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno == ENETDOWN)
			ring->error = -ENETDOWN;
	} while (n < 0 && (errno == ENETDOWN || errno == EINTR));
	if (n < (ssize_t)(sizeof(buffer->vnet) + ETH_HLEN) || n > (ssize_t)want_bytes)
		return false;
	ret_frame->vnet = &buffer->vnet;
	ret_frame->data = buffer->data;
	ret_frame->size_bytes = (uint32_t)n - (uint32_t)sizeof(buffer->vnet);
	return true;
}

static bool take_one(struct ring *ring, const struct tpacket2_hdr *header, uint32_t status,
	uint32_t *n_longs, struct ring_frame *ret_frame)
{
	if (status & TP_STATUS_COPY) {
		if (!take_long(ring, &ring->longs[(*n_longs)++], ret_frame))
			return false;
	} else if (header->tp_snaplen < header->tp_len || header->tp_snaplen < ETH_HLEN) {
		return false; /* cut, and the socket's buffer had no room for the whole */
	} else {
		ret_frame->data = (uint8_t *)header + header->tp_mac;
		ret_frame->vnet =
			(struct virtio_net_hdr *)(ret_frame->data - sizeof(struct virtio_net_hdr));
		ret_frame->size_bytes = header->tp_len;
	}
	if (status & TP_STATUS_VLAN_VALID)
		ring_insert_vlan(ret_frame,
			status & TP_STATUS_VLAN_TPID_VALID ? header->tp_vlan_tpid : ETH_P_8021Q,
			header->tp_vlan_tci);
	return true;
}

size_t ring_take(struct ring *ring, struct ring_frame frames[RING_BATCH], uint32_t *ret_lost_pkts)
{
	uint32_t n_longs = 0;
	uint32_t lost_pkts = 0;
	size_t n = 0;

	while (n < RING_BATCH && ring->n_taken < RING_BATCH && n_longs < RING_LONG_PER_BATCH) {
		struct tpacket2_hdr *header = header_at(ring, ring->next);
		uint32_t status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);

		if (!(status & TP_STATUS_USER))
			break;
		if (status & TP_STATUS_LOSING)
			ring->is_losing = true;
		if (take_one(ring, header, status, &n_longs, &frames[n]))
			n++;
		else
			lost_pkts++;
		ring->n_taken++;
		ring->next = ring->next + 1 == ring->n_frames ? 0 : ring->next + 1;
	}
	*ret_lost_pkts = lost_pkts;
	return n;
}

void ring_release(struct ring *ring)
{
	uint32_t idx = (ring->next + ring->n_frames - ring->n_taken) % ring->n_frames;

	for (; ring->n_taken > 0; ring->n_taken--) {
		__atomic_store_n(
			&header_at(ring, idx)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		idx = idx + 1 == ring->n_frames ? 0 : idx + 1;
	}
}

uint32_t ring_read_drops(struct ring *ring)
{
	struct tpacket_stats stats = { 0 };
	socklen_t size_bytes = sizeof(stats);

	ring->is_losing = false;
	if (getsockopt(ring->rx_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size_bytes) < 0)
		return 0;
	return stats.tp_drops;
}

bool ring_is_losing(const struct ring *ring)
{
	return ring->is_losing;
}

int ring_take_error(struct ring *ring)
{
	int error = 0;
	socklen_t size_bytes = sizeof(error);

	if (getsockopt(ring->rx_fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) == 0 && error)
		ring->error = -error;
	error = ring->error;
	ring->error = 0;
	return error;
}

int ring_check_link(const struct ring *ring)
{
	/* Another one of the same index is not this ring's. */
	if (!packet_socket_is_at(ring->rx_fd, ring->ifindex))
		return -ENODEV;
	return link_check(ring->senders[0].plain_fd, ring->ifindex);
}

/* ---- sending ---- */

/* The kernel need not be told anything that it would not know. */
static bool is_plain(const struct ring_frame *frame)
{
	return frame->vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
		!(frame->vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
}

/* Messages for the frames from `first` on that go out of its interface, in their order; returns how many. */
static size_t fill_messages(struct ring *ring, const struct ring_frame *frames, size_t first,
	size_t n_frames, bool done[RING_BATCH])
{
	size_t len = 0;

	for (size_t idx = first; idx < n_frames; idx++) {
		const struct ring_frame *frame = &frames[idx];
		size_t header_bytes = is_plain(frame) ? 0 : sizeof(*frame->vnet);

		if (done[idx] || frame->out != frames[first].out)
			continue;
		done[idx] = true;
		ring->vectors[len].iov_base = frame->data - header_bytes;
		ring->vectors[len].iov_len = header_bytes + frame->size_bytes;
		ring->messages[len].msg_hdr.msg_iov = &ring->vectors[len];
		ring->messages[len].msg_hdr.msg_iovlen = 1;
		ring->places[len++] = (uint8_t)idx;
	}
	return len;
}

/* Up to `end`; false: the interface takes nothing now, and the rest need not be tried. */
static bool send_run(struct ring *ring, int fd, size_t at, size_t end, struct ring_sent *sent)
{
	while (at < end) {
		int n = sendmmsg(fd, ring->messages + at, (unsigned int)(end - at), 0);

		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		/* It stopped at this frame for this frame's own sake, or for all of them. */
		if (n < 0 && (errno == EAGAIN || errno == ENXIO || errno == ENODEV)) {
			while (at < end)
				sent->failed[ring->places[at++]] = true;
			return false;
		}
		sent->failed[ring->places[at++]] = true;
	}
	return true;
}

/* In order: frames that go by one socket are sent before the next ones go by the other. */
static void send_messages(struct ring *ring, struct sender *sender, const struct ring_frame *frames,
	size_t len, struct ring_sent *sent)
{
	bool goes_on = sender != NULL;
	size_t at = 0;

	while (at < len && goes_on) {
		bool plain = is_plain(&frames[ring->places[at]]);
		size_t end = at + 1;

		while (end < len && is_plain(&frames[ring->places[end]]) == plain)
			end++;
		goes_on =
			send_run(ring, plain ? sender->plain_fd : sender->header_fd, at, end, sent);
		at = end;
	}
	/* Its interface may be another one of the same index by the next time. */
	if (sender && !goes_on && (errno == ENXIO || errno == ENODEV) && sender != ring->senders)
		sender_close(sender);
	for (; at < len; at++)
		sent->failed[ring->places[at]] = true;
}

void ring_send(struct ring *ring, const struct ring_frame *frames, size_t n_frames,
	struct ring_sent *ret_sent)
{
	bool done[RING_BATCH] = { false };

	memset(ret_sent, 0, sizeof(*ret_sent));
	for (size_t first = 0; first < n_frames; first++) {
		size_t len;

		if (done[first])
			continue;
		len = fill_messages(ring, frames, first, n_frames, done);
		send_messages(ring, sender_get(ring, frames[first].out), frames, len, ret_sent);
	}
}

int ring_send_back(struct ring *ring, const void *data, size_t size_bytes)
{
	return send(ring->senders[0].plain_fd, data, size_bytes, MSG_DONTWAIT) < 0
		? util_negative_errno()
		: 0;
}
