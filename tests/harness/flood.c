/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile control messages:
 *
 *	flood capture INTERFACE BALANCER_PORT FILE COUNT
 *	flood send INTERFACE BALANCER_MAC FILE COUNT RATE_HZ
 *
 * `capture`, on a real server, keeps COUNT genuine frames of its agent. `send`, on another host of
 * the segment, makes COUNT hostile ones of them, by turns: replayed as they were, truncated, with
 * flipped bits, longer than any message, random bytes, and sealed with a wrong key. Half of them
 * carry the agent's own source address, half the sender's (which then hears the answers). Ends with
 * {"sent": {"replayed": …, …}, "challenges": …, "other_answers": …, "larger_answers": …}: what came
 * back, and how many answers were larger than every HELLO sent.
 */
#include "tests/harness/tool.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include "common/packet/checksum.h"
#include "common/proto/auth.h"
#include "common/proto/proto.h"

#define SAMPLES_MAX   64u
#define FRAME_MAX     1600u
#define HEADERS_BYTES (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr))

enum hostility {
	HOSTILITY_REPLAYED,
	HOSTILITY_TRUNCATED,
	HOSTILITY_FLIPPED,
	HOSTILITY_OVERSIZED,
	HOSTILITY_RANDOM,
	HOSTILITY_WRONG_KEY,
	HOSTILITY_N_
};
static const char *const hostility_names[] = { "replayed", "truncated", "flipped", "oversized",
	"random", "wrong_key" };
_Static_assert(ARRAY_LEN(hostility_names) == HOSTILITY_N_, "a name for each");

struct sample {
	uint32_t size_bytes;
	uint8_t frame[FRAME_MAX];
};

struct flood {
	int fd;
	int ifindex;
	struct mac own_mac, balancer_mac;
	struct in_addr own_ip;
	struct sample samples[SAMPLES_MAX];
	size_t n_samples;
	uint64_t random;
	unsigned long sent[HOSTILITY_N_];
	unsigned long challenges, other_answers, larger_answers;
	size_t largest_hello_bytes;
};

/* xorshift64* (Vigna, 2016): the same hostility in every run. */
static uint64_t flood_random(struct flood *flood)
{
	flood->random ^= flood->random >> 12;
	flood->random ^= flood->random << 25;
	flood->random ^= flood->random >> 27;
	return flood->random * UINT64_C(2685821657736338717);
}

