/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See leak_watch.h. Frames are announce_frame.c's. */
#include "lb/link/leak_watch.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/os/idle.h"
#include "common/os/packet_socket.h"
#include "lb/link/announce_frame.h"
#include "lb/link/frame_socket.h"
#include "lb/link/leak_judge.h"

#define LEAK_WATCH_BATCH     64u                /* frames read in one turn of the loop */
#define LEAK_WATCH_AGAIN_US  (200 * US_PER_MS)  /* a second question comes no sooner than this, */
#define LEAK_WATCH_SPREAD_US (2000 * US_PER_MS) /* and some time within that after it, */
#define LEAK_WATCH_BRISK_US  (500 * US_PER_MS)  /* or within the interval, but no less than this */
#define LEAK_WATCH_IDLE_US   US_PER_S           /* when there is nobody to ask */
#define LEAK_WATCH_NEVER_US  UINT64_MAX

/* One question, from the moment that it is decided until nothing can be an answer to it. */
struct leak_question {
	struct leak_watch_target target;
	struct addr own; /* who asked, and is to be told */
	uint64_t due_us; /* to be sent, then judged, then forgotten */
	enum { LEAK_WAITING, LEAK_ASKED, LEAK_JUDGED } phase;
};

/* A MAC that said something in answer to nothing. */
struct leak_liar {
	struct mac mac;
	uint64_t last_us;
};

struct leak_watch {
	sd_event *event;
	const struct leak_watch_callbacks *callbacks;
	void *context;
	sd_event_source *timer;
	struct leak_watch_config config; /* its arrays are `addresses` and `subnets` */
	struct addr *addresses;
	struct addr_prefix *subnets;
	int arp_fd, nd_fd;
	sd_event_source *arp, *nd;
	uint64_t round_us; /* when the next one is asked */
	struct leak_question open[LEAK_WATCH_OPEN_MAX];
	size_t n_open;
	struct leak_judge *judges; /* by backend's id */
	struct leak_liar liars[LEAK_WATCH_LIARS_MAX];
	uint64_t lies_us; /* of the last one that found no room; 0: none */
};

/* Replies alone: the operation is at 20. */
static struct sock_filter leak_arp_filter[] = {
	FRAME_SOCKET_NO_VLAN,
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
	FRAME_SOCKET_ACCEPT,
	FRAME_SOCKET_REJECT,
};

/* Next header at 6 of IPv6, behind 14 of Ethernet; the ICMPv6 type behind its 40 bytes. */
static struct sock_filter leak_nd_filter[] = {
	FRAME_SOCKET_NO_VLAN,
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 40),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
	FRAME_SOCKET_ACCEPT,
	FRAME_SOCKET_REJECT,
};

static uint64_t leak_watch_now(const struct leak_watch *watch)
{
	uint64_t now_us = 0;

	(void)sd_event_now(watch->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}

/*
 * From where IPv6 is asked for: the link-local address, which everybody on the link can answer; else any. NULL:
 * there is none.
 */
static const struct addr *leak_watch_own6(const struct leak_watch *watch)
{
	const struct addr *found = NULL;

	ARRAY_FOREACH (own, watch->addresses, watch->config.n_addresses)
		if (own->family == AF_INET6 &&
			(!found ||
				(IN6_IS_ADDR_LINKLOCAL(&own->ip6) &&
					!IN6_IS_ADDR_LINKLOCAL(&found->ip6))))
			found = own;
	return found;
}

/* An own address that the backend would answer; of IPv4 none is needed. */
static bool leak_watch_own_address(const struct leak_watch *watch,
	const struct leak_watch_target *target, struct addr *ret_own)
{
	const struct addr *own6 = leak_watch_own6(watch);

	*ret_own = (struct addr){ .family = target->vip.family };
	if (target->vip.family == AF_INET6) {
		if (own6)
			*ret_own = *own6;
		return own6 != NULL;
	}
	for (size_t i = 0; i < watch->config.n_addresses; i++)
		if (watch->addresses[i].family == AF_INET &&
			addr_in_prefix(&target->address, &watch->subnets[i]))
			*ret_own = watch->addresses[i];
	return true;
}

static void leak_watch_verdict(struct leak_watch *watch, enum leak_verdict verdict,
	const struct leak_watch_target *target, uint64_t now_us);

static struct leak_question *leak_watch_find(struct leak_watch *watch, uint16_t backend)
{
	ARRAY_FOREACH (question, watch->open, watch->n_open)
		if (question->target.backend == backend && question->phase != LEAK_JUDGED)
			return question;
	return NULL;
}

/* One at a time of each backend. */
static void leak_watch_add(
	struct leak_watch *watch, const struct leak_watch_target *target, uint64_t due_us)
{
	const struct leak_judge *judge = &watch->judges[target->backend];
	struct leak_question question = { .target = *target, .due_us = due_us };

	if (watch->n_open == LEAK_WATCH_OPEN_MAX || leak_watch_find(watch, target->backend))
		return;
	/* While it answers for one VIP, that is what must end. */
	if (judge->leaks)
		question.target.vip = judge->vip;
	if (leak_watch_own_address(watch, &question.target, &question.own))
		watch->open[watch->n_open++] = question;
}

static void leak_watch_send(
	struct leak_watch *watch, struct leak_question *question, uint64_t now_us)
{
	const struct leak_watch_target *target = &question->target;
	const struct announce_question asked = { watch->config.mac, question->own, target->mac };
	int fd = target->vip.family == AF_INET ? watch->arp_fd : watch->nd_fd;
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];
	size_t size_bytes = announce_frame_ask(&target->vip, &asked, frame);

	question->phase = LEAK_ASKED;
	question->due_us = now_us + LEAK_WATCH_ANSWER_US;
	/* What was not asked was not met with silence. */
	if (fd < 0 || send(fd, frame, size_bytes, MSG_DONTWAIT) < 0) {
		question->phase = LEAK_JUDGED;
		question->due_us = now_us;
	}
}

