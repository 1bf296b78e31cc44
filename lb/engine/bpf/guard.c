/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard of the packet engine: see engine_guard.h, and dsr_guard.bpf.c for what it does. */
#include "lb/engine/packet/guard.h"

#include "common/log.h"
#include "lb/engine/bpf/dsr_guard.skel.h"
#include "lb/engine/bpf/engine_bpf_internal.h"

struct engine_guard {
	struct engine_config config;
	struct dsr_guard *skeleton;
	struct bpf_tc tc;
};

static int load(struct engine_guard *guard, char *ret_why)
{
	engine_bpf_set_up();
	guard->skeleton = dsr_guard__open_and_load();
	if (!guard->skeleton)
		return engine_bpf_say(
			ret_why, util_negative_errno(), "the kernel refuses the program");
	guard->tc.program = guard->skeleton->progs.dsr_guard;
	return engine_bpf_tc_attach(&guard->tc, ret_why);
}

int engine_guard_new(
	const struct engine_config *config, struct engine_guard **ret_guard, char *ret_why)
{
	struct engine_guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (!guard)
		return engine_bpf_say(ret_why, -ENOMEM, "memory");
	guard->config = *config;
	guard->tc = (struct bpf_tc){ BPF_TC_GUARD, .config = &guard->config };
	r = load(guard, ret_why);
	if (r < 0) {
		engine_guard_free(guard);
		return r;
	}
	*ret_guard = guard;
	return 0;
}

struct engine_guard *engine_guard_free(struct engine_guard *guard)
{
	if (!guard)
		return NULL;
	engine_bpf_tc_detach(&guard->tc);
	dsr_guard__destroy(guard->skeleton);
	free(guard);
	return NULL;
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

void engine_guard_add(
	struct engine_guard *guard, const struct snapshot *from, const struct snapshot *to)
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

void engine_guard_remove(
	struct engine_guard *guard, const struct snapshot *from, const struct snapshot *to)
{
	const struct fwd_image *image = snapshot_image(from);

	if (!guard || has_same_vips(image, snapshot_image(to)))
		return;
	for (uint32_t i = 1; i < image->lens.vips; i++)
		if (!snapshot_vip(to, &image->vips[i].address))
			(void)bpf_map_delete_elem(bpf_map__fd(guard->skeleton->maps.dsr_guarded),
				&image->vips[i].address);
}
