/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot: fills an image (lb/fwd/image.h) and holds what that only counts or points to: tables
 * and schedules, with references. Built by the control plane, then only read.
 */
#include "lb/engine/snapshot.h"

#include <assert.h>
#include <sys/mman.h>

#include "common/grow.h"
#include "lb/fwd/image.h"

struct snapshot_table {
	struct fwd_table *rows;
	int map; /* descriptor of the rows' memory; -1: it is no map's */
	void (*release)(void *context);
	void *context;
};

/* Whole huge pages. */
#define SNAPSHOT_IMAGE_LEN (4u << 20)

_Static_assert(sizeof(struct fwd_image) <= SNAPSHOT_IMAGE_LEN, "an image has its mapping");
_Static_assert(FWD_DOORS_MAX <= IMAGE_BINDINGS_MAX, "what check-config takes has its bindings");
_Static_assert(SNAPSHOT_BACKENDS_MAX <= IMAGE_MACS / 2, "the table of MACs is at most half full");

struct snapshot {
	struct fwd_image *image;     /* populated: who copies it would fault for every page */
	struct fwd_clients *clients; /* NULL as long as no service has a list */
	struct flows_table flows;
	struct snapshot_table *tables;
	size_t n_tables;
	struct scheduler **schedules; /* by place among the image's services; NULL: needs none */
};

int snapshot_new(const struct fwd_settings *settings, const struct flows_table *flows,
	struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	void *memory;

	if (!snapshot)
		return -ENOMEM;
	memory = mmap(NULL, SNAPSHOT_IMAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	if (memory == MAP_FAILED)
		return util_negative_errno();
	/* Two faults instead of a thousand, where the host has huge pages; what is refused comes page by page. */
	(void)madvise(memory, SNAPSHOT_IMAGE_LEN, MADV_HUGEPAGE);
	(void)madvise(memory, SNAPSHOT_IMAGE_LEN, MADV_POPULATE_WRITE);
	snapshot->image = memory;
	snapshot->schedules = calloc(IMAGE_SERVICES, sizeof(struct scheduler *));
	if (!snapshot->schedules)
		return -ENOMEM;
	snapshot->image->settings = *settings;
	if (flows)
		snapshot->flows = *flows;
	/* Behind a part of a group a program would find buckets of the other family. */
	assert(snapshot->flows.n_flow4 % FLOW_GROUP_BUCKETS == 0 &&
		snapshot->flows.n_flow6 % FLOW_GROUP_BUCKETS == 0);
	snapshot->image->settings.flow4_buckets = snapshot->flows.n_flow4;
	snapshot->image->settings.flow6_buckets = snapshot->flows.n_flow6;
	snapshot->image->settings.seen_words = snapshot->flows.n_seen;
	if (!settings->flow4_among[0])
		snapshot->image->settings.flow4_among[0] = snapshot->flows.n_flow4;
	if (!settings->flow6_among[0])
		snapshot->image->settings.flow6_among[0] = snapshot->flows.n_flow6;
	/* The first place of each stands for "none". */
	snapshot->image->lens = (struct image_lens){ .vips = 1, .ranges = 1, .services = 1 };
	*ret_snapshot = TAKE_PTR(snapshot);
	return 0;
}

int snapshot_new_empty(struct snapshot **ret_snapshot)
{
	static const struct fwd_settings settings = { 0 };

	return snapshot_new(&settings, NULL, ret_snapshot);
}

struct snapshot *snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return NULL;
	for (size_t i = 0; i < snapshot->n_tables; i++)
		if (snapshot->tables[i].release)
			snapshot->tables[i].release(snapshot->tables[i].context);
	free(snapshot->tables);
	for (size_t i = 0; snapshot->schedules && i < snapshot->image->lens.services; i++)
		scheduler_unref(snapshot->schedules[i]);
	free(snapshot->schedules);
	if (snapshot->image)
		munmap(snapshot->image, SNAPSHOT_IMAGE_LEN);
	client_lists_free(snapshot->clients);
	free(snapshot);
	return NULL;
}

int snapshot_add_table(struct snapshot *snapshot, struct fwd_table *rows, int map,
	void (*release)(void *context), void *context, uint32_t *ret_table)
{
	if (snapshot->n_tables >= SNAPSHOT_TABLES_MAX)
		return -ENOSPC;
	if (GROW(snapshot->tables, snapshot->n_tables) < 0)
		return -ENOMEM;
	snapshot->tables[snapshot->n_tables] = (struct snapshot_table){
		.rows = rows,
		.map = map,
		.release = release,
		.context = context,
	};
	*ret_table = (uint32_t)snapshot->n_tables++;
	return 0;
}

