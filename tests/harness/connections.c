/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds many TCP connections to named_server open and keeps all of them talking:
 *
 *	connections ADDRESS:PORT COUNT [INTERVAL_MS [PATIENCE_S]]
 *
 * Each connection asks a line every INTERVAL_MS (500), all of them spread over that time, and must hear it again within
 * PATIENCE_S (10).
 * Commands on stdin, each answered by one line of JSON:
 *
 *	report   at once
 *	round    when every connection that lives has asked and been answered after the command
 *
 * {"wanted": 200, "open": 200, "broken": 0, "servers": {"web1": 66, …}, "broken_of": {"web2": 1}}.
 * A connection is broken when it is reset, closed or not answered; it is not opened again. Ends at
 * the end of stdin.
 */
#include "tests/harness/tool.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

#define COUNT_MAX      20000u
#define SERVERS_MAX    64u
#define NAME_BYTES     64u
#define PATIENCE_S     10u
#define TICK_US        (4 * US_PER_MS)
#define OPEN_EACH_TICK 10u /* a burst of thousands of SYNs is not what is tested */
#define SPREAD         100u
#define KEY_TICK       UINT64_MAX
#define KEY_COMMAND    (UINT64_MAX - 1)

enum state { STATE_NEW, STATE_GREETING, STATE_IDLE, STATE_ASKED, STATE_BROKEN };

struct connection {
	int fd;
	enum state state;
	unsigned int server; /* index + 1; 0: not known yet */
	uint64_t next_us;    /* to ask, or until when the answer must be there */
	uint64_t asked_us;
	uint64_t answered_of_us; /* when the newest answered question was asked */
};

struct holder {
	int epoll_fd;
	struct sockaddr_storage address;
	socklen_t length;
	uint64_t interval_us, patience_us;
	struct connection *connections;
	size_t n_wanted, n_begun;
	char servers[SERVERS_MAX][NAME_BYTES];
	size_t n_servers;
	uint64_t round_us; /* a round that was asked for then; 0: none */
};

static void connection_break(struct holder *holder, struct connection *connection)
{
	close(connection->fd);
	connection->state = STATE_BROKEN;
}

