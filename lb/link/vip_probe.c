/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions and answers about one VIP: see vip_probe.h. */
#include "lb/link/vip_probe.h"

#include "common/grow.h"

void vip_probe_begin(struct vip_probe *probe, uint64_t now_us)
{
	*probe = (struct vip_probe){ .state = VIP_PROBE_ASKED, .due_us = now_us };
}

static enum vip_probe_action vip_probe_ask_everybody(
	struct vip_probe *probe, uint64_t now_us, uint64_t answer_us)
{
	probe->asked = (struct mac){ 0 };
	probe->questions++;
	probe->due_us = now_us + answer_us;
	return VIP_PROBE_ASK;
}

static enum vip_probe_action vip_probe_ask_one(
	struct vip_probe *probe, const struct mac *mac, uint64_t now_us, uint64_t answer_us)
{
	probe->asked = *mac;
	probe->due_us = now_us + answer_us;
	return VIP_PROBE_ASK;
}

static enum vip_probe_action vip_probe_take(struct vip_probe *probe)
{
	*probe = (struct vip_probe){ .state = VIP_PROBE_FREE };
	return VIP_PROBE_TAKE;
}

/* Its holder alone, so that nobody else is bothered all the time; then everybody, for its card may be another one now. */
static enum vip_probe_action vip_probe_step_held(struct vip_probe *probe, uint64_t now_us)
{
	if (probe->questions >= 2)
		return vip_probe_take(probe);
	if (probe->questions == 1)
		return vip_probe_ask_everybody(probe, now_us, VIP_PROBE_SILENT_US);
	probe->questions++;
	return vip_probe_ask_one(probe, &probe->holder, now_us, VIP_PROBE_SILENT_US);
}

enum vip_probe_action vip_probe_step(struct vip_probe *probe, uint64_t now_us)
{
	if (probe->state == VIP_PROBE_FREE || now_us < probe->due_us)
		return VIP_PROBE_NOTHING;
	if (probe->state == VIP_PROBE_HELD)
		return vip_probe_step_held(probe, now_us);
	if (probe->questions >= VIP_PROBE_QUESTIONS)
		return vip_probe_take(probe);
	return vip_probe_ask_everybody(probe, now_us, VIP_PROBE_GAP_US);
}

void vip_probe_wait(struct vip_probe *probe, uint64_t now_us)
{
	probe->asked = (struct mac){ 0 };
	probe->questions = 0;
	probe->due_us = now_us + VIP_PROBE_HELD_US;
}

/* One at a time is asked alone, and once for each question to everybody: a crowd that answers delays no decision. */
enum vip_probe_action vip_probe_answered(
	struct vip_probe *probe, const struct mac *mac, uint64_t now_us)
{
	bool is_holder = probe->state == VIP_PROBE_HELD && mac_equal(mac, &probe->holder);

	/* Unless something was asked, nothing was answered. */
	if (probe->state == VIP_PROBE_FREE || probe->questions == 0)
		return VIP_PROBE_NOTHING;
	if (!is_holder && mac_is_zero(&probe->asked))
		return vip_probe_ask_one(probe, mac, now_us,
			probe->state == VIP_PROBE_HELD ? VIP_PROBE_SILENT_US : VIP_PROBE_GAP_US);
	if (!is_holder && !mac_equal(mac, &probe->asked))
		return VIP_PROBE_NOTHING;
	*probe = (struct vip_probe){
		.state = VIP_PROBE_HELD,
		.holder = *mac,
		.due_us = now_us + VIP_PROBE_HELD_US,
	};
	return is_holder ? VIP_PROBE_NOTHING : VIP_PROBE_HOLD;
}

/* Where the VIP is, or would have to be. */
static size_t vip_probe_set_find(const struct vip_probe_set *set, const struct addr *vip)
{
	size_t begin = 0, end = set->len;

	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;

		if (addr_compare(&set->vips[middle], vip) < 0)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

bool vip_probe_set_has(const struct vip_probe_set *set, const struct addr *vip)
{
	size_t place = vip_probe_set_find(set, vip);

	return place < set->len && addr_equal(&set->vips[place], vip);
}

int vip_probe_set_add(struct vip_probe_set *set, const struct addr *vip)
{
	size_t place = vip_probe_set_find(set, vip);

	if (vip_probe_set_has(set, vip))
		return 0;
	if (GROW(set->vips, set->len) < 0)
		return -ENOMEM;
	for (size_t i = set->len++; i > place; i--)
		set->vips[i] = set->vips[i - 1];
	set->vips[place] = *vip;
	return 0;
}

void vip_probe_set_move(struct vip_probe_set *set, struct vip_probe_set *from)
{
	free(set->vips);
	*set = *from;
	*from = (struct vip_probe_set){ 0 };
}

void vip_probe_set_clear(struct vip_probe_set *set)
{
	free(set->vips);
	*set = (struct vip_probe_set){ 0 };
}
