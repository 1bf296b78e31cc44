/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SYN-ACKs to the ports of path probes that no probe waits for, many at once, over a veth pair in a network namespace. */
#include <net/if.h>
#include <sys/socket.h>

#include "lb/link/path/path_probe.h"
#include "lb/link/path/path_socket.h"
#include "tests/unit/lb/fwd/wire.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/namespace.h"

#define DEADLINE_US (20 * US_PER_S)
#define FLAGS       (34u + 13u) /* of TCP behind an IPv4 header without options */
#define SYN         0x02u
#define RST         0x04u
#define SYN_ACK     0x12u
#define STRANGERS   300u /* at once: as many as the socket has room for */
#define TURN_READS  256u /* of them in one turn of the loop */
#define TIMEOUT_US  (500 * US_PER_MS)

static const struct mac here_mac = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac server_mac = { { 2, 0, 0, 0, 0, 9 } };

struct fixture {
	sd_event *event;
	struct path_probes *probes;
	int fd; /* the server's end */
	struct addr own, vip, real;
	unsigned int n_results;
	enum path_verdict verdict;
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

	fixture->n_results++;
	fixture->verdict = result->verdict;
}

static void fixture_done(void *context)
{
}

static int fixture_setup(void **state)
{
	static const struct path_callbacks callbacks = { fixture_result, fixture_done };
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct addr_prefix subnet;
	struct path_link link;

	*state = fixture;
	fixture->fd = -1;
	if (!namespace_make())
		return 0;
	assert_int_equal(
		system("ip link add here0 address 02:00:00:00:00:01 type veth peer name server0 && "
		       "ip link set here0 up && ip link set server0 up"),
		0);
	fixture->fd = wire_open("server0");
	fixture->own = address("192.0.2.2");
	fixture->vip = address("198.51.100.10");
	fixture->real = address("192.0.2.9");
	assert_int_equal(addr_prefix_parse("192.0.2.0/24", &subnet), 0);
	link = (struct path_link){ "here0", if_nametoindex("here0"), true, here_mac, &fixture->own,
		&subnet, 1 };
	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(
		path_probe_start(fixture->event, &callbacks, fixture, &fixture->probes), 0);
	assert_int_equal(path_probe_set_link(fixture->probes, &link), 0);
	return 0;
}

static int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	path_probe_free(fixture->probes);
	sd_event_unref(fixture->event);
	util_close(fixture->fd);
	free(fixture);
	return 0;
}

/* TCP frames that the server has heard with these flags; the last of them. */
static unsigned int heard(const struct fixture *fixture, uint8_t flags, uint8_t last[2048])
{
	unsigned int n = 0;
	uint8_t frame[2048];

	while (recv(fixture->fd, frame, sizeof(frame), MSG_DONTWAIT) > 0) {
		if (frame[12] != 8 || frame[13] != 0 || frame[23] != IPPROTO_TCP ||
			frame[FLAGS] != flags)
			continue;
		memcpy(last, frame, sizeof(frame));
		n++;
	}
	return n;
}

/* Waits for the SYN of a probe that has so long to be answered. */
static void begin_for(struct fixture *fixture, uint64_t timeout_us, uint8_t syn[2048])
{
	const struct path_target target = { 0, 0, fixture->vip, PATH_TCP, 80, timeout_us,
		timeout_us, { NULL, 0 }, { NULL, 0 } };

	if (fixture->fd < 0)
		skip();
	assert_int_equal(
		path_probe_set(fixture->probes, 7, &server_mac, &fixture->real, &target, 1), 0);
	LOOP_UNTIL(fixture->event, DEADLINE_US, heard(fixture, SYN, syn) > 0);
}

static void begin(struct fixture *fixture, uint8_t syn[2048])
{
	begin_for(fixture, 30 * US_PER_S, syn);
}

/* Answers the SYN, or the one that had a sequence number so much higher. */
static void answer(const struct fixture *fixture, const uint8_t *syn, uint32_t off_by)
{
	uint8_t frame[PATH_FRAME_MAX_BYTES];
	const struct path_frame built = {
		.kind = PATH_TCP,
		.from = server_mac,
		.to = here_mac,
		.source = fixture->vip,
		.vip = fixture->own,
		.source_port = 80,
		.port = (uint16_t)(syn[34] << 8 | syn[35]),
		.sequence = 1000,
	};
	size_t size_bytes = path_frame_build(&built, frame);
	uint32_t acknowledged;

	memcpy(&acknowledged, &syn[34 + 4], sizeof(acknowledged));
	acknowledged = htobe32(be32toh(acknowledged) + 1 + off_by);
	memcpy(&frame[34 + 8], &acknowledged, sizeof(acknowledged));
	frame[FLAGS] = SYN_ACK;
	assert_int_equal(send(fixture->fd, frame, size_bytes, 0), size_bytes);
}

