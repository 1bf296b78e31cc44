/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of a real host: a network namespace with the VIP on lo, listening sockets, programs and files. Skipped
 * where namespaces may not be made.
 */
#include "agent/check/checks.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "agent/check/check_exec.h"
#include "agent/check/child.h"
#include "tests/unit/agent/check/checks_bench.h"
#include "tests/unit/agent/host/netns.h"
#include "tests/unit/tools/namespace.h"

static int setup(void **state)
{
	*state = NULL;
	if (!namespace_make())
		return 0;
	netns_set_up("lo");
	netns_add_address("lo", "198.51.100.10", 32);
	*state = bench_new();
	return 0;
}

static int teardown(void **state)
{
	if (*state)
		bench_free(*state);
	return 0;
}

static struct bench *fixture(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static int listen_on(const char *address, uint16_t port)
{
	struct addr_port endpoint = { netns_addr(address), port };
	struct sockaddr_storage name;
	socklen_t size_bytes = addr_to_sockaddr(&endpoint, 0, &name);
	int fd = socket(endpoint.addr.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size_bytes), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* ---- tcp ---- */

static void tcp_follows_the_server(void **state)
{
	struct bench *f = fixture(state);
	int fd = listen_on("198.51.100.10", 80);

	bench_configure(f, "check = tcp:80\ncheck-fall = 2\n");
	assert_int_equal(f->verdict.state, CHECK_STATE_PENDING);
	assert_true(f->verdict.undecided);
	bench_expect(f, CHECK_STATE_UP, "");
	close(fd);
	bench_expect(
		f, CHECK_STATE_DOWN, "nothing accepts on 198.51.100.10:80 (connection refused)");
	fd = listen_on("0.0.0.0", 80);
	bench_expect(f, CHECK_STATE_UP, "");
	close(fd);
}

static void tcp_sees_a_server_at_the_wrong_address(void **state)
{
	struct bench *f = fixture(state);
	int fd = listen_on("127.0.0.1", 80);

	bench_configure(f, "check = tcp:80\n");
	bench_expect(f, CHECK_STATE_PENDING, "nothing accepts on 198.51.100.10:80");
	bench_expect(f, CHECK_STATE_DOWN, "nothing accepts on 198.51.100.10:80");
	close(fd);
}

static void tcp_says_which_vip_is_missing(void **state)
{
	struct bench *f = fixture(state);

	bench_configure(f, "vip = 198.51.100.11\ncheck-timeout = 50ms\ncheck = tcp:80\n");
	bench_expect(f, CHECK_STATE_DOWN, "nothing accepts on 198.51.100.10:80");
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US,
		strstr(checks_view(f->checks, 1).health->reason,
			"198.51.100.11 is not an address of this host"));
}

/* The address is there, its route not yet: the kernel makes it a moment later. */
static void tcp_waits_for_the_route_of_a_vip(void **state)
{
	struct bench *f = fixture(state);
	int fd = listen_on("::", 80);

	netns_add_veth();
	netns_set_up("eth0");
	netns_set_up("peer0");
	assert_int_equal(
		system("ip -6 route add default dev eth0 && "
		       "ip address add 2001:db8:f::10/128 dev lo nodad && "
		       "timeout 10 sh -c 'until ip -6 route del local 2001:db8:f::10 table local 2>/dev/null; do :; done'"),
		0);
	bench_configure(
		f, "vip = 2001:db8:f::10\ncheck-timeout = 900ms\ncheck-fall = 1\ncheck = tcp:80\n");
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US, checks_view(f->checks, 0).health->known);
	assert_int_equal(checks_view(f->checks, 0).health->state, CHECK_STATE_UP);
	assert_int_equal(
		system("ip -6 route add local 2001:db8:f::10 dev lo table local proto kernel"), 0);
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US, checks_view(f->checks, 1).health->known);
	assert_int_equal(checks_view(f->checks, 1).health->state, CHECK_STATE_UP);
	close(fd);
}

