/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See scheduler.h. */
#include "lb/table/scheduler.h"

struct scheduler_loads {
	struct fwd_load *memory;
	bool owns_memory;
	uint16_t *free_places; /* a stack */
	uint32_t n_free;
};

struct scheduler_count {
	uint32_t flows;
	bool wanted;
};

struct scheduler {
	unsigned int refs;
	struct scheduler_loads *loads;
	uint16_t position_place;
	uint16_t *places;               /* by backend id, 0 for none; NULL: this one has no loads */
	struct scheduler_count *counts; /* by backend id, the main loop's */
};

struct scheduler_loads *scheduler_loads_new(struct fwd_load *memory)
{
	struct scheduler_loads *loads = calloc(1, sizeof(*loads));

	if (!loads)
		return NULL;
	loads->owns_memory = memory == NULL;
	loads->memory = memory ? memory : calloc(FWD_LOADS, sizeof(*loads->memory));
	loads->free_places = calloc(FWD_LOADS, sizeof(*loads->free_places));
	if (!loads->memory || !loads->free_places)
		return scheduler_loads_free(loads);
	for (uint32_t place = FWD_LOADS - 1; place > 0; place--)
		loads->free_places[loads->n_free++] = (uint16_t)place;
	return loads;
}

struct scheduler_loads *scheduler_loads_free(struct scheduler_loads *loads)
{
	if (!loads)
		return NULL;
	if (loads->owns_memory)
		free(loads->memory);
	free(loads->free_places);
	free(loads);
	return NULL;
}

/* 0: all are taken. */
static uint16_t scheduler_place_take(struct scheduler_loads *loads)
{
	uint16_t place = loads->n_free ? loads->free_places[--loads->n_free] : 0;

	if (place)
		loads->memory[place] = (struct fwd_load){ 0 };
	return place;
}

static void scheduler_place_give(struct scheduler_loads *loads, uint16_t place)
{
	if (place)
		loads->free_places[loads->n_free++] = place;
}

struct scheduler *scheduler_new(struct scheduler_loads *loads, bool has_loads)
{
	struct scheduler *scheduler = calloc(1, sizeof(*scheduler));

	if (!scheduler)
		return NULL;
	scheduler->refs = 1;
	scheduler->loads = loads;
	scheduler->position_place = scheduler_place_take(loads);
	if (!scheduler->position_place)
		return scheduler_unref(scheduler);
	if (has_loads) {
		scheduler->places = calloc(FWD_ID_MAX + 1, sizeof(*scheduler->places));
		scheduler->counts = calloc(FWD_ID_MAX + 1, sizeof(*scheduler->counts));
		if (!scheduler->places || !scheduler->counts)
			return scheduler_unref(scheduler);
	}
	return scheduler;
}

struct scheduler *scheduler_ref(struct scheduler *scheduler)
{
	scheduler->refs++;
	return scheduler;
}

struct scheduler *scheduler_unref(struct scheduler *scheduler)
{
	if (!scheduler || --scheduler->refs > 0)
		return NULL;
	for (size_t id = 0; scheduler->places && id <= FWD_ID_MAX; id++)
		scheduler_place_give(scheduler->loads, scheduler->places[id]);
	scheduler_place_give(scheduler->loads, scheduler->position_place);
	free(scheduler->counts);
	free(scheduler->places);
	free(scheduler);
	return NULL;
}

uint32_t *scheduler_position(struct scheduler *scheduler)
{
	return &scheduler->loads->memory[scheduler->position_place].sent;
}

uint16_t scheduler_position_place(const struct scheduler *scheduler)
{
	return scheduler->position_place;
}

bool scheduler_has_loads(const struct scheduler *scheduler)
{
	return scheduler->places != NULL;
}

int scheduler_add_load(struct scheduler *scheduler, uint16_t backend)
{
	uint16_t *place = scheduler->places ? &scheduler->places[backend] : NULL;

	if (!place)
		return -EINVAL;
	if (!*place)
		*place = scheduler_place_take(scheduler->loads);
	return *place ? 0 : -ENOSPC;
}

