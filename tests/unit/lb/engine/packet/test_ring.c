/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pure parts of lb/ring: sizes, putting VLAN tags back, lengths of segments. */
#include "lb/engine/packet/ring.h"

#include <linux/if_ether.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FRAME_BYTES 256u
#define GSO_UDP_L4  5u /* VIRTIO_NET_HDR_GSO_UDP_L4 of Linux 6.2; older headers lack it */

/* As in a ring frame: room for a tag, vnet header, frame. */
struct buffer {
	uint8_t room[RING_VLAN_BYTES];
	struct virtio_net_hdr vnet;
	uint8_t data[FRAME_BYTES];
};

static struct ring_frame frame_make(struct buffer *buffer, uint16_t type)
{
	struct ring_frame frame = { &buffer->vnet, buffer->data, FRAME_BYTES, 0 };

	memset(buffer, 0, sizeof(*buffer));
	for (uint32_t idx = 0; idx < FRAME_BYTES; idx++)
		buffer->data[idx] = (uint8_t)idx;
	buffer->data[12] = (uint8_t)(type >> 8);
	buffer->data[13] = (uint8_t)type;
	return frame;
}

static void ring_frame_holds_mtu_and_headers(void **state)
{
	static const struct {
		uint32_t mtu_bytes;
		uint32_t frame_bytes;
	} cases[] = {
		{ 68, 2048 }, { 1500, 2048 }, { 2048 - RING_HEADROOM_BYTES - 18, 2048 },
		{ 2048 - RING_HEADROOM_BYTES - 17, 4096 }, { 9000, 16384 },
		{ 16384 - RING_HEADROOM_BYTES - 18, 16384 },
		{ 65535, 16384 }, /* longer ones come through the socket's queue */
	};

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases))
		assert_int_equal(ring_frame_bytes(test->mtu_bytes), test->frame_bytes);
}

static void ring_puts_tag_between_addresses_and_type(void **state)
{
	struct buffer buffer, before;
	struct ring_frame frame = frame_make(&buffer, ETH_P_IP);

	before = buffer;
	ring_insert_vlan(&frame, ETH_P_8021Q, 0xe123);
	assert_int_equal(frame.size_bytes, FRAME_BYTES + RING_VLAN_BYTES);
	assert_ptr_equal((uint8_t *)frame.vnet + sizeof(*frame.vnet), frame.data);
	assert_true((uint8_t *)frame.vnet == buffer.room);
	assert_memory_equal(frame.data, before.data, 12);
	assert_memory_equal(frame.data + 12, "\x81\x00\xe1\x23", 4);
	assert_memory_equal(frame.data + 16, before.data + 12, FRAME_BYTES - 12);
}

static void ring_keeps_the_tag_protocol(void **state)
{
	struct buffer buffer;
	struct ring_frame frame = frame_make(&buffer, ETH_P_8021Q);

	ring_insert_vlan(&frame, ETH_P_8021AD, 5);
	assert_memory_equal(frame.data + 12, "\x88\xa8\x00\x05\x81\x00", 6);
}

static void ring_moves_offsets_of_unfinished_checksum(void **state)
{
	struct buffer buffer;
	struct ring_frame frame = frame_make(&buffer, ETH_P_IP);

	buffer.vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 66,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
	ring_insert_vlan(&frame, ETH_P_8021Q, 1);
	assert_int_equal(frame.vnet->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(frame.vnet->gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(frame.vnet->hdr_len, 70);
	assert_int_equal(frame.vnet->gso_size, 1448);
	assert_int_equal(frame.vnet->csum_start, 38);
	assert_int_equal(frame.vnet->csum_offset, 16);
}

static void ring_leaves_finished_checksum_alone(void **state)
{
	struct buffer buffer;
	struct ring_frame frame = frame_make(&buffer, ETH_P_IP);

	buffer.vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	ring_insert_vlan(&frame, ETH_P_8021Q, 1);
	assert_int_equal(frame.vnet->flags, VIRTIO_NET_HDR_F_DATA_VALID);
	assert_int_equal(frame.vnet->hdr_len, 0);
	assert_int_equal(frame.vnet->csum_start, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_frame_holds_mtu_and_headers),
		cmocka_unit_test(ring_puts_tag_between_addresses_and_type),
		cmocka_unit_test(ring_keeps_the_tag_protocol),
		cmocka_unit_test(ring_moves_offsets_of_unfinished_checksum),
		cmocka_unit_test(ring_leaves_finished_checksum_alone),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
