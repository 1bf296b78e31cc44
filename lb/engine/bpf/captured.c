/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See captured.h. */
#include "lb/engine/bpf/captured.h"

#include <bpf/libbpf.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

#include "common/why.h"
#include "lb/engine/bpf/object.h"
#include "lb/engine/capture/capture_ring.h"
#include "lb/fwd/wire.h"

/* Returned to libbpf, so that it takes one record at a time. */
#define ONE_IS_ENOUGH (-ECANCELED)

struct captured_frames {
	struct bpf_capture *program; /* mapped; the program's variable */
	struct ring_buffer *kernel;
	struct capture_ring *threads;
	int epoll_fd; /* readable while either ring is */
	uint64_t lost_before;
	bool has_record;                      /* on_record() found a whole one: */
	bool sent;                            /* it was forwarded, and that is to be told next */
	struct captured record;               /* as it was received */
	uint8_t out_macs[CAPTURE_MACS_BYTES]; /* with which it was sent */
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The frame as it is on the wire, with the tag that the kernel keeps beside it. */
static void rebuild(
	struct captured *captured, const struct bpf_captured *header, const uint8_t *data)
{
	const size_t tag_bytes = header->vlan_proto ? sizeof(struct wire_vlan) : 0;
	const uint8_t tag[] = { (uint8_t)(header->vlan_proto >> 8), (uint8_t)header->vlan_proto,
		(uint8_t)(header->vlan_tci >> 8), (uint8_t)header->vlan_tci };
	size_t rest_bytes = MIN(header->copied_bytes - CAPTURE_MACS_BYTES,
		CAPTURE_FRAME_BYTES - CAPTURE_MACS_BYTES - tag_bytes);

	memcpy(captured->bytes, data, CAPTURE_MACS_BYTES);
	memcpy(captured->bytes + CAPTURE_MACS_BYTES, tag, tag_bytes);
	memcpy(captured->bytes + CAPTURE_MACS_BYTES + tag_bytes, data + CAPTURE_MACS_BYTES,
		rest_bytes);
	captured->size_bytes = (uint32_t)(CAPTURE_MACS_BYTES + tag_bytes + rest_bytes);
}

static int on_record(void *context, void *data, size_t size_bytes)
{
	struct captured_frames *frames = context;
	struct captured *captured = &frames->record;
	struct bpf_captured header;

	if (size_bytes < sizeof(header))
		return 0;
	memcpy(&header, data, sizeof(header));
	if (header.copied_bytes < CAPTURE_MACS_BYTES || header.copied_bytes > CAPTURE_FRAME_BYTES ||
		header.copied_bytes > size_bytes - sizeof(header))
		return 0;
	*captured = (struct captured){
		.time_ns = header.time_ns +
			(uint64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)),
		.length_bytes = header.length_bytes,
		.service = header.service,
		.backend = header.backend,
		.reason = header.reason,
		.how = header.how,
	};
	rebuild(captured, &header, (const uint8_t *)data + sizeof(header));
	frames->sent = header.reason == FWD_REASON_FORWARDED;
	memcpy(frames->out_macs, captured->bytes, CAPTURE_MACS_BYTES);
	memcpy(captured->bytes, header.macs, CAPTURE_MACS_BYTES);
	frames->has_record = true;
	return ONE_IS_ENOUGH;
}

static uint64_t lost_ever(const struct engine *engine)
{
	uint64_t n = 0;

	for (unsigned int cpu = 0; cpu < engine->n_cpus; cpu++)
		n += FWD_LOAD(&engine->totals[cpu].capture_lost);
	return n;
}

static int watch(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? util_negative_errno() : 0;
}

int captured_new(struct engine *engine, struct capture_ring *ring,
	struct captured_frames **ret_frames, struct why *ret_why)
{
	struct captured_frames *frames = calloc(1, sizeof(*frames));
	int r;

	if (!frames)
		return why_errno(ret_why, -ENOMEM, "memory");
	frames->threads = ring;
	frames->program = mmap(NULL, sizeof(*frames->program), PROT_READ | PROT_WRITE, MAP_SHARED,
		object_map_fd(engine, ".bss"), 0);
	frames->kernel =
		ring_buffer__new(object_map_fd(engine, "dsr_captured"), on_record, frames, NULL);
	frames->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = frames->program != MAP_FAILED && frames->kernel && frames->epoll_fd >= 0
		? watch(frames->epoll_fd, ring_buffer__epoll_fd(frames->kernel))
		: util_negative_errno();
	if (r == 0)
		r = watch(frames->epoll_fd, capture_ring_fd(ring));
	if (r < 0) {
		captured_free(frames);
		return why_errno(ret_why, r, "ring of captured frames");
	}
	*ret_frames = frames;
	return 0;
}

struct captured_frames *captured_free(struct captured_frames *frames)
{
	if (!frames)
		return NULL;
	/* The program may outlive us, and nobody reads what it would capture. */
	if (frames->program != MAP_FAILED) {
		FWD_STORE(&frames->program->is_on, 0);
		munmap(frames->program, sizeof(*frames->program));
	}
	ring_buffer__free(frames->kernel);
	util_close(frames->epoll_fd);
	free(frames);
	return NULL;
}

/* Of the kernel's ring. */
static bool take_record(struct captured_frames *frames)
{
	frames->has_record = false;
	(void)ring_buffer__consume(frames->kernel);
	return frames->has_record;
}

int captured_set(struct engine *engine, const struct capture_filter *filter)
{
	struct captured_frames *frames = engine->captured;

	if (filter && !engine->copies_frames)
		return -EOPNOTSUPP;
	FWD_STORE(&frames->program->is_on, 0);
	frames->sent = false;
	while (take_record(frames)) {
	}
	frames->lost_before = lost_ever(engine);
	capture_ring_set(frames->threads, filter);
	if (!filter)
		return 0;
	frames->program->filter = *filter;
	FWD_PUBLISH(&frames->program->is_on, 1);
	return 0;
}

int captured_fd(const struct engine *engine)
{
	return engine->captured->epoll_fd;
}

bool captured_take(struct engine *engine, struct captured *ret_captured)
{
	struct captured_frames *frames = engine->captured;

	if (frames->sent) {
		frames->sent = false;
		*ret_captured = frames->record;
		memcpy(ret_captured->bytes, frames->out_macs, sizeof(frames->out_macs));
		ret_captured->is_out = 1;
		return true;
	}
	if (!take_record(frames))
		return capture_ring_take(frames->threads, ret_captured);
	*ret_captured = frames->record;
	return true;
}

uint64_t captured_lost(const struct engine *engine)
{
	const struct captured_frames *frames = engine->captured;

	return lost_ever(engine) - frames->lost_before + capture_ring_lost(frames->threads);
}
