/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kept memory as mapped files of the runtime directory (contract in store.h), and what other
 * files there need. Called by lb/state/keep.
 */
#pragma once

#include <sys/stat.h>

#include "lb/state/store.h"

extern const struct store keep_file_store;

#define KEEP_FILE_NEW_SUFFIX ".new" /* of files in the making */

/* A regular file that only we can have written: nobody can shorten it under our mapping. */
bool keep_file_is_ours(const struct stat *status);
/* The name of NAME in the making; `ret_name` has KEEP_NAME_BYTES. */
void keep_file_new_name(const char *name, char *ret_name);
/* Gives NAME.new its name, in place of whatever had it. */
int keep_file_commit(const struct store_directory *directory, const char *name);
