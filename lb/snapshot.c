/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot: growing arrays of services, backends, tables and VIPs, found by id or by a hash
 * index. Built by the control plane, then only read.
 */
#include "lb/snapshot.h"

#include "lb/index.h"

struct snapshot_table {
	struct fwd_slot *rows;
	void (*release)(void *context);
	void *context;
};

/* Elements that are found by an id of 16 bits: position + 1 by id, 0 for none. */
struct snapshot_schedule {
	struct schedule *schedule; /* NULL: the service needs none */
	uint16_t *turns;
};

struct snapshot {
	struct fwd_settings settings;
	struct flows_table flows;
	struct snapshot_table *tables;
	size_t n_tables;
	struct fwd_service *services;
	size_t n_services;
	struct snapshot_schedule *schedules; /* beside services */
	struct fwd_backend *backends;
	size_t n_backends;
	struct fwd_vip *vips;
	size_t n_vips;
	uint16_t *service_at;
	uint16_t *backend_at;
	struct index vip_index;    /* address -> position */
	struct index port_index;   /* VIP, protocol, port -> service */
	struct index member_index; /* service, backend -> 1 */
	struct index mac_index;    /* MAC -> kind, backend */
};

int snapshot_new(const struct fwd_settings *settings, const struct flows_table *flows,
	struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	snapshot->settings = *settings;
	if (flows)
		snapshot->flows = *flows;
	snapshot->settings.flow4_buckets = snapshot->flows.n_flow4;
	snapshot->settings.flow6_buckets = snapshot->flows.n_flow6;
	snapshot->service_at = calloc(FWD_ID_MAX + 1, sizeof(*snapshot->service_at));
	snapshot->backend_at = calloc(FWD_ID_MAX + 1, sizeof(*snapshot->backend_at));
	if (!snapshot->service_at || !snapshot->backend_at)
		return -ENOMEM;
	*ret_snapshot = TAKE_PTR(snapshot);
	return 0;
}

struct snapshot *snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return NULL;
	for (size_t i = 0; i < snapshot->n_tables; i++)
		if (snapshot->tables[i].release)
			snapshot->tables[i].release(snapshot->tables[i].context);
	free(snapshot->tables);
	for (size_t i = 0; i < snapshot->n_services; i++) {
		schedule_unref(snapshot->schedules[i].schedule);
		free(snapshot->schedules[i].turns);
	}
	free(snapshot->schedules);
	free(snapshot->services);
	free(snapshot->backends);
	free(snapshot->vips);
	free(snapshot->service_at);
	free(snapshot->backend_at);
	index_clear(&snapshot->vip_index);
	index_clear(&snapshot->port_index);
	index_clear(&snapshot->member_index);
	index_clear(&snapshot->mac_index);
	free(snapshot);
	return NULL;
}

/* Makes room for one more element where the array is full: lengths that are powers of two. */
static void *snapshot_grow(void *array, size_t len, size_t element_bytes)
{
	if (len & (len - 1))
		return array;
	return reallocarray(array, len ? len * 2 : 1, element_bytes);
}

int snapshot_add_table(struct snapshot *snapshot, struct fwd_slot *rows,
	void (*release)(void *context), void *context, uint32_t *ret_table)
{
	struct snapshot_table *tables;

	if (snapshot->n_tables >= SNAPSHOT_TABLES_MAX)
		return -ENOSPC;
	tables = snapshot_grow(snapshot->tables, snapshot->n_tables, sizeof(*tables));
	if (!tables)
		return -ENOMEM;
	snapshot->tables = tables;
	tables[snapshot->n_tables] = (struct snapshot_table){
		.rows = rows,
		.release = release,
		.context = context,
	};
	*ret_table = (uint32_t)snapshot->n_tables++;
	return 0;
}

int snapshot_add_service(struct snapshot *snapshot, const struct fwd_service *service)
{
	struct snapshot_schedule *schedules;
	struct fwd_service *services;

	if (service->id == 0)
		return -EINVAL;
	if (snapshot->service_at[service->id])
		return -EEXIST;
	if (snapshot->n_services >= SNAPSHOT_SERVICES_MAX)
		return -ENOSPC;
	services = snapshot_grow(snapshot->services, snapshot->n_services, sizeof(*services));
	if (!services)
		return -ENOMEM;
	snapshot->services = services;
	schedules = snapshot_grow(snapshot->schedules, snapshot->n_services, sizeof(*schedules));
	if (!schedules)
		return -ENOMEM;
	snapshot->schedules = schedules;
	schedules[snapshot->n_services] = (struct snapshot_schedule){ 0 };
	services[snapshot->n_services++] = *service;
	snapshot->service_at[service->id] = (uint16_t)snapshot->n_services;
	return 0;
}

