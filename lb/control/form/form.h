/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the status document becomes, part by part, so that it need not be whole in memory. Header only. */
#pragma once

#include <jansson.h>

#include "common/util.h"

struct balancer;
struct control_text;

struct status_form {
	/* From all but the virtual servers (borrowed). NULL: no memory. */
	void *(*begin)(const struct balancer *balancer, const json_t *document);
	/* One virtual server (borrowed). 0 or -ENOMEM. */
	int (*add)(void *made, const json_t *server);
	/* All of it, with one reference; what was made is freed by `free`. NULL: no memory. */
	struct control_text *(*end)(void *made);
	void (*free)(void *made);
};
