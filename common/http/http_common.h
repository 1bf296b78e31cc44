/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both daemons answer by HTTP, at which path: /, /healthz, /readyz, /metrics, /api/v1/status, /api/v1/events. A
 * daemon says how it is, and this how that is told.
 */
#pragma once

#include "common/http/http.h"
#include "common/why.h"

struct events;
struct http_common;

/* What a daemon hands in; each is called with `context`. */
struct http_common_calls {
	http_fn *metrics; /* EXPOSITION_TYPE */
	http_fn *status;  /* JSON */
	/* False with words why not. */
	bool (*ready)(void *context, struct why *ret_why);
};

extern const struct http_content http_common_json, http_common_metrics;

/* Borrows the loop, the events and the calls, which must outlive it. 0 or negative errno. */
int http_common_new(sd_event *event, struct events *events, const struct http_common_calls *calls,
	void *context, struct http_common **ret_common);
/* NULL is legal. */
struct http_common *http_common_free(struct http_common *common);
DEFINE_CLEANUP(struct http_common *, http_common_free)
/* For http_adopt() and http_set_listener(). */
struct http *http_common_server(const struct http_common *common);
