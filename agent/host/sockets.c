/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts established connections over NETLINK_SOCK_DIAG. Called by the daemon, at most once a second
 * while serving and more often while it waits for the last connection. Must not know who asks.
 */
#include "agent/host/sockets.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#define LOAD_CONDITION_BYTES \
	(sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond) + 16)
#define LOAD_JUMP_BYTES   sizeof(struct inet_diag_bc_op)
#define LOAD_FILTER_BYTES (HOST_VIPS_MAX * (LOAD_CONDITION_BYTES + LOAD_JUMP_BYTES))

#define LOAD_STATE(state) (UINT32_C(1) << (state))
/* A server that closed after its answer is in FIN_WAIT1 until the client has all of it. */
#define LOAD_STATES_OPEN \
	(LOAD_STATE(TCP_SYN_RECV) | LOAD_STATE(TCP_ESTABLISHED) | LOAD_STATE(TCP_FIN_WAIT1) | \
		LOAD_STATE(TCP_CLOSE_WAIT) | LOAD_STATE(TCP_LAST_ACK) | LOAD_STATE(TCP_CLOSING))

struct load {
	struct nl *nl;
	struct addr vips[HOST_VIPS_MAX];
	size_t n_vips;
	uint32_t counts[HOST_VIPS_MAX];
	uint32_t counting[HOST_VIPS_MAX]; /* while a dump runs */
	uint64_t counted_us;              /* 0: never */
};

int load_new(struct load **ret_load)
{
	_cleanup_(load_freep) struct load *load = calloc(1, sizeof(*load));
	int r;

	if (!load)
		return -ENOMEM;
	r = nl_open(NETLINK_SOCK_DIAG, &load->nl);
	if (r < 0)
		return r;
	*ret_load = TAKE_PTR(load);
	return 0;
}

struct load *load_free(struct load *load)
{
	if (!load)
		return NULL;
	nl_free(load->nl);
	free(load);
	return NULL;
}

void load_watch(struct load *load, const struct addr *vips, size_t n_vips)
{
	load->n_vips = MIN(n_vips, (size_t)HOST_VIPS_MAX);
	memcpy(load->vips, vips, load->n_vips * sizeof(*vips));
	memset(load->counts, 0, sizeof(load->counts));
	load->counted_us = 0;
}

static size_t load_condition_bytes(const struct addr *vip)
{
	return sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond) +
		addr_size_bytes(vip);
}

/*
 * "local address is one of these" in the kernel's filter language: for each address a condition
 * that goes on to a jump to the end (accepted) or over it to the next condition; the last one
 * accepts by ending exactly there and refuses by ending beyond (net/ipv4/inet_diag.c:
 * inet_diag_bc_run and inet_diag_bc_audit, 6.18). An IPv4 condition meets mapped addresses too.
 */
static size_t load_write_filter(const struct addr *vips, size_t n_vips, uint8_t *buffer)
{
	size_t total_bytes = 0;
	size_t offset = 0;

	ARRAY_FOREACH (vip, vips, n_vips)
		total_bytes += load_condition_bytes(vip) + LOAD_JUMP_BYTES;
	total_bytes -= LOAD_JUMP_BYTES;
	ARRAY_FOREACH (vip, vips, n_vips) {
		size_t size_bytes = load_condition_bytes(vip);
		struct inet_diag_bc_op *op = (void *)(buffer + offset);
		struct inet_diag_hostcond *condition = (void *)(op + 1);

		op->code = INET_DIAG_BC_S_COND;
		op->yes = (uint8_t)size_bytes;
		op->no = (uint16_t)(size_bytes + LOAD_JUMP_BYTES);
		condition->family = (uint8_t)vip->family;
		condition->prefix_len = host_full_prefix(vip);
		condition->port = -1; /* any */
		memcpy(condition->addr, vip->bytes, addr_size_bytes(vip));
		offset += size_bytes;
		if (offset == total_bytes)
			break;
		op = (void *)(buffer + offset);
		op->code = INET_DIAG_BC_JMP;
		op->yes = LOAD_JUMP_BYTES;
		op->no = (uint16_t)(total_bytes - offset);
		offset += LOAD_JUMP_BYTES;
	}
	return offset;
}

/* The local address of a socket; AF_UNSPEC for a message that is none. */
static struct addr load_local_address(const struct nlmsghdr *message)
{
	const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
	struct addr local = { 0 };
	struct in6_addr ip6;

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*socket))
		return local;
	memcpy(&ip6, socket->id.idiag_src, sizeof(ip6));
	if (socket->idiag_family == AF_INET) {
		local.family = AF_INET;
		memcpy(local.bytes, &ip6.s6_addr[0], 4);
	} else if (socket->idiag_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&ip6)) {
		local.family = AF_INET;
		memcpy(local.bytes, &ip6.s6_addr[12], 4);
	} else if (socket->idiag_family == AF_INET6) {
		local.family = AF_INET6;
		local.ip6 = ip6;
	}
	return local;
}

static int load_count(const struct nlmsghdr *message, void *context)
{
	struct load *load = context;
	struct addr local = load_local_address(message);

	for (size_t idx = 0; idx < load->n_vips; idx++) {
		if (addr_equal(&local, &load->vips[idx])) {
			load->counting[idx]++;
			break;
		}
	}
	return 0;
}

static int load_dump_family(struct load *load, sa_family_t family, uint32_t states)
{
	_Alignas(struct inet_diag_bc_op) uint8_t filter[LOAD_FILTER_BYTES] = { 0 };
	size_t filter_bytes = load_write_filter(load->vips, load->n_vips, filter);
	struct inet_diag_req_v2 *query;
	struct nlmsghdr *request;
	void *extra;

	request = nl_request(load->nl, SOCK_DIAG_BY_FAMILY, 0, sizeof(*query), &extra);
	query = extra;
	query->sdiag_family = (uint8_t)family;
	query->sdiag_protocol = IPPROTO_TCP;
	query->idiag_states = states;
	if (!mnl_attr_put_check(
		    request, NL_BUFFER_BYTES, INET_DIAG_REQ_BYTECODE, filter_bytes, filter))
		return -EMSGSIZE;
	return nl_query_all(load->nl, request, load_count, load);
}

/* Into `counting`; a kernel without IPv6 knows no such sockets. */
static int load_dump(struct load *load, uint32_t states)
{
	int r;

	memset(load->counting, 0, sizeof(load->counting));
	r = load_dump_family(load, AF_INET, states);
	if (r < 0)
		return r;
	r = load_dump_family(load, AF_INET6, states);
	return r == -ENOENT || r == -EAFNOSUPPORT ? 0 : r;
}

int load_refresh(struct load *load, uint64_t max_age_us, uint64_t now_us)
{
	int r;

	if (load->n_vips == 0)
		return 0;
	if (load->counted_us && now_us < load->counted_us + max_age_us)
		return 0;
	r = load_dump(load, LOAD_STATE(TCP_ESTABLISHED));
	if (r < 0)
		return r;
	memcpy(load->counts, load->counting, sizeof(load->counts));
	load->counted_us = now_us;
	return 0;
}

int load_count_open(struct load *load, uint64_t *ret_open)
{
	uint64_t open = 0;
	int r;

	if (load->n_vips > 0) {
		r = load_dump(load, LOAD_STATES_OPEN);
		if (r < 0)
			return r;
		for (size_t idx = 0; idx < load->n_vips; idx++)
			open += load->counting[idx];
	}
	*ret_open = open;
	return 0;
}

uint32_t load_established(const struct load *load, size_t idx)
{
	return idx < load->n_vips ? load->counts[idx] : 0;
}
