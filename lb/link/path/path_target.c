/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_target.h. Called by path_probe.c. */
#include "lb/link/path/path_target.h"

#include "lb/link/path/path_port.h"

/* Silence says nothing for so long after an ICMP error. */
#define ICMP_GAP_US (2 * US_PER_S)

struct probe *path_target_free(struct probe *probe)
{
	if (!probe)
		return NULL;
	free(probe->payload);
	free(probe->expect);
	free(probe);
	return NULL;
}

static int bytes_copy(const struct path_bytes *from, uint8_t **ret_data, size_t *ret_size_bytes)
{
	uint8_t *data = NULL;

	if (from->size_bytes > 0) {
		data = malloc(from->size_bytes);
		if (!data)
			return -ENOMEM;
		memcpy(data, from->data, from->size_bytes);
	}
	*ret_data = data;
	*ret_size_bytes = from->size_bytes;
	return 0;
}

struct probe *path_target_new(const struct path_target *target)
{
	_cleanup_(path_target_freep) struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->service = target->service;
	probe->check = target->check;
	probe->kind = target->kind;
	probe->vip = target->vip;
	probe->port = target->port;
	probe->interval_us = target->interval_us;
	probe->timeout_us = target->timeout_us;
	if (bytes_copy(&target->payload, &probe->payload, &probe->payload_bytes) < 0 ||
		bytes_copy(&target->expect, &probe->expect, &probe->expect_bytes) < 0)
		return NULL;
	return TAKE_PTR(probe);
}

static bool bytes_equal(const struct path_bytes *bytes, const uint8_t *data, size_t size_bytes)
{
	return bytes->size_bytes == size_bytes &&
		(size_bytes == 0 || memcmp(bytes->data, data, size_bytes) == 0);
}

int path_target_compare(const struct probe *probe, const struct path_target *target)
{
	int order = (int)probe->service - (int)target->service;

	return order ? order : (int)probe->check - (int)target->check;
}

bool path_target_is(const struct probe *probe, const struct path_target *target)
{
	return path_target_compare(probe, target) == 0 && probe->kind == target->kind &&
		addr_equal(&probe->vip, &target->vip) && probe->port == target->port &&
		bytes_equal(&target->payload, probe->payload, probe->payload_bytes) &&
		bytes_equal(&target->expect, probe->expect, probe->expect_bytes);
}

int path_target_make(const struct probes_backend *backend, const struct path_target *targets,
	size_t n_targets, struct probe **made)
{
	size_t at = 0;

	for (size_t i = 0; i < n_targets; i++) {
		while (at < backend->len &&
			path_target_compare(backend->probes[at], &targets[i]) < 0)
			at++;
		if (at < backend->len && path_target_is(backend->probes[at], &targets[i]))
			continue;
		made[i] = path_target_new(&targets[i]);
		if (made[i])
			continue;
		while (i-- > 0)
			path_target_free(made[i]);
		return -ENOMEM;
	}
	return 0;
}

bool path_target_is_answered(const struct probe *probe)
{
	return probe->kind != PATH_UDP || probe->expect_bytes > 0;
}

uint16_t path_target_wire_port(const struct probe *probe)
{
	return probe->kind == PATH_ECHO ? (uint16_t)probe->secret : probe->port;
}

/* On the wire. */

/* No two connections to one place on a server may have one port. */
static bool port_is_free(const struct probe *probe, uint16_t own_port)
{
	const struct probes_backend *backend = probe->backend;

	for (size_t i = 0; i < backend->len; i++) {
		const struct probe *other = backend->probes[i];

		if (other->awaiting && other->kind == PATH_HTTP && other->own_port == own_port &&
			other->port == probe->port && addr_equal(&other->vip, &probe->vip))
			return false;
	}
	return true;
}

uint16_t path_target_port(const struct probe *probe, uint16_t first, uint32_t random)
{
	const uint32_t n_ports = PATH_PORTS_TCP - PATH_PORTS_SYN;

	if (probe->kind == PATH_TCP)
		return (uint16_t)(first + random % PATH_PORTS_SYN);
	if (probe->kind == PATH_UDP)
		return (uint16_t)(first + random % PATH_PORTS);
	for (uint32_t i = 0; i < n_ports; i++) {
		uint16_t port = (uint16_t)(first + PATH_PORTS_SYN + (random + i) % n_ports);

		if (port_is_free(probe, port))
			return port;
	}
	return 0;
}

static struct path_frame frame_of(
	const struct probe *probe, const struct mac *from, uint32_t sequence)
{
	return (struct path_frame){
		.kind = probe->kind,
		.from = *from,
		.to = probe->backend->mac,
		.source = probe->own,
		.vip = probe->vip,
		.source_port = probe->own_port,
		.port = path_target_wire_port(probe),
		.sequence = sequence,
	};
}

size_t path_target_build(
	const struct probe *probe, const struct mac *from, uint8_t buffer[PATH_FRAME_MAX_BYTES])
{
	struct path_frame frame = frame_of(probe, from, probe->secret);

	if (probe->kind == PATH_ECHO) {
		frame.payload = probe->echo;
		frame.payload_bytes = PATH_TARGET_ECHO_BYTES;
	} else if (probe->kind == PATH_UDP) {
		frame.payload = probe->payload;
		frame.payload_bytes = probe->payload_bytes;
	}
	return path_frame_build(&frame, buffer);
}

size_t path_target_build_segment(const struct probe *probe, const struct mac *from,
	bool with_request, uint8_t buffer[PATH_FRAME_MAX_BYTES])
{
	struct path_frame frame = frame_of(probe, from, path_request_sequence(&probe->request));

	frame.acknowledged = probe->request.expected;
	if (with_request) {
		frame.payload = probe->payload;
		frame.payload_bytes = probe->payload_bytes;
	}
	return path_frame_build_segment(&frame, buffer);
}

size_t path_target_build_reset(
	const struct probe *probe, const struct mac *from, uint8_t buffer[PATH_FRAME_MAX_BYTES])
{
	const struct path_frame frame =
		frame_of(probe, from, path_request_sequence(&probe->request));

	return path_frame_build_reset(&frame, buffer);
}

enum path_verdict path_target_verdict(const struct probe *probe, const struct path_answer *answer)
{
	switch (answer->kind) {
	case PATH_ANSWER_RESET:
		return PATH_REFUSED;
	case PATH_ANSWER_ERROR:
		if (answer->error == PATH_ERROR_PORT)
			return PATH_PORT_UNREACHABLE;
		return answer->error == PATH_ERROR_PROHIBITED ? PATH_PROHIBITED : PATH_UNREACHABLE;
	case PATH_ANSWER_DATAGRAM:
		if (probe->expect_bytes > 0 &&
			!memmem(answer->payload, answer->payload_bytes, probe->expect,
				probe->expect_bytes))
			return PATH_UNEXPECTED;
		return PATH_OK;
	default:
		return PATH_OK;
	}
}

/*
 * Where nothing is expected silence is well; but not soon after an ICMP error, of which a host sends one a second
 * (icmp(7), icmp_ratelimit): then it says nothing.
 */
enum path_verdict path_target_silence(const struct probe *probe, uint64_t now_us)
{
	if (probe->kind == PATH_HTTP)
		return path_request_verdict(&probe->request);
	if (probe->kind != PATH_UDP || probe->expect_bytes > 0)
		return PATH_NO_ANSWER;
	if (probe->refused_us > 0 && now_us < probe->refused_us + ICMP_GAP_US)
		return PATH_NOT_MADE;
	return PATH_OK;
}
