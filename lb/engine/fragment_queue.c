/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Held frames are in two lists: that of all by age, doubly linked, and the chain of their bucket,
 * newest last. Buckets are as many as frames may be, so chains are short whatever is held.
 */
#include "lb/engine/fragment_queue.h"

#include <pthread.h>

#include "lb/fwd/hash.h"

struct bucket {
	struct fragment_queue_frame *first;
	struct fragment_queue_frame *
		*end; /* where the next goes; NULL: as long as there was none */
};

struct fragment_queue {
	pthread_mutex_t mutex;
	__u64 seed[2];
	struct fragment_queue_frame *oldest, *newest;
	size_t n_frames;
	size_t n_bytes;
	uint64_t n_released;
	uint64_t n_expired;
	struct bucket buckets[FRAGMENT_QUEUE_FRAMES_MAX];
};

int fragment_queue_new(const __u64 seed[2], struct fragment_queue **ret_queue)
{
	struct fragment_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	memcpy(queue->seed, seed, sizeof(queue->seed));
	pthread_mutex_init(&queue->mutex, NULL);
	*ret_queue = queue;
	return 0;
}

struct fragment_queue_frame *fragment_queue_frames_free(struct fragment_queue_frame *frames)
{
	while (frames) {
		struct fragment_queue_frame *next = frames->next;

		free(frames);
		frames = next;
	}
	return NULL;
}

struct fragment_queue *fragment_queue_free(struct fragment_queue *queue)
{
	if (!queue)
		return NULL;
	while (queue->oldest) {
		struct fragment_queue_frame *newer = queue->oldest->newer;

		free(queue->oldest);
		queue->oldest = newer;
	}
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
	return NULL;
}

static struct fragment_queue_frame *fragment_queue_frame_copy(
	const struct fwd_fragment_key *datagram, const struct virtio_net_hdr *vnet,
	const uint8_t *data, uint32_t size_bytes, uint64_t now_ms)
{
	struct fragment_queue_frame *frame = malloc(sizeof(*frame) + sizeof(*vnet) + size_bytes);

	if (!frame)
		return NULL;
	*frame = (struct fragment_queue_frame){
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

static struct bucket *fragment_queue_bucket(
	struct fragment_queue *queue, const struct fwd_fragment_key *datagram)
{
	uint64_t hash = hash_addr(queue->seed, &datagram->source, datagram->id);

	hash = hash_addr(queue->seed, &datagram->vip, hash ^ datagram->proto);
	return &queue->buckets[hash_reduce(hash, FRAGMENT_QUEUE_FRAMES_MAX)];
}

/* Takes `*link`, a frame in the chain of this bucket, out of both lists. */
static struct fragment_queue_frame *fragment_queue_unlink(
	struct fragment_queue *queue, struct bucket *bucket, struct fragment_queue_frame **link)
{
	struct fragment_queue_frame *frame = *link;

	*link = frame->next;
	if (bucket->end == &frame->next)
		bucket->end = link;
	*(frame->older ? &frame->older->newer : &queue->oldest) = frame->newer;
	*(frame->newer ? &frame->newer->older : &queue->newest) = frame->older;
	frame->next = frame->older = frame->newer = NULL;
	queue->n_frames--;
	queue->n_bytes -= frame->size_bytes;
	return frame;
}

static struct fragment_queue_frame *fragment_queue_unlink_oldest(struct fragment_queue *queue)
{
	struct bucket *bucket = fragment_queue_bucket(queue, &queue->oldest->datagram);
	struct fragment_queue_frame **link = &bucket->first;

	while (*link != queue->oldest)
		link = &(*link)->next;
	queue->n_expired++;
	return fragment_queue_unlink(queue, bucket, link);
}

static void fragment_queue_link(struct fragment_queue *queue, struct fragment_queue_frame *frame)
{
	struct bucket *bucket = fragment_queue_bucket(queue, &frame->datagram);

	*(bucket->end ? bucket->end : &bucket->first) = frame;
	bucket->end = &frame->next;
	frame->older = queue->newest;
	*(queue->newest ? &queue->newest->newer : &queue->oldest) = frame;
	queue->newest = frame;
	queue->n_frames++;
	queue->n_bytes += frame->size_bytes;
}

int fragment_queue_add(struct fragment_queue *queue, const struct fwd_fragment_key *datagram,
	const struct virtio_net_hdr *vnet, const uint8_t *data, uint32_t size_bytes,
	uint64_t now_ms, struct fragment_queue_frame **ret_expired)
{
	struct fragment_queue_frame *expired = NULL, **end = &expired;
	struct fragment_queue_frame *frame;

	if (size_bytes > FRAGMENT_QUEUE_BYTES_MAX)
		return -EMSGSIZE;
	frame = fragment_queue_frame_copy(datagram, vnet, data, size_bytes, now_ms);
	if (!frame)
		return -ENOMEM;
	pthread_mutex_lock(&queue->mutex);
	while (queue->n_frames == FRAGMENT_QUEUE_FRAMES_MAX ||
		queue->n_bytes + size_bytes > FRAGMENT_QUEUE_BYTES_MAX) {
		*end = fragment_queue_unlink_oldest(queue);
		end = &(*end)->next;
	}
	fragment_queue_link(queue, frame);
	pthread_mutex_unlock(&queue->mutex);
	*ret_expired = expired;
	return 0;
}

bool fragment_queue_holds(struct fragment_queue *queue, const struct fwd_fragment_key *datagram)
{
	const struct fragment_queue_frame *frame;

	pthread_mutex_lock(&queue->mutex);
	frame = fragment_queue_bucket(queue, datagram)->first;
	while (frame && memcmp(&frame->datagram, datagram, sizeof(*datagram)) != 0)
		frame = frame->next;
	pthread_mutex_unlock(&queue->mutex);
	return frame;
}

struct fragment_queue_frame *fragment_queue_take(
	struct fragment_queue *queue, const struct fwd_fragment_key *datagram)
{
	struct fragment_queue_frame *taken = NULL, **end = &taken;
	struct fragment_queue_frame **link;
	struct bucket *bucket;

	pthread_mutex_lock(&queue->mutex);
	bucket = fragment_queue_bucket(queue, datagram);
	link = &bucket->first;
	while (*link) {
		if (memcmp(&(*link)->datagram, datagram, sizeof(*datagram)) != 0) {
			link = &(*link)->next;
			continue;
		}
		*end = fragment_queue_unlink(queue, bucket, link);
		end = &(*end)->next;
		queue->n_released++;
	}
	pthread_mutex_unlock(&queue->mutex);
	return taken;
}

struct fragment_queue_frame *fragment_queue_take_expired(
	struct fragment_queue *queue, uint64_t now_ms)
{
	struct fragment_queue_frame *taken = NULL, **end = &taken;

	pthread_mutex_lock(&queue->mutex);
	/* Another worker's clock may be a moment ahead: such a frame is new. */
	while (queue->oldest && now_ms >= queue->oldest->arrived_ms &&
		now_ms - queue->oldest->arrived_ms >= FRAGMENT_QUEUE_TIME_MS) {
		*end = fragment_queue_unlink_oldest(queue);
		end = &(*end)->next;
	}
	pthread_mutex_unlock(&queue->mutex);
	return taken;
}

void fragment_queue_count(struct fragment_queue *queue, struct fragment_queue_counts *ret_counts)
{
	pthread_mutex_lock(&queue->mutex);
	*ret_counts = (struct fragment_queue_counts){ queue->n_frames, queue->n_released,
		queue->n_expired };
	pthread_mutex_unlock(&queue->mutex);
}