int snapshot_add_service(struct snapshot *snapshot, const struct fwd_service *service)
{
	struct fwd_image *image = snapshot->image;

	if (service->id == 0)
		return -EINVAL;
	if (image->service_at[service->id])
		return -EEXIST;
	if (image->lens.services > FWD_SERVICES_MAX)
		return -ENOSPC;
	image->services[image->lens.services] = *service;
	if (service->clients)
		image->services[image->lens.services].flags |= FWD_SERVICE_CLIENTS;
	image->service_at[service->id] = (uint16_t)image->lens.services++;
	return 0;
}

int snapshot_add_clients(struct snapshot *snapshot, const struct client_prefix *prefixes,
	size_t len, uint32_t *ret_place)
{
	int r = snapshot->clients ? 0 : client_lists_new(&snapshot->clients);

	return r < 0 ? r : client_lists_add(snapshot->clients, prefixes, len, ret_place);
}

/* Where lc counts a member's flows, if the service is one of lc. */
static void snapshot_note_load(struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	struct fwd_image *image = snapshot->image;
	struct scheduler *schedule = snapshot->schedules[image->service_at[service]];
	uint32_t at = image_member(image, service, backend);

	if (schedule && at < IMAGE_MEMBERS)
		image->member_loads[at] = scheduler_load_place(schedule, backend);
}

/* The order of an earlier service where they are the same; else IMAGE_ORDERS. */
static uint32_t snapshot_find_order(
	const struct snapshot *snapshot, const uint16_t *order, uint32_t order_len)
{
	const struct fwd_image *image = snapshot->image;

	for (uint32_t i = image->lens.services; i > 1; i--) {
		const struct fwd_service *service = &image->services[i - 1];

		if (service->order_len == order_len &&
			memcmp(&image->orders[service->order_first], order,
				order_len * sizeof(*order)) == 0)
			return service->order_first;
	}
	return IMAGE_ORDERS;
}

int snapshot_add_schedule(struct snapshot *snapshot, uint16_t service, const uint16_t *order,
	uint32_t order_len, struct scheduler *schedule)
{
	struct fwd_image *image = snapshot->image;
	uint16_t at = image->service_at[service];
	uint32_t first;

	if (at == 0)
		return -ENOENT;
	if (snapshot->schedules[at])
		return -EEXIST;
	first = order_len ? snapshot_find_order(snapshot, order, order_len) : 0;
	if (first == IMAGE_ORDERS) {
		if (order_len > IMAGE_ORDERS - image->lens.orders)
			return -ENOSPC;
		first = image->lens.orders;
		memcpy(&image->orders[first], order, order_len * sizeof(*order));
		image->lens.orders += order_len;
	}
	snapshot->schedules[at] = scheduler_ref(schedule);
	image->services[at].order_len = order_len;
	image->services[at].order_first = first;
	image->services[at].position_load = scheduler_position_place(schedule);
	for (uint32_t i = 0; i < order_len; i++)
		snapshot_note_load(snapshot, service, order[i]);
	return 0;
}

int snapshot_add_backend(struct snapshot *snapshot, uint16_t id, const struct fwd_backend *backend)
{
	static const uint8_t zero[FWD_MAC_BYTES];
	struct fwd_image *image = snapshot->image;

	if (id == 0 || memcmp(backend->mac, zero, sizeof(zero)) == 0)
		return -EINVAL;
	if (image_backend(image, id))
		return -EEXIST;
	if (image->lens.backends >= SNAPSHOT_BACKENDS_MAX)
		return -ENOSPC;
	image->lens.backends++;
	image->backends[id] = *backend;
	image->backends[id].flags |= FWD_BACKEND_THERE;
	return 0;
}

int snapshot_add_member(struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	struct fwd_image *image = snapshot->image;
	uint32_t key = (uint32_t)service << 16 | backend;
	uint32_t at = image_place(key, IMAGE_MEMBERS);

	for (uint32_t i = 0; i < IMAGE_MEMBER_PROBES; i++, at = (at + 1) & (IMAGE_MEMBERS - 1)) {
		if (image->members[at] && image->members[at] != key)
			continue;
		if (!image->members[at]) {
			image->members[at] = key;
			image->lens.members++;
		}
		snapshot_note_load(snapshot, service, backend);
		return 0;
	}
	return -ENOSPC;
}

void snapshot_shut_member(struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	struct fwd_image *image = snapshot->image;
	uint32_t at = image_member(image, service, backend);

	if (at < IMAGE_MEMBERS)
		image->members_shut[at / 32] |= 1u << at % 32;
}

