/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts established connections over NETLINK_SOCK_DIAG. Called by the daemon, for heartbeats as often as it is cheap, and
 * while it waits for the last connection. Must not know who asks.
 */
#include "agent/host/sockets.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#include "common/os/clock.h"

#define SOCKETS_CONDITION_BYTES \
	(sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond) + 16)
#define SOCKETS_JUMP_BYTES sizeof(struct inet_diag_bc_op)
/*
 * Of so many addresses the kernel is asked to leave out other sockets; it would look at one condition after the other
 * for each socket, so of more all sockets come, of which most are theirs.
 */
#define SOCKETS_FILTERED_MAX 64u
#define SOCKETS_FILTER_BYTES (SOCKETS_FILTERED_MAX * (SOCKETS_CONDITION_BYTES + SOCKETS_JUMP_BYTES))

#define SOCKETS_COST_SHARE 20u

#define SOCKETS_STATE(state) (UINT32_C(1) << (state))
/* A server that closed after its answer is in FIN_WAIT1 until the client has all of it. */
#define SOCKETS_STATES_OPEN \
	(SOCKETS_STATE(TCP_SYN_RECV) | SOCKETS_STATE(TCP_ESTABLISHED) | \
		SOCKETS_STATE(TCP_FIN_WAIT1) | SOCKETS_STATE(TCP_CLOSE_WAIT) | \
		SOCKETS_STATE(TCP_LAST_ACK) | SOCKETS_STATE(TCP_CLOSING))

struct sockets {
	struct nl *nl;
	struct addr vips[HOST_VIPS_MAX];
	size_t n_vips;
	struct addr_index index; /* of vips */
	uint32_t counts[HOST_VIPS_MAX];
	uint32_t counting[HOST_VIPS_MAX]; /* while a dump runs */
	uint64_t counted_us;              /* 0: never */
	uint64_t cost_us;                 /* of that */
};

int sockets_new(struct sockets **ret_sockets)
{
	_cleanup_(sockets_freep) struct sockets *sockets = calloc(1, sizeof(*sockets));
	int r;

	if (!sockets)
		return -ENOMEM;
	r = nl_open(NETLINK_SOCK_DIAG, &sockets->nl);
	if (r < 0)
		return r;
	*ret_sockets = TAKE_PTR(sockets);
	return 0;
}

struct sockets *sockets_free(struct sockets *sockets)
{
	if (!sockets)
		return NULL;
	nl_free(sockets->nl);
	addr_index_clear(&sockets->index);
	free(sockets);
	return NULL;
}

int sockets_watch(struct sockets *sockets, const struct addr *vips, size_t n_vips)
{
	struct addr_index index;
	int r;

	sockets->n_vips = MIN(n_vips, (size_t)HOST_VIPS_MAX);
	for (size_t i = 0; i < sockets->n_vips; i++)
		sockets->vips[i] = vips[i];
	r = addr_index_make(sockets->vips, sockets->n_vips, sizeof(*vips), 0, &index);
	if (r < 0) {
		sockets->n_vips = 0;
		return r;
	}
	addr_index_clear(&sockets->index);
	sockets->index = index;
	memset(sockets->counts, 0, sizeof(sockets->counts));
	sockets->counted_us = 0;
	return 0;
}

static size_t sockets_condition_bytes(const struct addr *vip)
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
static size_t sockets_write_filter(const struct addr *vips, size_t n_vips, uint8_t *buffer)
{
	size_t total_bytes = 0;
	size_t offset = 0;

	ARRAY_FOREACH (vip, vips, n_vips)
		total_bytes += sockets_condition_bytes(vip) + SOCKETS_JUMP_BYTES;
	total_bytes -= SOCKETS_JUMP_BYTES;
	ARRAY_FOREACH (vip, vips, n_vips) {
		size_t size_bytes = sockets_condition_bytes(vip);
		struct inet_diag_bc_op *op = (void *)(buffer + offset);
		struct inet_diag_hostcond *condition = (void *)(op + 1);

		op->code = INET_DIAG_BC_S_COND;
		op->yes = (uint8_t)size_bytes;
		op->no = (uint16_t)(size_bytes + SOCKETS_JUMP_BYTES);
		condition->family = (uint8_t)vip->family;
		condition->prefix_len = host_full_prefix(vip);
		condition->port = -1; /* any */
		memcpy(condition->addr, vip->bytes, addr_size_bytes(vip));
		offset += size_bytes;
		if (offset == total_bytes)
			break;
		op = (void *)(buffer + offset);
		op->code = INET_DIAG_BC_JMP;
		op->yes = SOCKETS_JUMP_BYTES;
		op->no = (uint16_t)(total_bytes - offset);
		offset += SOCKETS_JUMP_BYTES;
	}
	return offset;
}

