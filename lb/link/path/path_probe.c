/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_probe.h. Called by the daemon. */
#include "lb/link/path/path_probe.h"

#include <assert.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "common/os/idle.h"
#include "common/os/packet_socket.h"
#include "lb/link/path/path_await.h"
#include "lb/link/path/path_port.h"
#include "lb/link/path/path_socket.h"
#include "lb/link/path/path_wheel.h"

#define PROBES_ADDRESSES_MAX 64u
/* That wait for an answer at once; more wait for their turn. */
#define PROBES_REQUESTS_MAX 1024u
/* Sent in one tick; the rest waits for the next. */
#define PROBES_PACE 256u
/* Read of each family in one turn of the loop, in batches of PATH_SOCKET_BATCH; and before silence is judged. */
#define PROBES_READS       4u
#define PROBES_READS_TIMER 16u
/* A deadline missed by more than this means that we were stalled ourselves. */
#define PROBES_STALL_US (100 * US_PER_MS)
/* After what has arrived was read. */
#define PROBES_TIMER_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

enum { IP4, IP6, FAMILIES };

struct path_probes {
	sd_event *event;
	const struct path_callbacks *callbacks;
	void *context;
	sd_event_source *timer;
	uint64_t timer_us; /* when it should ring; 0: it is off */

	char interface[IF_NAMESIZE];
	unsigned int ifindex;
	bool running;
	struct mac mac;
	struct addr addresses[PROBES_ADDRESSES_MAX];
	struct addr_prefix subnets[PROBES_ADDRESSES_MAX];
	size_t n_addresses;

	struct path_ports ports;
	uint16_t echo_id;
	struct path_socket *sockets[FAMILIES];
	sd_event_source *sources[FAMILIES];

	struct path_wheel wheel;
	struct path_await await;
	size_t n_requests;                               /* that wait for an answer */
	struct probes_backend *backends[UINT16_MAX + 1]; /* by id */
	size_t n_probes;
	bool told; /* a result since the last `done` */
	uint64_t random[32];
	size_t n_random;
};

static uint64_t probes_now(const struct path_probes *probes)
{
	uint64_t now_us = 0;

	(void)sd_event_now(probes->event, CLOCK_MONOTONIC, &now_us);
	return now_us;
}

static uint64_t probes_random(struct path_probes *probes)
{
	if (probes->n_random == 0) {
		/* For so few bytes it fails only where the kernel has no randomness at all. */
		while (getrandom(probes->random, sizeof(probes->random), 0) !=
			(ssize_t)sizeof(probes->random))
			;
		probes->n_random = ARRAY_LEN(probes->random);
	}
	return probes->random[--probes->n_random];
}

static void probes_arm(struct path_probes *probes)
{
	uint64_t due_us = path_wheel_due_us(&probes->wheel);

	if (due_us == UINT64_MAX) {
		probes->timer_us = 0;
		(void)sd_event_source_set_enabled(probes->timer, SD_EVENT_OFF);
		return;
	}
	if (probes->timer_us == due_us)
		return;
	probes->timer_us = due_us;
	(void)sd_event_source_set_time(probes->timer, due_us);
	(void)sd_event_source_set_enabled(probes->timer, SD_EVENT_ONESHOT);
}

static void probe_schedule(struct path_probes *probes, struct probe *probe, uint64_t when_us)
{
	probe->due_us = when_us;
	path_wheel_set(&probes->wheel, &probe->wheel, when_us);
}

/* Connections. */

static struct path_socket *probe_socket(const struct path_probes *probes, const struct probe *probe)
{
	return probes->sockets[probe->vip.family == AF_INET ? IP4 : IP6];
}

/* A segment behind the SYN. */
static void probe_send_segment(struct path_probes *probes, struct probe *probe, bool with_request)
{
	struct path_socket *socket = probe_socket(probes, probe);
	uint8_t *buffer = path_socket_next(socket, probe);

	path_socket_add(
		socket, path_target_build_segment(probe, &probes->mac, with_request, buffer));
}

