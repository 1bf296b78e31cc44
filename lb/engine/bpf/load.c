/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots for programs in the kernel: the image is copied into a map of its own, which one pointer
 * names; new tables are there before the switch, and old ones go after it.
 */
#include "lb/engine/bpf/load.h"

#include <sys/mman.h>

#include "common/hash_map.h"
#include "common/util.h"
#include "lb/engine/bpf/object.h"
#include "lb/engine/bpf/slow_path_thread.h"
#include "lb/engine/snapshot.h"
#include "lb/fwd/image.h"

/* By rows, for a snapshot of thousands of tables: their places among dsr_tables. -ENOMEM. */
static int places_map(const struct engine *engine, struct hash_map *ret_places)
{
	int r = hash_map_reserve(ret_places, engine->n_placed);

	for (uint32_t place = 0; r == 0 && place < engine->n_placed; place++)
		if (engine->tables[place])
			r = hash_map_put(ret_places,
				(uint64_t[2]){ (uintptr_t)engine->tables[place], 0 }, place);
	return r;
}

/* BPF_TABLES: these rows have none. */
static uint32_t table_place(const struct hash_map *places, const struct fwd_slot *rows)
{
	uint32_t place;

	return hash_map_get(places, (uint64_t[2]){ (uintptr_t)rows, 0 }, &place) ? place
										 : BPF_TABLES;
}

/* What changes in dsr_tables at once: each call waits for the kernel's readers. */
struct table_batch {
	uint32_t places[BPF_TABLES];
	uint32_t maps[BPF_TABLES];
	uint32_t len;
};

static void batch_add(struct table_batch *batch, uint32_t place, int map)
{
	batch->places[batch->len] = place;
	batch->maps[batch->len++] = (uint32_t)map;
}

static int batch_apply(const struct engine *engine, const struct table_batch *batch)
{
	uint32_t len = batch->len;
	int r = len
		? bpf_map_update_batch(engine->tables_fd, batch->places, batch->maps, &len, NULL)
		: 0;

	/* Kernels before 5.19 know no batches of maps in maps. */
	for (uint32_t i = 0; r < 0 && i < batch->len; i++) {
		int error = bpf_map_update_elem(
			engine->tables_fd, &batch->places[i], &batch->maps[i], BPF_ANY);

		if (error < 0)
			return error;
	}
	return 0;
}

/*
 * Free places get some rows that are in use, so that those which they had can go. Removing would
 * take a call, and a wait, for each (kernel/bpf/arraymap.c:array_of_maps_map_ops has no map_delete_batch).
 */
static void batch_add_free(
	const struct engine *engine, const struct snapshot *snapshot, struct table_batch *batch)
{
	if (snapshot_tables_len(snapshot) == 0 || snapshot_table_map(snapshot, 0) < 0)
		return;
	for (uint32_t place = 0; place < engine->n_placed; place++)
		if (!engine->tables[place])
			batch_add(batch, place, snapshot_table_map(snapshot, 0));
}

/* Gives the snapshot's tables their places; `ret_places` has one for each. */
static int place_tables(struct engine *engine, const struct snapshot *snapshot,
	uint32_t *ret_places, struct table_batch *batch)
{
	_cleanup_(hash_map_clear) struct hash_map places = { 0 };
	size_t len = snapshot_tables_len(snapshot);
	uint32_t next = 0;
	int r = places_map(engine, &places);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < len; i++) {
		const struct fwd_slot *rows = snapshot_slot(snapshot, i, 0);
		uint32_t place = table_place(&places, rows);

		if (place == BPF_TABLES) {
			if (snapshot_table_map(snapshot, i) < 0)
				return -EINVAL;
			while (next < BPF_TABLES && engine->tables[next])
				next++;
			if (next == BPF_TABLES)
				return -ENOSPC;
			place = next;
			engine->tables[place] = rows;
			engine->n_placed = MAX(engine->n_placed, place + 1);
			batch_add(batch, place, snapshot_table_map(snapshot, i));
		}
		ret_places[i] = place;
	}
	batch_add_free(engine, snapshot, batch);
	return batch_apply(engine, batch);
}

static void forget_tables(struct engine *engine, const struct table_batch *batch)
{
	for (uint32_t i = 0; i < batch->len; i++)
		engine->tables[batch->places[i]] = NULL;
}

/* Places that the snapshot in force does not use are free. */
static void free_tables(struct engine *engine)
{
	const struct snapshot *snapshot = engine->current;
	size_t len = snapshot_tables_len(snapshot);
	_cleanup_(hash_map_clear) struct hash_map places = { 0 };
	_cleanup_free_ bool *used = calloc(BPF_TABLES, sizeof(*used));

	if (!used || places_map(engine, &places) < 0)
		return; /* they stay until the next time */
	for (uint32_t i = 0; i < len; i++)
		used[table_place(&places, snapshot_slot(snapshot, i, 0))] = true;
	for (uint32_t place = 0; place < engine->n_placed; place++)
		if (!used[place])
			engine->tables[place] = NULL;
}

