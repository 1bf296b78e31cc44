/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look, compare, act, again. Called by the daemon; runs under its event loop. Must not know of
 * balancers.
 *
 * Our own changes come back as events (RTM_NEWLINK after RTM_SETLINK): the look that follows finds
 * nothing to do, so that no loop can arise.
 */
#include "agent/host/reconcile.h"

#include <assert.h>
#include <linux/rtnetlink.h>

#include "agent/host/apply.h"
#include "agent/host/observe.h"
#include "common/os/clock.h"
#include "common/grow.h"
#include "common/events/events.h"
#include "common/log.h"
#include "common/os/nl.h"

/* sd-event gathers timers within a quarter of a second where it is not told otherwise. */
#define RECONCILE_ACCURACY_US   US_PER_MS
#define RECONCILE_TOLD_MAX      16u /* operations of a kind that are told one by one */
#define RECONCILE_BLOCKED_BYTES (WHY_BYTES + 64)

static_assert(RECONCILE_FIGHT_MAX_US + RECONCILE_POLL_US < PLAN_FIGHT_GAP_US &&
		PLAN_FIGHT_GAP_US < PLAN_FIGHT_PEACE_US,
	"no pause ends a fight");

struct reconcile {
	sd_event *event;
	struct events *events_told; /* what is told of */
	struct nl *nl;
	struct nl *events;
	sd_event_source *events_source;
	sd_event_source *timer;
	struct apply *apply;
	struct host host;
	struct host_wanted wanted;
	bool serving;
	char blocked[RECONCILE_BLOCKED_BYTES];
	char told[RECONCILE_BLOCKED_BYTES]; /* the last complaint */
	unsigned int n_repairs;             /* in this fight */
	uint64_t n_repairs_ever;
	uint64_t last_repair_us;
	struct plan_fights fights;
	bool fought;        /* somebody undoes each time what is repaired */
	bool told_exempt;   /* that the way to the balancer is not */
	bool hopeless;      /* `blocked` is not ours to mend */
	uint64_t looked_us; /* when the last look ended */
	uint64_t look_took_us;
	uint64_t torn_since_us; /* no whole look since; 0: the last one was whole */
	struct host_link *news; /* interfaces as events told of them, since the last look */
	size_t n_news;
	reconcile_looked_fn *looked;
	void *context;
};

uint64_t reconcile_fight_pause_us(unsigned int n_repairs)
{
	unsigned int doublings;

	if (n_repairs <= RECONCILE_FIGHT_FREE)
		return 0;
	doublings = MIN(n_repairs - RECONCILE_FIGHT_FREE - 1, 16u);
	return MIN(RECONCILE_FIGHT_FIRST_US << doublings, RECONCILE_FIGHT_MAX_US);
}

void reconcile_hold_repairs(struct plan *plan)
{
	bool noisy = false;
	size_t kept = 0;

	for (size_t idx = 0; idx < plan->n_ops; idx++) {
		const struct plan_op *op = &plan->ops[idx];

		if (op->repair && op->type == PLAN_SET_ARP)
			noisy = true;
		if (op->repair)
			continue;
		if (noisy && op->type == PLAN_ADD_ADDRESS && op->vip.family == AF_INET)
			continue;
		plan->ops[kept++] = *op;
	}
	plan->n_ops = kept;
}

