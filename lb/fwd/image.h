/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image: all that is immutable in a snapshot, in one piece of memory without a pointer in it, so
 * that the same bytes serve the packet engine's workers, explain, tests, and the BPF programs (one
 * value of an array map). The look-ups stand here once for all of them; lb/engine/snapshot.c fills it.
 *
 * Tables are open-addressed with linear probing, at most half to three quarters full. An entry lies
 * within IMAGE_PROBES of its place or was refused when the image was filled, so that every look-up
 * is a bounded loop. Keys come from configuration and authenticated backends: packets only ask.
 * Most entries lie at their place: that one is asked for in line, and the rest in a function.
 */
#pragma once

#include "lb/fwd/types.h"

#define IMAGE_PROBES 64u
/* Of members, whose table is the fullest, and asked on rare paths only. */
#define IMAGE_MEMBER_PROBES 512u

/* All powers of two: an index under a mask needs no check, and the verifier sees its range. */
#define IMAGE_VIPS      16384u
#define IMAGE_VIP_SLOTS 32768u
#define IMAGE_RANGES    16384u
/*
 * Bindings may be as many as their table has places: those that find none near their own lie in a second one behind it,
 * where whoever finds neither itself nor a free place in the first looks.
 */
#define IMAGE_BINDINGS      16384u
#define IMAGE_BINDINGS_MORE 4096u
#define IMAGE_BINDINGS_ALL  (IMAGE_BINDINGS + IMAGE_BINDINGS_MORE)
#define IMAGE_BINDINGS_MASK \
	32767u /* changes no index of them; the verifier sees that it is within the image */
#define IMAGE_BINDINGS_MAX FWD_DOORS_MAX          /* exact ports beyond are ranges of one */
#define IMAGE_SERVICES     (FWD_SERVICES_MAX + 1) /* a power of two; place 0 is none */
#define IMAGE_MACS         16384u
#define IMAGE_MEMBERS      131072u
#define IMAGE_ORDERS       65536u
#define IMAGE_IDS          65536u /* of services and backends: FWD_ID_MAX + 1 */

_Static_assert((IMAGE_SERVICES & (IMAGE_SERVICES - 1)) == 0, "an index is masked");

/* Which places an image's tables have in use; for who fills it. */
struct image_lens {
	__u32 vips, ranges, bindings, services, backends, macs, members, orders;
};

struct fwd_image {
	struct fwd_settings settings;
	struct image_lens lens;
	struct fwd_service services[IMAGE_SERVICES]
		__attribute__((__aligned__(64))); /* [0] stands for "none" */
	struct fwd_vip vips[IMAGE_VIPS];          /* by id; [0]: none */
	struct fwd_backend backends[IMAGE_IDS];   /* by id */
	struct fwd_binding bindings[IMAGE_BINDINGS_ALL];
	__u64 macs[IMAGE_MACS];                 /* 0: free; six bytes of MAC, backend id above */
	struct fwd_range ranges[IMAGE_RANGES];  /* [0]: the end of a chain */
	__u32 members[IMAGE_MEMBERS];           /* service << 16 | backend; 0: free */
	__u16 member_loads[IMAGE_MEMBERS];      /* beside it: place among loads, 0: none */
	__u32 members_shut[IMAGE_MEMBERS / 32]; /* a bit for each: takes no new flows of it */
	__u16 orders[IMAGE_ORDERS];             /* backend ids, from fwd_service.order_first on */
	__u16 vip_slots[IMAGE_VIP_SLOTS];       /* ids of VIPs; 0: free */
	__u16 service_at[IMAGE_IDS];            /* by id: place among services; 0: none */
};

_Static_assert(sizeof(struct fwd_service) == 64, "one cache line a service");
_Static_assert(sizeof(struct fwd_binding) == 32, "two to a cache line");
_Static_assert(sizeof(struct fwd_vip) == 32, "two to a cache line");
_Static_assert(sizeof(struct fwd_backend) == 8, "eight to a cache line");
_Static_assert(IMAGE_BINDINGS_MASK >= IMAGE_BINDINGS_ALL - 1 &&
		__builtin_offsetof(struct fwd_image, bindings) +
				(IMAGE_BINDINGS_MASK + 1) * sizeof(struct fwd_binding) <=
			sizeof(struct fwd_image),
	"whatever the mask lets through is within the image");
/* Kernels before 6.0 may refuse larger values of array maps. */
_Static_assert(sizeof(struct fwd_image) <= 4u << 20, "one value of a map");

/*
 * The first place to look for a key of one word: multiplicative hashing (Knuth, TAOCP 3 §6.4), by bits of the
 * middle, which addresses in a row (theirs is network byte order) reach as well as ports do.
 */