int snapshot_add_schedule(struct snapshot *snapshot, uint16_t service, uint16_t *turns,
	uint32_t n_turns, struct schedule *schedule)
{
	uint16_t at = snapshot->service_at[service];

	if (at == 0)
		return -ENOENT;
	if (snapshot->schedules[at - 1].schedule)
		return -EEXIST;
	snapshot->schedules[at - 1] = (struct snapshot_schedule){ schedule_ref(schedule), turns };
	snapshot->services[at - 1].n_turns = n_turns;
	return 0;
}

int snapshot_add_backend(struct snapshot *snapshot, uint16_t id, const struct fwd_backend *backend)
{
	static const uint8_t zero[FWD_MAC_BYTES];
	struct fwd_backend *backends;

	if (id == 0 || memcmp(backend->mac, zero, sizeof(zero)) == 0)
		return -EINVAL;
	if (snapshot->backend_at[id])
		return -EEXIST;
	if (snapshot->n_backends >= SNAPSHOT_BACKENDS_MAX)
		return -ENOSPC;
	backends = snapshot_grow(snapshot->backends, snapshot->n_backends, sizeof(*backends));
	if (!backends)
		return -ENOMEM;
	snapshot->backends = backends;
	backends[snapshot->n_backends++] = *backend;
	snapshot->backend_at[id] = (uint16_t)snapshot->n_backends;
	return 0;
}

static void snapshot_member_key(uint16_t service, uint16_t backend, uint64_t ret_key[2])
{
	ret_key[0] = (uint64_t)service << 16 | backend;
	ret_key[1] = 0;
}

int snapshot_add_member(struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	uint64_t key[2];

	snapshot_member_key(service, backend, key);
	return index_put(&snapshot->member_index, key, 1);
}

static void snapshot_mac_key(const uint8_t *mac, uint64_t ret_key[2])
{
	ret_key[0] = 0;
	ret_key[1] = 0;
	memcpy(ret_key, mac, FWD_MAC_BYTES);
}

int snapshot_add_mac(struct snapshot *snapshot, const struct mac *mac, struct fwd_mac kind)
{
	uint64_t key[2];

	if (snapshot_mac(snapshot, mac->bytes).kind == FWD_MAC_BALANCER)
		return 0;
	snapshot_mac_key(mac->bytes, key);
	return index_put(&snapshot->mac_index, key, (uint32_t)kind.kind << 16 | kind.backend);
}

static const struct snapshot_schedule *snapshot_schedule(
	const struct snapshot *snapshot, uint16_t service)
{
	uint16_t at = snapshot->service_at[service];

	return at && snapshot->schedules[at - 1].schedule ? &snapshot->schedules[at - 1] : NULL;
}

uint32_t *snapshot_turn(const struct snapshot *snapshot, uint16_t service)
{
	const struct snapshot_schedule *found = snapshot_schedule(snapshot, service);

	return found ? schedule_turn(found->schedule) : NULL;
}

uint16_t snapshot_turn_backend(const struct snapshot *snapshot, uint16_t service, uint32_t at)
{
	const struct snapshot_schedule *found = snapshot_schedule(snapshot, service);
	const struct fwd_service *of = snapshot_service(snapshot, service);

	return found && at < of->n_turns ? found->turns[at] : 0;
}

struct fwd_load *snapshot_load(const struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	const struct snapshot_schedule *found = snapshot_schedule(snapshot, service);

	return found ? schedule_load(found->schedule, backend) : NULL;
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
	struct fwd_vip *vips;
	struct fwd_addr address;
	uint64_t key[2];
	uint32_t position;
	int r;

	snapshot_addr(vip, &address);
	memcpy(key, &address, sizeof(key));
	if (index_get(&snapshot->vip_index, key, &position)) {
		*ret_vip = &snapshot->vips[position];
		return 0;
	}
	vips = snapshot_grow(snapshot->vips, snapshot->n_vips, sizeof(*vips));
	if (!vips)
		return -ENOMEM;
	snapshot->vips = vips;
	r = index_put(&snapshot->vip_index, key, (uint32_t)snapshot->n_vips);
	if (r < 0)
		return r;
	vips[snapshot->n_vips] = (struct fwd_vip){ .vip_id = (uint32_t)snapshot->n_vips + 1 };
	*ret_vip = &vips[snapshot->n_vips++];
	return 0;
}

static void snapshot_port_key(const struct fwd_service_key *key, uint64_t ret_key[2])
{
	ret_key[0] = (uint64_t)key->vip_id << 32 | (uint64_t)key->proto << 16 | key->port;
	ret_key[1] = 0;
}

