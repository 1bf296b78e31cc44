/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP checks against loopback listeners. */
#include "lb/link/tcp_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (20 * US_PER_S)

struct fixture {
	sd_event *event;
	struct tcp_checks *checks;
	int listener;
	uint16_t port;
	unsigned int n_results;
	uint16_t backend, result_port;
	enum tcp_check_outcome outcome;
	bool free_in_callback;
	char reason[128];
};

static void fixture_result(uint16_t backend, uint16_t port, enum tcp_check_outcome outcome,
	const char *reason, void *context)
{
	struct fixture *fixture = context;

	fixture->n_results++;
	fixture->backend = backend;
	fixture->result_port = port;
	fixture->outcome = outcome;
	snprintf(fixture->reason, sizeof(fixture->reason), "%s", reason);
	if (fixture->free_in_callback)
		tcp_check_free(TAKE_PTR(fixture->checks));
}

/* A listener on an address of its own, so that parallel tests do not meet. */
static int listener_open(int backlog, uint16_t *ret_port)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t here_bytes = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &here_bytes), 0);
	*ret_port = ntohs(here.sin_port);
	return fd;
}

static int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(
		tcp_check_start(fixture->event, fixture_result, fixture, &fixture->checks), 0);
	fixture->listener = listener_open(16, &fixture->port);
	*state = fixture;
	return 0;
}

static int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	tcp_check_free(fixture->checks);
	sd_event_unref(fixture->event);
	util_close(fixture->listener);
	free(fixture);
	return 0;
}

static int fixture_probe(
	struct fixture *fixture, uint16_t backend, uint16_t port, uint64_t timeout_us)
{
	struct addr address;

	assert_int_equal(addr_parse("127.0.0.1", &address), 0);
	return tcp_check_run(fixture->checks, &(struct tcp_check_target){ backend, &address, "lo" },
		port, timeout_us);
}

static void fixture_await(struct fixture *fixture, unsigned int n_results)
{
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results >= n_results);
	assert_int_equal(fixture->n_results, n_results);
}

static void probe_finds_a_listener(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(fixture_probe(fixture, 7, fixture->port, DEADLINE_US), 0);
	/* Never while the caller is still calling. */
	assert_int_equal(fixture->n_results, 0);
	fixture_await(fixture, 1);
	assert_int_equal(fixture->outcome, TCP_CHECK_OK);
	assert_int_equal(fixture->backend, 7);
	assert_int_equal(fixture->result_port, fixture->port);
	assert_string_equal(fixture->reason, "");
}

static void probe_says_that_it_was_refused(void **state)
{
	struct fixture *fixture = *state;
	char expected[64];
	uint16_t port;
	int fd = listener_open(-1, &port);

	assert_int_equal(fixture_probe(fixture, 1, port, DEADLINE_US), 0);
	fixture_await(fixture, 1);
	assert_int_equal(fixture->outcome, TCP_CHECK_FAILED);
	snprintf(expected, sizeof(expected), "tcp:%u: connection refused", port);
	assert_string_equal(fixture->reason, expected);
	close(fd);
}

static void probe_says_that_nobody_answered(void **state)
{
	struct fixture *fixture = *state;
	char expected[64];
	uint16_t port;
	int fd = listener_open(0, &port);

	/* The first fills the queue of a listener that never accepts; the next SYN is dropped. */
	assert_int_equal(fixture_probe(fixture, 1, port, DEADLINE_US), 0);
	fixture_await(fixture, 1);
	assert_int_equal(fixture->outcome, TCP_CHECK_OK);
	for (unsigned int i = 0; i < 3; i++) {
		struct sockaddr_in there = { .sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(0x7f000001) };
		int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		/* Left open on purpose: it occupies the queue until the process ends. */
		(void)connect(filler, (struct sockaddr *)&there, sizeof(there));
	}
	assert_int_equal(fixture_probe(fixture, 1, port, 100 * US_PER_MS), 0);
	fixture_await(fixture, 2);
	assert_int_equal(fixture->outcome, TCP_CHECK_FAILED);
	snprintf(expected, sizeof(expected), "tcp:%u: no answer within 100 ms", port);
	assert_string_equal(fixture->reason, expected);
	close(fd);
}

