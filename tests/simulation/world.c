/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clock, chance, the network, and who is next: see sim.h. */
#include "tests/simulation/sim.h"

#include <stdarg.h>
#include <time.h>

#include "common/grow.h"

#define START_US   (1000 * US_PER_S)
#define WIRE_US    100u
#define TRAFFIC_US (20 * US_PER_MS)

static uint64_t clock_us = START_US;
static bool is_wall_clock_read; /* by anybody, ever: it may be set back and forward */

/* The one clock. By -Wl,--wrap=clock_gettime. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	if (clock != CLOCK_MONOTONIC)
		is_wall_clock_read = true;
	ret_time->tv_sec = (time_t)(clock_us / US_PER_S);
	ret_time->tv_nsec = (long)(clock_us % US_PER_S * 1000);
	return 0;
}

/* splitmix64. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* What the product asks the kernel for: of the same seed the same. By -Wl,--wrap=getrandom. */
static uint64_t kernel_random;

ssize_t __wrap_getrandom(void *ret_data, size_t size_bytes, unsigned int flags);
ssize_t __wrap_getrandom(void *ret_data, size_t size_bytes, unsigned int flags)
{
	(void)flags;
	for (size_t i = 0; i < size_bytes; i++)
		((uint8_t *)ret_data)[i] = (uint8_t)draw(&kernel_random);
	return (ssize_t)size_bytes;
}

uint32_t sim_draw(struct sim *sim, uint32_t sides)
{
	return (uint32_t)(draw(&sim->random) % sides);
}

bool sim_chance(struct sim *sim, uint32_t percent)
{
	return percent > 0 && sim_draw(sim, 100) < percent;
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	size_t len;
	va_list args;

	if (sim->failure[0])
		return;
	len = (size_t)snprintf(sim->failure, sizeof(sim->failure),
		"at %.3f s: ", (double)(sim->now_us - START_US) / (double)US_PER_S);
	va_start(args, format);
	vsnprintf(sim->failure + len, sizeof(sim->failure) - len, format, args);
	va_end(args);
}

