/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See http_clients.h. */
#include "common/http/http_clients.h"

#include <sys/socket.h>

#include "common/http/http_limits.h"

static size_t http_clients_places(const struct http_clients *clients, const struct addr *from)
{
	for (const struct http_client *each = clients->first; each; each = each->next)
		if (!each->shut && addr_equal(&each->from, from))
			return each->places;
	return 0;
}

static void http_clients_set_places(
	struct http_clients *clients, const struct addr *from, size_t places)
{
	for (struct http_client *each = clients->first; each; each = each->next)
		if (!each->shut && addr_equal(&each->from, from))
			each->places = places;
}

struct http_client *http_client_new(
	struct http_clients *clients, int fd, const struct addr *from, uint64_t now_us)
{
	struct http_client *client = calloc(1, sizeof(*client));
	const size_t places = http_clients_places(clients, from);

	if (!client)
		return NULL;
	*client = (struct http_client){
		.clients = clients,
		.next = clients->first,
		.link = &clients->first,
		.fd = fd,
		.from = *from,
		.local = from->family == AF_UNSPEC,
		.since_us = now_us,
	};
	if (client->next)
		client->next->link = &client->next;
	clients->first = client;
	clients->n[client->local]++;
	http_clients_set_places(clients, from, places + 1);
	return client;
}

/* It has to go: another may have its place. */
static void http_client_give_up_place(struct http_client *client)
{
	if (client->shut)
		return;
	client->shut = true;
	client->clients->n[client->local]--;
	http_clients_set_places(client->clients, &client->from, client->places - 1);
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	http_client_give_up_place(client);
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	free(client);
}

void http_client_set(struct http_client *client, enum http_client_state state, uint64_t now_us)
{
	client->state = state;
	client->since_us = now_us;
}

void http_client_refuse(int fd)
{
	static const char words[] = "HTTP/1.1 503 Service Unavailable\r\n"
				    "Retry-After: 1\r\n"
				    "Content-Type: text/plain; charset=utf-8\r\n"
				    "Content-Length: 28\r\n"
				    "Connection: close\r\n"
				    "\r\n"
				    "too many clients; try again\n";
	char unread[4096];

	(void)send(fd, words, sizeof(words) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* What is left unread would have the kernel reset the connection, and the words with it. */
	(void)recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
}

static void http_client_shut(struct http_client *client)
{
	if (client->state == HTTP_CLIENT_READING)
		http_client_refuse(client->fd);
	(void)shutdown(client->fd, SHUT_RDWR);
	http_client_give_up_place(client);
}

/* Where room is made, in the order of what is lost by it. */
static unsigned int http_client_worth(const struct http_client *client)
{
	static const unsigned int worth[HTTP_CLIENT_STATE_N_] = {
		[HTTP_CLIENT_READING] = 0,
		[HTTP_CLIENT_WRITING] = 1,
		[HTTP_CLIENT_STREAMING] = 2,
		[HTTP_CLIENT_WAITING] = 3,
	};

	return worth[client->state];
}

/* Who gives way to a newcomer of the same number of places. */
static bool http_client_may_give_way(
	const struct http_client *client, const struct addr *from, uint64_t now_us)
{
	if (client->state == HTTP_CLIENT_READING)
		return true;
	return client->state == HTTP_CLIENT_WRITING && addr_equal(&client->from, from) &&
		now_us >= client->since_us + HTTP_ANSWER_PATIENCE_US;
}

/* Whose place one more of `from` has, which has `mine` of them then; NULL: nobody's. */
static struct http_client *http_clients_who_goes(
	const struct http_clients *clients, const struct addr *from, size_t mine, uint64_t now_us)
{
	const bool local = from->family == AF_UNSPEC;
	struct http_client *found = NULL;
	size_t most = mine;

	for (struct http_client *each = clients->first; each; each = each->next)
		if (each->local == local && !each->shut)
			most = MAX(most, each->places);
	for (struct http_client *each = clients->first; each; each = each->next) {
		const size_t places = addr_equal(&each->from, from) ? mine : each->places;

		if (each->local != local || each->shut || places < most ||
			(most == mine && !http_client_may_give_way(each, from, now_us)))
			continue;
		if (!found || http_client_worth(each) < http_client_worth(found) ||
			(each->state == found->state && each->since_us < found->since_us))
			found = each;
	}
	return found;
}

bool http_clients_make_room(struct http_clients *clients, const struct addr *from, uint64_t now_us)
{
	const bool local = from->family == AF_UNSPEC;
	struct http_client *who;

	if (clients->n[local] < HTTP_CLIENTS_MAX)
		return true;
	who = http_clients_who_goes(clients, from, http_clients_places(clients, from) + 1, now_us);
	if (who)
		http_client_shut(who);
	return who != NULL;
}

void http_clients_expire(struct http_clients *clients, uint64_t now_us)
{
	static const uint64_t limit_us[HTTP_CLIENT_STATE_N_] = {
		[HTTP_CLIENT_READING] = HTTP_IDLE_US,
		[HTTP_CLIENT_WRITING] = HTTP_ANSWER_US,
	};

	for (struct http_client *each = clients->first; each; each = each->next)
		if (!each->shut && limit_us[each->state] &&
			now_us >= each->since_us + limit_us[each->state])
			http_client_shut(each);
}
