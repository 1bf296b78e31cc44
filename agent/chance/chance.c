/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program and its maps: see chance.h. */
#include "agent/chance/chance.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include "agent/chance/chance_attach.h"
#include "agent/chance/chance_layout.h"
#include "agent/chance/dsr_chance.skel.h"
#include "common/log.h"

#define BALANCERS_MAX 64u /* that told anything */

_Static_assert(CHANCE_NAMED_FIRST == PROTO_NAMED_MAC_FIRST, "one is written twice");
_Static_assert(CHANCE_VIPS >= PROTO_VIPS_MAX, "all of them");

/* Whose servers are named by MACs that begin like that. */
struct chance_balancer {
	struct addr address;
	uint8_t named_mac[PROTO_NAMED_MAC_BYTES];
};

struct chance {
	struct dsr_chance *skeleton;
	struct chance_attach attach;
	struct chance_counts *counts; /* mapped; the program writes */
	struct chance_balancer balancers[BALANCERS_MAX];
	size_t n_balancers;
	struct addr served[PROTO_VIPS_MAX]; /* as the program has them */
	size_t n_served;
};

_printf_(2, 0) static int on_libbpf_says(
	enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[256];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_debug("%s", text);
	return 0;
}

static int explain(int error, struct why *ret_why)
{
	if (error == -EPERM)
		return why_fail(ret_why, error,
			"it needs CAP_BPF: install dsr-agent-second-chance.conf as a drop-in of the unit "
			"(see second-chance in dsr-agent.conf(5))");
	return why_errno(ret_why, error, "the kernel refuses the program of second chance");
}

static int load(struct dsr_chance **ret_skeleton, struct why *ret_why)
{
	libbpf_set_print(on_libbpf_says);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	*ret_skeleton = dsr_chance__open_and_load();
	return *ret_skeleton ? 0 : explain(util_negative_errno(), ret_why);
}

int chance_probe(struct why *ret_why)
{
	struct dsr_chance *skeleton;
	int r = load(&skeleton, ret_why);

	if (r == 0)
		dsr_chance__destroy(skeleton);
	return r;
}

int chance_new(struct chance **ret_chance, struct why *ret_why)
{
	_cleanup_(chance_freep) struct chance *chance = calloc(1, sizeof(*chance));
	void *memory;
	int r;

	if (!chance)
		return why_errno(ret_why, -ENOMEM, "memory");
	chance->attach.link_fd = -1;
	r = load(&chance->skeleton, ret_why);
	if (r < 0)
		return r;
	memory = mmap(NULL, sizeof(*chance->counts), PROT_READ, MAP_SHARED,
		bpf_map__fd(chance->skeleton->maps.chance_counts), 0);
	if (memory == MAP_FAILED)
		return why_errno(ret_why, util_negative_errno(), "the program's counters");
	chance->counts = memory;
	*ret_chance = TAKE_PTR(chance);
	return 0;
}

struct chance *chance_free(struct chance *chance)
{
	if (!chance)
		return NULL;
	chance_detach(&chance->attach);
	if (chance->counts)
		munmap(chance->counts, sizeof(*chance->counts));
	dsr_chance__destroy(chance->skeleton);
	free(chance);
	return NULL;
}

int chance_follow(struct chance *chance, unsigned int ifindex, struct why *ret_why)
{
	if (chance->attach.ifindex == ifindex)
		return 0;
	chance_detach(&chance->attach);
	return chance_attach(&chance->attach, bpf_program__fd(chance->skeleton->progs.dsr_chance),
		ifindex, ret_why);
}

void chance_sweep(unsigned int ifindex)
{
	libbpf_set_print(on_libbpf_says);
	chance_attach_sweep(ifindex);
}

/* ---- VIPs ---- */

static struct chance_address address_of(const struct addr *addr)
{
	struct chance_address address = { { 0, 0, htonl(0xffff), 0 } };

	if (addr->family == AF_INET)
		memcpy(&address.word[3], addr->bytes, sizeof(address.word[3]));
	else
		memcpy(&address, addr->bytes, sizeof(address));
	return address;
}

static bool is_among(const struct chance_address *address, const struct addr *vips, size_t n_vips)
{
	ARRAY_FOREACH (vip, vips, n_vips) {
		const struct chance_address other = address_of(vip);

		if (memcmp(address, &other, sizeof(other)) == 0)
			return true;
	}
	return false;
}

int chance_serve(struct chance *chance, const struct addr *vips, size_t n_vips)
{
	int map = bpf_map__fd(chance->skeleton->maps.chance_vips);
	struct chance_address gone[CHANCE_VIPS], key, *last = NULL;
	const uint8_t any = 1;
	size_t n_gone = 0;
	int r = 0;

	/* Asked at every look at the host: the same once more costs no call for each of them. */
	if (n_vips == chance->n_served && memcmp(chance->served, vips, n_vips * sizeof(*vips)) == 0)
		return 0;
	chance->n_served = 0;
	while (n_gone < CHANCE_VIPS && bpf_map_get_next_key(map, last, &key) == 0) {
		if (!is_among(&key, vips, n_vips))
			gone[n_gone++] = key;
		last = &key;
	}
	ARRAY_FOREACH (address, gone, n_gone)
		(void)bpf_map_delete_elem(map, address);
	for (size_t i = 0; i < n_vips && r == 0; i++) {
		key = address_of(&vips[i]);
		r = bpf_map_update_elem(map, &key, &any, BPF_ANY);
	}
	if (r == 0) {
		memcpy(chance->served, vips, n_vips * sizeof(*vips));
		chance->n_served = n_vips;
	}
	return r;
}

