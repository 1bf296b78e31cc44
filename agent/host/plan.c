/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares the host as it is with what is wanted and says what to do, in which order, and what cannot be
 * mended. Called by the reconciler after each look at the host. Pure: must not know of netlink.
 */
#include "agent/host/plan.h"

#include <assert.h>

#define PLAN_NOISE "%s would answer ARP for VIPs: effective arp_ignore %u, arp_announce %u"

void plan_clear(struct plan *plan)
{
	free(plan->ops);
	*plan = (struct plan){ 0 };
}

const char *plan_op_name(enum plan_op_type type)
{
	static const char *const names[] = {
		[PLAN_SET_ARP] = "set-arp",
		[PLAN_RESTORE_ARP] = "restore-arp",
		[PLAN_ADD_ADDRESS] = "add",
		[PLAN_REMOVE_ADDRESS] = "remove",
	};
	static_assert(ARRAY_LEN(names) == PLAN_OP_N_, "a name for each operation");

	return names[type];
}

/* Room for every operation that one plan can hold, so that adding one cannot fail half-way. */
static int plan_allocate(const struct host *host, const struct host_wanted *wanted,
	const struct host_undo *undo, struct plan *ret_plan)
{
	size_t n_vips = wanted ? wanted->n_vips : 0;
	size_t capacity = 1 + host->n_links + undo->n_originals + undo->n_added + n_vips;

	*ret_plan = (struct plan){ .ops = calloc(capacity, sizeof(struct plan_op)) };
	return ret_plan->ops ? 0 : -ENOMEM;
}

static void plan_push(struct plan *plan, struct plan_op op)
{
	plan->ops[plan->n_ops++] = op;
}

/* What is looked for many times while a plan is made. */
struct plan_indexes {
	struct addr_index addresses;  /* of the host */
	struct addr_index vips, kept; /* wanted */
	struct addr_index added;      /* ours */
};

static void plan_indexes_clear(struct plan_indexes *indexes)
{
	addr_index_clear(&indexes->addresses);
	addr_index_clear(&indexes->vips);
	addr_index_clear(&indexes->kept);
	addr_index_clear(&indexes->added);
}

static int plan_index_addresses(const struct host *host, struct addr_index *ret_index)
{
	return addr_index_make(host->addresses, host->n_addresses, sizeof(*host->addresses),
		offsetof(struct host_address, addr), ret_index);
}

static int plan_indexes_make(const struct host *host, const struct host_wanted *wanted,
	const struct host_undo *undo, struct plan_indexes *ret_indexes)
{
	int r = plan_index_addresses(host, &ret_indexes->addresses);

	if (r == 0)
		r = addr_index_make(
			wanted->vips, wanted->n_vips, sizeof(*wanted->vips), 0, &ret_indexes->vips);
	if (r == 0)
		r = addr_index_make(
			wanted->kept, wanted->n_kept, sizeof(*wanted->kept), 0, &ret_indexes->kept);
	if (r == 0)
		r = addr_index_make(undo->added, undo->n_added, sizeof(*undo->added),
			offsetof(struct host_added, addr), &ret_indexes->added);
	return r;
}

/* Whether the host has the VIP on this interface, with the full prefix length. */
static bool plan_has_vip(const struct host *host, const struct addr_index *addresses,
	unsigned int ifindex, const struct addr *vip)
{
	for (size_t at = addr_index_find(addresses, vip);
		at < addresses->len && addr_equal(addresses->items[at].addr, vip); at++) {
		const struct host_address *address = &host->addresses[addresses->items[at].idx];

		if (address->ifindex == ifindex && address->prefix_len == host_full_prefix(vip))
			return true;
	}
	return false;
}

static bool plan_is_ours(const struct host_undo *undo, const struct addr_index *added,
	unsigned int ifindex, const struct addr *vip)
{
	for (size_t at = addr_index_find(added, vip);
		at < added->len && addr_equal(added->items[at].addr, vip); at++)
		if (undo->added[added->items[at].idx].ifindex == ifindex)
			return true;
	return false;
}