static uint64_t reconcile_now(const struct reconcile *reconcile)
{
	uint64_t now_us = 0;

	(void)sd_event_now(reconcile->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}

static void reconcile_arm(struct reconcile *reconcile, uint64_t delay_us)
{
	int r;

	r = sd_event_source_set_time_relative(reconcile->timer, delay_us);
	if (r == 0)
		r = sd_event_source_set_enabled(reconcile->timer, SD_EVENT_ONESHOT);
	if (r < 0)
		(void)log_errno(r, "cannot set the timer that watches the host");
}

/* Complains once about the same thing; a mended one may be complained about again. */
static void reconcile_complain(struct reconcile *reconcile, int error, const char *why)
{
	char text[sizeof(reconcile->told)];

	if (error)
		snprintf(text, sizeof(text), "%s: %s", why, strerror(-error));
	else
		snprintf(text, sizeof(text), "%s", why);
	memcpy(reconcile->blocked, text, sizeof(text));
	if (streq(text, reconcile->told))
		return;
	memcpy(reconcile->told, text, sizeof(text));
	events_raise(reconcile->events_told,
		&(struct event){ .message = EVENT_DRIFT_BLOCKED,
			.level = LOG_LEVEL_ERROR,
			.now = "cannot serve",
			.reason = text },
		"%s", text);
}

static void reconcile_mended(struct reconcile *reconcile)
{
	if (reconcile->told[0])
		events_raise(reconcile->events_told,
			&(struct event){ .message = EVENT_DRIFT_REPAIRED,
				.level = LOG_LEVEL_INFO,
				.old = "cannot serve",
				.now = "mended",
				.reason = reconcile->told },
			"mended: %s", reconcile->told);
	reconcile->told[0] = '\0';
	reconcile->blocked[0] = '\0';
}

/* What the operation has done, in words. */
static void reconcile_describe_op(
	const struct plan_op *op, const char *interface, struct why *ret_words)
{
	char text[ADDR_STRLEN];

	switch (op->type) {
	case PLAN_SET_ARP:
	case PLAN_RESTORE_ARP:
		why_set(ret_words, "%s: arp_ignore %u, arp_announce %u%s (%s)", interface,
			op->arp_ignore, op->arp_announce,
			op->type == PLAN_RESTORE_ARP ? " again" : "", op->why);
		break;
	default:
		why_set(ret_words, "%s: VIP %s %s (%s)", interface, addr_format(&op->vip, text),
			op->type == PLAN_ADD_ADDRESS ? "added" : "removed", op->why);
		break;
	}
}

/* A repair is an event, unless it is one of a fight; what belongs to starting and stopping is a line. */
static void reconcile_tell_op(
	const struct reconcile *reconcile, const struct plan_op *op, enum log_level level)
{
	const struct host_link *link = host_link(&reconcile->host, op->ifindex);
	const char *name = link ? link->name : "?";
	struct why words = { 0 };
	char vip[ADDR_STRLEN];
	const struct event event = {
		.message = EVENT_DRIFT_REPAIRED,
		.level = level,
		.vip = addr_format(&op->vip, vip),
		.interface = name,
		.now = "repaired",
		.reason = words.text,
	};

	reconcile_describe_op(op, name, &words);
	if (level == LOG_LEVEL_WARNING)
		events_raise(reconcile->events_told, &event, "%s", words.text);
	else if (level == LOG_LEVEL_INFO)
		log_info("%s", words.text);
	else
		log_debug("%s", words.text);
}

/* Of a thousand VIPs not each: the first of its kind, and how many more there are. */
static void reconcile_tell_ops(
	const struct reconcile *reconcile, const struct plan *plan, enum log_level repairs)
{
	size_t n_told[PLAN_OP_N_][2] = { 0 };

	ARRAY_FOREACH (op, plan->ops, plan->n_ops)
		if (n_told[op->type][op->repair]++ < RECONCILE_TOLD_MAX)
			reconcile_tell_op(reconcile, op, op->repair ? repairs : LOG_LEVEL_INFO);
	for (unsigned int type = 0; type < PLAN_OP_N_; type++)
		for (unsigned int repair = 0; repair < 2; repair++)
			if (n_told[type][repair] > RECONCILE_TOLD_MAX)
				log_info("and %zu more (%s%s)",
					n_told[type][repair] - RECONCILE_TOLD_MAX,
					plan_op_name(type), repair ? ", repaired" : "");
}

/* Counts a repair and tells of it, until it is clear that somebody fights: that is told once. */
static void reconcile_tell_plan(
	struct reconcile *reconcile, const struct plan *plan, uint64_t now_us)
{
	bool repaired = false;

	ARRAY_FOREACH (op, plan->ops, plan->n_ops)
		repaired = repaired || op->repair;
	if (repaired) {
		reconcile->n_repairs++;
		reconcile->n_repairs_ever++;
		reconcile->last_repair_us = now_us;
	}
	if (repaired && reconcile->n_repairs == RECONCILE_FIGHT_FREE + 1)
		events_raise(reconcile->events_told,
			&(struct event){ .message = EVENT_DRIFT_FIGHT, .level = LOG_LEVEL_WARNING },
			"somebody on this host keeps undoing what is repaired; going on with "
			"growing pauses, without a word");
	reconcile_tell_ops(reconcile, plan,
		reconcile->n_repairs > RECONCILE_FIGHT_FREE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
}

static bool reconcile_must_hold(struct reconcile *reconcile, uint64_t now_us)
{
	if (reconcile->n_repairs && now_us - reconcile->last_repair_us > RECONCILE_FIGHT_OVER_US)
		reconcile->n_repairs = 0;
	return now_us - reconcile->last_repair_us < reconcile_fight_pause_us(reconcile->n_repairs);
}

/* How long the previous look does after one that failed so. */
static uint64_t reconcile_patience_us(int error)
{
	switch (error) {
	case -EINTR:
		return RECONCILE_TORN_US;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
		return RECONCILE_LACK_US;
	default:
		return 0;
	}
}

/*
 * While interfaces come faster than the kernel lists them no list is whole, and who has no descriptor or memory left
 * sees none. For a moment the previous one does, with what events tell of the interfaces that are new.
 */
static bool reconcile_is_torn_shortly(struct reconcile *reconcile, int error)
{
	uint64_t now_us = clock_now_us(), patience_us = reconcile_patience_us(error);

	if (patience_us == 0 || reconcile->host.n_links == 0)
		return false;
	if (reconcile->torn_since_us == 0)
		reconcile->torn_since_us = now_us;
	return now_us - reconcile->torn_since_us < patience_us;
}

static int reconcile_take_news(struct reconcile *reconcile)
{
	ARRAY_FOREACH (link, reconcile->news, reconcile->n_news) {
		int r = host_put_link(&reconcile->host, link);

		if (r < 0)
			return r;
	}
	return 0;
}

static void reconcile_complain_of_look(struct reconcile *reconcile, int error)
{
	struct why why = { 0 };

	if (error == -E2BIG)
		why_set(&why, "cannot watch more than %u interfaces and %u addresses",
			HOST_LINKS_MAX, HOST_ADDRESSES_MAX);
	else
		why_set(&why, "cannot read interfaces and addresses");
	reconcile_complain(reconcile, error, why.text);
}

static int reconcile_observe(struct reconcile *reconcile)
{
	const struct host_link *loopback;
	struct host host = { 0 };
	int r;

	r = observe_host(reconcile->nl, &host);
	if (r < 0 && reconcile_is_torn_shortly(reconcile, r)) {
		r = reconcile_take_news(reconcile);
	} else if (r < 0) {
		reconcile_complain_of_look(reconcile, r);
	} else {
		reconcile->torn_since_us = 0;
		host_clear(&reconcile->host);
		reconcile->host = host;
	}
	reconcile->n_news = 0;
	if (r < 0)
		return r;
	loopback = host_link_by_name(&reconcile->host, reconcile->wanted.loopback);
	host_mark_exempt(&reconcile->host, &reconcile->wanted);
	reconcile->wanted.loopback_ifindex = loopback ? loopback->ifindex : 0;
	return 0;
}

/*
 * Who is fought is out until what was mended stands: it looks well in each moment after a repair, and a server
 * that comes and goes is worse than one that is away.
 */
static void reconcile_judge(struct reconcile *reconcile, const struct plan *plan, uint64_t now_us)
{
	struct why fight = { 0 };
	const char *why;

	plan_fights_judge(&reconcile->fights, &reconcile->host, now_us, &fight);
	if (reconcile->fought && !fight.text[0])
		reconcile->n_repairs = 0;
	reconcile->fought = fight.text[0];
	why = plan->blocked.text[0] ? plan->blocked.text : fight.text;
	reconcile->hopeless = why[0];
	if (why[0])
		reconcile_complain(reconcile, 0, why);
	else
		reconcile_mended(reconcile);
}

/* Those that were not made, because somebody undid a silence at once. */
static void reconcile_drop_additions(struct plan *plan)
{
	while (plan->n_ops > 0 && plan->ops[plan->n_ops - 1].type == PLAN_ADD_ADDRESS)
		plan->n_ops--;
}

/* Compares and acts. 1: something was changed, so that another look is due; 0; negative errno. */
static int reconcile_act(struct reconcile *reconcile, uint64_t now_us)
{
	_cleanup_(plan_clear) struct plan plan = { 0 };
	struct why why = { 0 };
	int r;

	r = plan_serve(&reconcile->host, &reconcile->wanted, apply_undo(reconcile->apply), &plan);
	if (r < 0) {
		reconcile_complain(reconcile, r, "cannot compare the host with what is wanted");
		return r;
	}
	if (reconcile_must_hold(reconcile, now_us))
		reconcile_hold_repairs(&plan);
	r = apply_plan(reconcile->apply, &reconcile->host, &reconcile->wanted, &plan, &why);
	if (r == -ECANCELED) {
		reconcile_drop_additions(&plan);
	} else if (r < 0) {
		reconcile_complain(reconcile, r, why.text);
		return r;
	}
	reconcile_tell_plan(reconcile, &plan, now_us);
	plan_fights_note(&reconcile->fights, &reconcile->host, &plan, now_us);
	reconcile_judge(reconcile, &plan, now_us);
	return plan.n_ops > 0;
}

/* A storm of events takes a fifth of a processor at most. */
static uint64_t reconcile_pause_us(const struct reconcile *reconcile)
{
	uint64_t pause_us = RECONCILE_PAUSE_TIMES * reconcile->look_took_us;

	return MIN(MAX(pause_us, RECONCILE_PAUSE_US), RECONCILE_PAUSE_MAX_US);
}

/* Until the next look, if nothing happens. */
static uint64_t reconcile_poll_us(const struct reconcile *reconcile)
{
	uint64_t pause_us = RECONCILE_PAUSE_TIMES * reconcile->look_took_us;

	return reconcile->fights.len == 0
		? RECONCILE_POLL_US
		: MIN(MAX(pause_us, RECONCILE_WARY_US), RECONCILE_POLL_US);
}

/*
 * What was set is believed only when it is seen; and what has come in between is mended before
 * anybody is told of it.
 */
/* Looks and acts now, without an event. */
static void reconcile_look(struct reconcile *reconcile)
{
	uint64_t begun_us = clock_now_us();
	int r = 1;

	if (!reconcile->serving)
		return;
	for (unsigned int round = 0; round < RECONCILE_ROUNDS && r > 0; round++) {
		r = reconcile_observe(reconcile);
		if (r == 0)
			r = reconcile_act(reconcile, reconcile_now(reconcile));
	}
	reconcile->looked_us = clock_now_us();
	reconcile->look_took_us = reconcile->looked_us - begun_us;
	reconcile_arm(reconcile,
		r > 0 || reconcile->torn_since_us ? reconcile_pause_us(reconcile)
						  : reconcile_poll_us(reconcile));
	reconcile->looked(reconcile->context);
}

static int reconcile_on_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	reconcile_look(context);
	return 0;
}

/* Only for a look that finds no whole list: everything else is read anew, and cannot be out of step. */
static int reconcile_take_message(const struct nlmsghdr *message, void *context)
{
	struct reconcile *reconcile = context;
	struct host_link link;
	int r;

	if (observe_parse_link(message, &link) < 0 || reconcile->n_news >= HOST_LINKS_MAX)
		return 0;
	r = GROW(reconcile->news, reconcile->n_news);
	if (r < 0)
		return r;
	reconcile->news[reconcile->n_news++] = link;
	return 0;
}

static int reconcile_on_event(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct reconcile *reconcile = context;
	uint64_t pause_us = reconcile_pause_us(reconcile);
	uint64_t since_us;
	int r;

	r = nl_read_events(reconcile->events, reconcile_take_message, reconcile);
	/* -ENOBUFS: events were lost. The look that follows reads everything anew anyway. */
	if (r < 0 && r != -ENOBUFS)
		(void)log_warning_errno(
			r, "cannot read events of interfaces; looking twice a second");
	since_us = clock_now_us() - reconcile->looked_us;
	if (since_us < pause_us)
		reconcile_arm(reconcile, pause_us - since_us);
	else
		reconcile_look(reconcile);
	return 0;
}

static int reconcile_watch(struct reconcile *reconcile)
{
	static const unsigned int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, 0 };
	int r;

	r = nl_open_events(NETLINK_ROUTE, groups, &reconcile->events);
	if (r < 0)
		return log_errno(r, "cannot listen to events of interfaces");
	r = sd_event_add_io(reconcile->event, &reconcile->events_source, nl_fd(reconcile->events),
		EPOLLIN, reconcile_on_event, reconcile);
	if (r == 0)
		r = sd_event_add_time_relative(reconcile->event, &reconcile->timer, CLOCK_MONOTONIC,
			RECONCILE_POLL_US, RECONCILE_ACCURACY_US, reconcile_on_timer, reconcile);
	/* A new interface must be silent before it is asked: ahead of datagrams and requests. */
	if (r >= 0)
		r = sd_event_source_set_priority(
			reconcile->events_source, SD_EVENT_PRIORITY_IMPORTANT);
	return r < 0 ? log_errno(r, "cannot watch the host") : 0;
}

