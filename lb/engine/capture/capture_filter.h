/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames are captured, judged where they are: by the packet engine's workers, and by the BPF programs,
 * whose source includes this too. Restricted C, behind lb/fwd/core.h.
 */
#pragma once

#include "lb/engine/capture/capture_types.h"
#include "lb/fwd/frame.h"
#include "lb/fwd/parse.h"
#include "lb/fwd/reason.h"
#include "lb/fwd/types.h"

/* Source and destination of the packet in a frame; 0: it has none. */
FWD_INLINE int capture_addresses(
	struct fwd_context *context, struct fwd_addr *ret_source, struct fwd_addr *ret_destination)
{
	__u32 offset = sizeof(struct wire_ethernet) - sizeof(__be16);
	struct wire_ip4 ip4 = { 0 };
	struct wire_ip6 ip6 = { 0 };
	__be16 type = 0;

	for (__u32 i = 0; i <= PARSE_VLAN_TAGS_MAX; i++) {
		if (!frame_read(context, offset, &type, sizeof(type)))
			return 0;
		offset += sizeof(type);
		if (type != WIRE_16(WIRE_TYPE_VLAN) && type != WIRE_16(WIRE_TYPE_QINQ))
			break;
		offset += sizeof(struct wire_vlan) - sizeof(type);
	}
	if (type == WIRE_16(WIRE_TYPE_IP6)) {
		if (!frame_read(context, offset, &ip6, sizeof(ip6)))
			return 0;
		__builtin_memcpy(ret_source, ip6.source, sizeof(*ret_source));
		__builtin_memcpy(ret_destination, ip6.destination, sizeof(*ret_destination));
		return 1;
	}
	if (type != WIRE_16(WIRE_TYPE_IP4) || !frame_read(context, offset, &ip4, sizeof(ip4)))
		return 0;
	ret_source->word[0] = ret_source->word[1] = 0;
	ret_source->word[2] = WIRE_32(0xffffu);
	ret_source->word[3] = ip4.source;
	ret_destination->word[0] = ret_destination->word[1] = 0;
	ret_destination->word[2] = WIRE_32(0xffffu);
	ret_destination->word[3] = ip4.destination;
	return 1;
}

FWD_INLINE int capture_is_client(const struct capture_filter *filter, const struct fwd_addr *source)
{
	return (((source->word[0] & filter->client_mask.word[0]) ^ filter->client.word[0]) |
		       ((source->word[1] & filter->client_mask.word[1]) ^ filter->client.word[1]) |
		       ((source->word[2] & filter->client_mask.word[2]) ^ filter->client.word[2]) |
		       ((source->word[3] & filter->client_mask.word[3]) ^
			       filter->client.word[3])) == 0;
}

/*
 * What is for no VIP (the host's own traffic) is captured only where its destination is asked for. The frame may
 * be rewritten already: its MACs do not count.
 */
FWD_INLINE int capture_takes(struct fwd_context *context, const struct capture_filter *filter,
	const struct fwd_result *result)
{
	struct fwd_addr source = { 0 }, destination = { 0 };

	if (filter->backend && filter->backend != result->backend)
		return 0;
	if (result->reason == FWD_REASON_NOT_OURS || result->reason == FWD_REASON_NOT_IP ||
		result->reason == FWD_REASON_NOT_VIP) {
		if (!filter->by_vip)
			return 0;
	}
	if (!filter->by_client && !filter->by_vip)
		return 1;
	if (!capture_addresses(context, &source, &destination))
		return 0;
	if (filter->by_client && !capture_is_client(filter, &source))
		return 0;
	return !filter->by_vip ||
		((destination.word[0] ^ filter->vip.word[0]) |
			(destination.word[1] ^ filter->vip.word[1]) |
			(destination.word[2] ^ filter->vip.word[2]) |
			(destination.word[3] ^ filter->vip.word[3])) == 0;
}