static void probe_await(struct path_probes *probes, struct probe *probe)
{
	path_await_add(&probes->await, probe);
	probes->n_requests += probe->kind == PATH_HTTP;
}

/* Whatever became of a request, no connection of it stays on the server. */
static void probe_unawait(struct path_probes *probes, struct probe *probe)
{
	struct path_socket *socket = probe_socket(probes, probe);
	uint8_t *buffer;

	if (!probe->awaiting)
		return;
	path_await_remove(probe);
	if (probe->kind != PATH_HTTP)
		return;
	probes->n_requests--;
	if (!probe->request.is_connected || !socket)
		return;
	buffer = path_socket_next(socket, NULL);
	path_socket_add(socket, path_target_build_reset(probe, &probes->mac, buffer));
}

/* The first comes at once; those after it are spread, so that probes that began together do not stay together. */
static uint64_t probe_gap_us(struct path_probes *probes, struct probe *probe)
{
	if (probe->staggered)
		return probe->interval_us;
	probe->staggered = true;
	return probe->interval_us - probes_random(probes) % (probe->interval_us / 2 + 1);
}

static void probe_end(
	struct path_probes *probes, struct probe *probe, enum path_verdict verdict, int error)
{
	const struct path_result result = {
		.backend = probe->backend->id,
		.service = probe->service,
		.check = probe->check,
		.status = verdict == PATH_STATUS ? probe->request.status : 0,
		.verdict = verdict,
		.began_us = probe->began_us,
		.error = error,
	};
	uint64_t now_us = probes_now(probes);

	probe_unawait(probes, probe);
	probe_schedule(probes, probe, MAX(now_us, probe->began_us + probe_gap_us(probes, probe)));
	probes->told = true;
	probes->callbacks->result(&result, probes->context);
}

static void probes_done(struct path_probes *probes)
{
	probes_arm(probes);
	if (!probes->told)
		return;
	probes->told = false;
	probes->callbacks->done(probes->context);
}

/* Beginning. */

const struct addr *path_probe_source(
	const struct path_probes *probes, const struct addr *backend, sa_family_t family)
{
	const struct addr *best = NULL;
	int best_score = -1;

	for (size_t i = 0; i < probes->n_addresses; i++) {
		const struct addr *own = &probes->addresses[i];
		int score = !addr_is_link_local6(own);

		if (own->family != family)
			continue;
		if (score && addr_in_prefix(backend, &probes->subnets[i]))
			score = 2;
		if (score > best_score) {
			best = own;
			best_score = score;
		}
	}
	return best;
}

/* False: it has to wait for its turn. */
static bool probe_choose_secret(struct path_probes *probes, struct probe *probe)
{
	uint64_t random = probes_random(probes);

	probe->secret = path_await_secret(probe->kind, (uint32_t)random);
	if (probe->kind == PATH_ECHO) {
		uint64_t echo = probes_random(probes);

		probe->own_port = probes->echo_id;
		memcpy(probe->echo, &echo, sizeof(probe->echo));
		return true;
	}
	probe->own_port = path_target_port(probe, probes->ports.first, (uint32_t)(random >> 32));
	return probe->own_port != 0;
}

static void probe_send(struct path_probes *probes, struct probe *probe)
{
	struct path_socket *socket = probe_socket(probes, probe);
	uint8_t *buffer = path_socket_next(socket, probe);

	path_socket_add(socket, path_target_build(probe, &probes->mac, buffer));
}