void sim_tell(const struct sim *sim, const char *format, ...)
{
	va_list args;

	if (!sim->is_told)
		return;
	fprintf(stderr, "%10.3f ", (double)(sim->now_us - START_US) / (double)US_PER_S);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* The network. */

static bool is_before(const struct sim_datagram *a, const struct sim_datagram *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void heap_put(struct sim *sim, struct sim_datagram *datagram)
{
	struct sim_datagram **heap;
	size_t at = sim->n_in_flight;

	if (GROW(sim->in_flight, at) < 0)
		abort();
	heap = sim->in_flight;
	sim->n_in_flight++;
	for (; at > 0 && is_before(datagram, heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = datagram;
}

static struct sim_datagram *heap_take(struct sim *sim)
{
	struct sim_datagram **heap = sim->in_flight, *first = heap[0];
	struct sim_datagram *last = heap[--sim->n_in_flight];
	size_t at = 0, len = sim->n_in_flight;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < len && is_before(heap[child + 1], heap[child]))
			child++;
		if (child >= len || !is_before(heap[child], last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return first;
}

static void put_copy(struct sim *sim, const struct sim_datagram *datagram)
{
	struct sim_datagram *copy = malloc(sizeof(*copy));

	if (!copy)
		abort();
	*copy = *datagram;
	copy->order = sim->n_sent++;
	copy->at_us = sim->now_us + WIRE_US + sim_draw(sim, WIRE_US) +
		(sim->weather.delay_us ? sim_draw(sim, (uint32_t)sim->weather.delay_us) : 0);
	if (sim_chance(sim, sim->weather.damage_percent))
		copy->data[sim_draw(sim, copy->size_bytes)] ^= (uint8_t)(1 << sim_draw(sim, 8));
	heap_put(sim, copy);
}

void sim_send(struct sim *sim, bool to_balancer, uint8_t balancer, uint8_t agent,
	const uint8_t *data, size_t size_bytes)
{
	struct sim_datagram datagram = { .to_balancer = to_balancer,
		.balancer = balancer,
		.agent = agent,
		.size_bytes = (uint16_t)size_bytes };

	memcpy(datagram.data, data, size_bytes);
	if (sim->weather.is_cut[balancer][agent] || sim_chance(sim, sim->weather.loss_percent))
		return;
	put_copy(sim, &datagram);
	if (sim_chance(sim, sim->weather.double_percent))
		put_copy(sim, &datagram);
}

void sim_replay(struct sim *sim)
{
	size_t len = MIN(sim->n_history, SIM_HISTORY_MAX);

	if (len > 0)
		put_copy(sim, &sim->history[sim_draw(sim, (uint32_t)len)]);
}

/* Who is frozen reads it later. */
static void deliver(struct sim *sim, struct sim_datagram *datagram)
{
	const struct sim_host *host = datagram->to_balancer
		? &sim->balancers[datagram->balancer].host
		: &sim->agents[datagram->agent].process;

	if (host->is_up && host->frozen_until_us > sim->now_us) {
		datagram->at_us = host->frozen_until_us;
		heap_put(sim, datagram);
		return;
	}
	sim->totals.n_datagrams++;
	if (!host->is_up) {
		free(datagram);
		return;
	}
	sim->history[sim->n_history++ % SIM_HISTORY_MAX] = *datagram;
	if (datagram->to_balancer)
		sim_balancer_receive(&sim->balancers[datagram->balancer], datagram);
	else
		sim_agent_receive(sim, datagram);
	free(datagram);
}

/* Who is next. */

static uint64_t next_us(const struct sim *sim)
{
	uint64_t next = MIN(sim->traffic_us, sim->event_us);

	if (sim->n_in_flight > 0)
		next = MIN(next, sim->in_flight[0]->at_us);
	for (uint8_t i = 0; i < sim->n_balancers; i++)
		next = MIN(next, sim_balancer_due_us(&sim->balancers[i]));
	for (uint8_t i = 0; i < sim->n_agents; i++)
		next = MIN(next, sim_agent_due_us(&sim->agents[i]));
	return next;
}

static void do_due(struct sim *sim)
{
	/* Messages first: who was frozen reads before it judges. */
	while (sim->n_in_flight > 0 && sim->in_flight[0]->at_us <= sim->now_us)
		deliver(sim, heap_take(sim));
	for (uint8_t i = 0; i < sim->n_balancers; i++)
		if (sim_balancer_due_us(&sim->balancers[i]) <= sim->now_us)
			sim_balancer_work(&sim->balancers[i]);
	for (uint8_t i = 0; i < sim->n_agents; i++)
		if (sim_agent_due_us(&sim->agents[i]) <= sim->now_us)
			sim_agent_work(sim, i);
	if (sim->traffic_us <= sim->now_us) {
		sim_traffic(sim);
		sim_judge(sim);
		sim_judge_memory(sim);
		sim->traffic_us = sim->now_us + TRAFFIC_US;
	}
	if (sim->event_us <= sim->now_us)
		sim_happen(sim);
	if (is_wall_clock_read)
		sim_fail(sim, "somebody reads another clock than the monotonic one");
}

void sim_run(struct sim *sim, uint64_t until_us)
{
	while (!sim->failure[0]) {
		uint64_t next = next_us(sim);

		if (next > until_us)
			break;
		sim->now_us = MAX(sim->now_us, next);
		clock_us = sim->now_us;
		do_due(sim);
	}
}

void sim_open(struct sim *sim, uint64_t seed)
{
	*sim = (struct sim){
		.seed = seed, .random = seed, .now_us = START_US, .is_told = sim->is_told
	};
	clock_us = START_US;
	kernel_random = ~seed;
	sim->n_balancers = (uint8_t)(1 + sim_draw(sim, SIM_BALANCERS_MAX));
	sim->n_agents = (uint8_t)(2 + sim_draw(sim, 8));
	/* Some histories are as large as they get. */
	if (seed % 40 == 9) {
		sim->n_balancers = SIM_BALANCERS_MAX;
		sim->n_agents = SIM_AGENTS_MAX;
	}
	sim->traffic_us = sim->event_us = sim->memory_us = START_US;
	for (uint8_t i = 0; i < sim->n_balancers; i++) {
		sim->balancers[i].sim = sim;
		sim->balancers[i].number = i;
		sim_balancer_start(&sim->balancers[i]);
	}
	for (uint8_t i = 0; i < sim->n_agents; i++) {
		sim_agent_init(sim, i);
		sim_agent_start(sim, i);
	}
}

void sim_close(struct sim *sim)
{
	for (uint8_t i = 0; i < sim->n_balancers; i++) {
		if (sim->balancers[i].host.is_up)
			sim_balancer_kill(&sim->balancers[i], true);
		sim_balancer_forget(&sim->balancers[i]);
	}
	for (uint8_t i = 0; i < sim->n_agents; i++)
		sim_agent_kill(sim, i);
	for (size_t i = 0; i < sim->n_in_flight; i++)
		free(sim->in_flight[i]);
	free(sim->in_flight);
	sim->in_flight = NULL;
	sim->n_in_flight = 0;
}