static bool plan_is_wanted(const struct host_wanted *wanted, const struct plan_indexes *indexes,
	const struct host_added *added)
{
	return addr_index_has(&indexes->kept, &added->addr) ||
		(added->ifindex == wanted->loopback_ifindex &&
			addr_index_has(&indexes->vips, &added->addr));
}

/* Also for addresses that have gone in between: what is ours must be forgotten then. */
static void plan_remove_unwanted(const struct host_wanted *wanted,
	const struct plan_indexes *indexes, const struct host_undo *undo, struct plan *plan)
{
	ARRAY_FOREACH (added, undo->added, undo->n_added) {
		if (wanted && plan_is_wanted(wanted, indexes, added))
			continue;
		plan_push(plan,
			(struct plan_op){
				.type = PLAN_REMOVE_ADDRESS,
				.ifindex = added->ifindex,
				.vip = added->addr,
				.why = wanted ? "no longer configured" : "leaving",
			});
	}
}

/*
 * A value that is right already is kept: an administrator's arp_ignore = 2 is stricter than our 1.
 * The interface's own value is judged, not the effective one, because `all` can change at any time.
 */
static void plan_silence_links(
	const struct host *host, const struct host_undo *undo, struct plan *plan)
{
	ARRAY_FOREACH (link, host->links, host->n_links) {
		bool ignore_is_right = host_ignore_is_right(link->arp_ignore);
		bool announce_is_right = host_announce_is_right(link->arp_announce);
		bool known;

		if (!link->arp || !link->has_inet || link->exempt ||
			(ignore_is_right && announce_is_right))
			continue;
		known = host_undo_original(undo, link);
		plan_push(plan,
			(struct plan_op){
				.type = PLAN_SET_ARP,
				.ifindex = link->ifindex,
				.arp_ignore = ignore_is_right ? link->arp_ignore : HOST_ARP_IGNORE,
				.arp_announce = HOST_ARP_ANNOUNCE,
				.repair = known,
				.why = known ? "changed by others" : "new interface",
			});
	}
}

enum plan_restore { PLAN_ALL_LINKS, PLAN_EXEMPT_LINKS };

/* Only a value that we set is put back: one that others set since then is their decision. */
static void plan_restore_links(const struct host *host, const struct host_undo *undo,
	enum plan_restore which, struct plan *plan)
{
	ARRAY_FOREACH (original, undo->originals, undo->n_originals) {
		const struct host_link *link = host_link_of_original(host, original);
		struct plan_op op = { .type = PLAN_RESTORE_ARP,
			.why = which == PLAN_EXEMPT_LINKS ? "exempt" : "leaving" };

		if (!link || !link->has_inet || (which == PLAN_EXEMPT_LINKS && !link->exempt))
			continue;
		op.ifindex = link->ifindex;
		op.arp_ignore = link->arp_ignore == HOST_ARP_IGNORE ? original->arp_ignore
								    : link->arp_ignore;
		op.arp_announce = link->arp_announce == HOST_ARP_ANNOUNCE ? original->arp_announce
									  : link->arp_announce;
		plan_push(plan, op);
	}
}

/* What no interface's own value can mend: the kernel goes by the larger of the two. */
static void plan_judge_all(const struct host *host, struct why *ret_reason)
{
	if ((int32_t)host->all_arp_ignore > 2)
		why_set(ret_reason,
			"net.ipv4.conf.all.arp_ignore is %u and spoils every interface; set it to 0, 1 or 2",
			host->all_arp_ignore);
	else if ((int32_t)host->all_arp_announce > 2)
		why_set(ret_reason,
			"net.ipv4.conf.all.arp_announce is %u and spoils every interface; set it to 0, 1 or 2",
			host->all_arp_announce);
}

static bool plan_has_arp_link(const struct host *host)
{
	ARRAY_FOREACH (link, host->links, host->n_links) {
		if (link->arp && link->has_inet)
			return true;
	}
	return false;
}

