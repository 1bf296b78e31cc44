/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path probes over a veth pair between two network namespaces of the test's own: the other end is a real server,
 * with a real kernel, its VIPs on its loopback interface.
 */
#include "lb/link/path/path_probe.h"

#include <net/if.h>
#include <sys/socket.h>

#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (20 * US_PER_S)
#define INTERVAL_US (100 * US_PER_MS)
#define TIMEOUT_US  (150 * US_PER_MS)
#define SERVICES    8u

static const struct mac here_mac = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac server_mac = { { 2, 0, 0, 0, 0, 9 } };
static const struct mac nobody_mac = { { 2, 0, 0, 0, 0, 0x77 } };

/* Both namespaces and the link between them are made once: neighbour discovery on a new link takes seconds. */
struct fixture {
	bool is_root;
	sd_event *event;
	struct path_probes *probes;
	int here_fd, server_fd, watch_fd;
	struct addr own[2], vip[2], real;
	struct addr_prefix subnets[2];
	struct path_link link;
	unsigned int n_results[SERVICES], n_done;
	enum path_verdict verdicts[SERVICES];
	uint16_t statuses[SERVICES];
	uint64_t third_us[SERVICES]; /* when the third began */
};

static struct addr address(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static void fixture_result(const struct path_result *result, void *context)
{
	struct fixture *fixture = context;

	assert_int_equal(result->backend, 7);
	if (++fixture->n_results[result->service] == 3)
		fixture->third_us[result->service] = result->began_us;
	fixture->verdicts[result->service] = result->verdict;
	fixture->statuses[result->service] = result->status;
}

static void fixture_done(void *context)
{
	((struct fixture *)context)->n_done++;
}

static const struct path_callbacks callbacks = { fixture_result, fixture_done };

static void fixture_make_server(struct fixture *fixture)
{
	namespace_enter(fixture->server_fd);
	assert_int_equal(
		system("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 && "
		       "ip link set lo up && ip link set server0 up && "
		       "ip address add 192.0.2.9/24 dev server0 && "
		       "ip address add 2001:db8::9/64 dev server0 nodad && "
		       "ip address add 198.51.100.10/32 dev lo && ip address add 2001:db8:1::10/128 dev lo"),
		0);
	fixture->watch_fd = wire_open("server0");
	namespace_enter(fixture->here_fd);
}

static struct path_target target(const struct fixture *fixture, uint16_t service,
	enum path_kind kind, bool ip6, uint16_t port)
{
	return (struct path_target){ service, 0, fixture->vip[ip6], kind, port, INTERVAL_US,
		TIMEOUT_US, { NULL, 0 }, { NULL, 0 } };
}

static void probe(struct fixture *fixture, const struct path_target *targets, size_t len)
{
	assert_int_equal(
		path_probe_set(fixture->probes, 7, &server_mac, &fixture->real, targets, len), 0);
}

/* A new link takes its time until neighbour discovery works on both ends. */
static void fixture_warm_up(struct fixture *fixture)
{
	const struct path_target echo = target(fixture, 0, PATH_ECHO, true, 0);

	fixture->verdicts[0] = PATH_NOT_MADE;
	probe(fixture, &echo, 1);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->verdicts[0] == PATH_OK);
	probe(fixture, NULL, 0);
	memset(fixture->n_results, 0, sizeof(fixture->n_results));
}

static void fixture_make_link(struct fixture *fixture)
{
	char command[512];

	/* The descriptor of the other namespace, as ip(8) takes it. */
	snprintf(command, sizeof(command),
		"ip link add here0 address 02:00:00:00:00:01 type veth peer name server0 "
		"address 02:00:00:00:00:09 netns /proc/%d/fd/%d && ip link set here0 up && "
		"ip link set lo up && ip address add 192.0.2.2/24 dev here0 && "
		"ip address add 2001:db8::2/64 dev here0 nodad",
		getpid(), fixture->server_fd);
	assert_int_equal(system(command), 0);
	fixture_make_server(fixture);
	fixture->own[0] = address("192.0.2.2");
	fixture->own[1] = address("2001:db8::2");
	fixture->vip[0] = address("198.51.100.10");
	fixture->vip[1] = address("2001:db8:1::10");
	fixture->real = address("192.0.2.9");
	assert_int_equal(addr_prefix_parse("192.0.2.0/24", &fixture->subnets[0]), 0);
	assert_int_equal(addr_prefix_parse("2001:db8::/64", &fixture->subnets[1]), 0);
	fixture->link = (struct path_link){ "here0", if_nametoindex("here0"), true, here_mac,
		fixture->own, fixture->subnets, 2 };
}

