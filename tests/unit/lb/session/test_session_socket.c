/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of the control protocol between two network namespaces of the test's own, `lan0` here and
 * `peer0` there: whether a REGISTER's frame came from the MAC that it says.
 */
#include "lb/session/session_socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "common/proto/proto.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

#define PORT 7377

static const struct mac peer_mac = { { 2, 0, 0, 0, 0, 2 } };

struct test {
	sd_event *event;
	struct session_socket *sockets;
	int peer_fd[2]; /* IPv4, IPv6; in the other namespace */
	unsigned int n_received;
	bool mac_is_source;
	size_t size_bytes;
	int hop_limit;
};

static void on_datagram(const struct udp_datagram *datagram, bool mac_is_source, void *context)
{
	struct test *test = context;

	test->n_received++;
	test->mac_is_source = mac_is_source;
	test->size_bytes = datagram->size_bytes;
	test->hop_limit = datagram->hop_limit;
}

/* The peer's sockets stay in its namespace. */
static int peer_open(sa_family_t family, const char *to)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct addr_port endpoint = { .port = PORT };
	struct sockaddr_storage address;
	socklen_t size;

	assert_true(fd >= 0);
	assert_int_equal(addr_parse(to, &endpoint.addr), 0);
	size = addr_to_sockaddr(&endpoint, 0, &address);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
	return fd;
}

static bool namespaces_make(struct test *test)
{
	int here, there;
	char command[512];

	if (!namespace_make_two(&here, &there))
		return false;
	snprintf(command, sizeof(command),
		"ip link add lan0 type veth peer name peer0 address 02:00:00:00:00:02 && "
		"ip link set peer0 netns /proc/%d/fd/%d && ip addr add 192.0.2.1/24 dev lan0 && "
		"ip addr add 2001:db8::1/64 dev lan0 nodad && ip link set lan0 up",
		getpid(), there);
	if (system(command) != 0)
		return false;
	namespace_enter(there);
	assert_int_equal(system("ip addr add 192.0.2.2/24 dev peer0 && "
				"ip addr add 2001:db8::2/64 dev peer0 nodad && "
				"ip link set peer0 up"),
		0);
	test->peer_fd[0] = peer_open(AF_INET, "192.0.2.1");
	test->peer_fd[1] = peer_open(AF_INET6, "2001:db8::1");
	namespace_enter(here);
	util_close(here);
	util_close(there);
	return true;
}

static int setup(void **state)
{
	struct test *test = calloc(1, sizeof(*test));
	const struct addr_port listen = { .port = PORT };
	const struct session_socket_config config = {
		.interface = "lan0", .listen = &listen, .fn = on_datagram, .context = test
	};
	struct why why = { 0 };

	*state = test;
	assert_true(sd_event_new(&test->event) >= 0);
	test->peer_fd[0] = test->peer_fd[1] = -1;
	if (!namespaces_make(test))
		return 0;
	if (session_socket_open(test->event, &config, &test->sockets, &why) < 0)
		fail_msg("%s", why.text);
	return 0;
}

static int teardown(void **state)
{
	struct test *test = *state;

	session_socket_free(test->sockets);
	sd_event_unref(test->event);
	util_close(test->peer_fd[0]);
	util_close(test->peer_fd[1]);
	free(test);
	return 0;
}

static struct test *test_or_skip(void **state)
{
	struct test *test = *state;

	if (!test->sockets) {
		print_message("skipped: needs network namespaces and ip(8)\n");
		skip();
	}
	return test;
}