/* A queue that is full takes no more: the kernel drops the SYN. */
static void tcp_has_a_deadline(void **state)
{
	struct bench *f = fixture(state);
	int fd = listen_on("198.51.100.10", 80);
	int clients[2];

	assert_int_equal(listen(fd, 0), 0);
	for (size_t idx = 0; idx < ARRAY_LEN(clients); idx++) {
		struct addr_port endpoint = { netns_addr("198.51.100.10"), 80 };
		struct sockaddr_storage name;
		socklen_t size_bytes = addr_to_sockaddr(&endpoint, 0, &name);

		clients[idx] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(clients[idx], (struct sockaddr *)&name, size_bytes);
	}
	bench_configure(f, "check-timeout = 100ms\ncheck = tcp:80\n");
	bench_expect(f, CHECK_STATE_DOWN, "tcp:80 on 198.51.100.10: no answer within 100 ms");
	assert_true(checks_view(f->checks, 0).took_us >= 100 * US_PER_MS);
	for (size_t idx = 0; idx < ARRAY_LEN(clients); idx++)
		close(clients[idx]);
	close(fd);
}

/* ---- http ---- */

/* A server that answers each request with the same bytes. */
struct server {
	const char *answer;
	char request[1024];
	int fd;
	sd_event_source *source;
};

static int server_on_request(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct server *server = context;
	ssize_t n_bytes = read(fd, server->request, sizeof(server->request) - 1);

	server->request[MAX(n_bytes, 0)] = '\0';
	/* A client that has heard enough may have gone. */
	if (write(fd, server->answer, strlen(server->answer)) < 0)
		assert_true(errno == EPIPE || errno == ECONNRESET);
	sd_event_source_disable_unref(source);
	close(fd);
	return 0;
}

static int server_on_client(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	sd_event_source *io = NULL;

	assert_true(sd_event_add_io(sd_event_source_get_event(source), &io, client, EPOLLIN,
			    server_on_request, context) >= 0);
	return 0;
}

static void server_open(struct bench *f, struct server *server, uint16_t port, const char *answer)
{
	*server = (struct server){ .answer = answer, .fd = listen_on("198.51.100.10", port) };
	assert_true(sd_event_add_io(f->event, &server->source, server->fd, EPOLLIN,
			    server_on_client, server) >= 0);
}

static void server_close(struct server *server)
{
	sd_event_source_disable_unref(server->source);
	close(server->fd);
}

static void http_judges_status_and_body(void **state)
{
	struct bench *f = fixture(state);
	struct server server;

	server_open(f, &server, 80, "HTTP/1.1 204 ok\r\n\r\n");
	bench_configure(f, "check = http://www.example/health?a=b\n");
	bench_expect(f, CHECK_STATE_UP, "");
	assert_non_null(
		strstr(server.request, "GET /health?a=b HTTP/1.1\r\nHost: www.example\r\n"));
	server.answer = "HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n";
	bench_expect(
		f, CHECK_STATE_DOWN, "http://www.example/health?a=b on 198.51.100.10 answers 503");
	bench_configure(f, "check = http://www.example/ status=404,500-503\n");
	bench_expect(f, CHECK_STATE_UP, "");
	bench_configure(f, "check = http://www.example/ status=503 body='all is well'\n");
	bench_expect(f, CHECK_STATE_DOWN, "answers without \"all is well\"");
	server.answer = "HTTP/1.1 503 no\r\n\r\nhere all is well.";
	bench_expect(f, CHECK_STATE_UP, "");
	/* No HTTP at all, and nothing at all. */
	server.answer = "SSH-2.0-x\r\n";
	bench_expect(f, CHECK_STATE_DOWN, "http://www.example/ on 198.51.100.10: ");
	server_close(&server);
	bench_expect(
		f, CHECK_STATE_DOWN, "nothing accepts on 198.51.100.10:80 (connection refused)");
}

static void http_has_a_deadline(void **state)
{
	struct bench *f = fixture(state);
	int fd = listen_on("198.51.100.10", 8080);

	bench_configure(f, "check-timeout = 100ms\ncheck = http://www:8080/\n");
	bench_expect(
		f, CHECK_STATE_DOWN, "http://www:8080/ on 198.51.100.10: no answer within 100 ms");
	close(fd);
}

/* A body without end is not read to the end. */
static void http_reads_a_little_of_much(void **state)
{
	static char answer[2 * 65536];
	struct bench *f = fixture(state);
	struct server server;
	int len = snprintf(answer, sizeof(answer), "HTTP/1.1 200 ok\r\n\r\n");

	memset(answer + len, 'x', sizeof(answer) - (size_t)len - 1);
	for (size_t idx = 0; idx < 5; idx++) {
		answer[(size_t)len + 100 + idx] = "early"[idx];
		answer[70000 + idx] = "later"[idx];
	}
	server_open(f, &server, 80, answer);
	bench_configure(f, "check = http://www/ body=early\n");
	bench_expect(f, CHECK_STATE_UP, "");
	bench_configure(f, "check = http://www/ body=later\n");
	bench_expect(f, CHECK_STATE_DOWN, "answers without \"later\"");
	server_close(&server);
}