static int world_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	fixture->here_fd = fixture->server_fd = fixture->watch_fd = -1;
	fixture->is_root = namespace_make_two(&fixture->here_fd, &fixture->server_fd);
	if (fixture->is_root)
		fixture_make_link(fixture);
	return 0;
}

static int world_teardown(void **state)
{
	struct fixture *fixture = *state;

	util_close(fixture->watch_fd);
	util_close(fixture->here_fd);
	util_close(fixture->server_fd);
	free(fixture);
	return 0;
}

static int fixture_setup(void **state)
{
	struct fixture *fixture = *state;

	if (!fixture->is_root)
		return 0;
	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(
		path_probe_start(fixture->event, &callbacks, fixture, &fixture->probes), 0);
	assert_int_equal(path_probe_set_link(fixture->probes, &fixture->link), 0);
	fixture_warm_up(fixture);
	return 0;
}

static int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	fixture->probes = path_probe_free(fixture->probes);
	fixture->event = sd_event_unref(fixture->event);
	return 0;
}

static void require_root(const struct fixture *fixture)
{
	if (!fixture->is_root)
		skip();
}

/* A socket of the server's; the caller closes it. */
static int server_listen(const struct fixture *fixture, int type, bool ip6, uint16_t port)
{
	const struct addr_port endpoint = { fixture->vip[ip6], port };
	struct sockaddr_storage here;
	socklen_t here_bytes = addr_to_sockaddr(&endpoint, 0, &here);
	int fd, yes = 1;

	namespace_enter(fixture->server_fd);
	fd = socket(ip6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&here, here_bytes), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	namespace_enter(fixture->here_fd);
	return fd;
}

/* Frames that the server heard with these TCP flags. */
static unsigned int watch_count(const struct fixture *fixture, uint8_t flags)
{
	unsigned int n = 0;
	uint8_t frame[2048];

	while (recv(fixture->watch_fd, frame, sizeof(frame), MSG_DONTWAIT) > 0) {
		size_t at = frame[12] == 8 ? 34 : 54;

		n += frame[at == 34 ? 23 : 20] == IPPROTO_TCP && frame[at + 13] == flags;
	}
	return n;
}

static unsigned int half_open(const struct fixture *fixture)
{
	unsigned int n = 0;
	char line[256];
	FILE *file;

	namespace_enter(fixture->server_fd);
	for (int i = 0; i < 2; i++) {
		file = fopen(i ? "/proc/thread-self/net/tcp6" : "/proc/thread-self/net/tcp", "re");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file))
			/* SYN_RECV, TIME_WAIT, ESTABLISHED */
			n += strstr(line, " 03 ") || strstr(line, " 06 ") || strstr(line, " 01 ");
		assert_int_equal(fclose(file), 0);
	}
	namespace_enter(fixture->here_fd);
	return n;
}

static void probe_finds_a_listener_and_leaves_nothing_behind(void **state)
{
	struct fixture *fixture = *state;
	int fds[2];
	struct path_target targets[2];

	require_root(fixture);
	for (int i = 0; i < 2; i++) {
		fds[i] = server_listen(fixture, SOCK_STREAM, i, 80);
		targets[i] = target(fixture, (uint16_t)i, PATH_TCP, i, 80);
	}
	(void)watch_count(fixture, 0);
	probe(fixture, targets, 2);
	LOOP_UNTIL(fixture->event, DEADLINE_US,
		fixture->n_results[0] >= 5 && fixture->n_results[1] >= 5);
	assert_int_equal(fixture->verdicts[0], PATH_OK);
	assert_int_equal(fixture->verdicts[1], PATH_OK);
	assert_int_equal(half_open(fixture), 0);
	/* One reset for each SYN-ACK: ours, and none of this host's kernel. */
	assert_int_equal(watch_count(fixture, 0x04), fixture->n_results[0] + fixture->n_results[1]);
	/* Nobody is handed a connection. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(accept(fds[i], NULL, NULL), -1);
		util_close(fds[i]);
	}
}

static void probe_names_what_is_wrong(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[6];
	size_t len = 0;

	require_root(fixture);
	targets[len++] = target(fixture, 0, PATH_TCP, false, 81);
	targets[len++] = target(fixture, 1, PATH_TCP, true, 81);
	targets[len++] = target(fixture, 2, PATH_UDP, false, 53);
	targets[len++] = target(fixture, 3, PATH_UDP, true, 53);
	targets[len] = target(fixture, 4, PATH_TCP, false, 80);
	targets[len++].vip = address("198.51.100.99");
	targets[len] = target(fixture, 5, PATH_ECHO, true, 0);
	targets[len++].vip = address("2001:db8:1::99");
	probe(fixture, targets, len);
	for (size_t i = 0; i < len; i++)
		LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[i] >= 1);
	assert_int_equal(fixture->verdicts[0], PATH_REFUSED);
	assert_int_equal(fixture->verdicts[1], PATH_REFUSED);
	assert_int_equal(fixture->verdicts[2], PATH_PORT_UNREACHABLE);
	assert_int_equal(fixture->verdicts[3], PATH_PORT_UNREACHABLE);
	assert_int_equal(fixture->verdicts[4], PATH_NO_ANSWER);
	/* A host without IPv6 forwarding says so all the same. */
	assert_int_equal(fixture->verdicts[5], PATH_UNREACHABLE);
}

