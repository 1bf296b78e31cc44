/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_socket.h. Called by path_probe.c. Needs CAP_NET_RAW. */
#include "lb/link/path/path_socket.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include "lb/link/path/path_port.h"

#define BUFFER_BYTES (1 << 20)

struct path_socket {
	int fd;
	path_socket_failed_fn *failed;
	void *context;
	uint64_t second_us;     /* when it began, */
	unsigned int n_strange; /* and how many resets to strangers it has seen */
	size_t n_waiting;
	void *tags[PATH_SOCKET_BATCH];
	struct iovec out[PATH_SOCKET_BATCH], in[PATH_SOCKET_BATCH];
	struct mmsghdr out_messages[PATH_SOCKET_BATCH], in_messages[PATH_SOCKET_BATCH];
	uint8_t out_frames[PATH_SOCKET_BATCH][PATH_FRAME_MAX_BYTES];
	uint8_t in_frames[PATH_SOCKET_BATCH][PATH_SOCKET_FRAME_BYTES];
};

/*
 * The filter. Offsets: Ethernet has 14 bytes; X is the length of IPv4's header. What an error quotes is one of
 * our probes, which have no options, or it is of no interest.
 */
#define LOAD_BYTE(at)      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define LOAD_HALF(at)      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at)
#define LOAD_BYTE_X(at)    BPF_STMT(BPF_LD | BPF_B | BPF_IND, at)
#define LOAD_HALF_X(at)    BPF_STMT(BPF_LD | BPF_H | BPF_IND, at)
#define LOAD_ANCILLARY(of) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + (of)))
#define MASK(bits)         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits)
#define ACCEPT             BPF_STMT(BPF_RET | BPF_K, PATH_SOCKET_FRAME_BYTES)
#define REJECT             BPF_STMT(BPF_RET | BPF_K, 0)
/* Goes on if it is so, else rejects. */
#define REQUIRE(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0), REJECT
/* Goes on if it is so, else jumps over so many instructions. */
#define UNLESS_SKIP(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
#define PORT_MASK             (0xffffu & ~(PATH_PORTS - 1))
/* To this host, and not of a VLAN that the host does not have, whose frames arrive without their tag. */
#define FOR_US \
	LOAD_ANCILLARY(SKF_AD_PKTTYPE), REQUIRE(PACKET_HOST), \
		LOAD_ANCILLARY(SKF_AD_VLAN_TAG_PRESENT), UNLESS_SKIP(1, 4), \
		LOAD_ANCILLARY(SKF_AD_VLAN_TAG), MASK(0xfff), REQUIRE(0)

