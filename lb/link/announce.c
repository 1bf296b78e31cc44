/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets and times of announcing: who is answered, what is sent unasked and when, who else claims
 * a VIP. Called by the daemon; the frames' bytes are announce_frame.c's. Needs CAP_NET_RAW.
 */
#include "lb/link/announce.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "common/os/idle.h"
#include "common/os/packet_socket.h"
#include "lb/link/announce_frame.h"
#include "lb/link/claims.h"
#include "lb/link/frame_socket.h"
#include "lb/link/vip_probe.h"

#define ANNOUNCE_REPEATS       3u               /* on take-over, ANNOUNCE_REPEAT_US apart */
#define ANNOUNCE_REPEAT_US     US_PER_S         /* a second apart; RFC 5227 §1.1 would take two */
#define ANNOUNCE_PACE_US       (10 * US_PER_MS) /* between batches */
#define ANNOUNCE_DEFEND_ALL_US US_PER_MS
#define ANNOUNCE_ASK_US        (2 * US_PER_S)    /* in which each VIP is asked for once, */
#define ANNOUNCE_ASK_GAP_US    (100 * US_PER_MS) /* if they are not too many */
#define ANNOUNCE_NEVER_US      UINT64_MAX

struct announced {
	struct addr address;
	uint64_t due_us;        /* of the next unasked frame */
	uint64_t sent_us;       /* of the last one */
	unsigned int repeats;   /* still to send a second apart */
	struct vip_probe probe; /* until it is free we are silent */
	struct announce_asked asked;
};

struct announce {
	sd_event *event;
	const struct announce_callbacks *callbacks;
	void *context;
	sd_event_source *timer;
	unsigned int ifindex;
	struct mac mac;
	uint64_t refresh_us;
	uint64_t looked_us;     /* when it was last seen what is due */
	uint64_t defend_us;     /* no VIP is defended before */
	uint64_t ask_us;        /* when it is asked next who has a VIP */
	size_t asked;           /* which one */
	struct addr own6;       /* from where; AF_UNSPEC: IPv6 is not asked for */
	struct addr probe6;     /* and from where for new VIPs */
	bool is_cut;            /* silence means nothing */
	struct announced *vips; /* sorted */
	size_t n_vips;
	struct vip_probe_set unproven; /* to be asked for first, when they come (again) */
	int arp_fd, nd_fd;
	sd_event_source *arp, *nd;
	struct frame_groups groups;
	struct claims claims;
	struct announce_counters counters;
};

static struct sock_filter announce_arp_filter[] = {
	FRAME_SOCKET_NO_VLAN,
	FRAME_SOCKET_ACCEPT,
};

/* Of IPv6, behind 14 of Ethernet: next header at 6, hop limit at 7; the ICMPv6 type behind its 40 bytes, or behind options. */
static struct sock_filter announce_nd_filter[] = {
	FRAME_SOCKET_NO_VLAN,
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 4, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_DSTOPTS, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_HOPOPTS, 0, 7),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 7),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 255, 4, 5),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 40),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_ROUTER_SOLICIT, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
	FRAME_SOCKET_ACCEPT,
	FRAME_SOCKET_REJECT,
};