static void probe_begin(struct path_probes *probes, struct probe *probe, uint64_t now_us)
{
	struct path_socket *socket = probe_socket(probes, probe);
	const struct addr *own =
		path_probe_source(probes, &probe->backend->address, probe->vip.family);

	probe->began_us = now_us;
	if (!probes->running || !socket || !own) {
		probe_end(probes, probe,
			probes->running && socket ? PATH_NO_ADDRESS : PATH_NOT_MADE, 0);
		return;
	}
	probe->own = *own;
	if (!probe_choose_secret(probes, probe)) {
		probe_schedule(probes, probe, now_us);
		return;
	}
	path_request_begin(
		&probe->request, probe->secret, probe->payload_bytes, now_us, probe->timeout_us);
	/* Awaited first: it may fail as soon as there is no more room. */
	probe_await(probes, probe);
	probe_schedule(probes, probe,
		probe->kind == PATH_HTTP ? path_request_due_us(&probe->request, now_us)
					 : now_us + probe->timeout_us);
	probe_send(probes, probe);
}

static void probes_on_failed(void *tag, int error, void *context)
{
	struct probe *probe = tag;

	/* A reset has no tag: the server's own timer ends what it would have ended. */
	if (probe && probe->awaiting)
		probe_end(context, probe, PATH_NOT_MADE, error);
}

static void probes_flush(struct path_probes *probes)
{
	for (int i = 0; i < FAMILIES; i++)
		if (probes->sockets[i])
			path_socket_flush(probes->sockets[i]);
}

/* Answers. */

static void probe_go_on(
	struct path_probes *probes, struct probe *probe, const struct path_answer *answer)
{
	switch (path_request_take(&probe->request, answer)) {
	case PATH_REQUEST_WAIT:
		break;
	case PATH_REQUEST_SEND:
		probe_send_segment(probes, probe, true);
		break;
	case PATH_REQUEST_ACKNOWLEDGE:
		probe_send_segment(probes, probe, false);
		break;
	case PATH_REQUEST_END:
		probe_end(probes, probe, path_request_verdict(&probe->request), 0);
		break;
	}
}

static void probes_on_answer(const struct path_answer *answer, void *context)
{
	struct path_probes *probes = context;
	struct probe *probe;

	if (answer->kind == PATH_ANSWER_NONE || !mac_equal(&answer->to, &probes->mac))
		return;
	probe = path_await_find(&probes->await, answer);
	if (probe && probe->kind == PATH_HTTP && answer->kind != PATH_ANSWER_ERROR) {
		probe_go_on(probes, probe, answer);
		return;
	}
	/* Also what nobody waits for: a reset was lost, or a server answers late. */
	if (answer->kind == PATH_ANSWER_SYN_ACK || answer->kind == PATH_ANSWER_ACK)
		path_socket_reset(probes->sockets[answer->vip.family == AF_INET ? IP4 : IP6],
			&probes->mac, answer, probe ? 0 : probes_now(probes));
	if (answer->kind == PATH_ANSWER_ACK || !probe)
		return;
	if (answer->kind == PATH_ANSWER_ERROR)
		probe->refused_us = probes_now(probes);
	probe_end(probes, probe, path_target_verdict(probe, answer), 0);
}

/* The interface is down, or was for a moment: who was asked then may not have heard. */
static void probes_forgive(struct path_probes *probes)
{
	uint64_t now_us = probes_now(probes);

	for (size_t i = 0; i < PATH_AWAIT_BUCKETS; i++)
		while (probes->await.buckets[i]) {
			struct probe *probe = probes->await.buckets[i];

			probe_unawait(probes, probe);
			probe_schedule(probes, probe, now_us + probe->interval_us);
		}
}

/* So many batches of each family at most. True: more may be waiting. */
static bool probes_read(struct path_probes *probes, unsigned int n_batches)
{
	bool crowded = false;

	for (int i = 0; i < FAMILIES; i++) {
		int n = probes->sockets[i] ? (int)PATH_SOCKET_BATCH : 0;

		for (unsigned int k = 0; k < n_batches && n > 0; k++)
			n = path_socket_read(probes->sockets[i], probes_on_answer, probes);
		if (n == -ENETDOWN)
			probes_forgive(probes);
		/* A batch that is not full was the last. */
		crowded |= n == (int)PATH_SOCKET_BATCH;
	}
	probes_flush(probes);
	return crowded;
}

