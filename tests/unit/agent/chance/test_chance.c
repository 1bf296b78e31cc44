/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program of second chance: which frames go on to whom, run on frames of this test's making against the sockets of
 * this host; and who is known by which name. Wants root.
 */
#include "agent/chance/chance.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/tools/namespace.h"
#include "tests/unit/tools/refuse_bpf.h"

#define ACK       0x10
#define SYN       0x02
#define REDIRECTS 7

static const struct addr balancer1 = { .family = AF_INET, .bytes = { 192, 0, 2, 2 } };
static const struct addr balancer2 = { .family = AF_INET, .bytes = { 192, 0, 2, 3 } };
static const struct mac peer_mac = { { 2, 0, 0, 0, 0, 5 } };

/* What a balancer says: `n` servers from `first` on, named by its number. */
static struct proto_peers peers_of(uint8_t number, uint16_t first, uint8_t n, uint64_t after)
{
	struct proto_peers peers = { .named_mac = { PROTO_NAMED_MAC_FIRST, 0, 0, number },
		.after = after,
		.change = after + 1,
		.n_items = n };

	for (uint8_t i = 0; i < n; i++)
		peers.items[i] = (struct proto_peer){ (uint16_t)(first + i), peer_mac };
	return peers;
}

static int setup(void **state)
{
	struct chance *chance = NULL;
	struct addr vips[2];
	struct why why = { 0 };

	if (chance_new(&chance, &why) < 0) {
		print_message("# %s\n", why.text);
		return -1;
	}
	assert_int_equal(addr_parse("127.0.0.1", &vips[0]), 0);
	assert_int_equal(addr_parse("::1", &vips[1]), 0);
	assert_int_equal(chance_serve(chance, vips, 2), 0);
	*state = chance;
	return 0;
}

static int teardown(void **state)
{
	chance_free(*state);
	return 0;
}

/* ---- names ---- */

static int take(struct chance *chance, const struct addr *balancer, uint8_t number, uint16_t first,
	uint8_t n, uint64_t after)
{
	struct proto_peers peers = peers_of(number, first, n, after);

	return chance_take(chance, balancer, &peers);
}

static void chance_knows_servers_by_each_balancers_names(void **state)
{
	struct chance *chance = *state;
	struct proto_peers gone;

	assert_int_equal(take(chance, &balancer1, 1, 1, 3, 0), 0);
	assert_int_equal(take(chance, &balancer2, 2, 1, 2, 0), 0);
	assert_int_equal(chance_n_peers(chance), 5);
	assert_int_equal(take(chance, &balancer1, 1, 4, 2, 1), 0);
	assert_int_equal(chance_n_peers(chance), 7);
	gone = peers_of(1, 4, 1, 2);
	gone.items[0].mac = (struct mac){ { 0 } };
	assert_int_equal(chance_take(chance, &balancer1, &gone), 0);
	assert_int_equal(chance_n_peers(chance), 6);
	/* A session that begins anew takes the place of all that the balancer told. */
	assert_int_equal(take(chance, &balancer1, 1, 1, 1, 0), 0);
	assert_int_equal(chance_n_peers(chance), 3);
	/* So does one that forgot what it knew, and has another number. */
	assert_int_equal(take(chance, &balancer1, 3, 1, 1, 0), 0);
	assert_int_equal(chance_n_peers(chance), 3);
	assert_int_equal(chance_take(chance, &balancer1, NULL), 0);
	assert_int_equal(chance_n_peers(chance), 2);
	assert_int_equal(chance_take(chance, &balancer1, NULL), 0);
	assert_int_equal(chance_n_peers(chance), 2);
}