int reconcile_new(sd_event *event, const char *directory, struct events *events,
	reconcile_looked_fn *looked, void *context, struct reconcile **ret_reconcile)
{
	_cleanup_(reconcile_freep) struct reconcile *reconcile = calloc(1, sizeof(*reconcile));
	int r;

	if (!reconcile)
		return -ENOMEM;
	reconcile->event = event;
	reconcile->events_told = events;
	reconcile->looked = looked;
	reconcile->context = context;
	r = nl_open(NETLINK_ROUTE, &reconcile->nl);
	if (r < 0)
		return log_errno(r, "cannot open netlink");
	r = apply_new(directory, &reconcile->apply);
	if (r == -EBADMSG)
		return log_errno(r,
			"%s/owned.json, which remembers what to undo, is damaged; restore the host by "
			"hand and delete it",
			directory);
	if (r < 0)
		return log_errno(r, "cannot prepare changes of the host in %s", directory);
	r = reconcile_watch(reconcile);
	if (r < 0)
		return r;
	*ret_reconcile = TAKE_PTR(reconcile);
	return 0;
}

struct reconcile *reconcile_free(struct reconcile *reconcile)
{
	if (!reconcile)
		return NULL;
	sd_event_source_disable_unref(reconcile->events_source);
	sd_event_source_disable_unref(reconcile->timer);
	apply_free(reconcile->apply);
	nl_free(reconcile->events);
	nl_free(reconcile->nl);
	host_clear(&reconcile->host);
	free(reconcile->news);
	free(reconcile);
	return NULL;
}

