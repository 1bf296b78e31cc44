/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which boot of the host this is: what was kept by another one (times of its monotonic clock, what it
 * changed in the kernel) says nothing about this one.
 */
#pragma once

#define BOOT_ID_BYTES 37u /* a UUID as text, and its end */

/*
 * 0 or negative errno: where /proc/sys is hidden (ProcSubset=pid) nobody knows, and nothing that is kept may
 * be believed. `ret_text` is "" then.
 */
int boot_id_read(char ret_text[BOOT_ID_BYTES]);