static void probe_of_a_wrong_mac_is_not_answered(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[1] = { target(fixture, 0, PATH_TCP, false, 80) };
	int fd;

	require_root(fixture);
	fd = server_listen(fixture, SOCK_STREAM, false, 80);
	assert_int_equal(
		path_probe_set(fixture->probes, 7, &nobody_mac, &fixture->real, targets, 1), 0);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 1);
	assert_int_equal(fixture->verdicts[0], PATH_NO_ANSWER);
	/* Put right, it is asked at once. */
	probe(fixture, targets, 1);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->verdicts[0] == PATH_OK);
	util_close(fd);
}

static void probe_echoes(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[2] = { target(fixture, 0, PATH_ECHO, false, 0),
		target(fixture, 1, PATH_ECHO, true, 0) };

	require_root(fixture);
	probe(fixture, targets, 2);
	LOOP_UNTIL(fixture->event, DEADLINE_US,
		fixture->n_results[0] >= 3 && fixture->n_results[1] >= 3);
	assert_int_equal(fixture->verdicts[0], PATH_OK);
	assert_int_equal(fixture->verdicts[1], PATH_OK);
}

/* Answers every datagram with "pong" from where it came to. */
static unsigned int server_answer(int fd)
{
	struct sockaddr_storage from;
	socklen_t from_bytes = sizeof(from);
	char text[64];
	ssize_t n = recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &from_bytes);

	if (n < 0)
		return 0;
	assert_int_equal(n, 4);
	assert_memory_equal(text, "ping", 4);
	assert_int_equal(sendto(fd, "a pong!", 7, 0, (struct sockaddr *)&from, from_bytes), 7);
	return 1;
}

static void probe_looks_for_what_is_expected(void **state)
{
	static const uint8_t ping[] = "ping", pong[] = "pong", other[] = "other";
	struct fixture *fixture = *state;
	struct path_target targets[3];
	unsigned int n = 0;
	int fd;

	require_root(fixture);
	fd = server_listen(fixture, SOCK_DGRAM, true, 53);
	for (uint16_t i = 0; i < 3; i++) {
		targets[i] = target(fixture, i, PATH_UDP, true, 53);
		targets[i].payload = (struct path_bytes){ ping, 4 };
	}
	targets[1].expect = (struct path_bytes){ pong, 4 };
	targets[2].expect = (struct path_bytes){ other, 5 };
	probe(fixture, targets, 3);
	for (size_t i = 0; i < 3; i++)
		LOOP_UNTIL(fixture->event, DEADLINE_US,
			(n += server_answer(fd)) && fixture->n_results[i] >= 2);
	assert_int_equal(fixture->verdicts[0], PATH_OK);
	assert_int_equal(fixture->verdicts[1], PATH_OK);
	assert_int_equal(fixture->verdicts[2], PATH_UNEXPECTED);
	/* A server that is silent is well only to whom expects nothing. */
	memset(fixture->n_results, 0, sizeof(fixture->n_results));
	for (size_t i = 0; i < 3; i++)
		LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[i] >= 3);
	assert_int_equal(fixture->verdicts[0], PATH_OK);
	assert_int_equal(fixture->verdicts[1], PATH_NO_ANSWER);
	util_close(fd);
}

static void send_frame(int fd, const uint8_t *frame, size_t size_bytes)
{
	assert_int_equal(send(fd, frame, size_bytes, 0), (ssize_t)size_bytes);
}

