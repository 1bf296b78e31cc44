/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See schedule.h. */
#include "lb/table/scheduler.h"

struct schedule_loads {
	struct fwd_load *memory;
	bool owns_memory;
	uint16_t *free_places; /* a stack */
	uint32_t n_free;
};

struct schedule_count {
	uint32_t flows;
	bool wanted;
};

struct schedule {
	unsigned int refs;
	struct schedule_loads *loads;
	uint16_t turn_place;
	uint16_t *places;              /* by backend id, 0 for none; NULL: this one has no loads */
	struct schedule_count *counts; /* by backend id, the main loop's */
};

struct schedule_loads *schedule_loads_new(struct fwd_load *memory)
{
	struct schedule_loads *loads = calloc(1, sizeof(*loads));

	if (!loads)
		return NULL;
	loads->owns_memory = memory == NULL;
	loads->memory = memory ? memory : calloc(FWD_LOADS, sizeof(*loads->memory));
	loads->free_places = calloc(FWD_LOADS, sizeof(*loads->free_places));
	if (!loads->memory || !loads->free_places)
		return schedule_loads_free(loads);
	for (uint32_t place = FWD_LOADS - 1; place > 0; place--)
		loads->free_places[loads->n_free++] = (uint16_t)place;
	return loads;
}

struct schedule_loads *schedule_loads_free(struct schedule_loads *loads)
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
static uint16_t schedule_place_take(struct schedule_loads *loads)
{
	uint16_t place = loads->n_free ? loads->free_places[--loads->n_free] : 0;

	if (place)
		loads->memory[place] = (struct fwd_load){ 0 };
	return place;
}

static void schedule_place_give(struct schedule_loads *loads, uint16_t place)
{
	if (place)
		loads->free_places[loads->n_free++] = place;
}

struct schedule *schedule_new(struct schedule_loads *loads, bool has_loads)
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));

	if (!schedule)
		return NULL;
	schedule->refs = 1;
	schedule->loads = loads;
	schedule->turn_place = schedule_place_take(loads);
	if (!schedule->turn_place)
		return schedule_unref(schedule);
	if (has_loads) {
		schedule->places = calloc(FWD_ID_MAX + 1, sizeof(*schedule->places));
		schedule->counts = calloc(FWD_ID_MAX + 1, sizeof(*schedule->counts));
		if (!schedule->places || !schedule->counts)
			return schedule_unref(schedule);
	}
	return schedule;
}

struct schedule *schedule_ref(struct schedule *schedule)
{
	schedule->refs++;
	return schedule;
}

struct schedule *schedule_unref(struct schedule *schedule)
{
	if (!schedule || --schedule->refs > 0)
		return NULL;
	for (size_t id = 0; schedule->places && id <= FWD_ID_MAX; id++)
		schedule_place_give(schedule->loads, schedule->places[id]);
	schedule_place_give(schedule->loads, schedule->turn_place);
	free(schedule->counts);
	free(schedule->places);
	free(schedule);
	return NULL;
}

uint32_t *schedule_turn(struct schedule *schedule)
{
	return &schedule->loads->memory[schedule->turn_place].sent;
}

uint16_t schedule_turn_place(const struct schedule *schedule)
{
	return schedule->turn_place;
}

bool schedule_has_loads(const struct schedule *schedule)
{
	return schedule->places != NULL;
}

int schedule_add_load(struct schedule *schedule, uint16_t backend)
{
	uint16_t *place = schedule->places ? &schedule->places[backend] : NULL;

	if (!place)
		return -EINVAL;
	if (!*place)
		*place = schedule_place_take(schedule->loads);
	return *place ? 0 : -ENOSPC;
}

uint16_t schedule_load_place(const struct schedule *schedule, uint16_t backend)
{
	return schedule->places ? schedule->places[backend] : 0;
}

struct fwd_load *schedule_load(struct schedule *schedule, uint16_t backend)
{
	uint16_t place = schedule_load_place(schedule, backend);

	return place ? &schedule->loads->memory[place] : NULL;
}

void schedule_report(struct schedule *schedule, uint16_t backend, uint32_t established)
{
	struct fwd_load *load = schedule_load(schedule, backend);

	if (!load)
		return;
	/* In this order: for a moment it looks more loaded than it is, never less. */
	FWD_STORE(&load->established, established);
	(void)__atomic_exchange_n(&load->sent, 0, __ATOMIC_RELAXED);
}

void schedule_set_counted(struct schedule *schedule, uint16_t backend, bool counted)
{
	if (schedule->counts)
		schedule->counts[backend].wanted = counted;
}

void schedule_count_begin(struct schedule *schedule)
{
	for (size_t id = 0; schedule->counts && id <= FWD_ID_MAX; id++)
		schedule->counts[id].flows = 0;
}

void schedule_count(struct schedule *schedule, uint16_t backend)
{
	if (schedule->counts && schedule->counts[backend].wanted)
		schedule->counts[backend].flows++;
}

void schedule_report_count(struct schedule *schedule, uint16_t backend)
{
	struct schedule_count *count = schedule->counts ? &schedule->counts[backend] : NULL;

	if (!count || !count->wanted)
		return;
	schedule_report(schedule, backend, count->flows);
	count->flows = 0;
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* A member's turns so far; number k is due at (k + 1/2) / weight. */
struct schedule_member {
	uint64_t taken;
	uint32_t weight;
	uint16_t id;
};

static bool schedule_is_before(const struct schedule_member *a, const struct schedule_member *b)
{
	uint64_t due_a = (2 * a->taken + 1) * b->weight, due_b = (2 * b->taken + 1) * a->weight;

	return due_a != due_b ? due_a < due_b : a->id < b->id;
}

/* Restores the heap below its root, whose turn has just been taken. */
static void schedule_sift(struct schedule_member *heap, size_t len, size_t at)
{
	for (;;) {
		size_t first = at;
		struct schedule_member moved;

		for (size_t child = 2 * at + 1; child < 2 * at + 3 && child < len; child++)
			if (schedule_is_before(&heap[child], &heap[first]))
				first = child;
		if (first == at)
			return;
		moved = heap[at];
		heap[at] = heap[first];
		heap[first] = moved;
		at = first;
	}
}

int schedule_turns(const struct table_member *members, size_t n_members, uint16_t **ret_turns,
	uint32_t *ret_n_turns)
{
	_cleanup_free_ struct schedule_member *heap = calloc(n_members + 1, sizeof(*heap));
	_cleanup_free_ uint16_t *turns = NULL;
	uint32_t divisor = 0;
	uint64_t total = 0;

	for (size_t i = 0; heap && i < n_members; i++) {
		heap[i] = (struct schedule_member){ .weight = members[i].weight,
			.id = members[i].id };
		divisor = greatest_common_divisor(members[i].weight, divisor);
		total += members[i].weight;
	}
	total = MIN(divisor ? total / divisor : 0, (uint64_t)SCHEDULE_TURNS_MAX);
	turns = calloc(total + 1, sizeof(*turns));
	if (!heap || !turns)
		return -ENOMEM;
	for (size_t i = n_members / 2; i > 0; i--)
		schedule_sift(heap, n_members, i - 1);
	for (size_t i = 0; i < total; i++) {
		turns[i] = heap[0].id;
		heap[0].taken++;
		schedule_sift(heap, n_members, 0);
	}
	*ret_turns = TAKE_PTR(turns);
	*ret_n_turns = (uint32_t)total;
	return 0;
}
