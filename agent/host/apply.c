/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes the kernel over rtnetlink by libnl-route-3. Called by the reconciler with a plan. Must
 * not know why anything is wanted.
 */
#include "agent/host/apply.h"

#include <assert.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>

#include "agent/host/undo_log.h"

#define APPLY_FOREVER UINT32_C(0xffffffff)

struct apply {
	struct nl_sock *socket;
	char *directory;
	char identity[UNDO_LOG_IDENTITY_BYTES];
	struct host_undo undo;
	bool must_store; /* the file knows of more than `undo` */
};

DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put)
DEFINE_CLEANUP(struct rtnl_addr *, rtnl_addr_put)
DEFINE_CLEANUP(struct nl_addr *, nl_addr_put)

/* libnl has its own numbers for errors; those that we act on are told apart, the rest is -EIO. */
static int apply_errno(int nl_error)
{
	static const struct {
		int nl_error, error;
	} table[] = {
		{ NLE_EXIST, -EEXIST },
		{ NLE_NODEV, -ENODEV },
		{ NLE_OBJ_NOTFOUND, -ENODEV },
		{ NLE_AF_NOSUPPORT, -ENODEV }, /* it lost its IPv4 on the way out */
		{ NLE_NOADDR, -EADDRNOTAVAIL },
		{ NLE_PERM, -EPERM },
		{ NLE_NOACCESS, -EACCES },
		{ NLE_NOMEM, -ENOMEM },
		{ NLE_INVAL, -EINVAL },
		{ NLE_RANGE, -ERANGE },
		{ NLE_OPNOTSUPP, -EOPNOTSUPP },
		{ NLE_BUSY, -EBUSY },
		{ NLE_AGAIN, -EAGAIN },
	};

	if (nl_error >= 0)
		return 0;
	ARRAY_FOREACH (item, table, ARRAY_LEN(table)) {
		if (item->nl_error == -nl_error)
			return item->error;
	}
	return -EIO;
}

int apply_new(const char *directory, struct apply **ret_apply)
{
	_cleanup_(apply_freep) struct apply *apply = calloc(1, sizeof(*apply));
	int r;

	if (!apply)
		return -ENOMEM;
	apply->directory = strdup(directory);
	apply->socket = nl_socket_alloc();
	if (!apply->directory || !apply->socket)
		return -ENOMEM;
	r = undo_log_identity(apply->identity);
	if (r < 0)
		return r;
	r = undo_log_load(directory, apply->identity, &apply->undo);
	if (r < 0)
		return r;
	r = nl_connect(apply->socket, NETLINK_ROUTE);
	if (r < 0)
		return apply_errno(r);
	*ret_apply = TAKE_PTR(apply);
	return 0;
}

struct apply *apply_free(struct apply *apply)
{
	if (!apply)
		return NULL;
	if (apply->socket)
		nl_socket_free(apply->socket);
	host_undo_clear(&apply->undo);
	free(apply->directory);
	free(apply);
	return NULL;
}

const struct host_undo *apply_undo(const struct apply *apply)
{
	return &apply->undo;
}

static int apply_store(const struct apply *apply)
{
	return undo_log_store(apply->directory, apply->identity, &apply->undo);
}

/* Interfaces that have gone took their settings along; containers make and unmake thousands. */
static void apply_prune_originals(struct host_undo *undo, const struct host *host)
{
	size_t kept = 0;

	for (size_t idx = 0; idx < undo->n_originals; idx++) {
		if (host_link_of_original(host, &undo->originals[idx]))
			undo->originals[kept++] = undo->originals[idx];
	}
	undo->n_originals = kept;
}

static int apply_remember_original(struct apply *apply, const struct host_link *link)
{
	struct host_original original = {
		.ifindex = link->ifindex,
		.mac = link->mac,
		.arp_ignore = link->arp_ignore,
		.arp_announce = link->arp_announce,
	};

	memcpy(original.name, link->name, sizeof(original.name));
	return host_undo_add_original(&apply->undo, &original);
}

/*
 * Remembers the values before the first change, and only those; of all interfaces in one write,
 * because containers come in bunches.
 */
static int apply_remember_originals(
	struct apply *apply, const struct host *host, const struct plan *plan)
{
	bool pruned = false;

	ARRAY_FOREACH (op, plan->ops, plan->n_ops) {
		const struct host_link *link = host_link(host, op->ifindex);
		int r;

		if (op->type != PLAN_SET_ARP || !link || host_undo_original(&apply->undo, link))
			continue;
		if (!pruned)
			apply_prune_originals(&apply->undo, host);
		pruned = true;
		r = apply_remember_original(apply, link);
		if (r < 0)
			return r;
	}
	return pruned ? apply_store(apply) : 0;
}

/* Of addresses likewise: a thousand may come, and each store writes all of them. */
static int apply_remember_addresses(struct apply *apply, const struct plan *plan)
{
	struct host_undo *undo = &apply->undo;
	size_t n_before = undo->n_added;

	ARRAY_FOREACH (op, plan->ops, plan->n_ops) {
		/* What is to be repaired was ours before. */
		if (op->type != PLAN_ADD_ADDRESS || op->repair)
			continue;
		if (undo->n_added >= HOST_ADDED_MAX) {
			undo->n_added = n_before;
			return -ENOSPC;
		}
		undo->added[undo->n_added++] = (struct host_added){ op->vip, op->ifindex };
	}
	return undo->n_added > n_before ? apply_store(apply) : 0;
}

