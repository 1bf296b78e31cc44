/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SYN-ACKs by a packet socket: see accepts.h. */
#include "agent/host/accepts.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_SNAP_BYTES   96u /* IPv4 with options, or IPv6, and the begin of TCP */
#define ACCEPTS_BUFFER_BYTES (4 << 20)
#define ACCEPTS_PAUSE_US \
	(20 * US_PER_MS) /* between two readings, so that a busy server wakes us seldom */
#define ACCEPTS_BATCH       32u
#define ACCEPTS_BATCHES_MAX 64u    /* in one reading */
#define ACCEPTS_SEEN        16384u /* newest SYN-ACKs that are known again; a power of two */

struct accepts_counter {
	struct accepts_place place;
	uint32_t count;
};

struct accepts {
	sd_event *event;
	sd_event_source *io, *timer;
	int fd;
	struct accepts_counter counters[ACCEPTS_MAX];
	size_t len;
	uint64_t seen[ACCEPTS_SEEN];
};

struct accepts *accepts_new(sd_event *event)
{
	struct accepts *accepts = calloc(1, sizeof(*accepts));

	if (!accepts)
		return NULL;
	accepts->event = event;
	accepts->fd = -1;
	return accepts;
}

static void accepts_close(struct accepts *accepts)
{
	accepts->io = sd_event_source_disable_unref(accepts->io);
	accepts->timer = sd_event_source_disable_unref(accepts->timer);
	util_close(accepts->fd);
	accepts->fd = -1;
}

struct accepts *accepts_free(struct accepts *accepts)
{
	if (!accepts)
		return NULL;
	accepts_close(accepts);
	free(accepts);
	return NULL;
}

/* ---- counting ---- */

/* FNV-1a over what makes a SYN-ACK this one: addresses, ports, sequence, acknowledgement. */
static uint64_t accepts_hash(uint64_t hash, const void *data, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(1099511628211);
	return hash;
}

static bool accepts_is_new(struct accepts *accepts, uint64_t hash)
{
	uint64_t *seen = &accepts->seen[(hash ^ hash >> 32) & (ACCEPTS_SEEN - 1)];

	if (*seen == hash)
		return false;
	*seen = hash;
	return true;
}

/* The local address and where TCP begins; 0: not such a packet. */
static size_t accepts_parse(
	const uint8_t *packet, size_t size_bytes, struct addr *ret_local, uint64_t *ret_hash)
{
	const uint64_t basis = UINT64_C(14695981039346656037);

	if (size_bytes < sizeof(struct iphdr))
		return 0;
	if (packet[0] >> 4 == 4) {
		*ret_local = (struct addr){ .family = AF_INET };
		memcpy(ret_local->bytes, packet + 12, 4);
		*ret_hash = accepts_hash(basis, packet + 12, 8);
		return (packet[0] & 0x0fu) * (size_t)4;
	}
	if (packet[0] >> 4 != 6 || size_bytes < sizeof(struct ip6_hdr))
		return 0;
	*ret_local = (struct addr){ .family = AF_INET6 };
	memcpy(ret_local->bytes, packet + 8, 16);
	*ret_hash = accepts_hash(basis, packet + 8, 32);
	return sizeof(struct ip6_hdr);
}

bool accepts_take(struct accepts *accepts, const uint8_t *packet, size_t size_bytes)
{
	struct addr local;
	uint64_t hash = 0;
	size_t offset = accepts_parse(packet, size_bytes, &local, &hash);
	uint16_t port;
	bool counted = false;

	/* Ports, sequence and acknowledgement are the first twelve bytes of TCP. */
	if (offset < sizeof(struct iphdr) || size_bytes < offset + 14 ||
		(packet[offset + 13] & 0x12) != 0x12)
		return false;
	hash = accepts_hash(hash, packet + offset, 12);
	if (!accepts_is_new(accepts, hash))
		return false;
	port = (uint16_t)(packet[offset] << 8 | packet[offset + 1]);
	ARRAY_FOREACH (counter, accepts->counters, accepts->len) {
		const struct accepts_place *place = &counter->place;

		if (port < place->first || port > place->last ||
			!addr_equal(&local, &place->address))
			continue;
		counter->count++;
		counted = true;
	}
	return counted;
}

/* ---- the socket ---- */

/*
 * Outgoing, not over the loopback interface, TCP with SYN and ACK. The socket is of SOCK_DGRAM: a packet begins with its
 * IP header. (IPv6 extension headers stand before no SYN-ACK of the kernel.)
 */