static void chance_refuses_a_second_balancer_of_one_number(void **state)
{
	struct chance *chance = *state;

	assert_int_equal(take(chance, &balancer1, 1, 1, 3, 0), 0);
	assert_int_equal(take(chance, &balancer2, 1, 1, 5, 0), -EEXIST);
	assert_int_equal(take(chance, &balancer2, 1, 1, 5, 1), -EEXIST);
	assert_int_equal(chance_n_peers(chance), 3);
	/* It may go away, but does not take the other's with it. */
	assert_int_equal(chance_take(chance, &balancer2, NULL), 0);
	assert_int_equal(chance_n_peers(chance), 3);
	assert_int_equal(take(chance, &balancer2, 2, 1, 5, 0), 0);
	assert_int_equal(chance_n_peers(chance), 8);
}

static void chance_has_room_for_so_many_and_no_more(void **state)
{
	struct chance *chance = *state;
	uint64_t after = 0;

	for (uint32_t first = 1; first + 150 <= UINT16_MAX; first += 150, after++)
		assert_int_equal(take(chance, &balancer1, 1, (uint16_t)first, 150, after), 0);
	assert_int_equal(chance_n_peers(chance), 65400);
	assert_int_equal(take(chance, &balancer2, 2, 1, 150, 0), -E2BIG);
	assert_int_equal(chance_n_peers(chance), 65536);
}

/* ---- frames ---- */

struct frame {
	uint8_t bytes[256];
	size_t size;
};

static void put(struct frame *frame, const void *bytes, size_t size)
{
	assert_true(frame->size + size <= sizeof(frame->bytes));
	memcpy(frame->bytes + frame->size, bytes, size);
	frame->size += size;
}

/* To lo, whose MAC is zero, from balancer 1's name of a server. */
static struct frame frame_to_us(uint16_t id, uint16_t type)
{
	struct frame frame = { .bytes = { [6] = PROTO_NAMED_MAC_FIRST,
				       0,
				       0,
				       1,
				       (uint8_t)(id >> 8),
				       (uint8_t)id,
				       (uint8_t)(type >> 8),
				       (uint8_t)type },
		.size = 14 };

	return frame;
}

static void put_ip4(
	struct frame *frame, uint8_t proto, const char *from, const char *to, uint16_t fragment)
{
	uint8_t ip[20] = { 0x45, 0, 0, 80, 0, 0, (uint8_t)(fragment >> 8), (uint8_t)fragment, 64,
		proto };

	assert_int_equal(inet_pton(AF_INET, from, ip + 12), 1);
	assert_int_equal(inet_pton(AF_INET, to, ip + 16), 1);
	put(frame, ip, sizeof(ip));
}

static void put_ip6(struct frame *frame, uint8_t next, const char *from, const char *to)
{
	uint8_t ip[40] = { 0x60, 0, 0, 0, 0, 60, next, 64 };

	assert_int_equal(inet_pton(AF_INET6, from, ip + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, to, ip + 24), 1);
	put(frame, ip, sizeof(ip));
}

static void put_tcp(struct frame *frame, uint16_t from, uint16_t to, uint8_t flags)
{
	uint8_t tcp[20] = { (uint8_t)(from >> 8), (uint8_t)from, (uint8_t)(to >> 8),
		(uint8_t)to, [12] = 0x50, flags };

	put(frame, tcp, sizeof(tcp));
}

/* What the program says; a frame that goes on has the peer's MAC, and its own as source. */
static int run(struct chance *chance, const struct frame *frame)
{
	static const uint8_t own[6];
	uint8_t out[sizeof(frame->bytes)];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes,
		.data_size_in = (uint32_t)frame->size, .data_out = out,
		.data_size_out = sizeof(out), .repeat = 1);
	int verdict;

	assert_int_equal(bpf_prog_test_run_opts(chance_program(chance), &options), 0);
	assert_int_equal(options.data_size_out, frame->size);
	verdict = (int)options.retval;
	if (verdict == REDIRECTS) {
		assert_memory_equal(out, peer_mac.bytes, MAC_LEN);
		assert_memory_equal(out + MAC_LEN, own, MAC_LEN);
		assert_memory_equal(out + 12, frame->bytes + 12, frame->size - 12);
	} else {
		assert_int_equal(verdict, TC_ACT_UNSPEC);
		assert_memory_equal(out, frame->bytes, frame->size);
	}
	return verdict;
}