static void plan_judge_loopback(
	const struct host *host, const struct host_wanted *wanted, struct why *ret_reason)
{
	const struct host_link *link = host_link(host, wanted->loopback_ifindex);

	if (!link)
		why_set(ret_reason,
			"there is no interface %s for the VIPs; mend loopback = in the configuration",
			wanted->loopback);
	else if (link->arp)
		why_set(ret_reason,
			"%s answers ARP and cannot hold VIPs in silence; use loopback = lo",
			wanted->loopback);
}

/* The labels lo:1, lo:2, … that the loopback interface has: each VIP gets the first that is free. */
struct plan_labels {
	bool *taken;
	size_t len; /* one more than can all be taken */
	size_t next;
};

static int plan_labels_make(
	const struct host *host, const struct host_wanted *wanted, struct plan_labels *ret_labels)
{
	size_t len = host->n_addresses + wanted->n_vips + 2;
	size_t name_bytes = strlen(wanted->loopback);

	*ret_labels = (struct plan_labels){ calloc(len, sizeof(bool)), len, 1 };
	if (!ret_labels->taken)
		return -ENOMEM;
	ARRAY_FOREACH (address, host->addresses, host->n_addresses) {
		const char *number = address->label + name_bytes + 1;
		unsigned long label_idx;
		char *end;

		if (address->ifindex != wanted->loopback_ifindex ||
			strncmp(address->label, wanted->loopback, name_bytes) != 0 ||
			address->label[name_bytes] != ':' || number[0] < '1' || number[0] > '9')
			continue;
		label_idx = strtoul(number, &end, 10);
		if (*end == '\0' && label_idx < len)
			ret_labels->taken[label_idx] = true;
	}
	return 0;
}

static unsigned int plan_choose_label(struct plan_labels *labels, const struct addr *vip)
{
	if (vip->family != AF_INET)
		return 0;
	while (labels->taken[labels->next])
		labels->next++;
	return (unsigned int)labels->next++;
}

static int plan_add_missing(const struct host *host, const struct host_wanted *wanted,
	const struct host_undo *undo, const struct plan_indexes *indexes, bool noisy,
	struct plan *plan)
{
	struct plan_labels labels;
	int r = plan_labels_make(host, wanted, &labels);

	if (r < 0)
		return r;
	ARRAY_FOREACH (vip, wanted->vips, wanted->n_vips) {
		bool ours = plan_is_ours(undo, &indexes->added, wanted->loopback_ifindex, vip);

		if (plan_has_vip(host, &indexes->addresses, wanted->loopback_ifindex, vip))
			continue;
		if (noisy && vip->family == AF_INET)
			continue;
		plan_push(plan,
			(struct plan_op){
				.type = PLAN_ADD_ADDRESS,
				.ifindex = wanted->loopback_ifindex,
				.vip = *vip,
				.label_idx = plan_choose_label(&labels, vip),
				.repair = ours,
				.why = ours ? "deleted by others" : "configured",
			});
	}
	free(labels.taken);
	return 0;
}

int plan_serve(const struct host *host, const struct host_wanted *wanted,
	const struct host_undo *undo, struct plan *ret_plan)
{
	_cleanup_(plan_indexes_clear) struct plan_indexes indexes = { 0 };
	_cleanup_(plan_clear) struct plan plan = { 0 };
	struct why loopback_unfit = { 0 };
	struct why all_spoils = { 0 };
	int r;

	r = plan_allocate(host, wanted, undo, &plan);
	if (r == 0)
		r = plan_indexes_make(host, wanted, undo, &indexes);
	if (r < 0)
		return r;
	plan_remove_unwanted(wanted, &indexes, undo, &plan);
	if (host_wants_ipv4(wanted)) {
		plan_restore_links(host, undo, PLAN_EXEMPT_LINKS, &plan);
		plan_silence_links(host, undo, &plan);
		if (plan_has_arp_link(host))
			plan_judge_all(host, &all_spoils);
	} else {
		plan_restore_links(host, undo, PLAN_ALL_LINKS, &plan);
	}
	plan_judge_loopback(host, wanted, &loopback_unfit);
	if (!loopback_unfit.text[0])
		r = plan_add_missing(host, wanted, undo, &indexes, all_spoils.text[0], &plan);
	if (r < 0)
		return r;
	plan.blocked = loopback_unfit.text[0] ? loopback_unfit : all_spoils;
	*ret_plan = plan;
	plan = (struct plan){ 0 };
	return 0;
}

