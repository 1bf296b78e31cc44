/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests by libcurl, all in one multi handle under the event loop. The URL's host is never resolved: it is
 * the Host header, and the connection goes from the VIP to the VIP (check_connect.c says why). Called by
 * checks.c. Must not know rise and fall.
 */
#include "agent/check/check_http.h"

#include <curl/curl.h>
#include <sys/epoll.h>

#include "agent/check/check_connect.h"

/* "::[ADDRESS]:65535" and "host!ADDRESS" */
#define HTTP_ADDRESS_BYTES (ADDR_PORT_STRLEN + 8u)

struct https {
	sd_event *event; /* borrowed */
	CURLM *multi;
	sd_event_source *timer;
};

struct http_run {
	struct check_run run;
	struct https *https;
	CURL *easy; /* NULL: no request runs */
	struct curl_slist *connect_to;
	size_t body_bytes;
	bool is_enough; /* the rest of the answer is not read */
	char body[CHECK_HTTP_BODY_MAX];
};

/* ---- one request ---- */

static void http_stop(struct check_run *run)
{
	struct http_run *self = (struct http_run *)run;

	if (self->easy) {
		(void)curl_multi_remove_handle(self->https->multi, self->easy);
		curl_easy_cleanup(self->easy);
		self->easy = NULL;
	}
	curl_slist_free_all(self->connect_to);
	self->connect_to = NULL;
}

static bool http_status_is_good(const struct check_spec *spec, long status)
{
	ARRAY_FOREACH (range, spec->statuses, spec->n_statuses) {
		if (status >= range->first && status <= range->last)
			return true;
	}
	return false;
}

/* What libcurl could not do, in the words of a connection where it did not come about. */
static void http_say_failure(const struct http_run *self, CURLcode code, struct why *ret_why)
{
	const struct check_run *run = &self->run;
	long error = 0;

	(void)curl_easy_getinfo(self->easy, CURLINFO_OS_ERRNO, &error);
	if (code == CURLE_INTERFACE_FAILED)
		check_connect_words(&run->vip, run->spec->port, EADDRNOTAVAIL, ret_why);
	else if (code == CURLE_COULDNT_CONNECT && error > 0)
		check_connect_words(&run->vip, run->spec->port, (int)error, ret_why);
	else
		why_set(ret_why, "%s: %s", run->name, curl_easy_strerror(code));
}

static enum check_outcome http_judge(
	const struct http_run *self, CURLcode code, struct why *ret_why)
{
	const struct check_spec *spec = self->run.spec;
	long status = 0;

	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && self->is_enough)) {
		http_say_failure(self, code, ret_why);
		return CHECK_FAILED;
	}
	(void)curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!http_status_is_good(spec, status)) {
		why_set(ret_why, "%s answers %ld", self->run.name, status);
		return CHECK_FAILED;
	}
	if (spec->body && !memmem(self->body, self->body_bytes, spec->body, strlen(spec->body))) {
		why_set(ret_why, "%s answers without \"%.64s\"", self->run.name, spec->body);
		return CHECK_FAILED;
	}
	return CHECK_WELL;
}

static void http_finish(struct http_run *self, CURLcode code)
{
	struct why why = { 0 };
	enum check_outcome outcome = http_judge(self, code, &why);

	http_stop(&self->run);
	self->run.tell(&self->run, outcome, why.text);
}

/* A CURLOPT_WRITEFUNCTION; another number than the one it was given ends the request. */
static size_t http_on_body(char *data, size_t size, size_t n_bytes, void *context)
{
	struct http_run *self = context;
	size_t kept_bytes = MIN(n_bytes, sizeof(self->body) - self->body_bytes);

	memcpy(self->body + self->body_bytes, data, kept_bytes);
	self->body_bytes += kept_bytes;
	self->is_enough = self->body_bytes == sizeof(self->body);
	return self->is_enough ? 0 : n_bytes;
}

/* One option after the other, so that the first that fails is the result. */
static CURLcode http_set_options(struct http_run *self, const char *local)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_FRESH_CONNECT, 1 },
		{ CURLOPT_FORBID_REUSE, 1 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	};
	const struct {
		CURLoption option;
		const void *value;
	} pointers[] = {
		{ CURLOPT_URL, self->run.spec->subject },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_USERAGENT, "dsr-agent/" DSR_VERSION },
		{ CURLOPT_INTERFACE, local },
		{ CURLOPT_CONNECT_TO, self->connect_to },
		{ CURLOPT_WRITEDATA, self },
		{ CURLOPT_PRIVATE, self },
	};
	CURLcode code = curl_easy_setopt(
		self->easy, CURLOPT_WRITEFUNCTION, (curl_write_callback)http_on_body);

	for (size_t idx = 0; idx < ARRAY_LEN(numbers) && code == CURLE_OK; idx++)
		code = curl_easy_setopt(self->easy, numbers[idx].option, numbers[idx].value);
	for (size_t idx = 0; idx < ARRAY_LEN(pointers) && code == CURLE_OK; idx++)
		code = curl_easy_setopt(self->easy, pointers[idx].option, pointers[idx].value);
	return code;
}