#define IMAGE_BYTES(field) sizeof(((struct fwd_image *)NULL)->field)
_Static_assert(sizeof(struct fwd_image) -
			(IMAGE_BYTES(settings) + IMAGE_BYTES(lens) + IMAGE_BYTES(services) +
				IMAGE_BYTES(vips) + IMAGE_BYTES(ranges) + IMAGE_BYTES(orders) +
				IMAGE_BYTES(backends) + IMAGE_BYTES(bindings) + IMAGE_BYTES(macs) +
				IMAGE_BYTES(members) + IMAGE_BYTES(member_loads) +
				IMAGE_BYTES(members_shut) + IMAGE_BYTES(vip_slots) +
				IMAGE_BYTES(service_at)) <
		128,
	"copy_image() copies every field: only padding is left");

/*
 * An image to memory that is zero. Of what is filled from its beginning on only that: a page that is not
 * touched is not waited for, and the main loop waits.
 */
static void copy_image(struct fwd_image *image, const struct fwd_image *from)
{
	const struct image_lens *lens = &from->lens;

	image->settings = from->settings;
	image->lens = *lens;
	memcpy(image->services, from->services, lens->services * sizeof(*from->services));
	memcpy(image->vips, from->vips, lens->vips * sizeof(*from->vips));
	memcpy(image->ranges, from->ranges, lens->ranges * sizeof(*from->ranges));
	memcpy(image->orders, from->orders, lens->orders * sizeof(*from->orders));
	memcpy(image->backends, from->backends, sizeof(from->backends));
	memcpy(image->bindings, from->bindings, sizeof(from->bindings));
	memcpy(image->macs, from->macs, sizeof(from->macs));
	memcpy(image->members, from->members, sizeof(from->members));
	memcpy(image->member_loads, from->member_loads, sizeof(from->member_loads));
	memcpy(image->members_shut, from->members_shut, sizeof(from->members_shut));
	memcpy(image->vip_slots, from->vip_slots, sizeof(from->vip_slots));
	memcpy(image->service_at, from->service_at, sizeof(from->service_at));
}

/* A map of one value, which is zero and is in `*ret_memory` until it is unmapped. Its descriptor, or negative. */
static int make_value(const char *name, size_t size_bytes, void **ret_memory)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(
		BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), (uint32_t)size_bytes, 1, &options);
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		int r = util_negative_errno();

		util_close(fd);
		return r;
	}
	*ret_memory = memory;
	return fd;
}

/*
 * Gives the snapshot's lists of clients a place; `*ret_place` is where the programs find them under its image. Lists
 * that say what those in force say stay where these are.
 */
static int place_clients(
	const struct engine *engine, const struct snapshot *snapshot, uint32_t *ret_place)
{
	const struct fwd_clients *clients = snapshot_clients(snapshot);
	uint32_t place = (engine->clients_place + 1) % BPF_CLIENTS;
	_cleanup_close_ int fd = -1;
	void *memory = NULL;
	int r;

	*ret_place = engine->clients_place;
	if (!clients || client_lists_equal(clients, snapshot_clients(engine->current)))
		return 0;
	fd = make_value("dsr_clients", sizeof(*clients), &memory);
	if (fd < 0)
		return fd;
	client_lists_copy(memory, clients);
	munmap(memory, sizeof(*clients));
	r = bpf_map_update_elem(engine->clients_fd, &place, &fd, BPF_ANY);
	if (r == 0)
		*ret_place = place;
	return r;
}

/* A map whose only value is the snapshot's image, its services pointing to the tables' places. */
static int make_image(
	const struct snapshot *snapshot, const uint32_t *places, uint32_t clients_place)
{
	void *memory = NULL;
	int fd = make_value("dsr_image", sizeof(struct fwd_image), &memory);
	struct fwd_image *image = memory;

	if (fd < 0)
		return fd;
	copy_image(image, snapshot_image(snapshot));
	image->settings.clients_place = clients_place;
	for (uint32_t i = 1; i < image->lens.services; i++)
		image->services[i].table = places[image->services[i].table];
	for (uint32_t i = 0; i < IMAGE_BINDINGS_ALL; i++)
		if (image->bindings[i].proto)
			image->bindings[i].table = places[image->bindings[i].table];
	munmap(image, sizeof(*image));
	return fd;
}

static int load_image(struct engine *engine, struct snapshot *snapshot, const uint32_t *places)
{
	_cleanup_close_ int fd = -1;
	uint32_t clients_place, zero = 0;
	int r = place_clients(engine, snapshot, &clients_place);

	if (r < 0)
		return r;
	fd = make_image(snapshot, places, clients_place);
	if (fd < 0)
		return fd;
	/* Returns when no program reads the replaced one. */
	r = bpf_map_update_elem(engine->images_fd, &zero, &fd, BPF_ANY);
	if (r == 0)
		engine->clients_place = clients_place;
	return r;
}

int load_snapshot(struct engine *engine, struct snapshot *snapshot)
{
	_cleanup_free_ struct table_batch *batch = calloc(1, sizeof(*batch));
	_cleanup_free_ uint32_t *places =
		calloc(snapshot_tables_len(snapshot) + 1, sizeof(*places));
	int r = batch && places ? 0 : -ENOMEM;

	if (r == 0) {
		r = place_tables(engine, snapshot, places, batch);
		if (r == 0)
			r = load_image(engine, snapshot, places);
		if (r < 0)
			forget_tables(engine, batch);
	}
	if (r < 0) {
		snapshot_free(snapshot);
		return r;
	}
	slow_path_thread_set_snapshot(engine->slow_path, snapshot);
	snapshot_free(engine->current);
	engine->current = snapshot;
	free_tables(engine);
	return 0;
}
