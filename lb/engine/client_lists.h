/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prefixes of clients, as they were written, into the lists of lb/fwd/clients.h. Pure. */
#pragma once

#include "common/addr.h"

struct fwd_clients;

struct client_prefix {
	struct addr_prefix prefix;
	bool denied; /* else allowed */
};

/* Without a list. -ENOMEM or what mmap(2) says. */
int client_lists_new(struct fwd_clients **ret_clients);
/* NULL is none. */
void client_lists_free(struct fwd_clients *clients);
/*
 * Adds the list of one virtual server: `prefixes` in the order of addr_prefix_compare(), each once. Where any is
 * allowed, who is in none is denied, in both families; else allowed. The list's place, never 0, is in
 * `*ret_place`. -ENOSPC: CLIENTS_LISTS or CLIENTS_BEGINNINGS are reached; nothing was added.
 */
int client_lists_add(struct fwd_clients *clients, const struct client_prefix *prefixes, size_t len,
	uint32_t *ret_place);
/* Whether both say the same, place by place; NULL is equal to nothing. */
bool client_lists_equal(const struct fwd_clients *a, const struct fwd_clients *b);
/* To memory that is zero: only what is filled. */
void client_lists_copy(struct fwd_clients *to, const struct fwd_clients *from);