static void flood_open(struct flood *flood, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq request = { 0 };
	int big_bytes = 8 << 20;

	flood->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	flood->ifindex = (int)if_nametoindex(interface);
	address.sll_ifindex = flood->ifindex;
	if (flood->fd < 0 || flood->ifindex == 0 ||
		bind(flood->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", interface);
	(void)setsockopt(flood->fd, SOL_SOCKET, SO_RCVBUFFORCE, &big_bytes, sizeof(big_bytes));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(flood->fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s: no MAC", interface);
	memcpy(flood->own_mac.bytes, request.ifr_hwaddr.sa_data, MAC_LEN);
	if (ioctl(flood->fd, SIOCGIFADDR, &request) < 0)
		err(1, "%s: no address", interface);
	flood->own_ip = ((struct sockaddr_in *)(void *)&request.ifr_addr)->sin_addr;
}

/* An IPv4 UDP frame without IP options? `ret_from`, `ret_to`: its ports. */
static bool is_udp(const uint8_t *frame, size_t size_bytes, uint16_t *ret_from, uint16_t *ret_to)
{
	uint16_t type, port;

	if (size_bytes < HEADERS_BYTES)
		return false;
	memcpy(&type, frame + 12, sizeof(type));
	if (type != htons(ETH_P_IP) || frame[ETH_HLEN] != 0x45 ||
		frame[ETH_HLEN + offsetof(struct iphdr, protocol)] != IPPROTO_UDP)
		return false;
	memcpy(&port, frame + ETH_HLEN + sizeof(struct iphdr), sizeof(port));
	*ret_from = ntohs(port);
	memcpy(&port, frame + ETH_HLEN + sizeof(struct iphdr) + 2, sizeof(port));
	*ret_to = ntohs(port);
	return true;
}

static void capture(struct flood *flood, uint16_t balancer_port, const char *path, size_t count)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	uint16_t from, to;

	if (!file || count > SAMPLES_MAX)
		err(1, "%s", path);
	while (flood->n_samples < count) {
		struct sample *sample = &flood->samples[flood->n_samples];
		struct sockaddr_ll address;
		socklen_t length = sizeof(address);
		ssize_t size_bytes = recvfrom(flood->fd, sample->frame, sizeof(sample->frame), 0,
			(struct sockaddr *)&address, &length);

		if (size_bytes < 0)
			err(1, "receive");
		if (address.sll_pkttype != PACKET_OUTGOING ||
			!is_udp(sample->frame, (size_t)size_bytes, &from, &to) ||
			to != balancer_port)
			continue;
		sample->size_bytes = (uint32_t)size_bytes;
		if (fwrite(sample, sizeof(*sample), 1, file) != 1)
			err(1, "%s", path);
		flood->n_samples++;
	}
}

static void load(struct flood *flood, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file)
		err(1, "%s", path);
	flood->n_samples = fread(flood->samples, sizeof(struct sample), SAMPLES_MAX, file);
	if (flood->n_samples == 0)
		errx(1, "%s: no samples", path);
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Makes the headers say what the frame is now; a UDP checksum of 0 is "none" (RFC 768). */
static void finish_headers(struct flood *flood, struct sample *frame, bool spoofed)
{
	uint8_t *ip = frame->frame + ETH_HLEN;
	uint8_t *udp = ip + sizeof(struct iphdr);

	memcpy(frame->frame, flood->balancer_mac.bytes, MAC_LEN);
	memcpy(frame->frame + MAC_LEN, flood->own_mac.bytes, MAC_LEN);
	if (!spoofed)
		memcpy(ip + offsetof(struct iphdr, saddr), &flood->own_ip, sizeof(flood->own_ip));
	put16(ip + offsetof(struct iphdr, tot_len), frame->size_bytes - ETH_HLEN);
	put16(ip + offsetof(struct iphdr, check), 0);
	put16(ip + offsetof(struct iphdr, check), checksum_of(ip, sizeof(struct iphdr)));
	put16(udp + 4, frame->size_bytes - ETH_HLEN - sizeof(struct iphdr));
	put16(udp + 6, 0);
}

static void fill_random(struct flood *flood, struct sample *frame, size_t from_bytes)
{
	for (size_t i = from_bytes; i < frame->size_bytes; i++)
		frame->frame[i] = (uint8_t)flood_random(flood);
}

static void make_hostile(struct flood *flood, enum hostility hostility, struct sample *frame)
{
	uint8_t *payload = frame->frame + HEADERS_BYTES;
	size_t payload_bytes = frame->size_bytes - HEADERS_BYTES;
	uint8_t key[AUTH_KEY_BYTES];

	switch (hostility) {
	case HOSTILITY_TRUNCATED:
		frame->size_bytes = (uint32_t)(HEADERS_BYTES + flood_random(flood) % payload_bytes);
		break;
	case HOSTILITY_FLIPPED:
		for (size_t n = 1 + flood_random(flood) % 4; n > 0; n--)
			payload[flood_random(flood) % payload_bytes] ^=
				(uint8_t)(1u << flood_random(flood) % 8);
		break;
	case HOSTILITY_OVERSIZED: {
		const size_t before_bytes = frame->size_bytes;

		frame->size_bytes = HEADERS_BYTES + PROTO_MESSAGE_MAX + 1 +
			(uint32_t)(flood_random(flood) % 70);
		fill_random(flood, frame, before_bytes);
		break;
	}
	case HOSTILITY_RANDOM:
		frame->size_bytes =
			HEADERS_BYTES + (uint32_t)(flood_random(flood) % PROTO_MESSAGE_MAX);
		fill_random(flood, frame, HEADERS_BYTES);
		break;
	case HOSTILITY_WRONG_KEY:
		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (uint8_t)flood_random(flood);
		auth_seal(payload, payload_bytes, key);
		break;
	case HOSTILITY_REPLAYED:
	case HOSTILITY_N_:
		break;
	}
}

static void send_one(struct flood *flood, unsigned long number)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_ifindex = flood->ifindex, .sll_halen = ETH_ALEN
	};
	enum hostility hostility = (enum hostility)(number % HOSTILITY_N_);
	struct sample frame = flood->samples[number / HOSTILITY_N_ % flood->n_samples];
	enum proto_type type;

	make_hostile(flood, hostility, &frame);
	finish_headers(flood, &frame, number / HOSTILITY_N_ % 2 == 0);
	if (proto_peek_type(frame.frame + HEADERS_BYTES, frame.size_bytes - HEADERS_BYTES, &type) ==
			PROTO_OK &&
		type == PROTO_HELLO)
		flood->largest_hello_bytes =
			MAX(flood->largest_hello_bytes, frame.size_bytes - HEADERS_BYTES);
	if (sendto(flood->fd, frame.frame, frame.size_bytes, 0, (struct sockaddr *)&address,
		    sizeof(address)) < 0 &&
		errno != ENOBUFS)
		err(1, "send");
	flood->sent[hostility]++;
}

