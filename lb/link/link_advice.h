/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is odd about the interfaces as they are: for the log, for `status`, and for check-config, before
 * anything runs.
 */
#pragma once

#include <stdbool.h>

struct neigh_link;
struct why;

/*
 * True: something is, and `ret_why` says it: an interface is a port of a bridge or bond, which is meant in its
 * place; or that of the backends has no address. One that is not there is not looked at.
 */
bool link_advice(
	const struct neigh_link *clients, const struct neigh_link *backends, struct why *ret_why);