int snapshot_add_mac(struct snapshot *snapshot, const struct mac *mac, struct fwd_mac kind)
{
	struct fwd_image *image = snapshot->image;
	uint64_t key = image_mac_key(mac->bytes);
	uint64_t entry = key | (kind.kind == FWD_MAC_BACKEND ? (uint64_t)kind.backend << 48 : 0);
	uint32_t at = image_place(key, IMAGE_MACS);

	if (key == 0 || image_mac(image, mac->bytes).kind == FWD_MAC_BALANCER)
		return 0;
	for (uint32_t i = 0; i < IMAGE_PROBES; i++, at = (at + 1) & (IMAGE_MACS - 1)) {
		if (image->macs[at] && (image->macs[at] & IMAGE_MAC_MASK) != key)
			continue;
		image->lens.macs += image->macs[at] == 0;
		image->macs[at] = entry;
		return 0;
	}
	return -ENOSPC;
}

static struct scheduler *snapshot_schedule(const struct snapshot *snapshot, uint16_t service)
{
	return snapshot->schedules[snapshot->image->service_at[service]];
}

uint32_t *snapshot_position(const struct snapshot *snapshot, uint16_t service)
{
	struct scheduler *found = snapshot_schedule(snapshot, service);

	return found ? scheduler_position(found) : NULL;
}

struct fwd_load *snapshot_load(const struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	struct scheduler *found = snapshot_schedule(snapshot, service);

	return found ? scheduler_load(found, backend) : NULL;
}

void snapshot_addr(const struct addr *addr, struct fwd_addr *ret_addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t bytes[16];

	if (addr->family == AF_INET) {
		memcpy(bytes, mapped, sizeof(mapped));
		memcpy(bytes + sizeof(mapped), &addr->ip4, sizeof(addr->ip4));
	} else {
		memcpy(bytes, &addr->ip6, sizeof(bytes));
	}
	memcpy(ret_addr, bytes, sizeof(*ret_addr));
}

/* Finds the VIP, or adds it. */
static int snapshot_take_vip(
	struct snapshot *snapshot, const struct addr *vip, struct fwd_vip **ret_vip)
{
	struct fwd_image *image = snapshot->image;
	struct fwd_addr address;
	uint32_t id, at;

	snapshot_addr(vip, &address);
	at = image_vip_place(&address);
	for (uint32_t i = 0; i < IMAGE_PROBES; i++, at = (at + 1) & (IMAGE_VIP_SLOTS - 1)) {
		id = image->vip_slots[at];
		if (id && !image_addr_equal(&image->vips[id].address, &address))
			continue;
		if (!id) {
			if (image->lens.vips == IMAGE_VIPS)
				return -ENOSPC;
			id = image->lens.vips++;
			image->vips[id] = (struct fwd_vip){ .address = address };
			image->vip_slots[at] = (uint16_t)id;
		}
		*ret_vip = &image->vips[id];
		return 0;
	}
	return -ENOSPC;
}

static int snapshot_bind_binding(struct fwd_image *image, const struct fwd_vip *vip, uint8_t proto,
	uint16_t port, const struct fwd_service *service)
{
	uint64_t key = image_binding_key(&vip->address, proto, htons(port));

	if (image->lens.bindings == IMAGE_BINDINGS_MAX)
		return -ENOSPC;
	for (uint32_t i = 0; i < 2 * IMAGE_PROBES; i++) {
		uint32_t at = image_binding_at(key, i);

		if (image->bindings[at].proto)
			continue;
		image->bindings[at] = (struct fwd_binding){
			.vip = vip->address,
			.port = htons(port),
			.proto = proto,
			.service = service->id,
			.at = image->service_at[service->id],
			.table = service->table,
			.flags = service->flags,
		};
		image->lens.bindings++;
		return 0;
	}
	return -ENOSPC;
}

static int snapshot_bind_any(struct fwd_vip *vip, uint8_t proto, uint16_t service)
{
	uint16_t *any = proto == FWD_PROTO_TCP ? &vip->any_tcp
		: proto == FWD_PROTO_UDP       ? &vip->any_udp
					       : &vip->any_sctp;

	if (*any)
		return -EEXIST;
	*any = service;
	return 0;
}

static bool snapshot_is_one_port(const struct fwd_range *range)
{
	return range->first_port == range->last_port;
}

/* A range of one port is an exact one without a binding: it may lie in another, and is found before. */
static int snapshot_bind_range(struct fwd_image *image, struct fwd_vip *vip, uint8_t proto,
	uint16_t first_port, uint16_t last_port, uint16_t service)
{
	uint16_t *first = proto == FWD_PROTO_TCP ? &vip->ranges_tcp
		: proto == FWD_PROTO_UDP         ? &vip->ranges_udp
						 : &vip->ranges_sctp;
	struct fwd_range added = { first_port, last_port, service, 0 };
	uint16_t *link = first;

	while (*link) {
		struct fwd_range *range = &image->ranges[*link];

		if (first_port <= range->last_port && last_port >= range->first_port &&
			snapshot_is_one_port(range) == snapshot_is_one_port(&added))
			return -EEXIST;
		link = &range->next;
	}
	if (vip->n_ranges >= FWD_RANGES_MAX || image->lens.ranges == IMAGE_RANGES)
		return -ENOSPC;
	if (snapshot_is_one_port(&added))
		link = first;
	added.next = *link;
	vip->n_ranges++;
	image->ranges[image->lens.ranges] = added;
	*link = (uint16_t)image->lens.ranges++;
	return 0;
}

