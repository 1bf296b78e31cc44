/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line split into words as systemd splits ExecStart=: blanks part them, quotes and backslashes join. Pure. */
#pragma once

#include "common/util.h"
#include "common/why.h"

#define CHECK_WORDS_MAX 64u

/*
 * The words of `text` as a vector that ends with NULL, which the caller frees with check_words_free(). No
 * shell is asked: an operator of the shell that is not quoted is refused, since it would do nothing.
 * -EINVAL with `*ret_why`; -ENOMEM.
 */
int check_words_split(const char *text, char ***ret_words, struct why *ret_why);
char **check_words_free(char **words);
DEFINE_CLEANUP(char **, check_words_free)