/* ---- exec ---- */

static void exec_knows_the_statuses_of_plugins(void **state)
{
	static const struct {
		int status;
		const char *output;
		enum check_outcome outcome;
		const char *why;
	} cases[] = {
		{ 0, "DISK OK", CHECK_WELL, "" },
		{ 1, "DISK WARNING - 5% |/=5\nmore", CHECK_WARNS, "exec /p: DISK WARNING - 5%" },
		{ 2, "DISK CRITICAL\n", CHECK_DEAD, "exec /p: DISK CRITICAL" },
		{ 3, "DISK UNKNOWN", CHECK_FAILED, "exec /p: DISK UNKNOWN" },
		{ 127, "", CHECK_FAILED, "exec /p: exit status 127" },
		{ -SIGKILL, "x", CHECK_FAILED, "exec /p: ended by signal 9" },
		{ 2, "", CHECK_DEAD, "exec /p: exit status 2" },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		struct why why = { 0 };

		assert_int_equal(
			check_exec_judge("/p", item->status, item->output, &why), item->outcome);
		assert_string_equal(why.text, item->why);
	}
}

static void exec_follows_its_status(void **state)
{
	struct bench *f = fixture(state);

	temp_dir_write(f->directory, "status", "0");
	bench_configure(f, "check = exec:/bin/sh -c 'read s < %s/status; echo FTP $s; exit $s'\n");
	bench_expect(f, CHECK_STATE_UP, "");
	temp_dir_write(f->directory, "status", "1");
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US, checks_view(f->checks, 0).health->warns);
	assert_string_equal(checks_view(f->checks, 0).health->reason, "exec /bin/sh: FTP 1");
	assert_int_equal(f->verdict.state, CHECK_STATE_UP);
	temp_dir_write(f->directory, "status", "2");
	bench_expect(f, CHECK_STATE_DOWN, "exec /bin/sh: FTP 2");
	temp_dir_write(f->directory, "status", "0");
	bench_expect(f, CHECK_STATE_UP, "");
	temp_dir_write(f->directory, "status", "3");
	bench_expect(f, CHECK_STATE_DOWN, "exec /bin/sh: FTP 3");
}

/* What a line of /proc/PID/status holds, by the plugin itself. */
static void exec_gives_nothing_of_ours_away(void **state)
{
	struct bench *f = fixture(state);
	char path[2 * TEMP_DIR_BYTES];
	char text[1024] = "";
	FILE *file;
	size_t n;

	assert_int_equal(setenv("NOTIFY_SOCKET", "/nonexistent", 1), 0);
	bench_configure(f,
		"check = exec:/bin/sh -c 'cat /proc/$$/status > %s/s; ls -l /proc/$$/fd | wc -l"
		" >> %s/s; env >> %s/s; echo end >> %s/s'\n");
	bench_expect(f, CHECK_STATE_UP, "");
	snprintf(path, sizeof(path), "%s/s", f->directory);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(text, sizeof(text), file)) {
		if (strncmp(text, "CapPrm", 6) == 0 || strncmp(text, "CapEff", 6) == 0 ||
			strncmp(text, "CapAmb", 6) == 0 || strncmp(text, "CapInh", 6) == 0)
			assert_string_equal(text + 7, "\t0000000000000000\n");
		if (strncmp(text, "NoNewPrivs", 10) == 0)
			assert_string_equal(text + 11, "\t1\n");
		assert_int_not_equal(strncmp(text, "NOTIFY_SOCKET", 13), 0);
		/* "total 0", three descriptors and the one that the redirection opens. */
		n = strtoul(text, NULL, 10);
		if (n > 0)
			assert_in_range(n, 4, 5);
	}
	fclose(file);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static bool is_gone(const char *directory)
{
	char path[2 * TEMP_DIR_BYTES], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/pid", directory);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return text[0] && kill((pid_t)strtol(text, NULL, 10), 0) < 0;
}