int plan_withdraw(const struct host *host, const struct host_undo *undo, struct plan *ret_plan)
{
	struct plan plan;
	int r;

	r = plan_allocate(host, NULL, undo, &plan);
	if (r < 0)
		return r;
	plan_remove_unwanted(NULL, NULL, undo, &plan);
	plan_restore_links(host, undo, PLAN_ALL_LINKS, &plan);
	*ret_plan = plan;
	return 0;
}

/* The first interface that would answer ARP for an IPv4 VIP; "" when all are silent. */
static void plan_judge_silence(const struct host *host, struct why *ret_reason)
{
	if (plan_has_arp_link(host))
		plan_judge_all(host, ret_reason);
	if (ret_reason->text[0])
		return;
	ARRAY_FOREACH (link, host->links, host->n_links) {
		if (host_link_is_silent(host, link))
			continue;
		why_set(ret_reason, PLAN_NOISE, link->name, host_effective_ignore(host, link),
			host_effective_announce(host, link));
		return;
	}
}

int plan_view_make(
	const struct host *host, const struct host_wanted *wanted, struct plan_view *ret_view)
{
	struct plan_view view = { .host = host, .wanted = wanted };
	int r = plan_index_addresses(host, &view.addresses);

	if (r < 0)
		return r;
	if (host_wants_ipv4(wanted))
		plan_judge_silence(host, &view.noise);
	*ret_view = view;
	return 0;
}

void plan_view_clear(struct plan_view *view)
{
	addr_index_clear(&view->addresses);
}

/*
 * arp_ignore 1 answers for an address of the very interface that was asked, and neighbour
 * discovery always does, so a VIP on such an interface leaks whatever its settings are.
 */
static void plan_judge_elsewhere(
	const struct plan_view *view, const struct addr *vip, struct why *ret_reason)
{
	const struct addr_index *addresses = &view->addresses;
	char text[ADDR_STRLEN];

	for (size_t at = addr_index_find(addresses, vip);
		at < addresses->len && addr_equal(addresses->items[at].addr, vip); at++) {
		const struct host_link *link = host_link(
			view->host, view->host->addresses[addresses->items[at].idx].ifindex);

		if (!link || !link->arp)
			continue;
		why_set(ret_reason,
			"VIP %s is on %s, which answers for it; delete it there, %s is its place",
			addr_format(vip, text), link->name, view->wanted->loopback);
		return;
	}
}

void plan_verify(
	const struct plan_view *view, const struct addr *vip, struct plan_verdict *ret_verdict)
{
	const struct host *host = view->host;
	const struct host_wanted *wanted = view->wanted;
	const struct host_link *loopback = host_link(host, wanted->loopback_ifindex);
	struct plan_verdict verdict = { 0 };
	char text[ADDR_STRLEN];

	if (vip->family == AF_INET)
		verdict.reason = view->noise;
	if (!verdict.reason.text[0])
		plan_judge_elsewhere(view, vip, &verdict.reason);
	verdict.silent = !verdict.reason.text[0];
	verdict.present = loopback && loopback->up &&
		plan_has_vip(host, &view->addresses, loopback->ifindex, vip);
	if (!verdict.silent)
		;
	else if (!loopback)
		plan_judge_loopback(host, wanted, &verdict.reason);
	else if (!loopback->up)
		why_set(&verdict.reason, "%s is down; ip link set %s up", loopback->name,
			loopback->name);
	else if (!verdict.present)
		why_set(&verdict.reason, "VIP %s is missing on %s", addr_format(vip, text),
			loopback->name);
	*ret_verdict = verdict;
}