/* In memory; the file follows at the end of the plan: to restore twice does no harm. */
static void apply_forget_original(struct apply *apply, unsigned int ifindex)
{
	struct host_undo *undo = &apply->undo;

	for (size_t idx = 0; idx < undo->n_originals; idx++) {
		if (undo->originals[idx].ifindex == ifindex)
			undo->originals[idx--] = undo->originals[--undo->n_originals];
	}
	apply->must_store = true;
}

/* In memory, too; most go in the order in which they stand. */
static void apply_forget_address(struct apply *apply, const struct plan_op *op)
{
	struct host_undo *undo = &apply->undo;

	for (size_t idx = 0; idx < undo->n_added; idx++) {
		if (undo->added[idx].ifindex == op->ifindex &&
			addr_equal(&undo->added[idx].addr, &op->vip)) {
			undo->n_added--;
			memmove(&undo->added[idx], &undo->added[idx + 1],
				(undo->n_added - idx) * sizeof(undo->added[0]));
			break;
		}
	}
	apply->must_store = true;
}

/*
 * A fresh link object with nothing but the two settings: one from the cache would write back every
 * setting that it was read with.
 */
static int apply_write_arp(struct apply *apply, const struct plan_op *op)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *identity = rtnl_link_alloc();
	_cleanup_(rtnl_link_putp) struct rtnl_link *changes = rtnl_link_alloc();
	int r;

	if (!identity || !changes)
		return -ENOMEM;
	rtnl_link_set_ifindex(identity, (int)op->ifindex);
	r = rtnl_link_inet_set_conf(changes, IPV4_DEVCONF_ARP_IGNORE, op->arp_ignore);
	if (r == 0)
		r = rtnl_link_inet_set_conf(changes, IPV4_DEVCONF_ARP_ANNOUNCE, op->arp_announce);
	if (r == 0)
		r = rtnl_link_change(apply->socket, identity, changes, 0);
	return apply_errno(r);
}

/* The kernel's word, not ours: -ECANCELED when the values are not those that were set. */
static int apply_read_back_arp(struct apply *apply, const struct plan_op *op)
{
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = NULL;
	uint32_t arp_ignore = 0;
	uint32_t arp_announce = 0;
	int r;

	r = rtnl_link_get_kernel(apply->socket, (int)op->ifindex, NULL, &link);
	if (r == 0)
		r = rtnl_link_inet_get_conf(link, IPV4_DEVCONF_ARP_IGNORE, &arp_ignore);
	if (r == 0)
		r = rtnl_link_inet_get_conf(link, IPV4_DEVCONF_ARP_ANNOUNCE, &arp_announce);
	if (r < 0)
		return apply_errno(r);
	return arp_ignore == op->arp_ignore && arp_announce == op->arp_announce ? 0 : -ECANCELED;
}

static int apply_set_arp(struct apply *apply, const struct plan_op *op)
{
	int r;

	r = apply_write_arp(apply, op);
	if (r == 0)
		r = apply_read_back_arp(apply, op);
	return r;
}

static int apply_restore_arp(struct apply *apply, const struct plan_op *op)
{
	int r;

	r = apply_write_arp(apply, op);
	if (r == 0)
		r = apply_read_back_arp(apply, op);
	/* What others set since then is their decision. */
	if (r < 0 && r != -ENODEV && r != -ECANCELED)
		return r;
	apply_forget_original(apply, op->ifindex);
	return 0;
}

/* lo:1, lo:2, … so that `ifconfig lo:1` shows it; a name too long for it goes without. */
static int apply_label(
	struct rtnl_addr *address, const struct host_wanted *wanted, unsigned int label_idx)
{
	char label[IFNAMSIZ + 16];

	if (!wanted || label_idx == 0)
		return 0;
	snprintf(label, sizeof(label), "%s:%u", wanted->loopback, label_idx);
	return strlen(label) < IFNAMSIZ ? rtnl_addr_set_label(address, label) : 0;
}

/*
 * IPv6: no duplicate address detection, because every real server has the same VIP; preferred
 * lifetime 0, because otherwise it becomes the source of our own connections (RFC 6724 §5, rule 3).
 */
static int apply_make_address(
	const struct host_wanted *wanted, const struct plan_op *op, struct rtnl_addr **ret_address)
{
	_cleanup_(rtnl_addr_putp) struct rtnl_addr *address = rtnl_addr_alloc();
	_cleanup_(nl_addr_putp) struct nl_addr *local =
		nl_addr_build(op->vip.family, op->vip.bytes, addr_size_bytes(&op->vip));
	int r;

	if (!address || !local)
		return -ENOMEM;
	nl_addr_set_prefixlen(local, host_full_prefix(&op->vip));
	rtnl_addr_set_ifindex(address, (int)op->ifindex);
	r = rtnl_addr_set_local(address, local);
	if (r == 0)
		r = apply_label(address, wanted, op->label_idx);
	if (r < 0)
		return apply_errno(r);
	if (op->vip.family == AF_INET6) {
		rtnl_addr_set_flags(address, IFA_F_NODAD);
		rtnl_addr_set_valid_lifetime(address, APPLY_FOREVER);
		rtnl_addr_set_preferred_lifetime(address, 0);
	}
	*ret_address = TAKE_PTR(address);
	return 0;
}