/* Does what is due of one question; false: it is over. */
static bool leak_watch_run(struct leak_watch *watch, size_t idx, uint64_t now_us)
{
	struct leak_question *question = &watch->open[idx];
	const struct leak_watch_target target = question->target;

	if (question->due_us > now_us)
		return true;
	if (question->phase == LEAK_WAITING) {
		leak_watch_send(watch, question, now_us);
		return true;
	}
	if (question->phase == LEAK_JUDGED)
		return false;
	question->phase = LEAK_JUDGED;
	question->due_us = now_us + LEAK_WATCH_LATE_US - LEAK_WATCH_ANSWER_US;
	leak_watch_verdict(watch,
		leak_judge_silent(&watch->judges[target.backend], &target.vip, now_us), &target,
		now_us);
	return true;
}

static void leak_watch_arm(struct leak_watch *watch)
{
	uint64_t next_us = watch->config.ifindex ? watch->round_us : LEAK_WATCH_NEVER_US;

	ARRAY_FOREACH (question, watch->open, watch->n_open)
		next_us = MIN(next_us, question->due_us);
	(void)sd_event_source_set_time(watch->timer, next_us);
	(void)sd_event_source_set_enabled(
		watch->timer, next_us == LEAK_WATCH_NEVER_US ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* Somewhere between half of the usual gap and one and a half: nobody can tell when. */
static uint64_t leak_watch_gap_us(const struct leak_watch *watch)
{
	/* Each is asked one question at a time. */
	uint64_t interval_us = MAX(watch->config.interval_us, 5 * LEAK_WATCH_ANSWER_US);
	uint64_t gap_us = interval_us / MAX(2 * watch->config.n_backends, (size_t)1);

	gap_us = MAX(gap_us, LEAK_WATCH_GAP_US);
	return gap_us / 2 + randombytes_uniform((uint32_t)MIN(gap_us, (uint64_t)UINT32_MAX));
}

static int leak_watch_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct leak_watch *watch = userdata;
	uint64_t now_us = leak_watch_now(watch);
	struct leak_watch_target target;

	/* A callback may forget questions, and so move others. */
	for (size_t idx = watch->n_open; idx-- > 0;)
		if (idx < watch->n_open && !leak_watch_run(watch, idx, now_us))
			watch->open[idx] = watch->open[--watch->n_open];
	if (watch->round_us <= now_us) {
		watch->round_us = now_us + LEAK_WATCH_IDLE_US;
		if (watch->callbacks->next(watch->context, &target)) {
			leak_watch_add(watch, &target, now_us);
			watch->round_us = now_us + leak_watch_gap_us(watch);
		}
	}
	leak_watch_arm(watch);
	return 0;
}

static void leak_watch_verdict(struct leak_watch *watch, enum leak_verdict verdict,
	const struct leak_watch_target *target, uint64_t now_us)
{
	uint64_t spread_us =
		MIN(MAX(watch->config.interval_us, LEAK_WATCH_BRISK_US), LEAK_WATCH_SPREAD_US);

	switch (verdict) {
	case LEAK_ASK_AGAIN:
		leak_watch_add(watch, target,
			now_us + LEAK_WATCH_AGAIN_US + randombytes_uniform((uint32_t)spread_us));
		break;
	case LEAK_FOUND:
		watch->callbacks->leaks(target->backend, &target->vip, watch->context);
		break;
	case LEAK_OVER:
		watch->callbacks->leaks(target->backend, NULL, watch->context);
		break;
	case LEAK_NOTHING:
		break;
	}
}

static void leak_watch_lie(struct leak_watch *watch, const struct mac *mac, uint64_t now_us)
{
	struct leak_liar *room = NULL;

	ARRAY_FOREACH (liar, watch->liars, LEAK_WATCH_LIARS_MAX) {
		if (mac_equal(&liar->mac, mac)) {
			liar->last_us = now_us;
			return;
		}
		if (!room && (liar->last_us == 0 || now_us - liar->last_us >= LEAK_JUDGE_NOISE_US))
			room = liar;
	}
	if (room)
		*room = (struct leak_liar){ *mac, now_us };
	else
		watch->lies_us = now_us;
}

/* Whether somebody has lately answered in the name of this MAC what was not asked. */
static uint64_t leak_watch_lied_us(const struct leak_watch *watch, const struct mac *mac)
{
	ARRAY_FOREACH (liar, watch->liars, LEAK_WATCH_LIARS_MAX)
		if (liar->last_us > 0 && mac_equal(&liar->mac, mac))
			return MAX(liar->last_us, watch->lies_us);
	return watch->lies_us;
}

/* The question that this answers, one that waits for it first; NULL: none. */
static struct leak_question *leak_watch_answered(
	struct leak_watch *watch, const struct announce_frame *frame)
{
	struct leak_question *late = NULL;

	ARRAY_FOREACH (question, watch->open, watch->n_open) {
		if (question->phase == LEAK_WAITING ||
			!mac_equal(&question->target.mac, &frame->reply_to) ||
			!addr_equal(&question->target.vip, &frame->target))
			continue;
		if (question->phase == LEAK_ASKED)
			return question;
		late = question;
	}
	return late;
}

/* Whether questions are asked from this address: others ask as well, from others (announce.c, for one). */
static bool leak_watch_is_asker(const struct leak_watch *watch, const struct addr *address)
{
	const struct addr *own6 = leak_watch_own6(watch);

	if (address->family == AF_INET6)
		return own6 && addr_equal(own6, address);
	ARRAY_FOREACH (own, watch->addresses, watch->config.n_addresses)
		if (addr_equal(own, address))
			return true;
	return false;
}

static void leak_watch_hear(
	struct leak_watch *watch, const void *data, size_t size_bytes, uint64_t now_us)
{
	struct leak_question *question;
	struct leak_watch_target target;
	struct announce_frame frame;
	struct leak_judge *judge;
	uint64_t lied_us;

	announce_frame_parse(data, size_bytes, &frame);
	if (frame.kind != ANNOUNCE_CLAIM ||
		!watch->callbacks->is_vip(watch->context, &frame.target))
		return;
	question = leak_watch_answered(watch, &frame);
	if (!question) {
		/* What is told to others, as gratuitous ARP, answers nobody's question. */
		if (leak_watch_is_asker(watch, &frame.told))
			leak_watch_lie(watch, &frame.reply_to, now_us);
		return;
	}
	if (question->phase != LEAK_ASKED || !addr_equal(&question->own, &frame.told))
		return;
	target = question->target;
	question->phase = LEAK_JUDGED;
	question->due_us = now_us + LEAK_WATCH_LATE_US;
	judge = &watch->judges[target.backend];
	lied_us = leak_watch_lied_us(watch, &target.mac);
	if (lied_us > judge->noise_us)
		leak_judge_noise(judge, lied_us);
	leak_watch_verdict(watch, leak_judge_answered(judge, &target.vip, now_us), &target, now_us);
	leak_watch_arm(watch);
}

static int leak_watch_on_frames(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct leak_watch *watch = userdata;
	uint64_t now_us = leak_watch_now(watch);
	unsigned int i;

	for (i = 0; i < LEAK_WATCH_BATCH; i++) {
		uint8_t frame[FRAME_SOCKET_READ_BYTES];
		ssize_t n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);

		if (n < 0)
			break;
		/* A promiscuous interface hears answers to others. */
		if ((size_t)n >= MAC_LEN && memcmp(frame, watch->config.mac.bytes, MAC_LEN) == 0)
			leak_watch_hear(watch, frame, (size_t)n, now_us);
	}
	idle_if_crowded(source, i == LEAK_WATCH_BATCH, SD_EVENT_PRIORITY_NORMAL);
	return 0;
}

