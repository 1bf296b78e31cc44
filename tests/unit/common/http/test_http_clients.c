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

#define STRANGER 1u
#define SCRAPER  2u
#define SOMEBODY 100u /* and further ones */

/* Of http-listen. */
static struct addr host(unsigned int number)
{
	struct addr from = { .family = AF_INET };

	from.ip4.s_addr = htonl(0xc0000200u + number);
	return from;
}

struct pair {
	int fds[2];
	struct http_client *client;
};

struct fixture {
	struct http_clients clients;
	struct pair pairs[HTTP_CLIENTS_MAX];
	struct pair scraper;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return 0;
}

static void leave(struct pair *pair)
{
	if (!pair->client)
		return;
	http_client_free(pair->client);
	pair->client = NULL;
	close(pair->fds[0]);
	close(pair->fds[1]);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ARRAY_FOREACH (pair, fixture->pairs, HTTP_CLIENTS_MAX)
		leave(pair);
	leave(&fixture->scraper);
	assert_null(fixture->clients.first);
	assert_int_equal(fixture->clients.n[0] + fixture->clients.n[1], 0);
	free(fixture);
	return 0;
}

static void come(struct fixture *fixture, struct pair *pair, const struct addr *from,
	enum http_client_state state, uint64_t now_us)
{
	assert_null(pair->client);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair->fds), 0);
	pair->client = http_client_new(&fixture->clients, pair->fds[0], from, now_us);
	http_client_set(pair->client, state, now_us);
}

/* All places: of one, or each of another. */
static void fill(struct fixture *fixture, bool of_one, enum http_client_state state)
{
	for (unsigned int i = 0; i < HTTP_CLIENTS_MAX; i++) {
		const struct addr from = host(of_one ? STRANGER : SOMEBODY + i);

		assert_true(http_clients_make_room(&fixture->clients, &from, BEGIN_US));
		come(fixture, &fixture->pairs[i], &from, state, BEGIN_US + i);
	}
}

/* At the end of all that fill() did. */
static bool has_room(struct fixture *fixture, unsigned int number)
{
	const struct addr from = host(number);

	return http_clients_make_room(&fixture->clients, &from, BEGIN_US + HTTP_CLIENTS_MAX);
}

static size_t n_shut(const struct fixture *fixture)
{
	size_t n = 0;

	ARRAY_FOREACH (pair, fixture->pairs, HTTP_CLIENTS_MAX)
		n += pair->client && pair->client->shut;
	return n;
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

static void http_clients_of_the_control_socket_have_places_of_their_own(void **state)
{
	struct fixture *fixture = *state;
	const struct addr local = { 0 };

	fill(fixture, true, HTTP_CLIENT_WAITING);
	assert_false(has_room(fixture, STRANGER));
	assert_true(http_clients_make_room(&fixture->clients, &local, BEGIN_US));
	assert_int_equal(n_shut(fixture), 0);
}

static void http_clients_that_say_nothing_give_way(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture, true, HTTP_CLIENT_READING);
	assert_true(has_room(fixture, STRANGER));
	assert_true(reads(&fixture->pairs[0], "HTTP/1.1 503 "));
	assert_true(fixture->pairs[0].client->shut);
	/* There is one place now, and nobody else goes for it. */
	assert_true(has_room(fixture, STRANGER));
	assert_int_equal(n_shut(fixture), 1);
}

static void http_clients_that_take_answers_slowly_give_way_to_their_own(void **state)
{
	struct fixture *fixture = *state;
	const struct addr from = host(STRANGER);

	fill(fixture, true, HTTP_CLIENT_STREAMING);
	http_client_set(fixture->pairs[7].client, HTTP_CLIENT_WRITING, BEGIN_US);
	assert_false(http_clients_make_room(
		&fixture->clients, &from, BEGIN_US + HTTP_ANSWER_PATIENCE_US - 1));
	assert_true(http_clients_make_room(
		&fixture->clients, &from, BEGIN_US + HTTP_ANSWER_PATIENCE_US));
	/* Words of ours would be taken for its answer's. */
	assert_true(reads(&fixture->pairs[7], ""));
	assert_int_equal(n_shut(fixture), 1);
}

static void http_clients_of_who_has_most_give_way(void **state)
{
	struct fixture *fixture = *state;
	const struct addr scraper = host(SCRAPER);

	fill(fixture, true, HTTP_CLIENT_READING);
	/* The one of another has been idle the longest. */
	leave(&fixture->pairs[0]);
	come(fixture, &fixture->pairs[0], &scraper, HTTP_CLIENT_READING, BEGIN_US - US_PER_S);
	assert_true(has_room(fixture, SOMEBODY));
	assert_true(fixture->pairs[1].client->shut);
	assert_int_equal(n_shut(fixture), 1);
	/* Who has most may be the newcomer, of what others have less. */
	leave(&fixture->pairs[1]);
	come(fixture, &fixture->pairs[1], &scraper, HTTP_CLIENT_READING, BEGIN_US);
	assert_true(has_room(fixture, STRANGER));
	assert_true(fixture->pairs[2].client->shut);
	assert_int_equal(n_shut(fixture), 1);
}