static int accepts_attach_filter(int fd)
{
	unsigned int loopback = if_nametoindex("lo");
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 16),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loopback, 14, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 9),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40 + 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ACCEPTS_SNAP_BYTES),
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

static int accepts_read_batch(struct accepts *accepts)
{
	uint8_t packets[ACCEPTS_BATCH][ACCEPTS_SNAP_BYTES];
	struct mmsghdr messages[ACCEPTS_BATCH] = { 0 };
	struct iovec parts[ACCEPTS_BATCH];
	int n_read;

	for (size_t i = 0; i < ACCEPTS_BATCH; i++) {
		/* cppcheck-suppress legacyUninitvar ; recvmmsg() fills it */
		parts[i] = (struct iovec){ packets[i], ACCEPTS_SNAP_BYTES };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n_read = recvmmsg(accepts->fd, messages, ACCEPTS_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n_read; i++)
		(void)accepts_take(accepts, packets[i], messages[i].msg_len);
	return n_read;
}

/* Then a pause: what comes meanwhile waits in the socket's buffer. */
static int accepts_on_packets(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct accepts *accepts = context;
	uint64_t now_us = 0;

	for (size_t i = 0; i < ACCEPTS_BATCHES_MAX; i++)
		if (accepts_read_batch(accepts) < (int)ACCEPTS_BATCH)
			break;
	(void)sd_event_now(accepts->event, CLOCK_MONOTONIC, &now_us);
	if (sd_event_source_set_time(accepts->timer, now_us + ACCEPTS_PAUSE_US) < 0 ||
		sd_event_source_set_enabled(accepts->timer, SD_EVENT_ONESHOT) < 0)
		return 0;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int accepts_on_pause_end(sd_event_source *source, uint64_t time_us, void *context)
{
	struct accepts *accepts = context;

	return sd_event_source_set_enabled(accepts->io, SD_EVENT_ON);
}

/* Bound only when the filter stands: nothing else ever gets in. */
static int accepts_bind(int fd)
{
	const int buffer_bytes = ACCEPTS_BUFFER_BYTES;
	const struct sockaddr_ll name = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL) };
	int r = accepts_attach_filter(fd);

	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
	return bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
}

static int accepts_open(struct accepts *accepts)
{
	int r;

	accepts->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (accepts->fd < 0)
		return -errno;
	r = accepts_bind(accepts->fd);
	if (r >= 0)
		r = sd_event_add_io(accepts->event, &accepts->io, accepts->fd, EPOLLIN,
			accepts_on_packets, accepts);
	if (r >= 0)
		r = sd_event_add_time(accepts->event, &accepts->timer, CLOCK_MONOTONIC, 0,
			US_PER_MS, accepts_on_pause_end, accepts);
	if (r >= 0)
		r = sd_event_source_set_enabled(accepts->timer, SD_EVENT_OFF);
	if (r < 0)
		accepts_close(accepts);
	return r < 0 ? r : 0;
}

/* ---- what is counted ---- */

static const struct accepts_counter *accepts_find(
	const struct accepts *accepts, const struct accepts_place *place)
{
	ARRAY_FOREACH (counter, accepts->counters, accepts->len)
		if (counter->place.first == place->first && counter->place.last == place->last &&
			addr_equal(&counter->place.address, &place->address))
			return counter;
	return NULL;
}

int accepts_watch(struct accepts *accepts, const struct accepts_place *places, size_t len)
{
	struct accepts_counter counters[ACCEPTS_MAX] = { 0 };
	size_t n_counters = 0;

	for (size_t i = 0; i < len && n_counters < ACCEPTS_MAX; i++) {
		const struct accepts_counter *old = accepts_find(accepts, &places[i]);

		counters[n_counters++] =
			(struct accepts_counter){ places[i], old ? old->count : 0 };
	}
	memcpy(accepts->counters, counters, n_counters * sizeof(*counters));
	accepts->len = n_counters;
	if (n_counters == 0) {
		accepts_close(accepts);
		return 0;
	}
	return accepts->fd >= 0 ? 0 : accepts_open(accepts);
}

bool accepts_count(
	const struct accepts *accepts, const struct accepts_place *place, uint32_t *ret_count)
{
	const struct accepts_counter *counter = accepts_find(accepts, place);

	if (!counter || accepts->fd < 0)
		return false;
	*ret_count = counter->count;
	return true;
}
