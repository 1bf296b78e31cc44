/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped files with a header, that appear in a directory whole or not at all and are not trusted
 * when they are found there. Called by lb/keep; knows no meaning of what follows the header.
 */
#pragma once

#include <sys/stat.h>

#include "common/util.h"

#define KEEP_FILE_NAME_BYTES   32u
#define KEEP_FILE_NEW_SUFFIX   ".new" /* of files in the making */
#define KEEP_FILE_HEADER_BYTES 4096u  /* a page, so that what follows is aligned to one */
#define KEEP_FILE_BOOT_BYTES   40u    /* a UUID in text and its end */

struct keep_file_directory {
	int fd;
	char boot[KEEP_FILE_BOOT_BYTES]; /* keep_file_read_boot() */
};

/* In the byte order of the host: the files never leave it. Unused bytes are zero. */
struct keep_file_header {
	uint64_t magic;
	uint32_t layout;
	uint32_t header_bytes;
	uint64_t file_bytes;
	/* Times in the files are of the monotonic clock, which begins anew with each boot. */
	char boot[KEEP_FILE_BOOT_BYTES];
	uint32_t n_flow4; /* flows */
	uint32_t n_flow6;
	uint64_t seed[2];
	uint64_t id; /* rows */
};
_Static_assert(
	sizeof(struct keep_file_header) <= KEEP_FILE_HEADER_BYTES, "header outgrew its page");

/* A mapped file. */
struct keep_file_map {
	struct keep_file_header *header;
	size_t size_bytes;
};

/* The boot id of this kernel. */
void keep_file_read_boot(char ret_boot[KEEP_FILE_BOOT_BYTES]);
/* A regular file that only we can have written: nobody can shorten it under our mapping. */
bool keep_file_is_ours(const struct stat *status);
/* The name of NAME in the making; `ret_name` has KEEP_FILE_NAME_BYTES. */
void keep_file_temporary_name(const char *name, char *ret_name);
/* A header for a file with `body_bytes` behind it; the caller adds its own fields. */
struct keep_file_header keep_file_header_make(
	const struct keep_file_directory *directory, uint64_t magic, size_t body_bytes);
/*
 * Maps NAME. -ENOENT; -EINVAL for a file that is not ours, of another boot or layout, or has another
 * size than its header says. The caller judges its own fields of the header.
 */
int keep_file_open(const struct keep_file_directory *directory, const char *name, uint64_t magic,
	struct keep_file_map *ret_map);
/* Makes NAME.new with all blocks allocated and zero, maps it, and writes the header. */
int keep_file_new(const struct keep_file_directory *directory, const char *name,
	const struct keep_file_header *header, struct keep_file_map *ret_map);
/* Gives NAME.new its name, in place of whatever had it. */
int keep_file_publish(const struct keep_file_directory *directory, const char *name);
void keep_file_unmap(struct keep_file_map *map); /* an empty one, too */