/* A binding, if there is room for one; else a range of one port, which takes longer to find. */
static int snapshot_bind_exact(struct snapshot *snapshot, struct fwd_vip *vip, uint8_t proto,
	uint16_t port, uint16_t service)
{
	struct fwd_image *image = snapshot->image;
	int r;

	if (image_binding(image, &vip->address, proto, htons(port)))
		return -EEXIST;
	r = snapshot_bind_binding(image, vip, proto, port, image_service(image, service));
	return r == -ENOSPC ? snapshot_bind_range(image, vip, proto, port, port, service) : r;
}

int snapshot_add_vip(struct snapshot *snapshot, const struct addr *vip)
{
	struct fwd_vip *entry;

	return snapshot_take_vip(snapshot, vip, &entry);
}

int snapshot_add_binding(struct snapshot *snapshot, const struct addr *vip, uint8_t proto,
	uint16_t first_port, uint16_t last_port, uint16_t service)
{
	struct fwd_vip *entry;
	int r;

	if (!fwd_has_ports(proto) || first_port > last_port || !snapshot_service(snapshot, service))
		return -EINVAL;
	r = snapshot_take_vip(snapshot, vip, &entry);
	if (r < 0)
		return r;
	if (first_port == 0 && last_port == UINT16_MAX)
		r = snapshot_bind_any(entry, proto, service);
	else if (first_port == last_port)
		r = snapshot_bind_exact(snapshot, entry, proto, first_port, service);
	else
		r = snapshot_bind_range(
			snapshot->image, entry, proto, first_port, last_port, service);
	if (r < 0)
		return r;
	if (!entry->echo)
		entry->echo = service;
	entry->protos |= proto == FWD_PROTO_TCP ? FWD_VIP_TCP
		: proto == FWD_PROTO_UDP        ? FWD_VIP_UDP
						: FWD_VIP_SCTP;
	return 0;
}

int snapshot_add_others(struct snapshot *snapshot, const struct addr *vip, uint16_t service)
{
	struct fwd_vip *entry;
	int r = snapshot_take_vip(snapshot, vip, &entry);

	if (r < 0)
		return r;
	if (service == 0 || entry->any_tcp != service)
		return -EINVAL;
	entry->protos |= FWD_VIP_OTHERS;
	return 0;
}

const struct fwd_image *snapshot_image(const struct snapshot *snapshot)
{
	return snapshot->image;
}

const struct fwd_clients *snapshot_clients(const struct snapshot *snapshot)
{
	return snapshot->clients;
}

const struct fwd_settings *snapshot_settings(const struct snapshot *snapshot)
{
	return &snapshot->image->settings;
}

const struct fwd_vip *snapshot_vip(const struct snapshot *snapshot, const struct fwd_addr *address)
{
	return image_vip(snapshot->image, address);
}

const struct fwd_service *snapshot_service(const struct snapshot *snapshot, uint16_t id)
{
	return image_service(snapshot->image, id);
}

struct fwd_slot *snapshot_slot(const struct snapshot *snapshot, uint32_t table, uint32_t row)
{
	if (table >= snapshot->n_tables || row >= FWD_ROWS)
		return NULL;
	return &snapshot->tables[table].rows->rows[row];
}

const uint16_t *snapshot_settled(const struct snapshot *snapshot, uint32_t table, uint32_t row)
{
	if (table >= snapshot->n_tables || row >= FWD_ROWS)
		return NULL;
	return &snapshot->tables[table].rows->settled[row];
}

size_t snapshot_tables_len(const struct snapshot *snapshot)
{
	return snapshot->n_tables;
}

int snapshot_table_map(const struct snapshot *snapshot, uint32_t table)
{
	return snapshot->tables[table].map;
}

const struct fwd_backend *snapshot_backend(const struct snapshot *snapshot, uint16_t id)
{
	return image_backend(snapshot->image, id);
}

bool snapshot_is_member(const struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	return image_member(snapshot->image, service, backend) < IMAGE_MEMBERS;
}

bool snapshot_takes_new(const struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	uint32_t at = image_member(snapshot->image, service, backend);

	return at >= IMAGE_MEMBERS || !image_member_is_shut(snapshot->image, at);
}

const struct flows_table *snapshot_flows(const struct snapshot *snapshot)
{
	return &snapshot->flows;
}