FWD_INLINE __u32 image_place(__u64 key, __u32 len)
{
	return (__u32)(key * 0x9e3779b97f4a7c15ull >> 40) & (len - 1);
}

FWD_INLINE __u32 image_vip_place(const struct fwd_addr *address)
{
	__u64 high = (__u64)address->word[0] << 32 | address->word[1];
	__u64 low = (__u64)address->word[2] << 32 | address->word[3];

	return image_place((high ^ high >> 29) * 3 ^ low, IMAGE_VIP_SLOTS);
}

FWD_INLINE int image_addr_equal(const struct fwd_addr *a, const struct fwd_addr *b)
{
	return ((a->word[0] ^ b->word[0]) | (a->word[1] ^ b->word[1]) | (a->word[2] ^ b->word[2]) |
		       (a->word[3] ^ b->word[3])) == 0;
}

/* The id of an address that is not at its place; 0: none. */
FWD_CALL int image_vip_far(
	const struct fwd_image *image, const struct fwd_addr *address, __u32 place)
{
	if (FWD_NEVER(!image || !address))
		return 0;
	for (__u32 i = 1; i < IMAGE_PROBES; i++) {
		__u32 id = image->vip_slots[(place + i) & (IMAGE_VIP_SLOTS - 1)];

		if (!id || image_addr_equal(&image->vips[id & (IMAGE_VIPS - 1)].address, address))
			return (int)id;
	}
	return 0;
}

FWD_INLINE const struct fwd_vip *image_vip(
	const struct fwd_image *image, const struct fwd_addr *address)
{
	__u32 place = image_vip_place(address);
	__u32 id = image->vip_slots[place & (IMAGE_VIP_SLOTS - 1)];
	const struct fwd_vip *vip = &image->vips[id & (IMAGE_VIPS - 1)];

	if (!id)
		return 0;
	if (image_addr_equal(&vip->address, address))
		return vip;
	id = (__u32)image_vip_far(image, address, place);
	return id ? &image->vips[id & (IMAGE_VIPS - 1)] : 0;
}

FWD_INLINE __u64 image_binding_key(const struct fwd_addr *vip, __u32 proto, __be16 port)
{
	__u64 high = (__u64)vip->word[0] << 32 | vip->word[1];
	__u64 low = (__u64)vip->word[2] << 32 | vip->word[3];

	return (high ^ high >> 29) * 3 ^ low ^ (__u64)(proto << 16 | port) << 37;
}

/* Where to look for a binding with this key, the first IMAGE_PROBES in the first table, as many more in the second. */
FWD_INLINE __u32 image_binding_at(__u64 key, __u32 probe)
{
	if (probe < IMAGE_PROBES)
		return (image_place(key, IMAGE_BINDINGS) + probe) & (IMAGE_BINDINGS - 1);
	return IMAGE_BINDINGS +
		((image_place(key ^ key >> 17, IMAGE_BINDINGS_MORE) + probe) &
			(IMAGE_BINDINGS_MORE - 1));
}

FWD_INLINE int image_binding_equal(
	const struct fwd_binding *binding, const struct fwd_addr *vip, __u32 proto, __be16 port)
{
	return binding->port == port && binding->proto == proto &&
		image_addr_equal(&binding->vip, vip);
}

/* The place of a binding that is not at its own; IMAGE_BINDINGS_ALL: there is none. */
FWD_CALL int image_binding_far(
	const struct fwd_image *image, const struct fwd_addr *vip, __u32 proto, __u32 port)
{
	__u64 key;

	if (FWD_NEVER(!image || !vip))
		return IMAGE_BINDINGS_ALL;
	key = image_binding_key(vip, proto, (__be16)port);
	for (__u32 i = 1; i < 2 * IMAGE_PROBES; i++) {
		__u32 at = image_binding_at(key, i);
		const struct fwd_binding *binding = &image->bindings[at & IMAGE_BINDINGS_MASK];

		if (!binding->proto)
			break;
		if (image_binding_equal(binding, vip, proto, (__be16)port))
			return (int)at;
	}
	return IMAGE_BINDINGS_ALL;
}

/* The binding of an exact port; NULL: none, which does not say that nobody serves the port. */
FWD_INLINE const struct fwd_binding *image_binding(
	const struct fwd_image *image, const struct fwd_addr *vip, __u32 proto, __be16 port)
{
	__u32 at = image_binding_at(image_binding_key(vip, proto, port), 0);
	const struct fwd_binding *binding = &image->bindings[at & (IMAGE_BINDINGS - 1)];

	if (image_binding_equal(binding, vip, proto, port))
		return binding;
	if (!binding->proto)
		return 0;
	at = (__u32)image_binding_far(image, vip, proto, port);
	return at < IMAGE_BINDINGS_ALL ? &image->bindings[at & IMAGE_BINDINGS_MASK] : 0;
}

