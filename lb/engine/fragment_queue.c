/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Held frames are in two lists: that of all by age, doubly linked, and the chain of their bucket,
 * newest last. Buckets are as many as frames may be, so chains are short whatever is held.
 */
#include "lb/engine/fragment_queue.h"

#include <pthread.h>

#include "lb/fwd/hash.h"

struct bucket {
	struct hold_frame *first;
};

struct hold {
	pthread_mutex_t mutex;
	__u64 seed[2];
	struct hold_frame *oldest, *newest;
	size_t n_frames;
	size_t n_bytes;
	uint64_t n_released;
	uint64_t n_expired;
	struct bucket buckets[HOLD_FRAMES_MAX];
};

int hold_new(const __u64 seed[2], struct hold **ret_hold)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	if (!hold)
		return -ENOMEM;
	memcpy(hold->seed, seed, sizeof(hold->seed));
	pthread_mutex_init(&hold->mutex, NULL);
	*ret_hold = hold;
	return 0;
}

struct hold_frame *hold_frames_free(struct hold_frame *frames)
{
	while (frames) {
		struct hold_frame *next = frames->next;

		free(frames);
		frames = next;
	}
	return NULL;
}

struct hold *hold_free(struct hold *hold)
{
	if (!hold)
		return NULL;
	while (hold->oldest) {
		struct hold_frame *newer = hold->oldest->newer;

		free(hold->oldest);
		hold->oldest = newer;
	}
	pthread_mutex_destroy(&hold->mutex);
	free(hold);
	return NULL;
}

static struct hold_frame *hold_frame_copy(const struct fwd_fragment_key *datagram,
	const struct virtio_net_hdr *vnet, const uint8_t *data, uint32_t size_bytes,
	uint64_t now_ms)
{
	struct hold_frame *frame = malloc(sizeof(*frame) + sizeof(*vnet) + size_bytes);

	if (!frame)
		return NULL;
	*frame = (struct hold_frame){
		.datagram = *datagram,
		.arrived_ms = now_ms,
		.size_bytes = size_bytes,
	};
	frame->vnet = (struct virtio_net_hdr *)(frame + 1);
	frame->data = (uint8_t *)(frame->vnet + 1);
	memcpy(frame->vnet, vnet, sizeof(*vnet));
	memcpy(frame->data, data, size_bytes);
	return frame;
}

static struct bucket *hold_bucket(struct hold *hold, const struct fwd_fragment_key *datagram)
{
	uint64_t hash = hash_addr(hold->seed, &datagram->source, datagram->id);

	hash = hash_addr(hold->seed, &datagram->vip, hash ^ datagram->proto);
	return &hold->buckets[hash_reduce(hash, HOLD_FRAMES_MAX)];
}

/* Takes `*link`, a frame in the chain of its bucket, out of both lists. */
static struct hold_frame *hold_unlink(struct hold *hold, struct hold_frame **link)
{
	struct hold_frame *frame = *link;

	*link = frame->next;
	*(frame->older ? &frame->older->newer : &hold->oldest) = frame->newer;
	*(frame->newer ? &frame->newer->older : &hold->newest) = frame->older;
	frame->next = frame->older = frame->newer = NULL;
	hold->n_frames--;
	hold->n_bytes -= frame->size_bytes;
	return frame;
}

static struct hold_frame *hold_unlink_oldest(struct hold *hold)
{
	struct hold_frame **link = &hold_bucket(hold, &hold->oldest->datagram)->first;

	while (*link != hold->oldest)
		link = &(*link)->next;
	hold->n_expired++;
	return hold_unlink(hold, link);
}

static void hold_link(struct hold *hold, struct hold_frame *frame)
{
	struct hold_frame **link = &hold_bucket(hold, &frame->datagram)->first;

	while (*link)
		link = &(*link)->next;
	*link = frame;
	frame->older = hold->newest;
	*(hold->newest ? &hold->newest->newer : &hold->oldest) = frame;
	hold->newest = frame;
	hold->n_frames++;
	hold->n_bytes += frame->size_bytes;
}

int hold_add(struct hold *hold, const struct fwd_fragment_key *datagram,
	const struct virtio_net_hdr *vnet, const uint8_t *data, uint32_t size_bytes,
	uint64_t now_ms, struct hold_frame **ret_expired)
{
	struct hold_frame *expired = NULL, **end = &expired;
	struct hold_frame *frame;

	if (size_bytes > HOLD_BYTES_MAX)
		return -EMSGSIZE;
	frame = hold_frame_copy(datagram, vnet, data, size_bytes, now_ms);
	if (!frame)
		return -ENOMEM;
	pthread_mutex_lock(&hold->mutex);
	while (hold->n_frames == HOLD_FRAMES_MAX || hold->n_bytes + size_bytes > HOLD_BYTES_MAX) {
		*end = hold_unlink_oldest(hold);
		end = &(*end)->next;
	}
	hold_link(hold, frame);
	pthread_mutex_unlock(&hold->mutex);
	*ret_expired = expired;
	return 0;
}

struct hold_frame *hold_take(struct hold *hold, const struct fwd_fragment_key *datagram)
{
	struct hold_frame *taken = NULL, **end = &taken;
	struct hold_frame **link;

	pthread_mutex_lock(&hold->mutex);
	link = &hold_bucket(hold, datagram)->first;
	while (*link) {
		if (memcmp(&(*link)->datagram, datagram, sizeof(*datagram)) != 0) {
			link = &(*link)->next;
			continue;
		}
		*end = hold_unlink(hold, link);
		end = &(*end)->next;
		hold->n_released++;
	}
	pthread_mutex_unlock(&hold->mutex);
	return taken;
}

struct hold_frame *hold_take_expired(struct hold *hold, uint64_t now_ms)
{
	struct hold_frame *taken = NULL, **end = &taken;

	pthread_mutex_lock(&hold->mutex);
	/* Another worker's clock may be a moment ahead: such a frame is new. */
	while (hold->oldest && now_ms >= hold->oldest->arrived_ms &&
		now_ms - hold->oldest->arrived_ms >= HOLD_TIME_MS) {
		*end = hold_unlink_oldest(hold);
		end = &(*end)->next;
	}
	pthread_mutex_unlock(&hold->mutex);
	return taken;
}

void hold_count(struct hold *hold, struct hold_counts *ret_counts)
{
	pthread_mutex_lock(&hold->mutex);
	*ret_counts = (struct hold_counts){ hold->n_frames, hold->n_released, hold->n_expired };
	pthread_mutex_unlock(&hold->mutex);
}