static void exec_is_killed_with_its_children(void **state)
{
	struct bench *f = fixture(state);

	bench_configure(f,
		"check-timeout = 200ms\ncheck-interval = 1h\n"
		"check = exec:/bin/sh -c 'sleep 100 & echo $! > %s/pid; wait'\n");
	bench_expect(f, CHECK_STATE_PENDING, "exec /bin/sh: no answer within 200 ms");
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US, is_gone(f->directory));
}

static void exec_leaves_nobody_behind_when_it_ends(void **state)
{
	struct bench *f = fixture(state);

	bench_configure(f,
		"check-interval = 1h\n"
		"check = exec:/bin/sh -c 'sleep 100 > /dev/null 2>&1 & echo $! > %s/pid'\n");
	bench_expect(f, CHECK_STATE_UP, "");
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US, is_gone(f->directory));
}

/* More than a pipe holds: who writes it must not hang. */
static void exec_reads_a_little_of_much(void **state)
{
	struct bench *f = fixture(state);

	bench_configure(
		f, "check = exec:/bin/sh -c 'head -c 300000 /dev/zero | tr \"\\0\" x; exit 2'\n");
	bench_expect(f, CHECK_STATE_DOWN, "exec /bin/sh: xxxx");
}

static uint64_t cpu_us(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
	return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Who writes without end, as fast as it is read, is ended at its deadline like everybody, and no turn of the loop, in which
 * heartbeats wait, is spent on it: by the processor's time, which nothing else on this machine changes.
 */
static void exec_that_never_ceases_to_write_holds_nobody_up(void **state)
{
	struct bench *f = fixture(state);
	uint64_t longest_us = 0;

	bench_configure(f,
		"check-timeout = 500ms\ncheck-interval = 1h\n"
		"check = exec:/bin/sh -c 'cat /dev/zero & cat /dev/zero & cat /dev/zero'\n");
	while (!strstr(f->verdict.reason.text, "no answer within 500 ms")) {
		uint64_t began_us = cpu_us();

		assert_true(sd_event_run(f->event, 100 * US_PER_MS) >= 0);
		longest_us = MAX(longest_us, cpu_us() - began_us);
	}
	print_message("# the longest turn: %" PRIu64 " us\n", longest_us);
	assert_true(longest_us < 3 * US_PER_MS);
}

struct end {
	size_t output_bytes;
	bool is_told;
};

static void take_end(void *context, int status, const char *output)
{
	struct end *end = context;

	end->output_bytes = strlen(output);
	end->is_told = true;
}

static void exec_cuts_output_at_its_limit(void **state)
{
	static const char *const commands[] = { "head -c 4096 /dev/zero | tr '\\0' x",
		"head -c 4097 /dev/zero | tr '\\0' x", "head -c 300000 /dev/zero | tr '\\0' x" };
	struct bench *f = fixture(state);
	struct child_room *room = NULL;

	assert_int_equal(CHILD_OUTPUT_BYTES, 4096);
	assert_int_equal(child_room_new(f->event, &room), 0);
	ARRAY_FOREACH (command, commands, ARRAY_LEN(commands)) {
		const struct child_work work = { .argv = (char *const[]){ (char *)"/bin/sh",
							 (char *)"-c", (char *)*command, NULL } };
		struct end end = { 0 };
		struct child *child;

		assert_int_equal(child_start(room, &work, take_end, &end, &child), 0);
		LOOP_UNTIL(f->event, BENCH_DEADLINE_US, end.is_told);
		assert_int_equal(end.output_bytes, CHILD_OUTPUT_BYTES);
	}
	child_room_free(room);
}

static void exec_says_what_cannot_be_run(void **state)
{
	struct bench *f = fixture(state);
	char path[2 * TEMP_DIR_BYTES];

	temp_dir_write(f->directory, "plugin", "#!/nonexistent\n");
	snprintf(path, sizeof(path), "%s/plugin", f->directory);
	assert_int_equal(chmod(path, 0755), 0);
	bench_configure(f, "check = exec:%s/plugin\n");
	bench_expect(f, CHECK_STATE_DOWN, "/plugin: cannot be run: No such file or directory");
}

static void exec_has_room_for_so_many(void **state)
{
	struct bench *f = fixture(state);
	const struct child_work work = { .argv = (char *const[]){
						 (char *)"/bin/sleep", (char *)"100", NULL } };
	struct child *children[CHILD_ROOM_MAX + 1];
	struct child_room *room = NULL;

	assert_int_equal(child_room_new(f->event, &room), 0);
	for (size_t idx = 0; idx < CHILD_ROOM_MAX; idx++)
		assert_int_equal(child_start(room, &work, NULL, NULL, &children[idx]), 0);
	assert_int_equal(child_start(room, &work, NULL, NULL, &children[CHILD_ROOM_MAX]), -EAGAIN);
	child_kill(children[0]);
	/* Its place is free when it has ended. */
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US,
		child_start(room, &work, NULL, NULL, &children[0]) == 0);
	child_room_free(room);
}