/* The strings' lengths are what the kernel's program has to find its way through. */
static size_t register_make(const struct mac *mac, const char *name, const char *real_ip,
	uint8_t buffer[PROTO_MESSAGE_MAX])
{
	struct proto_message message = { .version = PROTO_VERSION_1, .type = PROTO_REGISTER };
	struct proto_register *reg = &message.reg;
	int size;

	memset(reg->nonce_agent, 0xa5, PROTO_NONCE_BYTES);
	memset(reg->nonce_balancer, 0x5a, PROTO_NONCE_BYTES);
	snprintf(reg->key_id, sizeof(reg->key_id), "key");
	snprintf(reg->name, sizeof(reg->name), "%s", name);
	snprintf(reg->version, sizeof(reg->version), "0.1");
	assert_int_equal(addr_parse(real_ip, &reg->real_ip), 0);
	assert_int_equal(addr_parse("198.51.100.10", &reg->vips[0]), 0);
	reg->mac = *mac;
	reg->status = (struct proto_status){ .state = PROTO_STATE_UP, .weight = 1, .n_vips = 1 };
	size = proto_write(&message, buffer);
	assert_true(size > 0);
	return (size_t)size;
}

static void deliver(struct test *test, int family_idx, const uint8_t *data, size_t size)
{
	unsigned int before = test->n_received;

	assert_int_equal(send(test->peer_fd[family_idx], data, size, 0), size);
	LOOP_UNTIL(test->event, 5 * US_PER_S, test->n_received > before);
	assert_int_equal(test->n_received, before + 1);
	assert_int_equal(test->size_bytes, size);
}

static void socket_knows_whose_mac_a_register_says(void **state)
{
	struct test *test = test_or_skip(state);
	static const char *const names[] = { "w",
		"a-name-of-sixty-four-bytes-which-is-as-long-as-a-name-may-be-ok" };
	static const char *const addresses[] = { "192.0.2.2", "2001:db8::2" };
	uint8_t data[PROTO_MESSAGE_MAX];

	for (int family = 0; family < 2; family++) {
		for (size_t i = 0; i < 4; i++) {
			const char *name = names[i & 1], *address = addresses[i >> 1];
			size_t size = register_make(&peer_mac, name, address, data);

			deliver(test, family, data, size);
			assert_true(test->mac_is_source);
			/* Each byte counts. */
			for (size_t byte = 0; byte < MAC_LEN; byte++) {
				struct mac other = peer_mac;

				other.bytes[byte] ^= 0x40;
				size = register_make(&other, name, address, data);
				deliver(test, family, data, size);
				assert_false(test->mac_is_source);
			}
		}
	}
}

static void socket_takes_everything_else(void **state)
{
	struct test *test = test_or_skip(state);
	uint8_t data[PROTO_MESSAGE_MAX], hello[PROTO_MESSAGE_MAX] = { 'D', 'S', 'R', 'P', 1, 1 };
	size_t size = register_make(&peer_mac, "w", "192.0.2.2", data);

	deliver(test, 0, hello, 100);
	assert_true(test->mac_is_source);
	/* What is cut where the program reads has no MAC; nothing is lost. */
	for (size_t cut = 1; cut < size; cut += 7) {
		deliver(test, 0, data, cut);
		deliver(test, 1, data, cut);
	}
}

/* The tests' only way to the sockets: whatever is open here. */
static void tell_no_hop_limit(void)
{
	const int off = 0;

	for (int fd = 3; fd < 64; fd++) {
		(void)setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &off, sizeof(off));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &off, sizeof(off));
	}
}

static void socket_tells_an_unknown_hop_limit_as_such(void **state)
{
	struct test *test = test_or_skip(state);
	const uint8_t hello[100] = { 'D', 'S', 'R', 'P', 1, 1 };

	for (int family = 0; family < 2; family++) {
		deliver(test, family, hello, sizeof(hello));
		assert_int_equal(test->hop_limit, 64);
	}
	tell_no_hop_limit();
	for (int family = 0; family < 2; family++) {
		deliver(test, family, hello, sizeof(hello));
		assert_int_equal(test->hop_limit, -1);
	}
}

/* What the loop had received when a timer ran whose priority is less. */
struct late {
	const struct test *test;
	unsigned int n_received;
};

static int on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	struct late *late = context;

	late->n_received = late->test->n_received;
	return 0;
}