static struct frame segment(uint16_t id, const char *to, uint16_t fragment, uint8_t flags)
{
	struct frame frame = frame_to_us(id, 0x0800);

	put_ip4(&frame, IPPROTO_TCP, "192.0.2.77", to, fragment);
	put_tcp(&frame, 40000, 1, flags);
	return frame;
}

static void chance_passes_on_what_no_socket_has(void **state)
{
	static const uint8_t tag[4] = { 0x81, 0, 0, 7 };
	static const uint8_t extensions[16] = { 60, 0, 1, 4, 0, 0, 0, 0, IPPROTO_TCP, 0, 1, 4 };
	struct chance *chance = *state;
	struct frame frame = segment(5, "127.0.0.1", 0, ACK);
	uint64_t taken, passed_on;

	assert_int_equal(take(chance, &balancer1, 1, 5, 1, 0), 0);
	assert_int_equal(run(chance, &frame), REDIRECTS);
	frame = segment(5, "127.0.0.1", 0, 0x04);
	assert_int_equal(run(chance, &frame), REDIRECTS);
	/* A tag inside, and headers of IPv6 that stand before. */
	frame = segment(5, "127.0.0.1", 0, ACK);
	memmove(frame.bytes + 16, frame.bytes + 12, frame.size - 12);
	memcpy(frame.bytes + 12, tag, sizeof(tag));
	frame.size += sizeof(tag);
	assert_int_equal(run(chance, &frame), REDIRECTS);
	frame = frame_to_us(5, 0x86dd);
	put_ip6(&frame, 0, "2001:db8::77", "::1");
	put(&frame, extensions, sizeof(extensions));
	put_tcp(&frame, 40000, 1, ACK);
	assert_int_equal(run(chance, &frame), REDIRECTS);
	chance_count(chance, &taken, &passed_on);
	assert_int_equal(taken, 0);
	assert_int_equal(passed_on, 4);
}

static void chance_leaves_everything_else(void **state)
{
	struct chance *chance = *state;
	struct frame frame;
	uint64_t taken, passed_on;

	assert_int_equal(take(chance, &balancer1, 1, 5, 1, 0), 0);
	frame = segment(6, "127.0.0.1", 0, ACK); /* nobody's name */
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = segment(5, "127.0.0.1", 0, ACK);
	frame.bytes[6] = 2; /* no name at all */
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = segment(5, "127.0.0.1", 0, ACK);
	frame.bytes[0] = 2; /* to another host */
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = segment(5, "127.0.0.2", 0, ACK); /* no VIP */
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = segment(5, "127.0.0.1", 0, SYN);
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = segment(5, "127.0.0.1", 0x2000, ACK); /* fragments */
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = segment(5, "127.0.0.1", 3, ACK);
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = frame_to_us(5, 0x0800);
	put_ip4(&frame, IPPROTO_UDP, "192.0.2.77", "127.0.0.1", 0);
	put_tcp(&frame, 40000, 1, ACK);
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = segment(5, "127.0.0.1", 0, ACK);
	frame.size -= 4; /* cut in its header */
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = frame_to_us(5, 0x0806);
	put(&frame, peer_mac.bytes, MAC_LEN);
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	chance_count(chance, &taken, &passed_on);
	assert_int_equal(taken + passed_on, 0);
}

/* An error about a segment that this VIP would have sent from its port. */
static struct frame error_about(uint8_t type, uint16_t from, uint16_t to)
{
	const uint8_t icmp[8] = { type };
	struct frame frame = frame_to_us(5, 0x0800);

	put_ip4(&frame, IPPROTO_ICMP, "192.0.2.1", "127.0.0.1", 0);
	put(&frame, icmp, sizeof(icmp));
	put_ip4(&frame, IPPROTO_TCP, "127.0.0.1", "127.0.0.1", 0);
	put_tcp(&frame, from, to, ACK);
	return frame;
}