/* The port that the next SYN comes from. */
static uint16_t watch_port(struct fixture *fixture)
{
	uint16_t port = 0;
	uint8_t frame[2048];

	LOOP_UNTIL(fixture->event, DEADLINE_US,
		recv(fixture->watch_fd, frame, sizeof(frame), MSG_DONTWAIT) > 0 && frame[12] == 8 &&
			frame[23] == IPPROTO_TCP &&
			(port = (uint16_t)(frame[34] << 8 | frame[35])));
	return port;
}

static void probe_believes_nobody_who_guesses(void **state)
{
	struct fixture *fixture = *state;
	static const uint8_t guess[4] = { 0x12, 0x34, 0x56, 0x78 };
	struct path_target targets[1] = { target(fixture, 0, PATH_TCP, false, 80) };
	struct path_frame forged = { .kind = PATH_TCP, .from = server_mac, .to = here_mac };
	uint8_t frame[PATH_FRAME_MAX_BYTES];
	size_t size_bytes;

	require_root(fixture);
	targets[0].vip = address("198.51.100.99");
	probe(fixture, targets, 1);
	forged.source = targets[0].vip;
	forged.vip = fixture->own[0];
	forged.source_port = 80;
	for (int i = 0; i < 4; i++) {
		/* From the right MAC, address and port, to the right port; it knows all but one number. */
		forged.port = watch_port(fixture);
		size_bytes = path_frame_build(&forged, frame);
		frame[34 + 13] = i % 2 ? 0x12 : 0x14;
		memcpy(&frame[34 + 8], guess, sizeof(guess));
		send_frame(fixture->watch_fd, frame, size_bytes);
	}
	fixture->n_results[0] = 0;
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 3);
	assert_int_equal(fixture->verdicts[0], PATH_NO_ANSWER);
}

static void probe_says_nothing_of_backends_while_it_cannot_ask(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[2] = { target(fixture, 0, PATH_TCP, false, 80),
		target(fixture, 1, PATH_TCP, true, 80) };
	struct path_link link = fixture->link;
	int fds[2];

	require_root(fixture);
	for (int i = 0; i < 2; i++)
		fds[i] = server_listen(fixture, SOCK_STREAM, i, 80);
	/* No address of one family. */
	link.n_addresses = 1;
	assert_int_equal(path_probe_set_link(fixture->probes, &link), 0);
	probe(fixture, targets, 2);
	LOOP_UNTIL(fixture->event, DEADLINE_US,
		fixture->n_results[0] >= 2 && fixture->n_results[1] >= 2);
	assert_int_equal(fixture->verdicts[0], PATH_OK);
	assert_int_equal(fixture->verdicts[1], PATH_NO_ADDRESS);
	/* Down, though nobody has said so. */
	assert_int_equal(system("ip link set here0 down"), 0);
	for (unsigned int i = 0; i < 3; i++) {
		fixture->n_results[0] = 0;
		LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 1);
		assert_int_equal(fixture->verdicts[0], PATH_NOT_MADE);
	}
	link.running = false;
	assert_int_equal(path_probe_set_link(fixture->probes, &link), 0);
	fixture->n_results[0] = 0;
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 2);
	assert_int_equal(fixture->verdicts[0], PATH_NOT_MADE);
	/* And up again, it goes on at once. */
	assert_int_equal(
		system("ip link set here0 up && ip address add 2001:db8::2/64 dev here0 nodad"), 0);
	link.running = true;
	assert_int_equal(path_probe_set_link(fixture->probes, &link), 0);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->verdicts[0] == PATH_OK);
	util_close(fds[0]);
	util_close(fds[1]);
}

static void probe_reads_what_came_while_nobody_listened(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[1] = { target(fixture, 0, PATH_TCP, false, 80) };
	const struct timespec long_enough = { .tv_nsec = 4 * (long)TIMEOUT_US * 1000 };
	int fd;

	require_root(fixture);
	fd = server_listen(fixture, SOCK_STREAM, false, 80);
	targets[0].timeout_us = 20 * US_PER_MS;
	probe(fixture, targets, 1);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 1);
	for (int i = 0; i < 3; i++) {
		(void)watch_port(fixture);
		assert_int_equal(nanosleep(&long_enough, NULL), 0);
		fixture->n_results[0] = 0;
		LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 1);
		assert_int_equal(fixture->verdicts[0], PATH_OK);
	}
	util_close(fd);
}

