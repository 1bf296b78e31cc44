/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See http_clients.h. */
#include "common/http/http_clients.h"

#include <sys/socket.h>

#include "common/http/http_limits.h"

struct http_client *http_client_new(
	struct http_clients *clients, int fd, bool local, uint64_t now_us)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	*client = (struct http_client){
		.clients = clients,
		.next = clients->first,
		.link = &clients->first,
		.fd = fd,
		.local = local,
		.since_us = now_us,
	};
	if (client->next)
		client->next->link = &client->next;
	clients->first = client;
	clients->n[local]++;
	return client;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	if (!client->shut)
		client->clients->n[client->local]--;
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
	client->clients->n[client->local]--;
	client->shut = true;
}

/* Who has been in this state the longest; NULL: nobody is in it. */
static struct http_client *http_clients_oldest(
	const struct http_clients *clients, bool local, enum http_client_state state)
{
	struct http_client *oldest = NULL;

	for (struct http_client *each = clients->first; each; each = each->next)
		if (each->local == local && !each->shut && each->state == state &&
			(!oldest || each->since_us < oldest->since_us))
			oldest = each;
	return oldest;
}

bool http_clients_make_room(struct http_clients *clients, bool local, uint64_t now_us)
{
	static const uint64_t patience_us[HTTP_CLIENT_STATE_N_] = {
		[HTTP_CLIENT_READING] = HTTP_PATIENCE_US,
		[HTTP_CLIENT_WRITING] = HTTP_ANSWER_PATIENCE_US,
	};

	for (unsigned int state = 0;
		state < HTTP_CLIENT_STATE_N_ && clients->n[local] >= HTTP_CLIENTS_MAX; state++) {
		struct http_client *oldest = http_clients_oldest(clients, local, state);

		if (patience_us[state] && oldest && now_us >= oldest->since_us + patience_us[state])
			http_client_shut(oldest);
	}
	return clients->n[local] < HTTP_CLIENTS_MAX;
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