static int probes_on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct path_probes *probes = userdata;

	idle_if_crowded(source, probes_read(probes, PROBES_READS), SD_EVENT_PRIORITY_NORMAL);
	probes_done(probes);
	return 0;
}

/* Time. */

/* Nobody was listening for so long: who was asked before has it left. */
static void probes_extend(struct path_probes *probes, uint64_t late_us)
{
	for (size_t i = 0; i < PATH_AWAIT_BUCKETS; i++)
		for (struct probe *probe = probes->await.buckets[i]; probe; probe = probe->next) {
			probe->request.deadline_us += late_us;
			probe_schedule(probes, probe, probe->due_us + late_us);
		}
}

/* What is not answered or acknowledged, once more. */
static void probe_repeat(struct path_probes *probes, struct probe *probe)
{
	const struct path_request *request = &probe->request;

	if (probe->kind != PATH_HTTP || !request->is_connected)
		probe_send(probes, probe);
	else if (!request->is_acknowledged)
		probe_send_segment(probes, probe, true);
}

/* A frame of a request may be lost like any client's: what is not acknowledged is sent again. */
static void probe_send_again(struct path_probes *probes, struct probe *probe, uint64_t now_us)
{
	struct path_request *request = &probe->request;

	request->again_us *= 2;
	probe_schedule(probes, probe, path_request_due_us(request, now_us));
	probe_repeat(probes, probe);
}

void path_probe_again(struct path_probes *probes, uint16_t id)
{
	const struct probes_backend *backend = probes->backends[id];

	/* With every heartbeat, and nearly always nothing waits. */
	if (!backend || backend->n_awaiting == 0)
		return;
	for (size_t i = 0; i < backend->len; i++)
		if (backend->probes[i]->awaiting && path_target_is_answered(backend->probes[i]))
			probe_repeat(probes, backend->probes[i]);
	probes_flush(probes);
	probes_done(probes);
}

static bool probe_has_time(const struct probe *probe, uint64_t now_us)
{
	return probe->kind == PATH_HTTP && now_us < probe->request.deadline_us;
}

/* Too many at once wait for the next tick. */
static bool probe_has_to_wait(
	const struct path_probes *probes, const struct probe *probe, unsigned int n_begun)
{
	return n_begun == PROBES_PACE ||
		(probe->kind == PATH_HTTP && probes->n_requests >= PROBES_REQUESTS_MAX);
}

static int probes_on_timer(sd_event_source *source, uint64_t due_us, void *userdata)
{
	struct path_probes *probes = userdata;
	uint64_t now_us = probes_now(probes);
	unsigned int n_begun = 0;
	struct path_wheel_item *item;
	/* What lies in the sockets has arrived in time; of what is still there, nobody knows what it is. */
	bool lost = probes_read(probes, PROBES_READS_TIMER);

	if (now_us > probes->timer_us + PROBES_STALL_US)
		probes_extend(probes, now_us - probes->timer_us);
	for (int i = 0; i < FAMILIES; i++)
		lost |= probes->sockets[i] && path_socket_has_lost(probes->sockets[i]);
	probes->timer_us = 0;
	while ((item = path_wheel_next(&probes->wheel, now_us))) {
		struct probe *probe = (struct probe *)item;

		if (probe->awaiting && probe_has_time(probe, now_us)) {
			probe_send_again(probes, probe, now_us);
		} else if (probe->awaiting) {
			probe_end(probes, probe,
				lost ? PATH_NOT_MADE : path_target_silence(probe, now_us), 0);
		} else if (probe_has_to_wait(probes, probe, n_begun)) {
			probe_schedule(probes, probe, now_us);
		} else {
			n_begun++;
			probe_begin(probes, probe, now_us);
		}
	}
	probes_flush(probes);
	probes_done(probes);
	return 0;
}

/* What there is to probe. */