static uint64_t announce_now(const struct announce *announce)
{
	uint64_t now_us = 0;

	(void)sd_event_now(announce->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}

static int announced_compare(const void *a, const void *b)
{
	const struct announced *left = a, *right = b;

	return addr_compare(&left->address, &right->address);
}

static struct announced *announce_find(const struct announce *announce, const struct addr *address)
{
	const struct announced key = { .address = *address };

	if (announce->n_vips == 0)
		return NULL;
	return bsearch(&key, announce->vips, announce->n_vips, sizeof(key), announced_compare);
}

/* 0 or negative errno. */
static int announce_send(
	struct announce *announce, const struct addr *vip, const struct announce_frame *to)
{
	int fd = vip->family == AF_INET ? announce->arp_fd : announce->nd_fd;
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];
	size_t size_bytes = announce_frame_build(vip, &announce->mac, to, frame);

	return send(fd, frame, size_bytes, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Asks who has a VIP, everybody or (`to` is not zero) one MAC; of IPv6 from this address. 0 or negative errno. */
static int announce_question(const struct announce *announce, const struct addr *vip,
	const struct addr *from6, const struct mac *to)
{
	static const struct addr nobody = { .family = AF_INET };
	bool arp = vip->family == AF_INET;
	const struct announce_question question = { announce->mac, arp ? nobody : *from6, *to };
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];
	size_t size_bytes = announce_frame_ask(vip, &question, frame);

	return send(arp ? announce->arp_fd : announce->nd_fd, frame, size_bytes, MSG_DONTWAIT) < 0
		? -errno
		: 0;
}

/* The same about one that is new. */
static int announce_question_new(struct announce *announce, const struct announced *vip)
{
	announce->counters.asked++;
	return announce_question(announce, &vip->address, &announce->probe6, &vip->probe.asked);
}

/*
 * Asks everybody who has a VIP: another host, or another card of a backend, that would answer the router is heard
 * of. IPv4 is asked for as RFC 5227 §1.1 probes, which changes nobody's cache.
 */
static void announce_ask(struct announce *announce, uint64_t now_us)
{
	const struct announced *vip = &announce->vips[announce->asked++ % announce->n_vips];
	static const struct mac everybody;

	announce->ask_us = now_us + MAX(ANNOUNCE_ASK_US / announce->n_vips, ANNOUNCE_ASK_GAP_US);
	if (vip->address.family == AF_INET || announce->own6.family != AF_UNSPEC)
		(void)announce_question(announce, &vip->address, &announce->own6, &everybody);
}

static bool announce_is_other(const struct addr *vip, const void *context)
{
	return !addr_equal(vip, context);
}

/* Sends the question that is due; what else the answers so far lead to. */
static enum vip_probe_action announce_step(
	struct announce *announce, struct announced *vip, uint64_t now_us)
{
	bool can_ask = vip->address.family == AF_INET || announce->probe6.family != AF_UNSPEC;
	enum vip_probe_action action = VIP_PROBE_NOTHING;

	if (announce->callbacks->is_own(&vip->address, announce->context) ||
		(!can_ask && vip->probe.state == VIP_PROBE_ASKED))
		return VIP_PROBE_TAKE;
	/* A link or an address that is away for a moment frees nothing. */
	if (can_ask && !announce->is_cut)
		action = vip_probe_step(&vip->probe, now_us);
	if (action == VIP_PROBE_NOTHING ||
		(action == VIP_PROBE_ASK && announce_question_new(announce, vip) < 0))
		vip_probe_wait(&vip->probe, now_us);
	return action;
}

/* Of one that is due. */
static void announce_probe(struct announce *announce, struct announced *vip, uint64_t now_us)
{
	bool was_held = vip->probe.state == VIP_PROBE_HELD;

	if (announce_step(announce, vip, now_us) != VIP_PROBE_TAKE)
		return;
	vip->probe = (struct vip_probe){ .state = VIP_PROBE_FREE };
	vip->asked = (struct announce_asked){ .since_us = now_us };
	vip->due_us = now_us;
	vip->repeats = ANNOUNCE_REPEATS;
	if (!was_held)
		return;
	claims_keep(&announce->claims, announce_is_other, &vip->address);
	announce->callbacks->held(&vip->address, NULL, announce->context);
}

/* Sends what is due, a batch at most, and arms the timer for the next. */
static void announce_send_due(struct announce *announce)
{
	uint64_t now_us = announce_now(announce), next_us = ANNOUNCE_NEVER_US;
	unsigned int n_sent = 0;

	announce->looked_us = now_us;
	ARRAY_FOREACH (vip, announce->vips, announce->n_vips) {
		if (vip->probe.state != VIP_PROBE_FREE) {
			if (vip->probe.due_us <= now_us && n_sent++ < ANNOUNCE_BATCH)
				announce_probe(announce, vip, now_us);
			next_us = MIN(next_us, MAX(vip->probe.due_us, now_us + ANNOUNCE_PACE_US));
		}
		if (vip->probe.state != VIP_PROBE_FREE)
			continue;
		if (vip->due_us <= now_us && n_sent < ANNOUNCE_BATCH) {
			n_sent++;
			vip->sent_us = now_us;
			/* While the link is down nothing is heard: it counts when it was sent. */
			if (announce_send(announce, &vip->address, NULL) == 0) {
				announce->counters.sent++;
				vip->repeats -= vip->repeats > 0;
			}
			if (vip->repeats > 0)
				vip->due_us = now_us + ANNOUNCE_REPEAT_US;
			else if (announce->refresh_us > 0)
				vip->due_us = now_us + announce->refresh_us;
			else
				vip->due_us = ANNOUNCE_NEVER_US;
		}
		next_us = MIN(next_us, MAX(vip->due_us, now_us + ANNOUNCE_PACE_US));
	}
	if (announce->n_vips > 0 && announce->ask_us <= now_us)
		announce_ask(announce, now_us);
	if (announce->n_vips > 0)
		next_us = MIN(next_us, announce->ask_us);
	(void)sd_event_source_set_time(announce->timer, next_us);
	(void)sd_event_source_set_enabled(
		announce->timer, next_us == ANNOUNCE_NEVER_US ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int announce_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	announce_send_due(userdata);
	return 0;
}

static void announce_arm(struct announce *announce, uint64_t due_us)
{
	uint64_t timer_us = 0;
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(announce->timer, &enabled);
	(void)sd_event_source_get_time(announce->timer, &timer_us);
	if (enabled != SD_EVENT_OFF && timer_us <= due_us)
		return;
	(void)sd_event_source_set_time(announce->timer, due_us);
	(void)sd_event_source_set_enabled(announce->timer, SD_EVENT_ONESHOT);
}

/*
 * Who heard the claim must hear us at once, or frames go astray until its entry is old. The first one
 * is answered now, those that follow are paced for each VIP, and for all of them: another host with all
 * of our VIPs, which defends them too, must not fill the link.
 */
static void announce_defend(struct announce *announce, struct announced *vip, uint64_t now_us)
{
	uint64_t due_us = MAX(now_us, vip->sent_us + ANNOUNCE_DEFEND_US);

	due_us = MAX(due_us, announce->defend_us);
	if (vip->due_us <= due_us)
		return;
	announce->defend_us = due_us + ANNOUNCE_DEFEND_ALL_US;
	vip->due_us = due_us;
	/* The list of VIPs is not gone through more often than for anything else. */
	announce_arm(announce, MAX(due_us, announce->looked_us + ANNOUNCE_PACE_US));
}

/* Whoever names one of our VIPs as its own address, in a reply, announcement or question. */
static void announce_judge_claim(
	struct announce *announce, const struct addr *address, const struct mac *mac)
{
	uint64_t now_us = announce_now(announce);
	struct announced *vip;

	if (mac_equal(mac, &announce->mac))
		return;
	vip = announce_find(announce, address);
	if (!vip)
		return;
	if (vip->probe.state == VIP_PROBE_FREE)
		announce_defend(announce, vip, now_us);
	/* That it is held back was told. */
	if (claims_add(&announce->claims, address,
		    &(struct claimant){ *mac, announce->callbacks->is_backend, announce->context },
		    now_us) &&
		vip->probe.state != VIP_PROBE_HELD)
		announce->callbacks->claimed(address, mac, announce->context);
}

/*
 * Only an answer to our own question holds a VIP back, which is sent to us alone, at the address that asked. It may be
 * forged as any other; but somebody must go on with it, and what is announced already is not asked for.
 */
static void announce_judge_answer(struct announce *announce, const struct announce_frame *frame)
{
	static const struct addr unspecified = { .family = AF_INET };
	struct announced *vip = announce_find(announce, &frame->target);
	enum vip_probe_state before;
	enum vip_probe_action action;

	if (!vip || vip->probe.state == VIP_PROBE_FREE || mac_equal(&frame->mac, &announce->mac) ||
		!addr_equal(&frame->told,
			vip->address.family == AF_INET ? &unspecified : &announce->probe6) ||
		announce->callbacks->serves(&vip->address, &frame->mac, announce->context))
		return;
	before = vip->probe.state;
	action = vip_probe_answered(&vip->probe, &frame->mac, announce_now(announce));
	if (action == VIP_PROBE_ASK)
		(void)announce_question_new(announce, vip);
	else if (action == VIP_PROBE_HOLD && before != VIP_PROBE_HELD)
		announce->callbacks->held(&vip->address, &vip->probe.holder, announce->context);
	announce_arm(announce, vip->probe.due_us);
}

/* A question to us, for a VIP that is announced. */
static void announce_answer(struct announce *announce, const struct announce_frame *question)
{
	struct announced *vip = announce_find(announce, &question->target);

	if (!vip || vip->probe.state != VIP_PROBE_FREE)
		return;
	if (addr_is_unicast(&question->asker))
		vip->asked = (struct announce_asked){ vip->asked.since_us, announce_now(announce),
			question->asker };
	if (announce_send(announce, &question->target, question) == 0)
		announce->counters.answered++;
}

static void announce_handle(
	struct announce *announce, const void *data, size_t size_bytes, unsigned char packet_type)
{
	struct announce_frame frame;

	announce_frame_parse(data, size_bytes, &frame);
	if (frame.kind == ANNOUNCE_CLAIM)
		announce_judge_claim(announce, &frame.target, &frame.mac);
	if (frame.told.family != AF_UNSPEC && packet_type == PACKET_HOST)
		announce_judge_answer(announce, &frame);
	if (frame.kind != ANNOUNCE_REQUEST)
		return;
	announce_judge_claim(announce, &frame.asker, &frame.mac);
	/* A promiscuous interface hears questions to others' MACs: they are not for us. */
	if (packet_type != PACKET_OTHERHOST)
		announce_answer(announce, &frame);
}

/* The link went down; when it is back, switches and hosts have to hear from us again. */
static void announce_again(struct announce *announce)
{
	ARRAY_FOREACH (vip, announce->vips, announce->n_vips) {
		vip->repeats = ANNOUNCE_REPEATS;
		vip->due_us = announce_now(announce) + ANNOUNCE_REPEAT_US;
		if (vip->probe.state != VIP_PROBE_FREE)
			vip_probe_wait(&vip->probe, announce_now(announce));
	}
	announce_send_due(announce);
}

static int announce_on_frames(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct announce *announce = userdata;
	unsigned int i;

	for (i = 0; i < ANNOUNCE_BATCH; i++) {
		uint8_t frame[FRAME_SOCKET_READ_BYTES];
		struct sockaddr_ll from = { 0 };
		socklen_t from_bytes = sizeof(from);
		ssize_t n = recvfrom(fd, frame, sizeof(frame), MSG_DONTWAIT,
			(struct sockaddr *)&from, &from_bytes);

		if (n < 0) {
			if (errno == ENETDOWN)
				announce_again(announce);
			break;
		}
		announce_handle(announce, frame, (size_t)n, from.sll_pkttype);
	}
	idle_if_crowded(source, i == ANNOUNCE_BATCH, SD_EVENT_PRIORITY_NORMAL);
	return 0;
}

/*
 * Joins the solicited-node groups (RFC 4291 §2.7.1) of all IPv6 VIPs: at the NIC's filter by a
 * packet socket, which works without IPv6 on the host, and for MLD by an IPv6 socket.
 */
static int announce_join_groups(
	const struct announce *announce, unsigned int ifindex, struct frame_groups *groups)
{
	struct in6_addr group = { { { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff } } };
	struct packet_mreq filter = {
		.mr_ifindex = (int)ifindex,
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = MAC_LEN,
		.mr_address = { 0x33, 0x33, 0xff },
	};
	int packet_fd, mld_fd, mld, r;

	r = frame_groups_grow(groups, AF_PACKET, SOCK_RAW, &packet_fd);
	if (r < 0)
		return r;
	mld = frame_groups_grow(groups, AF_INET6, SOCK_DGRAM, &mld_fd);
	ARRAY_FOREACH (vip, announce->vips, announce->n_vips) {
		if (vip->address.family != AF_INET6)
			continue;
		memcpy(&group.s6_addr[13], &vip->address.bytes[13], 3);
		memcpy(&filter.mr_address[3], &vip->address.bytes[13], 3);
		if (setsockopt(packet_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &filter,
			    sizeof(filter)) < 0)
			return -errno;
		if (mld == 0)
			mld = frame_groups_join_mld(groups, &mld_fd, ifindex, &group);
	}
	if (mld < 0)
		(void)log_warning_errno(mld,
			"cannot join the VIPs' multicast groups: a switch that snoops MLD may keep "
			"neighbour solicitations from this host");
	return 0;
}

static void announce_close(struct announce *announce)
{
	announce->arp = sd_event_source_disable_unref(announce->arp);
	announce->nd = sd_event_source_disable_unref(announce->nd);
	announce->arp_fd = util_close(announce->arp_fd);
	announce->nd_fd = util_close(announce->nd_fd);
	frame_groups_clear(&announce->groups);
}

static bool announce_has_family(const struct announce *announce, sa_family_t family)
{
	ARRAY_FOREACH (vip, announce->vips, announce->n_vips)
		if (vip->address.family == family)
			return true;
	return false;
}

static int announce_open_family(struct announce *announce, sa_family_t family)
{
	bool arp = family == AF_INET;
	int *fd = arp ? &announce->arp_fd : &announce->nd_fd;
	sd_event_source **source = arp ? &announce->arp : &announce->nd;
	int r;

	if (!announce_has_family(announce, family)) {
		*source = sd_event_source_disable_unref(*source);
		*fd = util_close(*fd);
		return 0;
	}
	if (*fd >= 0)
		return 0;
	if (arp)
		r = frame_socket_open(announce->ifindex, ETHERTYPE_ARP, announce_arp_filter,
			ARRAY_LEN(announce_arp_filter), fd);
	else
		r = frame_socket_open(announce->ifindex, ETHERTYPE_IPV6, announce_nd_filter,
			ARRAY_LEN(announce_nd_filter), fd);
	if (r < 0)
		return r;
	return sd_event_add_io(announce->event, source, *fd, EPOLLIN, announce_on_frames, announce);
}

static int announce_open_all(struct announce *announce)
{
	struct frame_groups groups = { 0 };
	int r;

	r = announce_open_family(announce, AF_INET);
	if (r < 0)
		return r;
	r = announce_open_family(announce, AF_INET6);
	if (r < 0)
		return r;
	/* The new memberships come before the old ones go, so that what stays is never left. */
	if (announce->nd_fd >= 0)
		r = announce_join_groups(announce, announce->ifindex, &groups);
	frame_groups_clear(&announce->groups);
	announce->groups = groups;
	return r;
}

/* Whether it is to be asked for before it is announced, as it comes, or comes anew. */
static bool announce_is_unproven(const struct announce *announce,
	const struct announce_config *config, const struct announced *old, const struct addr *vip)
{
	if (old)
		return old->probe.state != VIP_PROBE_FREE;
	return config->asks_first || vip_probe_set_has(&announce->unproven, vip);
}

/* Those that are so far at least, and those that were when all fell silent. 0 or -ENOMEM. */
static int announce_list(
	const struct announce *announce, enum vip_probe_state least, struct vip_probe_set *ret_set)
{
	struct vip_probe_set set = { 0 };
	int r = 0;

	for (size_t i = 0; i < announce->unproven.len && r == 0; i++)
		r = vip_probe_set_add(&set, &announce->unproven.vips[i]);
	for (size_t i = 0; i < announce->n_vips && r == 0; i++)
		if (announce->vips[i].probe.state >= least)
			r = vip_probe_set_add(&set, &announce->vips[i].address);
	if (r < 0)
		vip_probe_set_clear(&set);
	else
		*ret_set = set;
	return r;
}

/* All fall silent: what is unproven stays so, unless memory is short. */
static void announce_forget_vips(struct announce *announce)
{
	struct vip_probe_set unproven;

	if (announce_list(announce, VIP_PROBE_ASKED, &unproven) == 0)
		vip_probe_set_move(&announce->unproven, &unproven);
	announce->n_vips = 0;
}

static bool announce_is_vip(const struct addr *vip, const void *context)
{
	return announce_find(context, vip) != NULL;
}

/* The new list, sorted and without doubles; VIPs that stay keep their times unless `anew`. */
static int announce_take_vips(
	struct announce *announce, const struct announce_config *config, bool anew)
{
	struct announced *vips = NULL;
	size_t n_vips = 0;

	if (config->n_vips > 0) {
		vips = calloc(config->n_vips, sizeof(*vips));
		if (!vips)
			return -ENOMEM;
	}
	for (size_t idx = 0; idx < config->n_vips; idx++) {
		const struct announced *old = announce_find(announce, &config->vips[idx]);
		bool unproven = announce_is_unproven(announce, config, old, &config->vips[idx]);
		bool stays = old && !anew;

		if (stays)
			vips[idx] = *old;
		else
			vips[idx] = (struct announced){ .address = config->vips[idx],
				.repeats = ANNOUNCE_REPEATS,
				.asked.since_us = announce_now(announce) };
		if (unproven && !stays)
			vip_probe_begin(&vips[idx].probe, announce_now(announce));
		if (vips[idx].due_us == ANNOUNCE_NEVER_US && config->refresh_us > 0)
			vips[idx].due_us = announce_now(announce) + config->refresh_us;
	}
	if (config->n_vips > 0)
		qsort(vips, config->n_vips, sizeof(*vips), announced_compare);
	for (size_t idx = 0; idx < config->n_vips; idx++)
		if (n_vips == 0 || announced_compare(&vips[n_vips - 1], &vips[idx]) != 0)
			vips[n_vips++] = vips[idx];
	free(announce->vips);
	announce->vips = vips;
	announce->n_vips = n_vips;
	/* But who only falls silent keeps what it knows. */
	if (config->n_vips > 0 || config->asks_first) {
		vip_probe_set_clear(&announce->unproven);
		claims_keep(&announce->claims, announce_is_vip, announce);
	}
	return 0;
}

/* Its interface was away, and is back under the same number. */
static bool announce_is_cut_off(const struct announce *announce)
{
	return (announce->arp_fd >= 0 &&
		       !packet_socket_is_at(announce->arp_fd, announce->ifindex)) ||
		(announce->nd_fd >= 0 && !packet_socket_is_at(announce->nd_fd, announce->ifindex));
}

/* Called every second with the same: then sockets and groups are as they must be. */
static bool announce_is_set(const struct announce *announce, const struct announce_config *config)
{
	if (config->refresh_us != announce->refresh_us ||
		!mac_equal(&config->mac, &announce->mac) || config->n_vips != announce->n_vips)
		return false;
	for (size_t i = 0; i < config->n_vips; i++)
		if (!addr_equal(&config->vips[i], &announce->vips[i].address))
			return false;
	return true;
}

int announce_set(struct announce *announce, const struct announce_config *config)
{
	bool moved = config->ifindex != announce->ifindex || announce_is_cut_off(announce);
	int r;

	claims_expire(&announce->claims, announce_now(announce));
	announce->own6 = config->own6;
	announce->probe6 = config->probe6;
	announce->is_cut = config->is_cut;
	if (!moved && announce_is_set(announce, config)) {
		announce_send_due(announce);
		return 0;
	}
	if (announce->n_vips == 0)
		announce->ask_us = announce_now(announce) + ANNOUNCE_ASK_US;
	if (config->n_vips == 0 && !config->asks_first)
		announce_forget_vips(announce);
	r = announce_take_vips(announce, config, moved || !mac_equal(&config->mac, &announce->mac));
	if (r < 0)
		return r;
	if (moved)
		announce_close(announce);
	announce->ifindex = config->ifindex;
	announce->mac = config->mac;
	announce->refresh_us = config->refresh_us;
	r = announce_open_all(announce);
	if (r < 0) {
		/* Silent, and ready to begin anew at the next call. */
		announce_close(announce);
		announce_forget_vips(announce);
	}
	announce_send_due(announce);
	return r;
}

int announce_start(sd_event *event, const struct announce_callbacks *callbacks, void *context,
	struct announce **ret_announce)
{
	_cleanup_(announce_freep) struct announce *announce = calloc(1, sizeof(*announce));
	int r;

	if (!announce)
		return -ENOMEM;
	announce->event = sd_event_ref(event);
	announce->callbacks = callbacks;
	announce->context = context;
	announce->arp_fd = -1;
	announce->nd_fd = -1;
	r = sd_event_add_time(event, &announce->timer, CLOCK_MONOTONIC, ANNOUNCE_NEVER_US,
		US_PER_MS, announce_on_timer, announce);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(announce->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_announce = TAKE_PTR(announce);
	return 0;
}

struct announce *announce_free(struct announce *announce)
{
	if (!announce)
		return NULL;
	announce_close(announce);
	sd_event_source_disable_unref(announce->timer);
	sd_event_unref(announce->event);
	free(announce->vips);
	vip_probe_set_clear(&announce->unproven);
	free(announce);
	return NULL;
}

void announce_counters(const struct announce *announce, struct announce_counters *ret_counters)
{
	*ret_counters = announce->counters;
}

const struct claims *announce_claims(const struct announce *announce)
{
	return &announce->claims;
}

const struct mac *announce_holder(const struct announce *announce, const struct addr *vip)
{
	const struct announced *announced = announce_find(announce, vip);

	return announced && announced->probe.state == VIP_PROBE_HELD ? &announced->probe.holder
								     : NULL;
}

const struct announce_asked *announce_asked(const struct announce *announce, const struct addr *vip)
{
	const struct announced *announced = announce_find(announce, vip);

	return announced && announced->probe.state == VIP_PROBE_FREE ? &announced->asked : NULL;
}

int announce_list_held(const struct announce *announce, struct vip_probe_set *ret_set)
{
	return announce_list(announce, VIP_PROBE_HELD, ret_set);
}

int announce_expect_held(struct announce *announce, const struct addr *vip)
{
	return vip_probe_set_add(&announce->unproven, vip);
}
