/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of memory with a header and a name, that outlive the process: the contract of what holds
 * them (lb/state/keep_file: files of a directory; lb/state/keep_map: array maps of the kernel), and what both
 * have in common. A piece appears whole or not at all, and is not trusted when it is found. Called
 * by lb/state/keep; knows no meaning of what follows the header.
 */
#pragma once

#include "common/util.h"
#include "lb/state/keep_layout.h"

struct keep_map_found;

/* The runtime directory, with what keep_map_start() adds. */
struct store_directory {
	int fd;
	uint64_t home; /* who we are to maps that no name leads to: random, kept in the directory */
	char boot[KEEP_BOOT_BYTES]; /* keep_boot() of keep.h */
	int pins_fd;                /* the directory of pins, or -1 */
	struct keep_map_found
		*found; /* maps that were there at the start, where nothing is pinned */
	size_t n_found;
};

/* A mapped piece; one without header is empty, and its other fields say nothing. */
struct store_memory {
	struct keep_header *header;
	size_t size_bytes;
	int map_fd;     /* -1: a file */
	uint64_t magic; /* of a map: what its header has once it is committed */
};

typedef void store_name_fn(const char *name, void *context);

struct store {
	/*
	 * Maps NAME. -ENOENT; -EINVAL for one that is not ours, of another boot or layout, or has
	 * another size than its header says. The caller judges its own fields of the header.
	 */
	int (*open)(const struct store_directory *directory, const char *name, uint64_t magic,
		struct store_memory *ret_memory);
	/* Makes what the header describes, all of it allocated and zero, not to be found yet. */
	int (*new)(const struct store_directory *directory, const struct keep_header *header,
		struct store_memory *ret_memory);
	/* Lets it be found by its name, in place of whatever had that. */
	int (*commit)(const struct store_directory *directory, const struct store_memory *memory);
	/* Lets it be found no more; who has it mapped (we: `memory`, else NULL) keeps it so. */
	void (*remove)(const struct store_directory *directory, const char *name,
		const struct store_memory *memory);
	/* Calls back for each name, which may be removed meanwhile. */
	int (*each)(const struct store_directory *directory, store_name_fn *fn, void *context);
};

/* A header for NAME with `body_bytes` behind it; the caller adds its own fields. */
struct keep_header store_header_make(const struct store_directory *directory, uint64_t magic,
	const char *name, size_t body_bytes);
/* Whether it can be the header of a piece of `size_bytes`. */
bool store_header_fits(const struct keep_header *header, const struct store_directory *directory,
	uint64_t magic, size_t size_bytes);
/* Maps the file or map behind `fd`, which stays the caller's; `map_fd` is -1. */
int store_memory_map(int fd, size_t size_bytes, struct store_memory *ret_memory);
void store_memory_unmap(struct store_memory *memory); /* an empty one, too */
/* NAME and a suffix; `ret_name` has KEEP_NAME_BYTES. */
void store_name_with(const char *name, const char *suffix, char *ret_name);
/* Calls back for each name in the directory `fd`, which stays open. */
int store_each_name(int fd, store_name_fn *fn, void *context);
/* rename() in the directory `fd`, also in place of an empty directory. */
int store_rename(int fd, const char *from, const char *to);
