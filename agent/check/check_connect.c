/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection from this host to VIP:PORT, which never leaves it: it comes from the VIP itself, so that a
 * host without the address has no route for it, and no other server can answer in its stead. Called by
 * checks.c. Must not know rise and fall.
 */
#include "agent/check/check_connect.h"

#include <ctype.h>
#include <sys/epoll.h>

struct connect_run {
	struct check_run run;
	sd_event *event; /* borrowed */
	int fd;
	sd_event_source *io;
};

void check_connect_words(const struct addr *vip, uint16_t port, int error, struct why *ret_why)
{
	const struct addr_port endpoint = { *vip, port };
	char text[ADDR_PORT_STRLEN];
	char words[64];

	(void)snprintf(words, sizeof(words), "%s", strerror(error));
	words[0] = (char)tolower((unsigned char)words[0]);
	if (error == EADDRNOTAVAIL)
		why_set(ret_why, "%s is not an address of this host", addr_format(vip, text));
	else
		why_set(ret_why, "nothing accepts on %s (%s)", addr_port_format(&endpoint, text),
			words);
}

static struct check_run *connect_make(const struct check_env *env, void *shared)
{
	struct connect_run *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->event = env->event;
	self->fd = -1;
	return &self->run;
}

static void connect_stop(struct check_run *run)
{
	struct connect_run *self = (struct connect_run *)run;

	self->io = sd_event_source_disable_unref(self->io);
	self->fd = util_close(self->fd);
}

static void connect_finish(struct connect_run *self, int error)
{
	struct check_run *run = &self->run;
	struct why why = { 0 };

	connect_stop(run);
	if (error)
		check_connect_words(&run->vip, run->spec->port, error, &why);
	run->tell(run, error ? CHECK_FAILED : CHECK_WELL, why.text);
}

static int connect_on_ready(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	socklen_t size_bytes = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) < 0)
		error = errno;
	connect_finish(context, error);
	return 0;
}

/* 0: connected; EINPROGRESS; a negative errno is a want of our own, another errno the target's. */
static int connect_try(struct connect_run *self)
{
	/* A reset instead of a farewell: checks leave no socket in TIME_WAIT. */
	const struct linger linger = { .l_onoff = 1 };
	struct addr_port endpoint = { self->run.vip, 0 };
	struct sockaddr_storage address;
	socklen_t size_bytes;

	self->fd = socket(endpoint.addr.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (self->fd < 0 ||
		setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		return -errno;
	size_bytes = addr_to_sockaddr(&endpoint, 0, &address);
	if (bind(self->fd, (const struct sockaddr *)&address, size_bytes) < 0)
		return -errno;
	endpoint.port = self->run.spec->port;
	size_bytes = addr_to_sockaddr(&endpoint, 0, &address);
	return connect(self->fd, (const struct sockaddr *)&address, size_bytes) < 0 ? errno : 0;
}

static int connect_start(struct check_run *run, struct why *ret_why)
{
	struct connect_run *self = (struct connect_run *)run;
	int r = connect_try(self);

	if (r >= 0 && r != EINPROGRESS) {
		connect_finish(self, r);
		return 0;
	}
	if (r == EINPROGRESS)
		r = sd_event_add_io(
			self->event, &self->io, self->fd, EPOLLOUT, connect_on_ready, self);
	if (r >= 0)
		r = sd_event_source_set_priority(self->io, CHECK_PRIORITY);
	if (r >= 0)
		return 0;
	connect_stop(run);
	check_connect_words(&run->vip, run->spec->port, -r, ret_why);
	return r;
}

static void connect_free(struct check_run *run)
{
	connect_stop(run);
	free(run);
}

const struct check_kind check_connect_kind = {
	.make = connect_make,
	.start = connect_start,
	.stop = connect_stop,
	.free = connect_free,
};