static void probe_free(struct path_probes *probes, struct probe *probe)
{
	if (!probe)
		return;
	probe_unawait(probes, probe);
	path_wheel_unset(&probes->wheel, &probe->wheel);
	path_target_free(probe);
}

static void backend_free(struct path_probes *probes, struct probes_backend *backend)
{
	if (!backend)
		return;
	for (size_t i = 0; i < backend->len; i++)
		probe_free(probes, backend->probes[i]);
	probes->n_probes -= backend->len;
	probes->backends[backend->id] = NULL;
	free(backend->probes);
	free(backend);
}

static struct probes_backend *backend_get(struct path_probes *probes, uint16_t id)
{
	struct probes_backend *backend = probes->backends[id];

	if (backend)
		return backend;
	backend = calloc(1, sizeof(*backend));
	if (backend)
		backend->id = id;
	probes->backends[id] = backend;
	return backend;
}

/* Puts those that stay into their places, and frees those that go. */
static void backend_take(struct path_probes *probes, struct probes_backend *backend,
	const struct path_target *targets, size_t n_targets, struct probe **made)
{
	size_t at = 0;
	uint64_t now_us = probes_now(probes);

	for (size_t i = 0; i < n_targets; i++) {
		struct probe *old = NULL;

		while (at < backend->len &&
			path_target_compare(backend->probes[at], &targets[i]) < 0)
			probe_free(probes, backend->probes[at++]);
		if (made[i]) {
			made[i]->backend = backend;
			probe_schedule(probes, made[i], now_us);
			continue;
		}
		assert(at < backend->len); /* path_target_make() */
		old = backend->probes[at++];
		old->interval_us = targets[i].interval_us;
		old->timeout_us = targets[i].timeout_us;
		if (!old->awaiting && old->due_us > now_us + old->interval_us)
			probe_schedule(probes, old, now_us + old->interval_us);
		made[i] = old;
	}
	while (at < backend->len)
		probe_free(probes, backend->probes[at++]);
	free(backend->probes);
	probes->n_probes += n_targets - backend->len;
	backend->probes = made;
	backend->len = n_targets;
}

/* At another MAC it is to be proven anew at once; an answer from the old one says nothing. */
static void backend_move(struct path_probes *probes, struct probes_backend *backend,
	const struct mac *mac, const struct addr *address)
{
	bool moved = !mac_equal(&backend->mac, mac);

	for (size_t i = 0; moved && i < backend->len; i++) {
		probe_unawait(probes, backend->probes[i]);
		probe_schedule(probes, backend->probes[i], probes_now(probes));
	}
	backend->mac = *mac;
	backend->address = *address;
}

/* Sockets. */

static void probes_close(struct path_probes *probes)
{
	for (int i = 0; i < FAMILIES; i++) {
		probes->sources[i] = sd_event_source_disable_unref(probes->sources[i]);
		probes->sockets[i] = path_socket_free(probes->sockets[i]);
	}
	path_ports_close(&probes->ports);
}

static int probes_open_family(struct path_probes *probes, int which)
{
	const struct path_socket_config config = {
		.family = which == IP4 ? AF_INET : AF_INET6,
		.ifindex = probes->ifindex,
		.first_port = probes->ports.first,
		.echo_id = probes->echo_id,
	};
	int r = path_socket_open(&config, &probes->sockets[which]);

	if (r < 0)
		return r;
	path_socket_on_failed(probes->sockets[which], probes_on_failed, probes);
	return sd_event_add_io(probes->event, &probes->sources[which],
		path_socket_fd(probes->sockets[which]), EPOLLIN, probes_on_readable, probes);
}