static int attach_filter4(int fd, uint32_t first_port, uint32_t echo_id)
{
	struct sock_filter filter[] = {
		FOR_US,
		LOAD_HALF(14 + 6), /* no fragment but the whole */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 0, 1),
		REJECT,
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
		LOAD_BYTE(14 + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0),
		UNLESS_SKIP(IPPROTO_UDP, 5),
		LOAD_HALF_X(14 + 2),
		MASK(PORT_MASK),
		REQUIRE(first_port),
		ACCEPT,
		REQUIRE(IPPROTO_ICMP),
		LOAD_BYTE_X(14),
		UNLESS_SKIP(0, 4), /* an echo reply */
		LOAD_HALF_X(14 + 4),
		REQUIRE(echo_id),
		ACCEPT,
		LOAD_BYTE_X(14 + 8 + 9), /* what an error quotes */
		UNLESS_SKIP(IPPROTO_ICMP, 4),
		LOAD_HALF_X(14 + 8 + 20 + 4),
		REQUIRE(echo_id),
		ACCEPT,
		LOAD_HALF_X(14 + 8 + 20),
		MASK(PORT_MASK),
		REQUIRE(first_port),
		ACCEPT,
	};
	const struct sock_fprog program = { ARRAY_LEN(filter), filter };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int attach_filter6(int fd, uint32_t first_port, uint32_t echo_id)
{
	struct sock_filter filter[] = {
		FOR_US,
		LOAD_BYTE(14 + 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0),
		UNLESS_SKIP(IPPROTO_UDP, 5),
		LOAD_HALF(54 + 2),
		MASK(PORT_MASK),
		REQUIRE(first_port),
		ACCEPT,
		REQUIRE(IPPROTO_ICMPV6),
		LOAD_BYTE(54),
		UNLESS_SKIP(129, 4), /* an echo reply */
		LOAD_HALF(54 + 4),
		REQUIRE(echo_id),
		ACCEPT,
		LOAD_BYTE(54 + 8 + 6), /* what an error quotes */
		UNLESS_SKIP(IPPROTO_ICMPV6, 4),
		LOAD_HALF(54 + 8 + 40 + 4),
		REQUIRE(echo_id),
		ACCEPT,
		LOAD_HALF(54 + 8 + 40),
		MASK(PORT_MASK),
		REQUIRE(first_port),
		ACCEPT,
	};
	const struct sock_fprog program = { ARRAY_LEN(filter), filter };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static void socket_prepare(struct path_socket *socket)
{
	for (size_t i = 0; i < PATH_SOCKET_BATCH; i++) {
		socket->out[i].iov_base = socket->out_frames[i];
		socket->out_messages[i].msg_hdr.msg_iov = &socket->out[i];
		socket->out_messages[i].msg_hdr.msg_iovlen = 1;
		socket->in[i] = (struct iovec){ socket->in_frames[i], PATH_SOCKET_FRAME_BYTES };
		socket->in_messages[i].msg_hdr.msg_iov = &socket->in[i];
		socket->in_messages[i].msg_hdr.msg_iovlen = 1;
	}
}

int path_socket_open(const struct path_socket_config *config, struct path_socket **ret_socket)
{
	_cleanup_(path_socket_freep) struct path_socket *made = calloc(1, sizeof(*made));
	const bool ip4 = config->family == AF_INET;
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ip4 ? ETHERTYPE_IP : ETHERTYPE_IPV6),
		.sll_ifindex = (int)config->ifindex,
	};
	const int buffer_bytes = BUFFER_BYTES;

	if (!made)
		return -ENOMEM;
	/* Protocol 0 receives nothing: no frame slips in before the filter is there. */
	made->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (made->fd < 0 ||
		(ip4 ? attach_filter4 : attach_filter6)(
			made->fd, config->first_port, config->echo_id) < 0 ||
		bind(made->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* What does not fit is noticed: path_socket_has_lost(). */
	(void)setsockopt(made->fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
	(void)setsockopt(made->fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
	socket_prepare(made);
	*ret_socket = TAKE_PTR(made);
	return 0;
}

struct path_socket *path_socket_free(struct path_socket *socket)
{
	if (!socket)
		return NULL;
	util_close(socket->fd);
	free(socket);
	return NULL;
}

int path_socket_fd(const struct path_socket *socket)
{
	return socket->fd;
}

void path_socket_on_failed(struct path_socket *socket, path_socket_failed_fn *fn, void *context)
{
	socket->failed = fn;
	socket->context = context;
}

uint8_t *path_socket_next(struct path_socket *socket, void *tag)
{
	if (socket->n_waiting == PATH_SOCKET_BATCH)
		path_socket_flush(socket);
	socket->tags[socket->n_waiting] = tag;
	return socket->out_frames[socket->n_waiting];
}

void path_socket_add(struct path_socket *socket, size_t size_bytes)
{
	socket->out[socket->n_waiting++].iov_len = size_bytes;
}

void path_socket_flush(struct path_socket *socket)
{
	size_t n_done = 0;

	while (n_done < socket->n_waiting) {
		int n = sendmmsg(socket->fd, &socket->out_messages[n_done],
			(unsigned int)(socket->n_waiting - n_done), MSG_DONTWAIT);

		if (n > 0) {
			n_done += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		socket->failed(socket->tags[n_done], n < 0 ? -errno : -EIO, socket->context);
		n_done++;
	}
	socket->n_waiting = 0;
}

/* Whether one more may be answered in this second. */
static bool socket_may_answer_stranger(struct path_socket *socket, uint64_t now_us)
{
	if (socket->second_us == 0 || now_us - socket->second_us >= US_PER_S) {
		socket->second_us = now_us;
		socket->n_strange = 0;
	}
	if (socket->n_strange == PATH_SOCKET_STRANGERS_PER_S)
		return false;
	socket->n_strange++;
	return true;
}

void path_socket_reset(struct path_socket *socket, const struct mac *own,
	const struct path_answer *answer, uint64_t strange_us)
{
	const struct path_frame reset = {
		.kind = PATH_TCP,
		.from = *own,
		.to = answer->from,
		.source = answer->own,
		.vip = answer->vip,
		.source_port = answer->own_port,
		.port = answer->port,
		.sequence = answer->sequence + 1,
	};
	uint8_t *buffer;

	if (strange_us > 0 && !socket_may_answer_stranger(socket, strange_us))
		return;
	buffer = path_socket_next(socket, NULL);
	path_socket_add(socket, path_frame_build_reset(&reset, buffer));
}

int path_socket_read(struct path_socket *socket, path_socket_answer_fn *fn, void *context)
{
	int n = recvmmsg(socket->fd, socket->in_messages, PATH_SOCKET_BATCH, MSG_DONTWAIT, NULL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct path_answer answer;

		path_frame_parse(socket->in_frames[i], socket->in_messages[i].msg_len, &answer);
		fn(&answer, context);
	}
	return n;
}

bool path_socket_has_lost(struct path_socket *socket)
{
	struct tpacket_stats stats = { 0 };
	socklen_t size_bytes = sizeof(stats);

	return getsockopt(socket->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size_bytes) == 0 &&
		stats.tp_drops > 0;
}
