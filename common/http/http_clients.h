/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is connected by HTTP, since when, and who has to go: places, patience and deadlines of http_limits.h. Called by http.c,
 * which closes; here a connection is only shut down. Time comes as an argument.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

/* What a connection does. */
enum http_client_state {
	HTTP_CLIENT_READING,   /* its request */
	HTTP_CLIENT_WAITING,   /* for an answer that is being made */
	HTTP_CLIENT_WRITING,   /* its answer */
	HTTP_CLIENT_STREAMING, /* an answer that goes on */
	HTTP_CLIENT_STATE_N_
};

struct http_client {
	struct http_clients *clients;
	struct http_client *next, **link;
	int fd; /* borrowed */
	struct addr from;
	size_t places; /* of `from`, this one among them */
	bool local;    /* of the control socket */
	bool shut;     /* has to go, and counts no more */
	enum http_client_state state;
	uint64_t since_us;            /* of the state */
	struct http_request *request; /* NULL: none yet; of http.c */
};

/* Zeroed: nobody. */
struct http_clients {
	struct http_client *first;
	size_t n[2]; /* of http-listen, and of the control socket */
};

/* `from` AF_UNSPEC: of the control socket, whose clients are as of one address. NULL: no memory. */
struct http_client *http_client_new(
	struct http_clients *clients, int fd, const struct addr *from, uint64_t now_us);
/* Before its descriptor is closed. NULL is legal. */
void http_client_free(struct http_client *client);
void http_client_set(struct http_client *client, enum http_client_state state, uint64_t now_us);
/* Whether one more may come from there; if need be, in the place of another. */
_must_check_ bool http_clients_make_room(
	struct http_clients *clients, const struct addr *from, uint64_t now_us);
/* Shuts those down whose time is over. */
void http_clients_expire(struct http_clients *clients, uint64_t now_us);
/* Tells a client that there is no place, and that nothing more comes. Never waits. */
void http_client_refuse(int fd);
