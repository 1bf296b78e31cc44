/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP connect checks under sd-event. Called by the daemon for the registry's actions; knows no
 * backend but by its id, and neither rise nor fall.
 */
#include "lb/link/tcp_check.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#define TCP_CHECK_REASON_BYTES 128u

struct attempt {
	struct tcp_checks *checks;
	struct attempt *next, **link;
	uint16_t backend;
	uint16_t port;
	int fd;
	int error; /* of a connect() that ended at once */
	uint64_t timeout_us;
	sd_event_source *io;
	sd_event_source *timer;
};

struct tcp_checks {
	sd_event *event;
	tcp_check_result_fn *fn;
	void *context;
	struct attempt *attempts;
};

int tcp_check_start(
	sd_event *event, tcp_check_result_fn *fn, void *context, struct tcp_checks **ret_checks)
{
	struct tcp_checks *checks = calloc(1, sizeof(*checks));

	if (!checks)
		return -ENOMEM;
	checks->event = sd_event_ref(event);
	checks->fn = fn;
	checks->context = context;
	*ret_checks = checks;
	return 0;
}

static struct attempt *attempt_free(struct attempt *attempt)
{
	*attempt->link = attempt->next;
	if (attempt->next)
		attempt->next->link = attempt->link;
	sd_event_source_disable_unref(attempt->io);
	sd_event_source_disable_unref(attempt->timer);
	util_close(attempt->fd);
	free(attempt);
	return NULL;
}
DEFINE_CLEANUP(struct attempt *, attempt_free)

struct tcp_checks *tcp_check_free(struct tcp_checks *checks)
{
	if (!checks)
		return NULL;
	for (struct attempt *attempt = checks->attempts, *next; attempt; attempt = next) {
		next = attempt->next;
		attempt_free(attempt);
	}
	sd_event_unref(checks->event);
	free(checks);
	return NULL;
}

void tcp_check_cancel(struct tcp_checks *checks, uint16_t backend)
{
	struct attempt *next;

	for (struct attempt *attempt = checks->attempts; attempt; attempt = next) {
		next = attempt->next;
		if (attempt->backend == backend)
			attempt_free(attempt);
	}
}

static void attempt_format_reason(const struct attempt *attempt, int error, char *ret_reason)
{
	unsigned int port = attempt->port;

	if (error == 0)
		ret_reason[0] = '\0';
	else if (error == ECONNREFUSED)
		snprintf(ret_reason, TCP_CHECK_REASON_BYTES, "tcp:%u: connection refused", port);
	else if (error == ETIMEDOUT)
		snprintf(ret_reason, TCP_CHECK_REASON_BYTES, "tcp:%u: no answer within %llu ms",
			port, (unsigned long long)(attempt->timeout_us / US_PER_MS));
	else if (error == EHOSTUNREACH)
		snprintf(ret_reason, TCP_CHECK_REASON_BYTES, "tcp:%u: host unreachable", port);
	else
		snprintf(ret_reason, TCP_CHECK_REASON_BYTES, "tcp:%u: %s", port, strerror(error));
}

/* Of connect() and of what came of it: errors that this host makes by itself, for want of something. */
static enum tcp_check_outcome attempt_outcome(int error)
{
	switch (error) {
	case 0:
		return TCP_CHECK_OK;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN:
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case ENODEV:
		return TCP_CHECK_NOT_MADE;
	default:
		return TCP_CHECK_FAILED;
	}
}

/* The callback comes last: it may cancel, start again, or free everything. */
static void attempt_finish(struct attempt *attempt, int error)
{
	char reason[TCP_CHECK_REASON_BYTES];
	struct tcp_checks *checks = attempt->checks;
	uint16_t backend = attempt->backend, port = attempt->port;

	attempt_format_reason(attempt, error, reason);
	attempt_free(attempt);
	checks->fn(backend, port, attempt_outcome(error), reason, checks->context);
}

static int tcp_check_on_connected(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	socklen_t size_bytes = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) < 0)
		error = errno;
	attempt_finish(userdata, error);
	return 0;
}

static int tcp_check_on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	attempt_finish(userdata, ETIMEDOUT);
	return 0;
}

static int tcp_check_on_ended_at_once(sd_event_source *source, void *userdata)
{
	struct attempt *attempt = userdata;

	attempt_finish(attempt, attempt->error);
	return 0;
}

static int attempt_open(struct attempt *attempt, const struct tcp_check_target *target)
{
	/* A reset instead of a farewell: thousands of checks leave no socket in TIME_WAIT. */
	const struct linger linger = { .l_onoff = 1 };
	const struct addr_port endpoint = { *target->address, attempt->port };
	const char *interface = target->interface;
	struct sockaddr_storage remote;
	socklen_t remote_bytes;

	attempt->fd =
		socket(target->address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (attempt->fd < 0)
		return -errno;
	/* The backend is on that interface's link, whatever the routes say. */
	if (setsockopt(attempt->fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
		    (socklen_t)strlen(interface) + 1) < 0 ||
		setsockopt(attempt->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		return -errno;
	remote_bytes = addr_to_sockaddr(&endpoint, if_nametoindex(interface), &remote);
	if (connect(attempt->fd, (const struct sockaddr *)&remote, remote_bytes) < 0)
		attempt->error = errno;
	return 0;
}

int tcp_check_run(struct tcp_checks *checks, const struct tcp_check_target *target, uint16_t port,
	uint64_t timeout_us)
{
	_cleanup_(attempt_freep) struct attempt *attempt = calloc(1, sizeof(*attempt));
	int r;

	if (!attempt)
		return -ENOMEM;
	attempt->checks = checks;
	attempt->backend = target->backend;
	attempt->port = port;
	attempt->timeout_us = timeout_us;
	attempt->fd = -1;
	attempt->next = checks->attempts;
	attempt->link = &checks->attempts;
	if (attempt->next)
		attempt->next->link = &attempt->next;
	checks->attempts = attempt;
	r = attempt_open(attempt, target);
	if (r < 0)
		return r;
	if (attempt->error != EINPROGRESS) {
		/* The caller learns it by the callback too, and not while it is still calling. */
		r = sd_event_add_defer(
			checks->event, &attempt->io, tcp_check_on_ended_at_once, attempt);
	} else {
		r = sd_event_add_io(checks->event, &attempt->io, attempt->fd, EPOLLOUT,
			tcp_check_on_connected, attempt);
		if (r >= 0)
			r = sd_event_add_time_relative(checks->event, &attempt->timer,
				CLOCK_MONOTONIC, timeout_us, US_PER_MS, tcp_check_on_timeout,
				attempt);
	}
	if (r < 0)
		return r;
	TAKE_PTR(attempt);
	return 0;
}