void reconcile_serve(struct reconcile *reconcile, const struct host_wanted *wanted)
{
	struct host_wanted previous = reconcile->wanted;

	reconcile->wanted = *wanted;
	reconcile->wanted.balancer_ifindex = previous.balancer_ifindex;
	memcpy(reconcile->wanted.kept, previous.kept, sizeof(previous.kept));
	reconcile->wanted.n_kept = previous.n_kept;
	reconcile->told_exempt = false;
	reconcile->serving = true;
	reconcile_look(reconcile);
}

void reconcile_keep(struct reconcile *reconcile, const struct addr *vips, size_t n_vips)
{
	struct host_wanted *wanted = &reconcile->wanted;

	wanted->n_kept = MIN(n_vips, (size_t)HOST_VIPS_MAX);
	memcpy(wanted->kept, vips, wanted->n_kept * sizeof(*vips));
	reconcile_arm(reconcile, 0);
}

void reconcile_face(struct reconcile *reconcile, unsigned int ifindex)
{
	const struct host_link *link = host_link(&reconcile->host, ifindex);

	if (reconcile->wanted.balancer_ifindex != ifindex) {
		reconcile->wanted.balancer_ifindex = ifindex;
		reconcile->told_exempt = false;
		host_mark_exempt(&reconcile->host, &reconcile->wanted);
		reconcile_arm(reconcile, 0);
	}
	if (!reconcile->told_exempt && link && host_name_is_exempt(&reconcile->wanted, link->name))
		log_warning(
			"arp-exempt names %s, which leads to a balancer: it is silenced all the same",
			link->name);
	reconcile->told_exempt = true;
}