/* What the loop had been told when a timer ran whose priority is less. */
struct late {
	const struct fixture *fixture;
	bool ran;
	unsigned int n_results;
};

static int on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	struct late *late = context;

	late->ran = true;
	late->n_results = late->fixture->n_results;
	return 0;
}

static void probes_that_are_flooded_let_timers_run(void **state)
{
	struct fixture *fixture = *state;
	struct late late = { .fixture = fixture };
	sd_event_source *timer = NULL;
	uint8_t syn[2048];

	begin(fixture, syn);
	for (uint32_t i = 0; i < STRANGERS; i++)
		answer(fixture, syn, i + 1);
	answer(fixture, syn, 0);
	assert_true(sd_event_add_time(
			    fixture->event, &timer, CLOCK_MONOTONIC, 0, 0, on_timer, &late) >= 0);
	assert_true(sd_event_source_set_priority(timer, SD_EVENT_PRIORITY_NORMAL + 10) >= 0);
	LOOP_UNTIL(fixture->event, DEADLINE_US, late.ran);
	assert_int_equal(late.n_results, 0);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results == 1);
	assert_int_equal(fixture->verdict, PATH_OK);
	sd_event_source_disable_unref(timer);
}

/*
 * The socket, which has been crowded, has so many frames when the probe's time is over. It is read by its timer alone, as
 * that comes first then.
 */
static enum path_verdict verdict_behind(struct fixture *fixture, uint32_t n_frames)
{
	uint64_t due_us;
	uint8_t syn[2048];
	uint32_t i;

	begin_for(fixture, TIMEOUT_US, syn);
	/* The timer is late by less than what counts as a stall. */
	due_us = clock_now_us() + TIMEOUT_US + 50 * US_PER_MS;
	for (i = 0; i < STRANGERS; i++)
		answer(fixture, syn, i + 1);
	assert_true(sd_event_run(fixture->event, 0) > 0);
	assert_int_equal(fixture->n_results, 0);
	for (; i < TURN_READS + n_frames; i++)
		answer(fixture, syn, i + 1);
	while (clock_now_us() < due_us)
		;
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results > 0);
	return fixture->verdict;
}

/* Three batches and a half: there is no more. */
static void probes_know_that_a_batch_that_is_not_full_was_the_last(void **state)
{
	assert_int_equal(verdict_behind(*state, 3 * PATH_SOCKET_BATCH + PATH_SOCKET_BATCH / 2),
		PATH_NO_ANSWER);
}

/* More than one turn of the loop reads. */
static void probes_read_what_there_is_before_they_judge(void **state)
{
	assert_int_equal(verdict_behind(*state, STRANGERS), PATH_NO_ANSWER);
}

static void probes_reset_some_hundred_strangers_a_second(void **state)
{
	struct fixture *fixture = *state;
	unsigned int n_resets = 0, n_seconds;
	uint8_t syn[2048], last[2048];
	uint64_t begin_us;

	begin(fixture, syn);
	begin_us = clock_now_us();
	for (uint32_t i = 0; i < 20; i++) {
		for (uint32_t k = 0; k < 100; k++)
			answer(fixture, syn, 1 + i * 100 + k);
		while (sd_event_run(fixture->event, 0) > 0)
			;
		n_resets += heard(fixture, RST, last);
	}
	n_seconds = (unsigned int)((clock_now_us() - begin_us) / US_PER_S) + 1;
	assert_in_range(
		n_resets, PATH_SOCKET_STRANGERS_PER_S, n_seconds * PATH_SOCKET_STRANGERS_PER_S);
	/* Whoever is waited for has its reset all the same. */
	answer(fixture, syn, 0);
	LOOP_UNTIL(fixture->event, DEADLINE_US, fixture->n_results == 1);
	assert_int_equal(fixture->verdict, PATH_OK);
	assert_int_equal(heard(fixture, RST, last), 1);
}

int main(void)
{
#define LIVE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		LIVE(probes_that_are_flooded_let_timers_run),
		LIVE(probes_know_that_a_batch_that_is_not_full_was_the_last),
		LIVE(probes_read_what_there_is_before_they_judge),
		LIVE(probes_reset_some_hundred_strangers_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
