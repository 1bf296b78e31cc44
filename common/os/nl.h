/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink transactions and event sockets over libmnl, as one small layer: a request gives 0 or
 * the kernel's errno, a dump calls back for each message and is repeated when the kernel says
 * that it was interrupted (NLM_F_DUMP_INTR), an event socket says when events were lost.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include "common/util.h"

#define NL_BUFFER_BYTES   32768u
#define NL_DUMP_MAX_BYTES (64u << 20) /* of a dump that is collected before it is given out */

struct nl;

/* Opens a socket of `protocol` (NETLINK_ROUTE, NETLINK_SOCK_DIAG). 0 or negative errno. */
int nl_open(int protocol, struct nl **ret_nl);
struct nl *nl_free(struct nl *nl);
DEFINE_CLEANUP(struct nl *, nl_free)

/* A message is valid for the length of the call. Return 0 to go on, a negative errno to stop. */
typedef int nl_message_fn(const struct nlmsghdr *message, void *context);

/*
 * Whether a whole message lies in the `size_bytes` from here. mnl_nlmsg_ok() compares as signed and
 * takes a length of 2 GiB or more for a short one (libmnl 1.0.5).
 */
static inline bool nl_message_ok(const struct nlmsghdr *message, int size_bytes)
{
	return size_bytes >= (int)sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
		message->nlmsg_len <= (unsigned int)size_bytes;
}

/*
 * Starts a request in the socket's own buffer (NL_BUFFER_BYTES): header with `type` and
 * `flags | NLM_F_REQUEST`, extra header of `extra_bytes` zeroed. Never NULL. The caller adds
 * attributes with mnl_attr_put*_check() against NL_BUFFER_BYTES.
 */
struct nlmsghdr *nl_request(
	struct nl *nl, uint16_t type, uint16_t flags, size_t extra_bytes, void **ret_extra);
/*
 * Sends with NLM_F_ACK and waits (at most 5 s, then -ETIMEDOUT) for the answer: 0, or the kernel's
 * negative errno.
 */
int nl_transact(struct nl *nl, struct nlmsghdr *request);
/* The same for a request with an answer (RTM_GETROUTE): `fn` gets each message before the end. */
int nl_query(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *context);
/*
 * Sends with NLM_F_DUMP. The callback sees one consistent dump: nothing of an interrupted one, which
 * is repeated; -EINTR after five of them. (A dump of NETLINK_SOCK_DIAG is given out as it comes:
 * its kernel side never says "interrupted", and it may be very long.) Callback's error is returned;
 * -EMSGSIZE: more than NL_DUMP_MAX_BYTES. (Not named nl_dump: libnl exports a function of that name,
 * which one of ours would replace for it.)
 */
int nl_query_all(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *context);

/* An event socket: joins `groups` (RTNLGRP_…, ended by 0), not blocking, receive buffer 1 MiB. */
int nl_open_events(int protocol, const unsigned int *groups, struct nl **ret_nl);
int nl_fd(const struct nl *nl);
/*
 * Reads what is waiting (a flood in several calls: watch the descriptor level-triggered). 0;
 * -ENOBUFS: events were lost, dump everything again; another negative errno: the callback's, or
 * the socket is broken. Truncated or malformed messages are skipped.
 */
int nl_read_events(struct nl *nl, nl_message_fn *fn, void *context);