static void chance_passes_on_errors_about_segments(void **state)
{
	const uint8_t too_big[8] = { 2 };
	struct chance *chance = *state;
	struct frame frame;

	assert_int_equal(take(chance, &balancer1, 1, 5, 1, 0), 0);
	frame = error_about(3, 1, 40000);
	assert_int_equal(run(chance, &frame), REDIRECTS);
	frame = error_about(8, 1, 40000); /* an echo request */
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = frame_to_us(5, 0x86dd);
	put_ip6(&frame, IPPROTO_ICMPV6, "2001:db8::1", "::1");
	put(&frame, too_big, sizeof(too_big));
	put_ip6(&frame, IPPROTO_TCP, "::1", "2001:db8::77");
	put_tcp(&frame, 1, 40000, ACK);
	assert_int_equal(run(chance, &frame), REDIRECTS);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static void chance_leaves_what_a_socket_has(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct chance *chance = *state;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t taken, passed_on;
	struct frame frame;

	assert_int_equal(take(chance, &balancer1, 1, 5, 1, 0), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	address.sin_port = htons(port_of(listener));
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	frame = frame_to_us(5, 0x0800);
	put_ip4(&frame, IPPROTO_TCP, "127.0.0.1", "127.0.0.1", 0);
	put_tcp(&frame, port_of(client), port_of(listener), ACK);
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	frame = error_about(3, port_of(listener), port_of(client));
	assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
	chance_count(chance, &taken, &passed_on);
	assert_int_equal(taken, 2);
	/* Whoever listens on the port has no part in a connection that it has no cookie of. */
	frame = frame_to_us(5, 0x0800);
	put_ip4(&frame, IPPROTO_TCP, "192.0.2.77", "127.0.0.1", 0);
	put_tcp(&frame, 40000, port_of(listener), ACK);
	assert_int_equal(run(chance, &frame), REDIRECTS);
	close(client);
	close(listener);
}

/* ---- SYN cookies ---- */

#define CLIENT_PORT 40000u
#define CLIENT_SEQ  1000u

/* IPv6 has the kernel fill a raw segment's checksum in; of IPv4 it is made here. */
static uint16_t checksum_ip4(const struct tcphdr *tcp)
{
	uint32_t sum = 2 * (htonl(INADDR_LOOPBACK) & 0xffff) + 2 * (htonl(INADDR_LOOPBACK) >> 16) +
		htons(IPPROTO_TCP) + htons(sizeof(*tcp));
	uint16_t words[sizeof(*tcp) / sizeof(uint16_t)];

	memcpy(words, tcp, sizeof(*tcp));
	ARRAY_FOREACH (word, words, ARRAY_LEN(words))
		sum += *word;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A client without a socket: it says SYN, hears the cookie, and keeps it to itself. */
static uint32_t cookie_of(sa_family_t family, uint16_t port)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	struct sockaddr_in ip4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct tcphdr tcp = { .source = htons(CLIENT_PORT),
		.dest = htons(port),
		.seq = htonl(CLIENT_SEQ),
		.doff = 5,
		.syn = 1,
		.window = htons(8192) };
	const int at = offsetof(struct tcphdr, check);
	bool is_ip6 = family == AF_INET6;

	assert_true(fd >= 0);
	if (is_ip6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof(at)), 0);
	else
		tcp.check = checksum_ip4(&tcp);
	assert_int_equal(sendto(fd, &tcp, sizeof(tcp), 0,
				 is_ip6 ? (struct sockaddr *)&ip6 : (struct sockaddr *)&ip4,
				 is_ip6 ? sizeof(ip6) : sizeof(ip4)),
		(int)sizeof(tcp));
	for (;;) {
		uint8_t bytes[256];
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t size, offset;

		assert_int_equal(poll(&ready, 1, 20000), 1);
		size = recv(fd, bytes, sizeof(bytes), 0);
		offset = is_ip6 ? 0 : (bytes[0] & 15) * 4;
		assert_true(size >= offset + (ssize_t)sizeof(tcp));
		memcpy(&tcp, bytes + offset, sizeof(tcp));
		if (tcp.source != htons(port) || !tcp.syn || !tcp.ack)
			continue;
		close(fd);
		return ntohl(tcp.seq);
	}
}

static struct frame ack_of_cookie(sa_family_t family, uint16_t port, uint32_t cookie)
{
	struct frame frame = frame_to_us(5, family == AF_INET6 ? 0x86dd : 0x0800);
	struct tcphdr tcp = { .source = htons(CLIENT_PORT),
		.dest = htons(port),
		.seq = htonl(CLIENT_SEQ + 1),
		.ack_seq = htonl(cookie + 1),
		.doff = 5,
		.ack = 1 };

	if (family == AF_INET6)
		put_ip6(&frame, IPPROTO_TCP, "::1", "::1");
	else
		put_ip4(&frame, IPPROTO_TCP, "127.0.0.1", "127.0.0.1", 0);
	put(&frame, &tcp, sizeof(tcp));
	return frame;
}

/* A listener of both families in a network of its own, whose kernel answers every SYN by a cookie. */
static int listen_by_cookies(uint16_t *ret_port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	socklen_t size = sizeof(address);
	int fd, setting;

	assert_int_equal(system("ip link set lo up"), 0);
	setting = open("/proc/sys/net/ipv4/tcp_syncookies", O_WRONLY | O_CLOEXEC);
	assert_true(setting >= 0);
	assert_int_equal(write(setting, "2", 1), 1);
	close(setting);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin6_port);
	return fd;
}