/* ---- file ---- */

static void file_drains_while_it_is_gone(void **state)
{
	struct bench *f = fixture(state);
	char path[2 * TEMP_DIR_BYTES];

	snprintf(path, sizeof(path), "%s/serve", f->directory);
	temp_dir_write(f->directory, "serve", "");
	bench_configure(f, "check = file:%s/serve\n");
	bench_expect(f, CHECK_STATE_UP, "");
	assert_int_equal(unlink(path), 0);
	bench_expect(f, CHECK_STATE_DRAIN, "serve is not there");
	temp_dir_write(f->directory, "serve", "");
	bench_expect(f, CHECK_STATE_UP, "");
}

/* ---- all of them ---- */

static void checks_that_stay_keep_what_is_known(void **state)
{
	struct bench *f = fixture(state);
	int fd = listen_on("198.51.100.10", 80);

	bench_configure(f, "check = tcp:80\ncheck = exec:/bin/sh -c 'exit 2'\n");
	bench_expect(f, CHECK_STATE_DOWN, "exec /bin/sh: exit status 2");
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US,
		checks_view(f->checks, 0).health->state == CHECK_STATE_UP);
	bench_configure(f, "check = tcp:80\ncheck-interval = 1h\n");
	assert_int_equal(checks_len(f->checks), 1);
	assert_int_equal(f->verdict.state, CHECK_STATE_UP);
	assert_true(checks_view(f->checks, 0).has_run);
	/* One that is new does not stop a host that serves, until it has failed. */
	bench_configure(f, "check = tcp:80\ncheck = tcp:81\n");
	assert_int_equal(f->verdict.state, CHECK_STATE_UP);
	bench_expect(f, CHECK_STATE_DOWN, "nothing accepts on 198.51.100.10:81");
	bench_configure(f, "");
	assert_int_equal(f->verdict.state, CHECK_STATE_UP);
	assert_int_equal(checks_len(f->checks), 0);
	close(fd);
}

static void checks_tell_of_changes_alone(void **state)
{
	struct bench *f = fixture(state);
	int fd = listen_on("198.51.100.10", 80);
	uint64_t end_us;

	bench_configure(f, "check = tcp:80\n");
	bench_expect(f, CHECK_STATE_UP, "");
	end_us = checks_view(f->checks, 0).health->since_us + 300 * US_PER_MS;
	LOOP_UNTIL(f->event, BENCH_DEADLINE_US, clock_now_us() > end_us);
	assert_int_equal(f->n_changes, 1);
	close(fd);
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(tcp_follows_the_server),
		fact(tcp_sees_a_server_at_the_wrong_address),
		fact(tcp_says_which_vip_is_missing),
		fact(tcp_waits_for_the_route_of_a_vip),
		fact(tcp_has_a_deadline),
		fact(http_judges_status_and_body),
		fact(http_has_a_deadline),
		fact(http_reads_a_little_of_much),
		cmocka_unit_test(exec_knows_the_statuses_of_plugins),
		fact(exec_follows_its_status),
		fact(exec_gives_nothing_of_ours_away),
		fact(exec_is_killed_with_its_children),
		fact(exec_leaves_nobody_behind_when_it_ends),
		fact(exec_reads_a_little_of_much),
		fact(exec_that_never_ceases_to_write_holds_nobody_up),
		fact(exec_cuts_output_at_its_limit),
		fact(exec_says_what_cannot_be_run),
		fact(exec_has_room_for_so_many),
		fact(file_drains_while_it_is_gone),
		fact(checks_that_stay_keep_what_is_known),
		fact(checks_tell_of_changes_alone),
	};

	return cmocka_run_group_tests_name("agent/checks", tests, NULL, NULL);
}