static void leak_watch_close(struct leak_watch *watch)
{
	watch->arp = sd_event_source_disable_unref(watch->arp);
	watch->nd = sd_event_source_disable_unref(watch->nd);
	watch->arp_fd = util_close(watch->arp_fd);
	watch->nd_fd = util_close(watch->nd_fd);
	watch->n_open = 0;
}

static int leak_watch_open(struct leak_watch *watch, unsigned int ifindex)
{
	int r = frame_socket_open(ifindex, ETHERTYPE_ARP, leak_arp_filter,
		ARRAY_LEN(leak_arp_filter), &watch->arp_fd);

	if (r == 0)
		r = frame_socket_open(ifindex, ETHERTYPE_IPV6, leak_nd_filter,
			ARRAY_LEN(leak_nd_filter), &watch->nd_fd);
	if (r == 0)
		r = sd_event_add_io(watch->event, &watch->arp, watch->arp_fd, EPOLLIN,
			leak_watch_on_frames, watch);
	if (r >= 0)
		r = sd_event_add_io(watch->event, &watch->nd, watch->nd_fd, EPOLLIN,
			leak_watch_on_frames, watch);
	return MIN(r, 0);
}

/* Its interface was away, and is back under the same number. */
static bool leak_watch_is_cut_off(const struct leak_watch *watch)
{
	return watch->arp_fd >= 0 && !packet_socket_is_at(watch->arp_fd, watch->config.ifindex);
}

