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

#define NL_BUFFER_BYTES 32768u

struct nl;

/* Opens a socket of `protocol` (NETLINK_ROUTE, NETLINK_SOCK_DIAG). 0 or negative errno. */
int nl_open(int protocol, struct nl **ret_nl);
struct nl *nl_free(struct nl *nl);
DEFINE_CLEANUP(struct nl *, nl_free)

/* A message is valid for the length of the call. Return 0 to go on, a negative errno to stop. */
typedef int nl_message_fn(const struct nlmsghdr *message, void *context);

/*
 * Starts a request in the socket's own buffer (NL_BUFFER_BYTES): header with `type` and
 * `flags | NLM_F_REQUEST`, extra header of `extra_bytes` zeroed. Never NULL. The caller adds
 * attributes with mnl_attr_put*_check() against NL_BUFFER_BYTES.
 */
struct nlmsghdr *nl_request(struct nl *nl, uint16_t type, uint16_t flags, size_t extra_bytes,
	void **ret_extra);
/* Sends with NLM_F_ACK and waits (at most 5 s) for the answer: 0, or the kernel's negative errno. */
int nl_transact(struct nl *nl, struct nlmsghdr *request);
/* Sends with NLM_F_DUMP; -EINTR after five interrupted dumps. Callback's error is returned. */
int nl_dump(struct nl *nl, struct nlmsghdr *request, nl_message_fn *fn, void *context);

/* An event socket: joins `groups` (RTNLGRP_…, ended by 0), not blocking, receive buffer 1 MiB. */
int nl_open_events(int protocol, const unsigned int *groups, struct nl **ret_nl);
int nl_fd(const struct nl *nl);
/*
 * Reads all that is waiting. 0; -ENOBUFS: events were lost, dump everything again; another
 * negative errno: the socket is broken. Truncated or malformed messages are skipped.
 */
int nl_read_events(struct nl *nl, nl_message_fn *fn, void *context);
