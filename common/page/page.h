/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live page, which a daemon's HTTP surface answers `/` with: one document for both daemons, that needs nothing
 * else but their own `/api/v1`. Pure.
 */
#pragma once

#include <stddef.h>

#define PAGE_POLICY_BYTES 512u
#define PAGE_TYPE         "text/html; charset=utf-8"

/*
 * The page, to free, and the Content-Security-Policy that it is to be sent with: nothing runs or is shaped in it but
 * what was built in, which the policy knows by its hash. NULL: no memory.
 */
char *page_make(char ret_policy[PAGE_POLICY_BYTES], size_t *ret_bytes);