/* Copies the addresses: the caller's are a link's, which changes. */
static int leak_watch_take(struct leak_watch *watch, const struct leak_watch_config *config)
{
	_cleanup_free_ struct addr *addresses = calloc(config->n_addresses + 1, sizeof(*addresses));
	_cleanup_free_ struct addr_prefix *subnets =
		calloc(config->n_addresses + 1, sizeof(*subnets));

	if (!addresses || !subnets)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_addresses; i++) {
		addresses[i] = config->addresses[i];
		subnets[i] = config->subnets[i];
	}
	free(watch->addresses);
	free(watch->subnets);
	watch->addresses = TAKE_PTR(addresses);
	watch->subnets = TAKE_PTR(subnets);
	watch->config = *config;
	watch->config.addresses = watch->addresses;
	watch->config.subnets = watch->subnets;
	return 0;
}

int leak_watch_set(struct leak_watch *watch, const struct leak_watch_config *config)
{
	unsigned int ifindex = watch->config.ifindex;
	int r = leak_watch_take(watch, config);

	if (r < 0)
		return r;
	if (config->ifindex != ifindex || leak_watch_is_cut_off(watch)) {
		leak_watch_close(watch);
		r = config->ifindex ? leak_watch_open(watch, config->ifindex) : 0;
		if (r < 0) {
			/* Ready to begin anew at the next call. */
			leak_watch_close(watch);
			watch->config.ifindex = 0;
		}
	}
	leak_watch_arm(watch);
	return r;
}

void leak_watch_ask(struct leak_watch *watch, const struct leak_watch_target *target)
{
	if (watch->config.ifindex == 0)
		return;
	leak_watch_add(watch, target,
		leak_watch_now(watch) + randombytes_uniform((uint32_t)LEAK_WATCH_AGAIN_US));
	leak_watch_arm(watch);
}

void leak_watch_forget(struct leak_watch *watch, uint16_t backend)
{
	size_t len = 0;

	watch->judges[backend] = (struct leak_judge){ 0 };
	ARRAY_FOREACH (question, watch->open, watch->n_open)
		if (question->target.backend != backend)
			watch->open[len++] = *question;
	watch->n_open = len;
}

int leak_watch_start(sd_event *event, const struct leak_watch_callbacks *callbacks, void *context,
	struct leak_watch **ret_watch)
{
	_cleanup_(leak_watch_freep) struct leak_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->event = sd_event_ref(event);
	watch->callbacks = callbacks;
	watch->context = context;
	watch->arp_fd = -1;
	watch->nd_fd = -1;
	watch->judges = calloc(UINT16_MAX + 1, sizeof(*watch->judges));
	if (!watch->judges)
		return -ENOMEM;
	r = sd_event_add_time(event, &watch->timer, CLOCK_MONOTONIC, LEAK_WATCH_NEVER_US, US_PER_MS,
		leak_watch_on_timer, watch);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_watch = TAKE_PTR(watch);
	return 0;
}

struct leak_watch *leak_watch_free(struct leak_watch *watch)
{
	if (!watch)
		return NULL;
	leak_watch_close(watch);
	sd_event_source_disable_unref(watch->timer);
	sd_event_unref(watch->event);
	free(watch->addresses);
	free(watch->subnets);
	free(watch->judges);
	free(watch);
	return NULL;
}