static void probe_reports_what_ends_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct addr address;

	/* No route out of lo to a multicast address: connect() fails by itself. */
	assert_int_equal(addr_parse("224.0.0.1", &address), 0);
	assert_int_equal(tcp_check_run(fixture->checks,
				 &(struct tcp_check_target){ 3, &address, "lo" }, 80, DEADLINE_US),
		0);
	assert_int_equal(fixture->n_results, 0);
	fixture_await(fixture, 1);
	assert_int_equal(fixture->outcome, TCP_CHECK_FAILED);
	assert_ptr_equal(strstr(fixture->reason, "tcp:80: "), fixture->reason);
}

static void probe_cancel_forgets_one_backend(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(fixture_probe(fixture, 1, fixture->port, DEADLINE_US), 0);
	assert_int_equal(fixture_probe(fixture, 2, fixture->port, DEADLINE_US), 0);
	assert_int_equal(fixture_probe(fixture, 1, fixture->port, DEADLINE_US), 0);
	tcp_check_cancel(fixture->checks, 1);
	fixture_await(fixture, 1);
	assert_int_equal(fixture->backend, 2);
	assert_int_equal(sd_event_run(fixture->event, 0), 0);
	assert_int_equal(fixture->n_results, 1);
}

static void probe_may_be_freed_by_its_callback(void **state)
{
	struct fixture *fixture = *state;

	fixture->free_in_callback = true;
	assert_int_equal(fixture_probe(fixture, 1, fixture->port, DEADLINE_US), 0);
	assert_int_equal(fixture_probe(fixture, 2, fixture->port, DEADLINE_US), 0);
	fixture_await(fixture, 1);
	assert_null(fixture->checks);
}

static void probe_fails_without_its_interface(void **state)
{
	struct fixture *fixture = *state;
	struct addr address;

	assert_int_equal(addr_parse("127.0.0.1", &address), 0);
	assert_int_equal(
		tcp_check_run(fixture->checks, &(struct tcp_check_target){ 1, &address, "none9" },
			fixture->port, DEADLINE_US),
		-ENODEV);
	assert_int_equal(sd_event_run(fixture->event, 0), 0);
	assert_int_equal(fixture->n_results, 0);
}

/* The loopback of a network of our own, where connections get two ports between them. */
static bool own_network(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	_cleanup_close_ int fd = -1, ports = -1;

	if (!namespace_make())
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &up), 0);
	ports = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
	return ports >= 0 && write(ports, "60000 60001", 11) == 11;
}

static void check_is_not_made_without_a_port_of_our_own(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_in there = {
		.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr.s_addr = htonl(0x7f000001)
	};
	int listener, fillers[2];

	if (!own_network()) {
		print_message("needs root and a network namespace\n");
		skip();
	}
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&there, sizeof(there)), 0);
	assert_int_equal(listen(listener, 4), 0);
	for (unsigned int i = 0; i < 2; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fillers[i], (struct sockaddr *)&there, sizeof(there)), 0);
	}
	assert_int_equal(fixture_probe(fixture, 1, 8080, DEADLINE_US), 0);
	fixture_await(fixture, 1);
	assert_int_equal(fixture->outcome, TCP_CHECK_NOT_MADE);
	assert_ptr_equal(strstr(fixture->reason, "tcp:8080: "), fixture->reason);
	close(fillers[0]);
	close(fillers[1]);
	close(listener);
}

#define PROBE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBE_TEST(probe_finds_a_listener),
		PROBE_TEST(probe_says_that_it_was_refused),
		PROBE_TEST(probe_says_that_nobody_answered),
		PROBE_TEST(probe_reports_what_ends_at_once),
		PROBE_TEST(probe_cancel_forgets_one_backend),
		PROBE_TEST(probe_may_be_freed_by_its_callback),
		PROBE_TEST(probe_fails_without_its_interface),
		/* Last: it leaves this network. */
		PROBE_TEST(check_is_not_made_without_a_port_of_our_own),
	};

	return cmocka_run_group_tests_name("tcp_check", tests, NULL, NULL);
}