/* What came back to our own address, or to the agent's by a mistaken switch. */
static void hear(struct flood *flood, uint16_t balancer_port)
{
	uint8_t frame[FRAME_MAX];
	struct sockaddr_ll address;
	socklen_t length = sizeof(address);
	uint16_t from, to;
	enum proto_type type;
	ssize_t size_bytes;

	while ((size_bytes = recvfrom(flood->fd, frame, sizeof(frame), MSG_DONTWAIT,
			(struct sockaddr *)&address, &length)) >= 0) {
		if (address.sll_pkttype != PACKET_HOST ||
			!is_udp(frame, (size_t)size_bytes, &from, &to) || from != balancer_port)
			continue;
		if (proto_peek_type(frame + HEADERS_BYTES, (size_t)size_bytes - HEADERS_BYTES,
			    &type) == PROTO_OK &&
			type == PROTO_CHALLENGE)
			flood->challenges++;
		else
			flood->other_answers++;
		flood->larger_answers +=
			(size_t)size_bytes - HEADERS_BYTES > flood->largest_hello_bytes;
	}
}

static void attack(struct flood *flood, unsigned long count, unsigned long rate_hz)
{
	int timer_fd = tool_timer_fd(10 * US_PER_MS);
	int signal_fd = tool_signal_fd();
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint16_t from, balancer_port = 0;
	struct epoll_event event;
	unsigned long number = 0, last_rings = 100; /* a second to hear the last answers */

	(void)is_udp(flood->samples[0].frame, flood->samples[0].size_bytes, &from, &balancer_port);
	tool_watch(epoll_fd, timer_fd, EPOLLIN, 0);
	tool_watch(epoll_fd, signal_fd, EPOLLIN, 1);
	while (last_rings > 0 && epoll_wait(epoll_fd, &event, 1, -1) >= 0 && event.data.u64 == 0) {
		(void)tool_timer_rang(timer_fd);
		hear(flood, balancer_port);
		for (unsigned long n = 0; n < MAX(rate_hz / 100, 1ul) && number < count; n++)
			send_one(flood, number++);
		if (number == count)
			last_rings--;
	}
}

static void print_result(const struct flood *flood)
{
	printf("{\"sent\": {");
	for (unsigned int i = 0; i < HOSTILITY_N_; i++)
		printf("%s\"%s\": %lu", i > 0 ? ", " : "", hostility_names[i], flood->sent[i]);
	printf("}, \"challenges\": %lu, \"other_answers\": %lu, \"larger_answers\": %lu}\n",
		flood->challenges, flood->other_answers, flood->larger_answers);
}

int main(int argc, char **argv)
{
	static struct flood flood;

	flood.random = UINT64_C(0x9e3779b97f4a7c15);
	if (auth_init() < 0)
		errx(1, "libsodium");
	if (argc == 6 && streq(argv[1], "capture")) {
		flood_open(&flood, argv[2]);
		capture(&flood, (uint16_t)tool_number(argv[3], 65535), argv[4],
			tool_number(argv[5], SAMPLES_MAX));
		return 0;
	}
	if (argc == 7 && streq(argv[1], "send") && mac_parse(argv[3], &flood.balancer_mac) == 0) {
		flood_open(&flood, argv[2]);
		load(&flood, argv[4]);
		attack(&flood, tool_number(argv[5], 10000000), tool_number(argv[6], 1000000));
		print_result(&flood);
		return 0;
	}
	errx(64,
		"usage: flood capture INTERFACE PORT FILE COUNT |"
		" flood send INTERFACE BALANCER_MAC FILE COUNT RATE_HZ");
}
