/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checkers of a keepalived.conf, and what a virtual server, a real server and a checker have in common. Pure. */
#pragma once

#include "lb/client/import/keepalived/keepalived_tree.h"

/* Of a virtual server, in force for its real servers, and of those for their checkers, unless they say others. */
struct keepalived_checking {
	uint64_t interval_ms, timeout_ms, retry_delay_ms; /* 0: not said */
	uint64_t retries;                                 /* UINT64_MAX: not said */
	const char *host;                                 /* NULL: not said */
};

#define KEEPALIVED_CHECKING_UNSAID ((struct keepalived_checking){ .retries = UINT64_MAX })

/* One statement that sets one of these; false: it is another. */
bool keepalived_checking_set(struct farm *farm, const struct keepalived_node *node,
	struct keepalived_checking *checking);
/* What is said, into the virtual server; a note for what another checker has set otherwise. */
void keepalived_checking_apply(struct farm *farm, struct farm_server *server,
	const struct keepalived_node *node, const struct keepalived_checking *checking);
bool keepalived_is_checker(const struct keepalived_node *node);
/* A checker of a real server, for instance a block TCP_CHECK. */
void keepalived_check(struct farm *farm, struct farm_server *server, const struct addr *real_server,
	const struct keepalived_node *node, struct keepalived_checking checking);

/* A note at a statement, also of an included file; its words are told. */
_printf_(3, 4) void keepalived_note(
	struct farm *farm, const struct keepalived_node *node, const char *format, ...);
/* The word behind the first; "" when there is none. */
const char *keepalived_argument(const struct keepalived_node *node);
/* "5", "2.5": seconds with a fraction as milliseconds. False: no such number. */
bool keepalived_milliseconds(const char *text, uint64_t *ret_ms);
/* Neither "no" nor "off" nor "false" stands behind the word. */
bool keepalived_is_on(const struct keepalived_node *node);
