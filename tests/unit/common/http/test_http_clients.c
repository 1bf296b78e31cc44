/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places and patience, in a time of the test's own; each connection is a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>

#include "common/http/http_clients.h"
#include "common/http/http_limits.h"

#define BEGIN_US UINT64_C(1000000000)

struct pair {
	int fds[2];
	struct http_client *client;
};

struct fixture {
	struct http_clients clients;
	struct pair pairs[HTTP_CLIENTS_MAX];
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ARRAY_FOREACH (pair, fixture->pairs, HTTP_CLIENTS_MAX) {
		if (!pair->client)
			continue;
		http_client_free(pair->client);
		close(pair->fds[0]);
		close(pair->fds[1]);
	}
	assert_null(fixture->clients.first);
	assert_int_equal(fixture->clients.n[0] + fixture->clients.n[1], 0);
	free(fixture);
	return 0;
}

static void fill(struct fixture *fixture)
{
	for (size_t i = 0; i < HTTP_CLIENTS_MAX; i++) {
		struct pair *pair = &fixture->pairs[i];

		assert_true(http_clients_make_room(&fixture->clients, false, BEGIN_US));
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair->fds), 0);
		pair->client =
			http_client_new(&fixture->clients, pair->fds[0], false, BEGIN_US + i);
	}
}

/* What the other end reads, and whether the connection has ended then. */
static bool reads(const struct pair *pair, const char *begin)
{
	char buffer[1024] = "";
	ssize_t n = recv(pair->fds[1], buffer, sizeof(buffer) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	assert_int_equal(strncmp(buffer, begin, strlen(begin)), 0);
	return n == 0 || recv(pair->fds[1], buffer, 1, MSG_DONTWAIT) == 0;
}

static void http_clients_that_just_came_keep_their_places(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	assert_false(http_clients_make_room(&fixture->clients, false, BEGIN_US + 1000));
	/* The control socket has places of its own. */
	assert_true(http_clients_make_room(&fixture->clients, true, BEGIN_US + 1000));
}

static void http_clients_that_say_nothing_give_way(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	assert_true(http_clients_make_room(&fixture->clients, false, BEGIN_US + HTTP_PATIENCE_US));
	assert_true(reads(&fixture->pairs[0], "HTTP/1.1 503 "));
	assert_true(fixture->pairs[0].client->shut);
	assert_false(fixture->pairs[1].client->shut);
	/* There is one place now, and nobody else goes for it. */
	assert_true(http_clients_make_room(&fixture->clients, false, BEGIN_US + HTTP_IDLE_US));
	assert_false(fixture->pairs[1].client->shut);
}

static void http_clients_that_take_answers_slowly_give_way(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	ARRAY_FOREACH (pair, fixture->pairs, HTTP_CLIENTS_MAX)
		http_client_set(pair->client,
			pair == fixture->pairs ? HTTP_CLIENT_WRITING : HTTP_CLIENT_STREAMING,
			BEGIN_US);
	assert_false(http_clients_make_room(
		&fixture->clients, false, BEGIN_US + HTTP_ANSWER_PATIENCE_US - 1));
	assert_true(http_clients_make_room(
		&fixture->clients, false, BEGIN_US + HTTP_ANSWER_PATIENCE_US));
	/* Words of ours would be taken for its answer's. */
	assert_true(reads(&fixture->pairs[0], ""));
}

static void http_clients_have_an_end(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture);
	ARRAY_FOREACH (pair, fixture->pairs, HTTP_CLIENTS_MAX)
		http_client_set(pair->client, HTTP_CLIENT_WAITING, BEGIN_US);
	http_client_set(fixture->pairs[0].client, HTTP_CLIENT_READING, BEGIN_US);
	http_client_set(fixture->pairs[1].client, HTTP_CLIENT_WRITING, BEGIN_US);
	http_client_set(fixture->pairs[2].client, HTTP_CLIENT_STREAMING, BEGIN_US);
	http_clients_expire(&fixture->clients, BEGIN_US + HTTP_IDLE_US - 1);
	assert_int_equal(fixture->clients.n[false], HTTP_CLIENTS_MAX);
	http_clients_expire(&fixture->clients, BEGIN_US + HTTP_IDLE_US);
	assert_true(fixture->pairs[0].client->shut);
	assert_int_equal(fixture->clients.n[false], HTTP_CLIENTS_MAX - 1);
	http_clients_expire(&fixture->clients, BEGIN_US + 100 * HTTP_ANSWER_US);
	assert_true(fixture->pairs[1].client->shut);
	assert_int_equal(fixture->clients.n[false], HTTP_CLIENTS_MAX - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			http_clients_that_just_came_keep_their_places, setup, teardown),
		cmocka_unit_test_setup_teardown(
			http_clients_that_say_nothing_give_way, setup, teardown),
		cmocka_unit_test_setup_teardown(
			http_clients_that_take_answers_slowly_give_way, setup, teardown),
		cmocka_unit_test_setup_teardown(http_clients_have_an_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
