/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet socket of one family that sends probes, and hears what comes to their ports and their echo
 * identifier alone: a filter in the kernel keeps clients' frames from waking anybody. Frames go and come in
 * batches.
 */
#pragma once

#include "lb/link/path/path_frame.h"

#define PATH_SOCKET_BATCH       64u
#define PATH_SOCKET_FRAME_BYTES 2048u /* of what is heard; more is cut off */
/* Resets to whom no probe waits for. A lost reset has the server answer some times more, and that is seldom. */
#define PATH_SOCKET_STRANGERS_PER_S 250u

struct path_socket;

struct path_socket_config {
	sa_family_t family;
	unsigned int ifindex;
	uint16_t first_port; /* of PATH_PORTS */
	uint16_t echo_id;
};
/* 0 or negative errno. */
int path_socket_open(const struct path_socket_config *config, struct path_socket **ret_socket);
struct path_socket *path_socket_free(struct path_socket *socket);
DEFINE_CLEANUP(struct path_socket *, path_socket_free)
int path_socket_fd(const struct path_socket *socket);

/* Room for one more frame; `tag` is told with its failure. Sends what waits first where there is none. */
uint8_t *path_socket_next(struct path_socket *socket, void *tag);
/* The frame that path_socket_next() gave room for has so many bytes. */
void path_socket_add(struct path_socket *socket, size_t size_bytes);
/* A frame was not sent, for a want of this host's; called from within path_socket_next() and _flush(). */
typedef void path_socket_failed_fn(void *tag, int error, void *context);
void path_socket_on_failed(struct path_socket *socket, path_socket_failed_fn *fn, void *context);
void path_socket_flush(struct path_socket *socket);

/*
 * Resets what a SYN-ACK or its repetition is of, as a client's kernel would: nothing stays half open on the server.
 * `strange_us`: no probe waits for it, at this CLOCK_MONOTONIC; no more than PATH_SOCKET_STRANGERS_PER_S. 0: one does.
 */
void path_socket_reset(struct path_socket *socket, const struct mac *own,
	const struct path_answer *answer, uint64_t strange_us);

/*
 * Reads frames, up to PATH_SOCKET_BATCH, and has each parsed; returns how many were read. -ENETDOWN: the interface
 * went down, and what was sent may be lost; another negative errno. 0: there is nothing to read.
 */
typedef void path_socket_answer_fn(const struct path_answer *answer, void *context);
int path_socket_read(struct path_socket *socket, path_socket_answer_fn *fn, void *context);
/* Frames were lost since the last call, because nobody read. */
bool path_socket_has_lost(struct path_socket *socket);
