/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DIR/owned.json: what the agent changed on this host, kept over crashes. Written by rename, and synced before, so
 * that a reader meets the old state or the new one, also after a power cut where the directory is on a disk: a file
 * that is damaged keeps an agent from starting. A file of another boot or another
 * network namespace says nothing about this host and is ignored.
 */
#pragma once

#include "agent/host/host.h"

#define UNDO_LOG_FILE_NAME      "owned.json"
#define UNDO_LOG_IDENTITY_BYTES 64u
#define UNDO_LOG_FILE_MAX_BYTES (4u << 20)

/* Boot and network namespace of the caller as text. 0 or negative errno. */
int undo_log_identity(char ret_identity[UNDO_LOG_IDENTITY_BYTES]);
/*
 * Reads the file of this identity into `ret_undo`; without one, or with one of another identity,
 * it becomes empty; to be cleared by the caller. 0; -EBADMSG: damaged (written by nobody of ours); another negative errno.
 */
int undo_log_load(const char *directory, const char *identity, struct host_undo *ret_undo);
/* 0 or negative errno; on an error the old file stands. */
int undo_log_store(const char *directory, const char *identity, const struct host_undo *undo);
/* Removes the file; 0 also when there is none. */
int undo_log_remove(const char *directory);
/* The same on text in memory, for the fuzzer. */
int undo_log_parse(
	const char *text, size_t size_bytes, const char *identity, struct host_undo *ret_undo);