/* ---- other servers ---- */

static chance_mac number_of(const uint8_t mac[MAC_LEN])
{
	chance_mac number = 0;

	memcpy(&number, mac, MAC_LEN);
	return number;
}

static chance_mac name_of(const uint8_t named_mac[PROTO_NAMED_MAC_BYTES], uint16_t id)
{
	uint8_t mac[MAC_LEN];

	memcpy(mac, named_mac, PROTO_NAMED_MAC_BYTES);
	mac[PROTO_NAMED_MAC_BYTES] = (uint8_t)(id >> 8);
	mac[PROTO_NAMED_MAC_BYTES + 1] = (uint8_t)id;
	return number_of(mac);
}

/* All that are named by MACs which begin like that; of a balancer that begins anew, or is gone. */
static void forget_names(
	const struct chance *chance, const uint8_t named_mac[PROTO_NAMED_MAC_BYTES])
{
	int map = bpf_map__fd(chance->skeleton->maps.chance_peers);
	chance_mac name, next = 0;
	bool more = bpf_map_get_next_key(map, NULL, &name) == 0;

	while (more) {
		more = bpf_map_get_next_key(map, &name, &next) == 0;
		if (memcmp(&name, named_mac, PROTO_NAMED_MAC_BYTES) == 0)
			(void)bpf_map_delete_elem(map, &name);
		name = next;
	}
}

static struct chance_balancer *find_balancer(struct chance *chance, const struct addr *address)
{
	ARRAY_FOREACH (balancer, chance->balancers, chance->n_balancers)
		if (addr_equal(&balancer->address, address))
			return balancer;
	return NULL;
}

static void forget_balancer(struct chance *chance, struct chance_balancer *balancer)
{
	forget_names(chance, balancer->named_mac);
	*balancer = chance->balancers[--chance->n_balancers];
}

/* Two balancers with one beginning would send each other's connections to the wrong server: the second has none. */
static int begin_balancer(
	struct chance *chance, const struct addr *address, const struct proto_peers *peers)
{
	struct chance_balancer *balancer = find_balancer(chance, address);

	if (balancer && peers->after != 0 &&
		memcmp(balancer->named_mac, peers->named_mac, PROTO_NAMED_MAC_BYTES) == 0)
		return 0;
	if (balancer)
		forget_balancer(chance, balancer);
	ARRAY_FOREACH (other, chance->balancers, chance->n_balancers)
		if (memcmp(other->named_mac, peers->named_mac, PROTO_NAMED_MAC_BYTES) == 0)
			return -EEXIST;
	if (chance->n_balancers == BALANCERS_MAX)
		return -E2BIG;
	balancer = &chance->balancers[chance->n_balancers++];
	balancer->address = *address;
	memcpy(balancer->named_mac, peers->named_mac, PROTO_NAMED_MAC_BYTES);
	return 0;
}

static int take_peer(
	const struct chance *chance, const struct proto_peers *peers, const struct proto_peer *peer)
{
	int map = bpf_map__fd(chance->skeleton->maps.chance_peers);
	chance_mac name = name_of(peers->named_mac, peer->id);
	chance_mac mac = number_of(peer->mac.bytes);

	if (mac_is_zero(&peer->mac)) {
		(void)bpf_map_delete_elem(map, &name);
		return 0;
	}
	return bpf_map_update_elem(map, &name, &mac, BPF_ANY);
}

int chance_take(struct chance *chance, const struct addr *balancer, const struct proto_peers *peers)
{
	struct chance_balancer *known = find_balancer(chance, balancer);
	int r = 0;

	if (!peers) {
		if (known)
			forget_balancer(chance, known);
		return 0;
	}
	r = begin_balancer(chance, balancer, peers);
	if (r < 0)
		return r;
	ARRAY_FOREACH (peer, peers->items, peers->n_items) {
		int taken = take_peer(chance, peers, peer);

		r = r < 0 ? r : taken;
	}
	return r;
}

int chance_program(const struct chance *chance)
{
	return bpf_program__fd(chance->skeleton->progs.dsr_chance);
}

uint32_t chance_n_peers(const struct chance *chance)
{
	int map = bpf_map__fd(chance->skeleton->maps.chance_peers);
	chance_mac name, *last = NULL;
	uint32_t n_peers = 0;

	while (n_peers < CHANCE_PEERS && bpf_map_get_next_key(map, last, &name) == 0) {
		last = &name;
		n_peers++;
	}
	return n_peers;
}

void chance_count(const struct chance *chance, uint64_t *ret_taken, uint64_t *ret_passed_on)
{
	*ret_taken = __atomic_load_n(&chance->counts->taken, __ATOMIC_RELAXED);
	*ret_passed_on = __atomic_load_n(&chance->counts->passed_on, __ATOMIC_RELAXED);
}