void scheduler_remove_load(struct scheduler *scheduler, uint16_t backend)
{
	if (!scheduler->places)
		return;
	scheduler_place_give(scheduler->loads, scheduler->places[backend]);
	scheduler->places[backend] = 0;
}

uint16_t scheduler_load_place(const struct scheduler *scheduler, uint16_t backend)
{
	return scheduler->places ? scheduler->places[backend] : 0;
}

struct fwd_load *scheduler_load(struct scheduler *scheduler, uint16_t backend)
{
	uint16_t place = scheduler_load_place(scheduler, backend);

	return place ? &scheduler->loads->memory[place] : NULL;
}

void scheduler_report(struct scheduler *scheduler, uint16_t backend, uint32_t established)
{
	struct fwd_load *load = scheduler_load(scheduler, backend);

	if (!load)
		return;
	/* In this order: for a moment it looks more loaded than it is, never less. */
	FWD_STORE(&load->established, established);
	(void)__atomic_exchange_n(&load->sent, 0, __ATOMIC_RELAXED);
}

void scheduler_set_counted(struct scheduler *scheduler, uint16_t backend, bool counted)
{
	if (scheduler->counts)
		scheduler->counts[backend].wanted = counted;
}

void scheduler_count_begin(struct scheduler *scheduler)
{
	for (size_t id = 0; scheduler->counts && id <= FWD_ID_MAX; id++)
		scheduler->counts[id].flows = 0;
}

void scheduler_count(struct scheduler *scheduler, uint16_t backend)
{
	if (scheduler->counts && scheduler->counts[backend].wanted)
		scheduler->counts[backend].flows++;
}

void scheduler_report_count(struct scheduler *scheduler, uint16_t backend)
{
	struct scheduler_count *count = scheduler->counts ? &scheduler->counts[backend] : NULL;

	if (!count || !count->wanted)
		return;
	scheduler_report(scheduler, backend, count->flows);
	count->flows = 0;
}

/* A member's turns so far; number k is due at (k + 1/2) / weight. */
struct scheduler_member {
	uint64_t taken;
	uint32_t weight;
	uint16_t id;
};

static bool scheduler_is_before(const struct scheduler_member *a, const struct scheduler_member *b)
{
	uint64_t due_a = (2 * a->taken + 1) * b->weight, due_b = (2 * b->taken + 1) * a->weight;

	return due_a != due_b ? due_a < due_b : a->id < b->id;
}

/* Restores the heap below its root, whose turn has just been taken. */
static void scheduler_sift(struct scheduler_member *heap, size_t len, size_t at)
{
	for (;;) {
		size_t first = at;
		struct scheduler_member moved;

		for (size_t child = 2 * at + 1; child < 2 * at + 3 && child < len; child++)
			if (scheduler_is_before(&heap[child], &heap[first]))
				first = child;
		if (first == at)
			return;
		moved = heap[at];
		heap[at] = heap[first];
		heap[first] = moved;
		at = first;
	}
}

int scheduler_order(const struct table_member *members, size_t n_members, uint16_t **ret_order,
	uint32_t *ret_order_len)
{
	_cleanup_free_ struct scheduler_member *heap = calloc(n_members + 1, sizeof(*heap));
	_cleanup_free_ uint16_t *order = NULL;
	uint32_t divisor = table_weight_divisor(members, n_members);
	uint64_t total = 0;

	for (size_t i = 0; heap && i < n_members; i++) {
		heap[i] = (struct scheduler_member){ .weight = members[i].weight,
			.id = members[i].id };
		total += members[i].weight;
	}
	total = MIN(divisor ? total / divisor : 0, (uint64_t)SCHEDULER_ORDER_MAX);
	order = calloc(total + 1, sizeof(*order));
	if (!heap || !order)
		return -ENOMEM;
	for (size_t i = n_members / 2; i > 0; i--)
		scheduler_sift(heap, n_members, i - 1);
	for (size_t i = 0; i < total; i++) {
		order[i] = heap[0].id;
		heap[0].taken++;
		scheduler_sift(heap, n_members, 0);
	}
	*ret_order = TAKE_PTR(order);
	*ret_order_len = (uint32_t)total;
	return 0;
}