/* One that has asked goes for who would have less, and for nobody else. */
static void http_clients_that_are_answered_give_way_to_who_has_less(void **state)
{
	struct fixture *fixture = *state;
	const struct addr scraper = host(SCRAPER);

	fill(fixture, true, HTTP_CLIENT_WAITING);
	http_client_set(fixture->pairs[8].client, HTTP_CLIENT_WRITING, BEGIN_US);
	http_client_set(fixture->pairs[9].client, HTTP_CLIENT_STREAMING, BEGIN_US);
	for (unsigned int i = 0; i < HTTP_CLIENTS_MAX / 2; i++) {
		/* Of what is lost, the least at first. */
		static const unsigned int order[] = { 8, 9, 0 };
		struct pair *pair =
			&fixture->pairs[i < ARRAY_LEN(order) ? order[i] : i - (i <= 9 ? 2 : 0)];

		assert_true(has_room(fixture, SCRAPER));
		assert_true(pair->client->shut);
		assert_int_equal(n_shut(fixture), 1);
		leave(pair);
		come(fixture, pair, &scraper, HTTP_CLIENT_WAITING, BEGIN_US);
	}
	/* Each has half. */
	assert_false(has_room(fixture, SCRAPER));
	assert_false(has_room(fixture, STRANGER));
	assert_true(has_room(fixture, SOMEBODY));
}

static void http_clients_of_one_place_each_lose_it_only_when_idle(void **state)
{
	struct fixture *fixture = *state;
	const struct addr newcomer = host(SCRAPER);

	fill(fixture, false, HTTP_CLIENT_WAITING);
	http_client_set(fixture->pairs[4].client, HTTP_CLIENT_WRITING, BEGIN_US);
	http_client_set(fixture->pairs[5].client, HTTP_CLIENT_STREAMING, BEGIN_US);
	assert_false(http_clients_make_room(
		&fixture->clients, &newcomer, BEGIN_US + 10 * HTTP_ANSWER_PATIENCE_US));
	http_client_set(fixture->pairs[2].client, HTTP_CLIENT_READING, BEGIN_US + 2);
	http_client_set(fixture->pairs[3].client, HTTP_CLIENT_READING, BEGIN_US + 1);
	/* Who has one would have two, while nobody else has. */
	assert_false(has_room(fixture, SOMEBODY));
	assert_int_equal(n_shut(fixture), 0);
	assert_true(has_room(fixture, SCRAPER));
	assert_true(fixture->pairs[3].client->shut);
	assert_int_equal(n_shut(fixture), 1);
}

/* Who has one comes in the place of one that had to go. */
static void churn(struct fixture *fixture, unsigned int number, uint64_t now_us)
{
	const struct addr from = host(number);

	if (!http_clients_make_room(&fixture->clients, &from, now_us))
		return;
	ARRAY_FOREACH (pair, fixture->pairs, HTTP_CLIENTS_MAX) {
		if (pair->client && !pair->client->shut)
			continue;
		leave(pair);
		come(fixture, pair, &from, HTTP_CLIENT_READING, now_us);
		return;
	}
	fail_msg("there are more than there are places");
}

/*
 * Two hundred new connections a second that say nothing, and a scrape each second: it asks one hundredth of a second
 * after it has come, has its answer in as much again, and leaves.
 */
static void assert_scraped(struct fixture *fixture, unsigned int n_strangers)
{
	const uint64_t step_us = US_PER_S / 200;
	const struct addr scraper = host(SCRAPER);
	struct pair *mine = &fixture->scraper;

	for (unsigned int step = 0; step < 20 * 200; step++) {
		const uint64_t now_us = BEGIN_US + step * step_us;
		const unsigned int part = step % 200;

		churn(fixture, SOMEBODY + step % n_strangers, now_us);
		http_clients_expire(&fixture->clients, now_us);
		if (part == 100) {
			assert_true(http_clients_make_room(&fixture->clients, &scraper, now_us));
			come(fixture, mine, &scraper, HTTP_CLIENT_READING, now_us);
		} else if (part == 102) {
			http_client_set(mine->client, HTTP_CLIENT_WRITING, now_us);
		} else if (part == 104) {
			leave(mine);
		}
		assert_false(mine->client && mine->client->shut);
	}
}

static void http_clients_that_churn_keep_no_scraper_out(void **state)
{
	assert_scraped(*state, 1);
}

static void http_clients_of_many_that_churn_keep_no_scraper_out(void **state)
{
	assert_scraped(*state, 100);
}

static void http_clients_have_an_end(void **state)
{
	struct fixture *fixture = *state;

	fill(fixture, true, HTTP_CLIENT_WAITING);
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

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(http_clients_of_the_control_socket_have_places_of_their_own),
		HTTP_TEST(http_clients_that_say_nothing_give_way),
		HTTP_TEST(http_clients_that_take_answers_slowly_give_way_to_their_own),
		HTTP_TEST(http_clients_of_who_has_most_give_way),
		HTTP_TEST(http_clients_that_are_answered_give_way_to_who_has_less),
		HTTP_TEST(http_clients_of_one_place_each_lose_it_only_when_idle),
		HTTP_TEST(http_clients_that_churn_keep_no_scraper_out),
		HTTP_TEST(http_clients_of_many_that_churn_keep_no_scraper_out),
		HTTP_TEST(http_clients_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