static int http_prepare(struct http_run *self)
{
	const struct addr_port endpoint = { self->run.vip, self->run.spec->port };
	char to[HTTP_ADDRESS_BYTES], local[HTTP_ADDRESS_BYTES];
	char text[ADDR_PORT_STRLEN];

	self->body_bytes = 0;
	self->is_enough = false;
	(void)snprintf(to, sizeof(to), "::%s", addr_port_format(&endpoint, text));
	(void)snprintf(local, sizeof(local), "host!%s", addr_format(&self->run.vip, text));
	self->connect_to = curl_slist_append(NULL, to);
	self->easy = curl_easy_init();
	if (!self->connect_to || !self->easy || http_set_options(self, local) != CURLE_OK)
		return -ENOMEM;
	return 0;
}

static int http_start(struct check_run *run, struct why *ret_why)
{
	struct http_run *self = (struct http_run *)run;
	int r = http_prepare(self);

	if (r == 0 && curl_multi_add_handle(self->https->multi, self->easy) != CURLM_OK)
		r = -ENOMEM;
	if (r == 0)
		return 0;
	http_stop(run);
	return why_errno(ret_why, r, run->name);
}

/* ---- all of them ---- */

/* Each result may begin what it likes: nothing of the loop is kept over it. */
static void https_take_results(struct https *https)
{
	const CURLMsg *message;
	int n_more;

	while ((message = curl_multi_info_read(https->multi, &n_more))) {
		CURLcode code = message->data.result;
		char *self = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
		http_finish((struct http_run *)(void *)self, code);
	}
}

static int https_on_socket(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct https *https = context;
	int events = (revents & EPOLLIN ? CURL_CSELECT_IN : 0) |
		(revents & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		(revents & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int n_running;

	(void)curl_multi_socket_action(https->multi, fd, events, &n_running);
	https_take_results(https);
	return 0;
}

static int https_on_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	struct https *https = context;
	int n_running;

	(void)curl_multi_socket_action(https->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
	https_take_results(https);
	return 0;
}

/* A CURLMOPT_TIMERFUNCTION; -1: no timer. */
static int https_set_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct https *https = context;

	if (timeout_ms < 0) {
		(void)sd_event_source_set_enabled(https->timer, SD_EVENT_OFF);
		return 0;
	}
	(void)sd_event_source_set_time_relative(https->timer, (uint64_t)timeout_ms * US_PER_MS);
	(void)sd_event_source_set_enabled(https->timer, SD_EVENT_ONESHOT);
	return 0;
}

/* A CURLMOPT_SOCKETFUNCTION; `assigned` is the event source that we gave the socket before. */
static int https_set_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
	struct https *https = context;
	sd_event_source *source = assigned;
	uint32_t events = (what == CURL_POLL_OUT ? 0u : EPOLLIN) |
		(what == CURL_POLL_IN ? 0u : (uint32_t)EPOLLOUT);
	int r;

	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		(void)curl_multi_assign(https->multi, fd, NULL);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	r = sd_event_add_io(https->event, &source, fd, events, https_on_socket, https);
	if (r >= 0)
		r = sd_event_source_set_priority(source, CHECK_PRIORITY);
	if (r < 0) {
		sd_event_source_disable_unref(source);
		return -1;
	}
	(void)curl_multi_assign(https->multi, fd, source);
	return 0;
}

/* ---- the contract ---- */

static void https_close(void *shared)
{
	struct https *https = shared;

	if (!https)
		return;
	if (https->multi)
		(void)curl_multi_cleanup(https->multi);
	sd_event_source_disable_unref(https->timer);
	free(https);
	curl_global_cleanup();
}

static int https_open(const struct check_env *env, void **ret_shared)
{
	struct https *https;
	int r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -EIO;
	https = calloc(1, sizeof(*https));
	if (!https) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	https->event = env->event;
	https->multi = curl_multi_init();
	r = https->multi ? sd_event_add_time(env->event, &https->timer, CLOCK_MONOTONIC, 0, 1,
				   https_on_timer, https)
			 : -ENOMEM;
	if (r >= 0)
		r = sd_event_source_set_enabled(https->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(https->timer, CHECK_PRIORITY);
	if (r < 0) {
		https_close(https);
		return r;
	}
	(void)curl_multi_setopt(https->multi, CURLMOPT_SOCKETFUNCTION, https_set_socket);
	(void)curl_multi_setopt(https->multi, CURLMOPT_SOCKETDATA, https);
	(void)curl_multi_setopt(https->multi, CURLMOPT_TIMERFUNCTION, https_set_timer);
	(void)curl_multi_setopt(https->multi, CURLMOPT_TIMERDATA, https);
	*ret_shared = https;
	return 0;
}

static struct check_run *http_make(const struct check_env *env, void *shared)
{
	struct http_run *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->https = shared;
	return &self->run;
}

static void http_free(struct check_run *run)
{
	http_stop(run);
	free(run);
}

const struct check_kind check_http_kind = {
	.open = https_open,
	.close = https_close,
	.make = http_make,
	.start = http_start,
	.stop = http_stop,
	.free = http_free,
};
