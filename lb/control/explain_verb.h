/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of the verb `explain`: brings together what the answer and its story are made of. */
#pragma once

#include <jansson.h>

struct balancer;
struct control_request;

/* Arguments: {"client": CLIENT[:PORT], "vip": VIP[:PORT], "protocol": WORD}. */
void explain_verb_serve(
	const struct balancer *balancer, struct control_request *request, const json_t *args);
