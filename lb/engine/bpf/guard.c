/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard of the packet engine: see guard.h, and dsr_guard.bpf.c for what it does. */
#include "lb/engine/bpf/guard.h"

#include "common/log.h"
#include "lb/engine/bpf/dsr_guard.skel.h"
#include "lb/engine/bpf/object.h"
#include "lb/engine/snapshot.h"
#include "lb/fwd/image.h"

struct guard {
	struct engine_config config;
	struct dsr_guard *skeleton;
	struct attachment attachment;
};

static int load(struct guard *guard, struct why *ret_why)
{
	object_set_up();
	guard->skeleton = dsr_guard__open_and_load();
	if (!guard->skeleton)
		return why_errno(ret_why, util_negative_errno(), "the kernel refuses the program");
	guard->attachment.program = guard->skeleton->progs.dsr_guard;
	return attach_program(&guard->attachment, ret_why);
}

int guard_new(const struct engine_config *config, struct guard **ret_guard, struct why *ret_why)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (!guard)
		return why_errno(ret_why, -ENOMEM, "memory");
	guard->config = *config;
	attach_init(&guard->attachment, ATTACH_GUARD, &guard->config);
	r = load(guard, ret_why);
	if (r < 0) {
		guard_free(guard);
		return r;
	}
	*ret_guard = guard;
	return 0;
}

struct guard *guard_free(struct guard *guard)
{
	if (!guard)
		return NULL;
	attach_remove(&guard->attachment);
	dsr_guard__destroy(guard->skeleton);
	free(guard);
	return NULL;
}

int guard_repair(struct guard *guard, struct why *ret_why)
{
	return guard ? attach_repair(&guard->attachment, ret_why) : 0;
}

void guard_sweep(const struct engine_config *config)
{
	struct attachment attachment;

	attach_init(&attachment, ATTACH_GUARD, config);
	attach_remove(&attachment);
}

/* Nearly every snapshot has the VIPs of the one before, in the same order. */
static bool has_same_vips(const struct fwd_image *a, const struct fwd_image *b)
{
	uint32_t idx = 1;

	if (a->lens.vips != b->lens.vips)
		return false;
	while (idx < a->lens.vips && image_addr_equal(&a->vips[idx].address, &b->vips[idx].address))
		idx++;
	return idx == a->lens.vips;
}

void guard_add(struct guard *guard, const struct snapshot *from, const struct snapshot *to)
{
	const struct fwd_image *image = snapshot_image(to);
	const uint8_t any = 1;
	int r = 0;

	if (!guard || has_same_vips(snapshot_image(from), image))
		return;
	for (uint32_t i = 1; i < image->lens.vips && r == 0; i++)
		r = bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.dsr_guarded),
			&image->vips[i].address, &any, BPF_ANY);
	if (r < 0)
		log_info("not every VIP is guarded: %s", strerror(-r));
}

void guard_remove(struct guard *guard, const struct snapshot *from, const struct snapshot *to)
{
	const struct fwd_image *image = snapshot_image(from);

	if (!guard || has_same_vips(image, snapshot_image(to)))
		return;
	for (uint32_t i = 1; i < image->lens.vips; i++)
		if (!snapshot_vip(to, &image->vips[i].address))
			(void)bpf_map_delete_elem(bpf_map__fd(guard->skeleton->maps.dsr_guarded),
				&image->vips[i].address);
}