/* The local address of a socket; AF_UNSPEC for a message that is none. */
static struct addr sockets_local_address(const struct nlmsghdr *message)
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

static int sockets_count(const struct nlmsghdr *message, void *context)
{
	struct sockets *sockets = context;
	struct addr local = sockets_local_address(message);

	size_t at = addr_index_find(&sockets->index, &local);

	if (at < sockets->index.len)
		sockets->counting[sockets->index.items[at].idx]++;
	return 0;
}

static int sockets_dump_family(struct sockets *sockets, sa_family_t family, uint32_t states)
{
	_Alignas(struct inet_diag_bc_op) uint8_t filter[SOCKETS_FILTER_BYTES] = { 0 };
	struct inet_diag_req_v2 *query;
	struct nlmsghdr *request;
	void *extra;

	request = nl_request(sockets->nl, SOCK_DIAG_BY_FAMILY, 0, sizeof(*query), &extra);
	query = extra;
	query->sdiag_family = (uint8_t)family;
	query->sdiag_protocol = IPPROTO_TCP;
	query->idiag_states = states;
	if (sockets->n_vips <= SOCKETS_FILTERED_MAX &&
		!mnl_attr_put_check(request, NL_BUFFER_BYTES, INET_DIAG_REQ_BYTECODE,
			sockets_write_filter(sockets->vips, sockets->n_vips, filter), filter))
		return -EMSGSIZE;
	return nl_query_all(sockets->nl, request, sockets_count, sockets);
}

/* Into `counting`; a kernel without IPv6 knows no such sockets. */
static int sockets_dump(struct sockets *sockets, uint32_t states)
{
	int r;

	memset(sockets->counting, 0, sizeof(sockets->counting));
	r = sockets_dump_family(sockets, AF_INET, states);
	if (r < 0)
		return r;
	r = sockets_dump_family(sockets, AF_INET6, states);
	return r == -ENOENT || r == -EAFNOSUPPORT ? 0 : r;
}

int sockets_refresh(struct sockets *sockets, uint64_t max_age_us, uint64_t now_us)
{
	uint64_t begun_us;
	int r;

	if (sockets->n_vips == 0)
		return 0;
	if (sockets->counted_us && now_us < sockets->counted_us + max_age_us)
		return 0;
	/* `now_us` may be the event loop's, whose time stands still while it calls. */
	begun_us = clock_now_us();
	r = sockets_dump(sockets, SOCKETS_STATE(TCP_ESTABLISHED));
	sockets->cost_us = clock_now_us() - begun_us;
	if (r < 0)
		return r;
	memcpy(sockets->counts, sockets->counting, sizeof(sockets->counts));
	sockets->counted_us = now_us;
	return 0;
}

int sockets_refresh_cheaply(struct sockets *sockets, uint64_t max_age_us, uint64_t now_us)
{
	uint64_t age_us = MIN(sockets->cost_us * SOCKETS_COST_SHARE, SOCKETS_CACHE_US);

	return sockets_refresh(sockets, MAX(max_age_us, age_us), now_us);
}

uint64_t sockets_cost_us(const struct sockets *sockets)
{
	return sockets->cost_us;
}

int sockets_count_open(struct sockets *sockets, uint64_t *ret_open)
{
	uint64_t open = 0;
	int r;

	if (sockets->n_vips > 0) {
		r = sockets_dump(sockets, SOCKETS_STATES_OPEN);
		if (r < 0)
			return r;
		for (size_t idx = 0; idx < sockets->n_vips; idx++)
			open += sockets->counting[idx];
	}
	*ret_open = open;
	return 0;
}

uint32_t sockets_established(const struct sockets *sockets, size_t idx)
{
	return idx < sockets->n_vips ? sockets->counts[idx] : 0;
}
