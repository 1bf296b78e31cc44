/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A captured frame in words: a line for people, a comment for Wireshark. Pure. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#define CAPTURE_LINE_BYTES 512u

/*
 * "12:00:00.123456 in 192.0.2.7:4711 -> 198.51.100.10:80 tcp 74 bytes forward forwarded web1", of a frame as the daemon
 * tells it, with its bytes; the time is UTC.
 */
void capture_line_format(const json_t *frame, const uint8_t *bytes, size_t size_bytes,
	char ret_line[CAPTURE_LINE_BYTES]);
/* "forward: forwarded; backend web1; virtual server web; by flow" */
void capture_comment_format(const json_t *frame, char *ret_comment, size_t room_bytes);