static void chance_leaves_who_brings_a_cookie_back(void **state)
{
	static const sa_family_t families[] = { AF_INET, AF_INET6 };
	struct chance *chance = *state;
	uint64_t taken, passed_on;
	struct frame frame;
	int listener, host;
	uint16_t port;

	host = namespace_current();
	if (!namespace_make()) {
		close(host);
		skip();
	}
	listener = listen_by_cookies(&port);
	assert_int_equal(take(chance, &balancer1, 1, 5, 1, 0), 0);
	ARRAY_FOREACH (family, families, ARRAY_LEN(families)) {
		uint32_t cookie = cookie_of(*family, port);

		frame = ack_of_cookie(*family, port, cookie);
		assert_int_equal(run(chance, &frame), TC_ACT_UNSPEC);
		/* The lowest bits are of a segment's size: there it would be another good one. */
		frame = ack_of_cookie(*family, port, cookie ^ 1u << 20);
		assert_int_equal(run(chance, &frame), REDIRECTS);
	}
	chance_count(chance, &taken, &passed_on);
	assert_int_equal(taken, 2);
	assert_int_equal(passed_on, 2);
	close(listener);
	namespace_enter(host);
	close(host);
}

/* ---- what it takes ---- */

/* A kernel that has no bpf(2), or does not let us. */
static int probe_without_bpf(int error)
{
	struct why why = { 0 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		int r;

		if (!refuse_bpf(REFUSE_BPF_ALL, error))
			_exit(255);
		r = chance_probe(&why);
		_exit(why.text[0] ? -r : 254);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void chance_tells_a_kernel_that_cannot_from_one_that_does_not_let_us(void **state)
{
	struct why why;

	assert_int_equal(chance_probe(&why), 0);
	assert_int_equal(probe_without_bpf(ENOSYS), ENOSYS);
	assert_int_equal(probe_without_bpf(EPERM), EPERM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chance_knows_servers_by_each_balancers_names),
		TEST(chance_refuses_a_second_balancer_of_one_number),
		TEST(chance_has_room_for_so_many_and_no_more),
		TEST(chance_passes_on_what_no_socket_has),
		TEST(chance_leaves_everything_else),
		TEST(chance_passes_on_errors_about_segments),
		TEST(chance_leaves_what_a_socket_has),
		TEST(chance_leaves_who_brings_a_cookie_back),
		cmocka_unit_test(chance_tells_a_kernel_that_cannot_from_one_that_does_not_let_us),
	};

	return cmocka_run_group_tests_name("chance", tests, NULL, NULL);
}
