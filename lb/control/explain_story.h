/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An explained packet told step by step, for people: from its headers to what would change its way. Pure. */
#pragma once

#include <jansson.h>

#include "lb/config/service.h"
#include "lb/control/explain.h"

/* All borrowed. */
struct explain_facts {
	const struct explain_question *question;
	const struct explain_answer *answer;
	const char *interface,
		*backend_interface; /* their names; the second is the backend's, "": it has none */
	struct mac own_mac, out_mac;
	const char *inactive_reason; /* why this balancer is not active; "": it is */
	const struct mac
		*holder; /* who else has the VIP, for which it is not announced; NULL: nobody */
	bool vip_is_known, port_assumed; /* some virtual server has the VIP; its port is a guess */
	const struct service *service;   /* of the answer; NULL: none */
	const struct backend *backend;   /* where it goes; NULL: nowhere */
	const struct backend *owner, *base; /* of its row; NULL: there is none, or no row */
};

/* An array of sentences, one a step; NULL: no memory. */
json_t *explain_story(const struct explain_facts *facts);
