/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts and addresses <-> bytes: see wire.h. */
#include "common/proto/wire.h"

void wire_mark_bad(struct wire_parser *parser)
{
	if (!parser->reader.failed)
		parser->bad = true;
}

static void wire_get_text(struct wire_parser *parser, char *ret_text, size_t length, size_t max)
{
	if (length > max) {
		wire_mark_bad(parser);
		length = 0;
	}
	cursor_get(&parser->reader, ret_text, length);
	ret_text[length] = '\0';
	/* An early NUL would hide the rest from every reader of the string. */
	if (strlen(ret_text) != length)
		wire_mark_bad(parser);
}

void wire_get_string(struct wire_parser *parser, char *ret_text, size_t max)
{
	wire_get_text(parser, ret_text, cursor_get_u8(&parser->reader), max);
}

void wire_get_rest(struct wire_parser *parser, char *ret_text, size_t max)
{
	size_t length = cursor_left(&parser->reader);

	wire_get_text(parser, ret_text, length, max);
	if (length == 0)
		wire_mark_bad(parser);
}

void wire_get_addr(struct wire_parser *parser, struct addr *ret_addr)
{
	uint8_t version = cursor_get_u8(&parser->reader);

	*ret_addr = (struct addr){ 0 };
	if (version != 4 && version != 6) {
		wire_mark_bad(parser);
		return;
	}
	ret_addr->family = version == 4 ? AF_INET : AF_INET6;
	cursor_get(&parser->reader, ret_addr->bytes, version == 4 ? 4 : 16);
}

void wire_put_string(struct cursor_writer *writer, const char *text)
{
	size_t length = strlen(text);

	cursor_put_u8(writer, (uint8_t)length);
	cursor_put(writer, text, length);
}

void wire_put_addr(struct cursor_writer *writer, const struct addr *addr)
{
	cursor_put_u8(writer, addr->family == AF_INET ? 4 : 6);
	cursor_put(writer, addr->bytes, addr->family == AF_INET ? 4 : 16);
}

/* Texts end up on terminals and in logs: printable ASCII only, no control sequences. */
bool wire_text_is_valid(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);

	if (length > max)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

/* Own classification: isalnum() depends on the locale. */
static bool wire_is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '.' || c == '-' || c == '_';
}

bool wire_word_is_valid(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);

	if (length == 0 || length > max || text[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!wire_is_word_char(text[i]))
			return false;
	return true;
}

void wire_copy_printable(char *buffer, size_t size_bytes, const char *text)
{
	size_t i;

	for (i = 0; i + 1 < size_bytes && text[i] != '\0'; i++)
		buffer[i] = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?';
	buffer[i] = '\0';
}

bool wire_mac_is_host(const struct mac *mac)
{
	return !mac_is_zero(mac) && !(mac->bytes[0] & 0x01); /* IEEE 802 group bit */
}