/* Takes what connects, and answers each that has asked. NULL: says nothing, and keeps it open. */
static void serve(int fd, const char *answer, char *ret_asked)
{
	static int held[64];
	static size_t n_held;
	int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (connection >= 0 && n_held < ARRAY_LEN(held))
		held[n_held++] = connection;
	for (size_t i = 0; i < n_held; i++) {
		char asked[1024];
		ssize_t size = recv(held[i], asked, sizeof(asked) - 1, 0);

		if (size < 0 && errno == EAGAIN)
			continue;
		if (size > 0 && ret_asked)
			snprintf(ret_asked, sizeof(asked), "%.*s", (int)size, asked);
		if (size > 0 && !answer)
			continue;
		if (size > 0)
			(void)send(held[i], answer, strlen(answer), MSG_NOSIGNAL);
		util_close(held[i]);
		held[i--] = held[--n_held];
	}
}

static const char get[] = "GET /health HTTP/1.1\r\nHost: www.example.org\r\n\r\n";

static void request_is_made_as_a_client_makes_it(void **state)
{
	static const struct {
		const char *answer;
		enum path_verdict verdict;
		uint16_t status;
	} cases[] = {
		{ "HTTP/1.1 204 No Content\r\n\r\n", PATH_OK, 0 },
		{ "HTTP/1.1 503 Busy\r\n\r\nlater", PATH_STATUS, 503 },
		{ "220 ready\r\n", PATH_NOT_HTTP, 0 },
		{ "", PATH_CLOSED, 0 },
		{ NULL, PATH_MUTE, 0 },
	};
	struct fixture *fixture = *state;

	require_root(fixture);
	for (int ip6 = 0; ip6 < 2; ip6++) {
		int fd = server_listen(fixture, SOCK_STREAM, ip6, 80);

		ARRAY_FOREACH (one, cases, ARRAY_LEN(cases)) {
			struct path_target ask = target(fixture, 0, PATH_HTTP, ip6, 80);
			char asked[1024] = "";

			ask.payload = (struct path_bytes){ (const uint8_t *)get, strlen(get) };
			probe(fixture, &ask, 1);
			fixture->n_results[0] = 0;
			LOOP_UNTIL(fixture->event, DEADLINE_US,
				(serve(fd, one->answer, asked), fixture->n_results[0] >= 3));
			assert_int_equal(fixture->verdicts[0], one->verdict);
			assert_int_equal(fixture->statuses[0], one->status);
			assert_string_equal(asked, get);
			probe(fixture, NULL, 0);
		}
		/* What it did not answer is reset by then. */
		LOOP_UNTIL(fixture->event, DEADLINE_US,
			(serve(fd, NULL, NULL), half_open(fixture) == 0));
		util_close(fd);
	}
}

static void requests_of_one_backend_do_not_meet(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[8];
	char asked[1024];
	int fd;

	require_root(fixture);
	fd = server_listen(fixture, SOCK_STREAM, false, 80);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		targets[i] = target(fixture, (uint16_t)i, i == 0 ? PATH_TCP : PATH_HTTP, false, 80);
		targets[i].timeout_us = 2 * US_PER_S;
		targets[i].payload = (struct path_bytes){ (const uint8_t *)get, strlen(get) };
	}
	/* One SYN, as a VIP and port is of one service, and requests of any number. */
	probe(fixture, targets, ARRAY_LEN(targets));
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		LOOP_UNTIL(fixture->event, DEADLINE_US,
			(serve(fd, "HTTP/1.1 200 OK\r\n\r\n", asked), fixture->n_results[i] >= 5));
		assert_int_equal(fixture->verdicts[i], PATH_OK);
	}
	util_close(fd);
}

static void request_is_refused_and_silent_like_any_client(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[2] = { target(fixture, 0, PATH_HTTP, false, 81),
		target(fixture, 1, PATH_HTTP, false, 80) };

	require_root(fixture);
	targets[1].vip = address("198.51.100.99");
	probe(fixture, targets, 2);
	LOOP_UNTIL(fixture->event, DEADLINE_US,
		fixture->n_results[0] >= 2 && fixture->n_results[1] >= 2);
	assert_int_equal(fixture->verdicts[0], PATH_REFUSED);
	assert_int_equal(fixture->verdicts[1], PATH_NO_ANSWER);
}