/* Who probes nothing has no socket. */
static int probes_open(struct path_probes *probes)
{
	int r;

	if (probes->sockets[IP4] || probes->ifindex == 0 || probes->n_probes == 0)
		return 0;
	probes->echo_id = (uint16_t)probes_random(probes);
	r = path_ports_open(&probes->ports, probes->interface, (uint32_t)probes_random(probes));
	for (int i = 0; i < FAMILIES && r >= 0; i++)
		r = probes_open_family(probes, i);
	if (r < 0)
		probes_close(probes);
	return r < 0 ? r : 0;
}

/* Nobody waits for an interval to end that began while nothing could be sent. */
static void probes_begin_all(struct path_probes *probes)
{
	uint64_t now_us = probes_now(probes);

	for (size_t i = 0; i < ARRAY_LEN(probes->backends); i++)
		for (size_t k = 0; probes->backends[i] && k < probes->backends[i]->len; k++)
			probe_schedule(probes, probes->backends[i]->probes[k], now_us);
}

int path_probe_set_link(struct path_probes *probes, const struct path_link *link)
{
	size_t len = MIN(link->n_addresses, (size_t)PROBES_ADDRESSES_MAX);
	const struct path_socket *socket = probes->sockets[IP4];
	bool moved = link->ifindex != probes->ifindex ||
		(socket && !packet_socket_is_at(path_socket_fd(socket), link->ifindex));
	bool was_running = probes->running;

	if (strlen(link->interface) >= sizeof(probes->interface))
		return -EINVAL;
	snprintf(probes->interface, sizeof(probes->interface), "%s", link->interface);
	probes->ifindex = link->ifindex;
	probes->running = link->running && link->ifindex > 0;
	probes->mac = link->mac;
	probes->n_addresses = len;
	for (size_t i = 0; i < len; i++) {
		probes->addresses[i] = link->addresses[i];
		probes->subnets[i] = link->subnets[i];
	}
	if (moved || (was_running && !probes->running))
		probes_forgive(probes);
	if (moved)
		probes_close(probes);
	if (probes->running && (moved || !was_running))
		probes_begin_all(probes);
	probes_arm(probes);
	return probes_open(probes);
}

int path_probe_set(struct path_probes *probes, uint16_t backend, const struct mac *mac,
	const struct addr *address, const struct path_target *targets, size_t n_targets)
{
	struct probes_backend *known;
	struct probe **made;
	int r;

	if (n_targets == 0) {
		backend_free(probes, probes->backends[backend]);
		probes_flush(probes);
		probes_arm(probes);
		return 0;
	}
	known = backend_get(probes, backend);
	made = known ? calloc(n_targets, sizeof(struct probe *)) : NULL;
	r = made ? path_target_make(known, targets, n_targets, made) : -ENOMEM;
	if (r < 0) {
		free(made);
		if (known && known->len == 0)
			backend_free(probes, known);
		return r;
	}
	backend_take(probes, known, targets, n_targets, made);
	backend_move(probes, known, mac, address);
	probes_flush(probes);
	probes_arm(probes);
	return probes_open(probes);
}

int path_probe_start(sd_event *event, const struct path_callbacks *callbacks, void *context,
	struct path_probes **ret_probes)
{
	_cleanup_(path_probe_freep) struct path_probes *probes = calloc(1, sizeof(*probes));
	int r;

	if (!probes)
		return -ENOMEM;
	probes->event = sd_event_ref(event);
	probes->callbacks = callbacks;
	probes->context = context;
	r = sd_event_add_time(event, &probes->timer, CLOCK_MONOTONIC, UINT64_MAX, US_PER_MS,
		probes_on_timer, probes);
	if (r >= 0)
		r = sd_event_source_set_priority(probes->timer, PROBES_TIMER_PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_enabled(probes->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_probes = TAKE_PTR(probes);
	return 0;
}

struct path_probes *path_probe_free(struct path_probes *probes)
{
	if (!probes)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(probes->backends); i++)
		backend_free(probes, probes->backends[i]);
	probes_flush(probes);
	probes_close(probes);
	sd_event_source_disable_unref(probes->timer);
	sd_event_unref(probes->event);
	free(probes);
	return NULL;
}