/* ---- what somebody undoes every time ---- */

static bool plan_fight_is_of(const struct plan_fight *fight, const struct plan_op *op)
{
	return fight->type == op->type && fight->ifindex == op->ifindex &&
		(op->type != PLAN_ADD_ADDRESS || addr_equal(&fight->vip, &op->vip));
}

/* The one of this operation, a new one if there is none; NULL: there is no room. */
static struct plan_fight *plan_fight_of(struct plan_fights *fights, const struct plan_op *op)
{
	ARRAY_FOREACH (fight, fights->items, fights->len)
		if (plan_fight_is_of(fight, op))
			return fight;
	if (fights->len == PLAN_FIGHTS_MAX)
		return NULL;
	fights->items[fights->len] =
		(struct plan_fight){ .type = op->type, .ifindex = op->ifindex, .vip = op->vip };
	return &fights->items[fights->len++];
}

static bool plan_fight_is_over(
	const struct plan_fight *fight, const struct host *host, uint64_t now_us)
{
	const struct host_link *link = host_link(host, fight->ifindex);
	uint64_t quiet_us = fight->is_on ? PLAN_FIGHT_PEACE_US : PLAN_FIGHT_GAP_US;

	return now_us - fight->last_us > quiet_us || !link ||
		(fight->type == PLAN_SET_ARP && (!link->arp || link->exempt));
}

static void plan_fights_forget(struct plan_fights *fights, const struct host *host, uint64_t now_us)
{
	size_t kept = 0;

	ARRAY_FOREACH (fight, fights->items, fights->len)
		if (!plan_fight_is_over(fight, host, now_us))
			fights->items[kept++] = *fight;
	fights->len = kept;
}

static void plan_fight_count(struct plan_fight *fight, uint64_t now_us)
{
	if (fight->n_repairs > 0 && now_us - fight->last_us < PLAN_FIGHT_STEP_US)
		return;
	if (fight->n_repairs == 0)
		fight->since_us = now_us;
	fight->last_us = now_us;
	fight->n_repairs++;
	fight->is_on = fight->is_on ||
		(fight->n_repairs >= PLAN_FIGHT_TIMES &&
			now_us - fight->since_us >= PLAN_FIGHT_LEAST_US);
}

void plan_fights_note(struct plan_fights *fights, const struct host *host, const struct plan *plan,
	uint64_t now_us)
{
	plan_fights_forget(fights, host, now_us);
	ARRAY_FOREACH (op, plan->ops, plan->n_ops) {
		const struct host_link *link = host_link(host, op->ifindex);
		struct plan_fight *fight;

		if (!op->repair || !link ||
			(op->type == PLAN_SET_ARP && host_link_is_silent(host, link)))
			continue;
		fight = plan_fight_of(fights, op);
		if (!fight)
			continue;
		if (!fight->is_on) {
			fight->arp_ignore = host_effective_ignore(host, link);
			fight->arp_announce = host_effective_announce(host, link);
		}
		plan_fight_count(fight, now_us);
	}
}

static void plan_describe_fight(
	const struct plan_fight *fight, const struct host *host, struct why *ret_reason)
{
	const struct host_link *link = host_link(host, fight->ifindex);
	char text[ADDR_STRLEN];

	if (fight->type == PLAN_SET_ARP)
		why_set(ret_reason,
			PLAN_NOISE
			"; something on this host writes that back each time it is mended",
			link->name, fight->arp_ignore, fight->arp_announce);
	else
		why_set(ret_reason,
			"VIP %s is missing on %s; something on this host deletes it each time it is added",
			addr_format(&fight->vip, text), link->name);
}

void plan_fights_judge(struct plan_fights *fights, const struct host *host, uint64_t now_us,
	struct why *ret_reason)
{
	plan_fights_forget(fights, host, now_us);
	*ret_reason = (struct why){ 0 };
	ARRAY_FOREACH (fight, fights->items, fights->len) {
		if (!fight->is_on)
			continue;
		plan_describe_fight(fight, host, ret_reason);
		return;
	}
}