/* The first SYN is lost, as far as it shows: its address comes later. The listener's descriptor. */
static int lose_first(struct fixture *fixture, enum path_kind kind, const char *vip)
{
	struct path_target ask = target(fixture, 0, kind, false, 80);
	struct fixture any = *fixture;
	char command[64];
	int fd;

	require_root(fixture);
	any.vip[0] = address("0.0.0.0");
	fd = server_listen(&any, SOCK_STREAM, false, 80);
	ask.vip = address(vip);
	ask.timeout_us = 10 * US_PER_S;
	ask.payload = (struct path_bytes){ (const uint8_t *)get, strlen(get) };
	(void)watch_count(fixture, 0);
	probe(fixture, &ask, 1);
	LOOP_UNTIL(fixture->event, DEADLINE_US, watch_count(fixture, 0x02) > 0);
	snprintf(command, sizeof(command), "ip address add %s/32 dev lo", vip);
	namespace_enter(fixture->server_fd);
	assert_int_equal(system(command), 0);
	namespace_enter(fixture->here_fd);
	return fd;
}

static void request_is_sent_again_until_its_deadline(void **state)
{
	struct fixture *fixture = *state;
	int fd = lose_first(fixture, PATH_HTTP, "198.51.100.50");

	LOOP_UNTIL(fixture->event, DEADLINE_US,
		(serve(fd, "HTTP/1.1 200 OK\r\n\r\n", NULL), fixture->n_results[0] >= 1));
	assert_int_equal(fixture->verdicts[0], PATH_OK);
	util_close(fd);
}

static void probe_is_sent_again_when_its_backend_is_heard(void **state)
{
	struct fixture *fixture = *state;
	int fd = lose_first(fixture, PATH_TCP, "198.51.100.51");

	path_probe_again(fixture->probes, 7);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 1);
	assert_int_equal(fixture->verdicts[0], PATH_OK);
	util_close(fd);
}

static void probes_that_began_together_are_spread(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[SERVICES];
	uint64_t first_us = UINT64_MAX, last_us = 0;

	require_root(fixture);
	memset(fixture->third_us, 0, sizeof(fixture->third_us));
	for (uint16_t i = 0; i < SERVICES; i++)
		targets[i] = target(fixture, i, PATH_TCP, false, (uint16_t)(81 + i));
	probe(fixture, targets, SERVICES);
	for (size_t i = 0; i < SERVICES; i++) {
		LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->third_us[i] > 0);
		first_us = MIN(first_us, fixture->third_us[i]);
		last_us = MAX(last_us, fixture->third_us[i]);
	}
	assert_true(last_us - first_us > INTERVAL_US / 8);
}

static void probe_ends_with_its_target(void **state)
{
	struct fixture *fixture = *state;
	struct path_target targets[3];
	int fd;

	require_root(fixture);
	fd = server_listen(fixture, SOCK_STREAM, false, 80);
	for (uint16_t i = 0; i < 3; i++)
		targets[i] = target(fixture, i, PATH_TCP, false, 80);
	probe(fixture, targets, 3);
	for (size_t i = 0; i < 3; i++)
		LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[i] >= 1);
	/* The one in the middle goes, the last has another port. */
	targets[1] = targets[2];
	targets[1].port = 81;
	probe(fixture, targets, 2);
	fixture->n_results[1] = 0;
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->verdicts[2] == PATH_REFUSED);
	fixture->n_results[0] = 0;
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results[0] >= 3);
	assert_int_equal(fixture->n_results[1], 0);
	assert_true(fixture->n_done > 0);
	probe(fixture, NULL, 0);
	memset(fixture->n_results, 0, sizeof(fixture->n_results));
	assert_true(sd_event_run(fixture->event, 3 * INTERVAL_US) >= 0);
	assert_int_equal(fixture->n_results[0] + fixture->n_results[2], 0);
	util_close(fd);
}

int main(void)
{
#define LIVE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		LIVE(probe_finds_a_listener_and_leaves_nothing_behind),
		LIVE(probe_names_what_is_wrong),
		LIVE(probe_of_a_wrong_mac_is_not_answered),
		LIVE(probe_echoes),
		LIVE(probe_looks_for_what_is_expected),
		LIVE(probe_believes_nobody_who_guesses),
		LIVE(probe_says_nothing_of_backends_while_it_cannot_ask),
		LIVE(probe_reads_what_came_while_nobody_listened),
		LIVE(request_is_made_as_a_client_makes_it),
		LIVE(requests_of_one_backend_do_not_meet),
		LIVE(request_is_refused_and_silent_like_any_client),
		LIVE(request_is_sent_again_until_its_deadline),
		LIVE(probe_is_sent_again_when_its_backend_is_heard),
		LIVE(probes_that_began_together_are_spread),
		LIVE(probe_ends_with_its_target),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