static int apply_add_address(
	struct apply *apply, const struct host_wanted *wanted, const struct plan_op *op)
{
	_cleanup_(rtnl_addr_putp) struct rtnl_addr *address = NULL;
	int r;

	r = apply_make_address(wanted, op, &address);
	if (r < 0)
		return r;
	r = apply_errno(rtnl_addr_add(apply->socket, address, NLM_F_CREATE | NLM_F_EXCL));
	if (r == 0)
		return 0;
	/* Somebody else's, or not there at all. */
	apply_forget_address(apply, op);
	return r == -EEXIST ? 0 : r;
}

static int apply_remove_address(struct apply *apply, const struct plan_op *op)
{
	_cleanup_(rtnl_addr_putp) struct rtnl_addr *address = NULL;
	int r;

	r = apply_make_address(NULL, op, &address);
	if (r < 0)
		return r;
	r = apply_errno(rtnl_addr_delete(apply->socket, address, 0));
	if (r < 0 && r != -EADDRNOTAVAIL && r != -ENODEV)
		return r;
	apply_forget_address(apply, op);
	return 0;
}

static int apply_op(struct apply *apply, const struct host_wanted *wanted, const struct plan_op *op)
{
	switch (op->type) {
	case PLAN_SET_ARP:
		return apply_set_arp(apply, op);
	case PLAN_RESTORE_ARP:
		return apply_restore_arp(apply, op);
	case PLAN_ADD_ADDRESS:
		return apply_add_address(apply, wanted, op);
	case PLAN_REMOVE_ADDRESS:
		return apply_remove_address(apply, op);
	case PLAN_OP_N_:
		break;
	}
	assert(!"an operation of no known type");
	return -EINVAL;
}

static void apply_describe(const struct host *host, const struct plan_op *op, struct why *ret_why)
{
	const struct host_link *link = host_link(host, op->ifindex);
	const char *name = link ? link->name : "?";
	char text[ADDR_STRLEN];

	switch (op->type) {
	case PLAN_SET_ARP:
	case PLAN_RESTORE_ARP:
		why_set(ret_why, "cannot set arp_ignore %u, arp_announce %u on %s", op->arp_ignore,
			op->arp_announce, name);
		break;
	default:
		why_set(ret_why, "cannot %s VIP %s %s %s", plan_op_name(op->type),
			addr_format(&op->vip, text), op->type == PLAN_ADD_ADDRESS ? "to" : "from",
			name);
		break;
	}
}

/* Addresses whose turn does not come: nobody has put them there. */
static void apply_forget_rest(struct apply *apply, const struct plan *plan, size_t from)
{
	for (size_t idx = from; idx < plan->n_ops; idx++)
		if (plan->ops[idx].type == PLAN_ADD_ADDRESS && !plan->ops[idx].repair)
			apply_forget_address(apply, &plan->ops[idx]);
}

static int apply_ops(struct apply *apply, const struct host *host, const struct host_wanted *wanted,
	const struct plan *plan, struct why *ret_why)
{
	int r_silence = 0;

	ARRAY_FOREACH (op, plan->ops, plan->n_ops) {
		size_t idx = (size_t)(op - plan->ops);
		int r;

		/* Additions come last: no VIP comes into the noise. */
		if (r_silence < 0 && op->type == PLAN_ADD_ADDRESS) {
			apply_forget_rest(apply, plan, idx);
			break;
		}
		r = apply_op(apply, wanted, op);
		/* The interface that went takes the need for the operation along. */
		if (r == 0 || r == -ENODEV)
			continue;
		apply_describe(host, op, ret_why);
		if (r != -ECANCELED) {
			apply_forget_rest(apply, plan, idx + 1);
			return r;
		}
		/* Somebody fights for this interface; the others shall be silent all the same. */
		r_silence = r;
	}
	return r_silence;
}

int apply_plan(struct apply *apply, const struct host *host, const struct host_wanted *wanted,
	const struct plan *plan, struct why *ret_why)
{
	int r, r_store = 0;

	r = apply_remember_originals(apply, host, plan);
	if (r == 0)
		r = apply_remember_addresses(apply, plan);
	if (r < 0)
		return why_fail(
			ret_why, r, "cannot write down what to undo in %s", apply->directory);
	r = apply_ops(apply, host, wanted, plan, ret_why);
	if (apply->must_store)
		r_store = apply_store(apply);
	if (r_store < 0)
		return why_fail(
			ret_why, r_store, "cannot write down what to undo in %s", apply->directory);
	apply->must_store = false;
	return r;
}

int apply_forget(struct apply *apply)
{
	host_undo_clear(&apply->undo);
	return undo_log_remove(apply->directory);
}
