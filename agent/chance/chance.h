/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second chance: our program on the interface that faces the balancers, and what it knows of other servers. What no
 * socket here has, and names another server, goes on to that one (doc/adr/0015-second-chance.md). Needs CAP_BPF beside
 * CAP_NET_ADMIN. Must not know of configuration or registrations.
 */
#pragma once

#include "common/addr.h"
#include "common/proto/message.h"
#include "common/why.h"

/* Whether this build and this kernel have what it takes. -EPERM: that cannot be told without the right to load it. */
int chance_probe(struct why *ret_why);

struct chance;

/* Loads the program; nothing is attached yet. 0 or negative errno with the mend in `ret_why`. */
int chance_new(struct chance **ret_chance, struct why *ret_why);
/* The program goes from its interface. */
struct chance *chance_free(struct chance *chance);
DEFINE_CLEANUP(struct chance *, chance_free)

/*
 * Puts the program on that interface, and away from the one before; does nothing where it is there. 0 or negative
 * errno: it is nowhere.
 */
int chance_follow(struct chance *chance, unsigned int ifindex, struct why *ret_why);
/* Takes away what a killed run left on an interface of a kernel where programs outlive their process. */
void chance_sweep(unsigned int ifindex);
/* What is for other addresses is nobody else's. 0 or negative errno. */
int chance_serve(struct chance *chance, const struct addr *vips, size_t n_vips);
/*
 * Takes a balancer's authentic words of where servers are; NULL: it has none. 0; -EEXIST: another balancer names its
 * servers by the same MACs; -E2BIG: there is no room for all. The rest was taken.
 */
int chance_take(
	struct chance *chance, const struct addr *balancer, const struct proto_peers *peers);
/* A descriptor of the program, for its test; not to be closed. */
int chance_program(const struct chance *chance);
/* How many servers are known by a name, of all balancers. */
uint32_t chance_n_peers(const struct chance *chance);
/* Named frames that a socket here had, and that were sent on. */
void chance_count(const struct chance *chance, uint64_t *ret_taken, uint64_t *ret_passed_on);