int reconcile_withdraw(struct reconcile *reconcile)
{
	_cleanup_(plan_clear) struct plan plan = { 0 };
	struct why why = { 0 };
	int r;

	reconcile->serving = false;
	(void)sd_event_source_set_enabled(reconcile->events_source, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(reconcile->timer, SD_EVENT_OFF);
	r = reconcile_observe(reconcile);
	if (r < 0)
		return r;
	r = plan_withdraw(&reconcile->host, apply_undo(reconcile->apply), &plan);
	if (r < 0)
		return log_errno(r, "cannot compare the host with what it was");
	r = apply_plan(reconcile->apply, &reconcile->host, NULL, &plan, &why);
	if (r < 0)
		return log_errno(r, "%s", why.text);
	reconcile_tell_ops(reconcile, &plan, LOG_LEVEL_INFO);
	r = apply_forget(reconcile->apply);
	return r < 0 ? log_errno(r, "cannot remove owned.json") : 0;
}

uint64_t reconcile_repairs(const struct reconcile *reconcile)
{
	return reconcile->n_repairs_ever;
}

const struct host *reconcile_host(const struct reconcile *reconcile)
{
	return &reconcile->host;
}

const struct host_wanted *reconcile_wanted(const struct reconcile *reconcile)
{
	return &reconcile->wanted;
}

const char *reconcile_blocked(const struct reconcile *reconcile)
{
	return reconcile->blocked;
}

bool reconcile_can_mend(const struct reconcile *reconcile)
{
	return !reconcile->hopeless;
}
