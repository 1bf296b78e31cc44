/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balancer's side of the verbs: JSON requests from the control socket to the parts of the
 * balancer. Every verb that changes something asks for permission first, and is logged.
 */
#pragma once

#include "common/control/control.h"

struct balancer;

/* For daemon_run(): 0 with the context of the other two, or -ENOMEM. */
int verbs_start(struct balancer *balancer, void **ret_context);
/* No request is there any more. */
void verbs_stop(void *context);
control_verb_fn verbs_serve;
