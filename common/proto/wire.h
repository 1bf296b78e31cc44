/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the bytes of a message are made of: texts, addresses, and when they are legal. For proto.c and
 * fields.c alone. Pure.
 */
#pragma once

#include "common/addr.h"
#include "common/proto/cursor.h"

#define WIRE_ADDR_BYTES_MAX    (1 + 16u)
#define WIRE_STRING_BYTES(max) (1 + (max))

struct wire_parser {
	struct cursor_reader reader;
	bool bad; /* a value that cannot even be stored; sticky, like reader.failed */
};

/* Zeros read after an overrun are no values: what counts then is the overrun. */
void wire_mark_bad(struct wire_parser *parser);
/* A length byte and so many bytes; `ret_text` has max + 1 bytes. */
void wire_get_string(struct wire_parser *parser, char *ret_text, size_t max);
/* All that is left, 1 to `max` bytes; `ret_text` has max + 1 bytes. */
void wire_get_rest(struct wire_parser *parser, char *ret_text, size_t max);
void wire_get_addr(struct wire_parser *parser, struct addr *ret_addr);
void wire_put_string(struct cursor_writer *writer, const char *text);
void wire_put_addr(struct cursor_writer *writer, const struct addr *addr);

/* Into a text of a message, of at most size_bytes with its end: what is not printable ASCII becomes '?'. */
void wire_copy_printable(char *buffer, size_t size_bytes, const char *text);
/* Up to `max` printable ASCII characters. */
bool wire_text_is_valid(const char *text, size_t max);
/* 1 to `max` letters, digits, '.', '-', '_'; not beginning with '-'. */
bool wire_word_is_valid(const char *text, size_t max);
/* Neither zero nor a group's. */
bool wire_mac_is_host(const struct mac *mac);