static void socket_that_is_flooded_lets_timers_run(void **state)
{
	const unsigned int n_sent = 3000, n_crowd = 32 * UDP_DATAGRAMS_A_TURN;
	struct test *test = test_or_skip(state);
	struct late late = { .test = test };
	sd_event_source *timer = NULL;
	const uint8_t byte = 0;

	for (unsigned int i = 0; i < n_sent; i++)
		assert_int_equal(send(test->peer_fd[0], &byte, 1, 0), 1);
	assert_true(sd_event_add_time(
			    test->event, &timer, CLOCK_MONOTONIC, 0, 0, on_timer, &late) >= 0);
	assert_true(sd_event_source_set_priority(timer, SD_EVENT_PRIORITY_NORMAL + 10) >= 0);
	LOOP_UNTIL(test->event, 5 * US_PER_S, late.n_received > 0);
	/* Not before a burst of honest ones, but before the end. */
	assert_int_equal(late.n_received, n_crowd);
	assert_true(session_socket_is_crowded(test->sockets));
	LOOP_UNTIL(test->event, 5 * US_PER_S, test->n_received == n_sent);
	LOOP_UNTIL(test->event, 5 * US_PER_S, !session_socket_is_crowded(test->sockets));
	sd_event_source_disable_unref(timer);
}

static void socket_that_is_flooded_with_hellos_hears_agents_first(void **state)
{
	const unsigned int n_sent = 40 * UDP_DATAGRAMS_A_TURN;
	struct test *test = test_or_skip(state);
	const uint8_t hello[100] = { 'D', 'S', 'R', 'P', 1, PROTO_HELLO };
	const uint8_t answer[101] = { 'D', 'S', 'R', 'P', 1, PROTO_ANSWER };

	for (unsigned int i = 0; i < n_sent; i++)
		assert_int_equal(send(test->peer_fd[0], hello, sizeof(hello), 0), sizeof(hello));
	/* In the midst of them. */
	LOOP_UNTIL(test->event, 5 * US_PER_S, test->n_received >= 34 * UDP_DATAGRAMS_A_TURN);
	assert_false(session_socket_is_crowded(test->sockets));
	assert_int_equal(send(test->peer_fd[0], answer, sizeof(answer), 0), sizeof(answer));
	LOOP_UNTIL(test->event, 5 * US_PER_S, test->size_bytes == sizeof(answer));
	assert_true(test->n_received < n_sent);
	LOOP_UNTIL(test->event, 5 * US_PER_S, test->n_received == n_sent + 1);
}

/* Challenges to addresses that nobody has wait for ARP, and what waits has room in a socket's buffer. */
static void socket_that_has_challenges_waiting_sends_heartbeats(void **state)
{
	uint8_t challenge[1000] = { 'D', 'S', 'R', 'P', 1, PROTO_CHALLENGE };
	const uint8_t heartbeat[100] = { 'D', 'S', 'R', 'P', 1, PROTO_HEARTBEAT };
	const struct addr any = { .family = AF_UNSPEC };
	struct test *test = test_or_skip(state);
	struct addr_port to = { .port = PORT };
	int r = 0;

	for (unsigned int i = 0; i < 100000 && r == 0; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "192.0.2.%u", 10 + i % 240);
		assert_int_equal(addr_parse(text, &to.addr), 0);
		r = session_socket_send(test->sockets, &any, &to, challenge, sizeof(challenge));
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(addr_parse("192.0.2.2", &to.addr), 0);
	assert_int_equal(
		session_socket_send(test->sockets, &any, &to, heartbeat, sizeof(heartbeat)), 0);
}

#define socket_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		socket_test(socket_knows_whose_mac_a_register_says),
		socket_test(socket_takes_everything_else),
		socket_test(socket_tells_an_unknown_hop_limit_as_such),
		socket_test(socket_that_is_flooded_lets_timers_run),
		socket_test(socket_that_is_flooded_with_hellos_hears_agents_first),
		socket_test(socket_that_has_challenges_waiting_sends_heartbeats),
	};

	return cmocka_run_group_tests_name("session socket", tests, NULL, NULL);
}