static void connection_begin(struct holder *holder, struct connection *connection)
{
	int on = 1;

	connection->fd =
		socket(holder->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		err(1, "socket");
	(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connection->state = STATE_GREETING;
	connection->next_us = tool_now_us(CLOCK_MONOTONIC) + holder->patience_us;
	if (connect(connection->fd, (struct sockaddr *)&holder->address, holder->length) < 0 &&
		errno != EINPROGRESS)
		connection_break(holder, connection);
	else
		tool_watch(holder->epoll_fd, connection->fd, EPOLLIN,
			(uint64_t)(connection - holder->connections));
}

static unsigned int server_number(struct holder *holder, const char *name)
{
	for (size_t i = 0; i < holder->n_servers; i++)
		if (streq(holder->servers[i], name))
			return (unsigned int)i + 1;
	if (holder->n_servers == SERVERS_MAX)
		errx(1, "more than %u servers", SERVERS_MAX);
	snprintf(holder->servers[holder->n_servers], NAME_BYTES, "%s", name);
	return (unsigned int)++holder->n_servers;
}

static void connection_hear(struct holder *holder, struct connection *connection)
{
	char line[NAME_BYTES];
	ssize_t size_bytes = recv(connection->fd, line, sizeof(line) - 1, 0);

	if (size_bytes < 0 && errno == EAGAIN)
		return;
	/* Lines are shorter than any segment: they arrive whole. */
	if (size_bytes <= 0 || line[size_bytes - 1] != '\n') {
		connection_break(holder, connection);
		return;
	}
	line[size_bytes - 1] = '\0';
	connection->next_us = tool_now_us(CLOCK_MONOTONIC) + holder->interval_us;
	if (connection->state == STATE_GREETING) {
		connection->server = server_number(holder, line);
		/* They were opened in a few moments, and are to talk at any. */
		connection->next_us -= holder->interval_us / SPREAD *
			((size_t)(connection - holder->connections) % SPREAD);
	} else {
		connection->answered_of_us = connection->asked_us;
	}
	connection->state = STATE_IDLE;
}

static void connection_ask(struct holder *holder, struct connection *connection, uint64_t now_us)
{
	if (send(connection->fd, "still here\n", 11, MSG_NOSIGNAL) != 11) {
		connection_break(holder, connection);
		return;
	}
	connection->state = STATE_ASKED;
	connection->asked_us = now_us;
	connection->next_us = now_us + holder->patience_us;
}

static void tick(struct holder *holder)
{
	uint64_t now_us = tool_now_us(CLOCK_MONOTONIC);

	for (unsigned int n = 0; n < OPEN_EACH_TICK && holder->n_begun < holder->n_wanted; n++)
		connection_begin(holder, &holder->connections[holder->n_begun++]);
	ARRAY_FOREACH (connection, holder->connections, holder->n_begun) {
		if (connection->state == STATE_BROKEN || connection->next_us > now_us)
			continue;
		if (connection->state == STATE_IDLE)
			connection_ask(holder, connection, now_us);
		else
			connection_break(holder, connection);
	}
}

static void print_servers(const struct holder *holder, const char *title, bool broken)
{
	const char *comma = "";

	printf(", \"%s\": {", title);
	for (unsigned int server = 1; server <= holder->n_servers; server++) {
		unsigned long count = 0;

		ARRAY_FOREACH (connection, holder->connections, holder->n_begun)
			count += connection->server == server &&
				(connection->state == STATE_BROKEN) == broken;
		if (count > 0) {
			printf("%s\"%s\": %lu", comma, holder->servers[server - 1], count);
			comma = ", ";
		}
	}
	printf("}");
}

static void report(const struct holder *holder)
{
	unsigned long n_open = 0, n_broken = 0;

	ARRAY_FOREACH (connection, holder->connections, holder->n_begun) {
		n_open += connection->state == STATE_IDLE || connection->state == STATE_ASKED;
		n_broken += connection->state == STATE_BROKEN;
	}
	printf("{\"wanted\": %zu, \"open\": %lu, \"broken\": %lu", holder->n_wanted, n_open,
		n_broken);
	print_servers(holder, "servers", false);
	print_servers(holder, "broken_of", true);
	printf("}\n");
	fflush(stdout);
}

/* Whether all have asked since the command, and heard their answer or broken over it. */
static bool round_is_complete(const struct holder *holder)
{
	if (holder->n_begun < holder->n_wanted)
		return false;
	ARRAY_FOREACH (connection, holder->connections, holder->n_begun)
		if (connection->state != STATE_BROKEN &&
			connection->answered_of_us < holder->round_us)
			return false;
	return true;
}

/* False at the end of stdin. */
static bool obey(struct holder *holder)
{
	char command[64];
	ssize_t size_bytes = read(STDIN_FILENO, command, sizeof(command) - 1);

	if (size_bytes <= 0)
		return false;
	command[size_bytes] = '\0';
	if (streq(command, "round\n"))
		holder->round_us = tool_now_us(CLOCK_MONOTONIC);
	else
		report(holder);
	return true;
}

static void serve(struct holder *holder, int timer_fd)
{
	struct epoll_event events[256];

	for (;;) {
		int n_events = epoll_wait(holder->epoll_fd, events, ARRAY_LEN(events), -1);

		for (int i = 0; i < n_events; i++) {
			if (events[i].data.u64 == KEY_COMMAND) {
				if (!obey(holder))
					return;
			} else if (events[i].data.u64 == KEY_TICK) {
				(void)tool_timer_rang(timer_fd);
				tick(holder);
			} else if (holder->connections[events[i].data.u64].state != STATE_BROKEN) {
				connection_hear(holder, &holder->connections[events[i].data.u64]);
			}
		}
		if (holder->round_us > 0 && round_is_complete(holder)) {
			holder->round_us = 0;
			report(holder);
		}
	}
}

int main(int argc, char **argv)
{
	struct holder holder = { 0 };
	struct rlimit files = { COUNT_MAX + 64, COUNT_MAX + 64 };
	struct addr_port endpoint;
	int timer_fd;

	if (argc < 3 || argc > 5)
		errx(64, "usage: connections ADDRESS:PORT COUNT [INTERVAL_MS [PATIENCE_S]]");
	endpoint = tool_endpoint(argv[1]);
	holder.n_wanted = tool_number(argv[2], COUNT_MAX);
	holder.interval_us = (argc > 3 ? tool_number(argv[3], 60000) : 500) * US_PER_MS;
	holder.patience_us = (argc > 4 ? tool_number(argv[4], 600) : PATIENCE_S) * US_PER_S;
	holder.connections = calloc(holder.n_wanted + 1, sizeof(struct connection));
	if (!holder.connections)
		err(1, "memory");
	(void)setrlimit(RLIMIT_NOFILE, &files);
	holder.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	holder.length = addr_to_sockaddr(&endpoint, 0, &holder.address);
	timer_fd = tool_timer_fd(TICK_US);
	tool_watch(holder.epoll_fd, timer_fd, EPOLLIN, KEY_TICK);
	tool_watch(holder.epoll_fd, STDIN_FILENO, EPOLLIN, KEY_COMMAND);
	serve(&holder, timer_fd);
	free(holder.connections);
	return 0;
}