static int snapshot_bind_exact(struct snapshot *snapshot, const struct fwd_vip *vip, uint8_t proto,
	uint16_t port, uint16_t service)
{
	struct fwd_service_key key = {
		.vip_id = vip->vip_id,
		.port = htons(port),
		.proto = proto,
	};
	uint64_t words[2];

	if (snapshot_service_id(snapshot, &key))
		return -EEXIST;
	snapshot_port_key(&key, words);
	return index_put(&snapshot->port_index, words, service);
}

static int snapshot_bind_any(struct fwd_vip *vip, uint8_t proto, uint16_t service)
{
	uint16_t *any = proto == FWD_PROTO_TCP ? &vip->any_tcp : &vip->any_udp;

	if (*any)
		return -EEXIST;
	*any = service;
	return 0;
}

static int snapshot_bind_range(struct fwd_vip *vip, uint8_t proto, uint16_t first_port,
	uint16_t last_port, uint16_t service)
{
	for (size_t i = 0; i < vip->n_ranges; i++)
		if (vip->ranges[i].proto == proto && first_port <= vip->ranges[i].last_port &&
			last_port >= vip->ranges[i].first_port)
			return -EEXIST;
	if (vip->n_ranges >= FWD_RANGES_MAX)
		return -ENOSPC;
	vip->ranges[vip->n_ranges++] = (struct fwd_range){
		.first_port = first_port,
		.last_port = last_port,
		.service = service,
		.proto = proto,
	};
	return 0;
}

int snapshot_add_binding(struct snapshot *snapshot, const struct addr *vip, uint8_t proto,
	uint16_t first_port, uint16_t last_port, uint16_t service)
{
	struct fwd_vip *entry;
	int r;

	if ((proto != FWD_PROTO_TCP && proto != FWD_PROTO_UDP) || first_port > last_port ||
		!snapshot_service(snapshot, service))
		return -EINVAL;
	r = snapshot_take_vip(snapshot, vip, &entry);
	if (r < 0)
		return r;
	if (first_port == 0 && last_port == UINT16_MAX)
		r = snapshot_bind_any(entry, proto, service);
	else if (first_port == last_port)
		r = snapshot_bind_exact(snapshot, entry, proto, first_port, service);
	else
		r = snapshot_bind_range(entry, proto, first_port, last_port, service);
	if (r < 0)
		return r;
	if (!entry->echo)
		entry->echo = service;
	entry->protos |= proto == FWD_PROTO_TCP ? FWD_VIP_TCP : FWD_VIP_UDP;
	return 0;
}

const struct fwd_settings *snapshot_settings(const struct snapshot *snapshot)
{
	return &snapshot->settings;
}

const struct fwd_vip *snapshot_vip(const struct snapshot *snapshot, const struct fwd_addr *address)
{
	uint64_t key[2];
	uint32_t position;

	memcpy(key, address, sizeof(key));
	return index_get(&snapshot->vip_index, key, &position) ? &snapshot->vips[position] : NULL;
}

uint16_t snapshot_service_id(const struct snapshot *snapshot, const struct fwd_service_key *key)
{
	uint64_t words[2];
	uint32_t service;

	snapshot_port_key(key, words);
	return index_get(&snapshot->port_index, words, &service) ? (uint16_t)service : 0;
}

const struct fwd_service *snapshot_service(const struct snapshot *snapshot, uint16_t id)
{
	uint16_t at = snapshot->service_at[id];

	return at ? &snapshot->services[at - 1] : NULL;
}

struct fwd_slot *snapshot_slot(const struct snapshot *snapshot, uint32_t table, uint32_t row)
{
	if (table >= snapshot->n_tables || row >= FWD_ROWS)
		return NULL;
	return &snapshot->tables[table].rows[row];
}

const struct fwd_backend *snapshot_backend(const struct snapshot *snapshot, uint16_t id)
{
	uint16_t at = snapshot->backend_at[id];

	return at ? &snapshot->backends[at - 1] : NULL;
}

bool snapshot_is_member(const struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	uint64_t key[2];
	uint32_t value;

	snapshot_member_key(service, backend, key);
	return index_get(&snapshot->member_index, key, &value);
}

struct fwd_mac snapshot_mac(const struct snapshot *snapshot, const uint8_t *mac)
{
	uint64_t key[2];
	uint32_t value;

	snapshot_mac_key(mac, key);
	if (!index_get(&snapshot->mac_index, key, &value))
		return (struct fwd_mac){ .kind = FWD_MAC_UNKNOWN };
	return (struct fwd_mac){ .kind = (uint16_t)(value >> 16), .backend = (uint16_t)value };
}

const struct flows_table *snapshot_flows(const struct snapshot *snapshot)
{
	return &snapshot->flows;
}
