/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file, as a doctor checks it: who may read it, and whether it is one. */
#pragma once

#include "common/why.h"

struct doctor;
struct service;

struct keyfile {
	char *path;
	int error; /* 0, or why it is none: negative errno */
	struct why why;
	unsigned int mode; /* of the file; 0: it cannot be looked at */
	bool is_open;      /* others than its owner have access */
	bool is_foreign;   /* it belongs to neither root nor the daemon */
	bool is_balancers; /* it may be made here; an agent's comes from a balancer */
	size_t n_keys;
};

/* Looks at it; a balancer's has bindings. 0, or -ENOMEM. To be cleared by the caller. */
int keyfile_look(const char *path, bool with_bindings, const struct service *service,
	struct keyfile *ret_keyfile);
void keyfile_clear(struct keyfile *keyfile);
void keyfile_judge(
	const struct keyfile *keyfile, const struct service *service, struct doctor *doctor);