/* The service whose range has the port (host byte order), in a chain of ranges; 0: none. */
FWD_CALL int image_range(const struct fwd_image *image, __u32 first, __u32 port)
{
	__u32 at = first;

	if (FWD_NEVER(!image))
		return 0;
	for (__u32 i = 0; at && i < FWD_RANGES_MAX; i++) {
		const struct fwd_range *range = &image->ranges[at & (IMAGE_RANGES - 1)];

		if (range->first_port <= port && port <= range->last_port)
			return range->service;
		at = range->next;
	}
	return 0;
}

/* The service behind a binding. */
FWD_INLINE const struct fwd_service *image_service_of(
	const struct fwd_image *image, const struct fwd_binding *binding)
{
	return &image->services[binding->at & (IMAGE_SERVICES - 1)];
}

FWD_INLINE const struct fwd_service *image_service(const struct fwd_image *image, __u16 id)
{
	__u32 at = image->service_at[id] & (IMAGE_SERVICES - 1);

	return at ? &image->services[at] : 0;
}

FWD_INLINE const struct fwd_backend *image_backend(const struct fwd_image *image, __u16 id)
{
	const struct fwd_backend *backend = &image->backends[id];

	return backend->flags & FWD_BACKEND_THERE ? backend : 0;
}

/* By which what is for the backend (0: none that is known) goes out. */
FWD_INLINE const struct fwd_link *image_link(const struct fwd_image *image, __u16 backend)
{
	return fwd_link(&image->settings, image->backends[backend].link);
}

/* The longest IP packet that is forwarded to it; of what is for no backend, that no link takes a longer one. */
FWD_INLINE __u32 image_mtu_bytes(const struct fwd_image *image, __u16 backend)
{
	return image->settings.mtus_differ ? image_link(image, backend)->mtu_bytes
					   : image->settings.mtu_bytes;
}

FWD_INLINE __u64 image_mac_key(const void *mac)
{
	const fwd_half *halves = mac;

	return (__u64)halves[0] | (__u64)halves[1] << 16 | (__u64)halves[2] << 32;
}

#define IMAGE_MAC_MASK 0xffffffffffffull

/* The entry of a MAC that is not at its place; 0: none. */
FWD_CALL __u64 image_mac_far(const struct fwd_image *image, __u64 key, __u32 place)
{
	if (FWD_NEVER(!image))
		return 0;
	for (__u32 i = 1; i < IMAGE_PROBES; i++) {
		__u64 entry = image->macs[(place + i) & (IMAGE_MACS - 1)];

		if (!entry || (entry & IMAGE_MAC_MASK) == key)
			return entry;
	}
	return 0;
}

FWD_INLINE struct fwd_mac image_mac(const struct fwd_image *image, const void *mac)
{
	struct fwd_mac found = { .kind = FWD_MAC_UNKNOWN };
	__u64 key = image_mac_key(mac);
	__u32 place = image_place(key, IMAGE_MACS);
	__u64 entry = image->macs[place & (IMAGE_MACS - 1)];

	if (entry && (entry & IMAGE_MAC_MASK) != key)
		entry = image_mac_far(image, key, place);
	if (entry) {
		found.backend = (__u16)(entry >> 48);
		found.kind = found.backend ? FWD_MAC_BACKEND : FWD_MAC_BALANCER;
	}
	return found;
}

/* The place of a pair among members; IMAGE_MEMBERS: it is none. */
FWD_INLINE __u32 image_member(const struct fwd_image *image, __u16 service, __u16 backend)
{
	__u32 key = (__u32)service << 16 | backend;
	__u32 place = image_place(key, IMAGE_MEMBERS);

	for (__u32 i = 0; i < IMAGE_MEMBER_PROBES; i++) {
		__u32 at = (place + i) & (IMAGE_MEMBERS - 1);

		if (image->members[at] == key)
			return at;
		if (!image->members[at])
			break;
	}
	return IMAGE_MEMBERS;
}

FWD_INLINE int image_member_is_shut(const struct fwd_image *image, __u32 at)
{
	return image->members_shut[at / 32 & (IMAGE_MEMBERS / 32 - 1)] >> at % 32 & 1;
}

/* at < service->order_len */
FWD_INLINE __u16 image_order_backend(
	const struct fwd_image *image, const struct fwd_service *service, __u32 at)
{
	return image->orders[(service->order_first + at) & (IMAGE_ORDERS - 1)];
}
