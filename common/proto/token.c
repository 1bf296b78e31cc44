/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "dsr1-" and, in base64url: key ID, name, key, balancers, VIPs as the protocol writes them, and the
 * first bytes of their hash. See token.h.
 */
#include "common/proto/token.h"

#include <sodium.h>

#include "common/proto/cursor.h"
#include "common/proto/wire.h"

#define BALANCER_BYTES_MAX (WIRE_ADDR_BYTES_MAX + 2u)
#define SUM_BYTES          8u
#define BODY_BYTES_MAX \
	(WIRE_STRING_BYTES(PROTO_KEY_ID_MAX) + WIRE_STRING_BYTES(PROTO_NAME_MAX) + \
		AUTH_KEY_BYTES + 1u + TOKEN_BALANCERS_MAX * BALANCER_BYTES_MAX + 1u + \
		PROTO_VIPS_WHOLE * WIRE_ADDR_BYTES_MAX)

static const char prefix[] = "dsr1-";

_Static_assert(sizeof(prefix) - 1 +
			sodium_base64_ENCODED_LEN(BODY_BYTES_MAX + SUM_BYTES,
				sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
		TOKEN_BYTES,
	"the longest token fits");

static void make_sum(const uint8_t *body, size_t size_bytes, uint8_t ret_sum[SUM_BYTES])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];

	crypto_generichash(hash, sizeof(hash), body, size_bytes, NULL, 0);
	memcpy(ret_sum, hash, SUM_BYTES);
}

static bool is_legal(const struct token *token)
{
	if (!proto_key_id_is_valid(token->key.id) || !proto_name_is_valid(token->key.agent) ||
		token->n_balancers == 0 || token->n_balancers > TOKEN_BALANCERS_MAX ||
		token->n_vips == 0 || token->n_vips > PROTO_VIPS_WHOLE)
		return false;
	ARRAY_FOREACH (balancer, token->balancers, token->n_balancers)
		if (!addr_is_unicast(&balancer->addr) || balancer->port == 0)
			return false;
	ARRAY_FOREACH (vip, token->vips, token->n_vips)
		if (!addr_is_unicast(vip))
			return false;
	return true;
}

int token_format(const struct token *token, char ret_text[TOKEN_BYTES])
{
	uint8_t bytes[BODY_BYTES_MAX + SUM_BYTES];
	struct cursor_writer writer = cursor_writer_make(bytes, BODY_BYTES_MAX);
	size_t size;

	if (!is_legal(token))
		return -EINVAL;
	wire_put_string(&writer, token->key.id);
	wire_put_string(&writer, token->key.agent);
	cursor_put(&writer, token->key.secret, AUTH_KEY_BYTES);
	cursor_put_u8(&writer, (uint8_t)token->n_balancers);
	ARRAY_FOREACH (balancer, token->balancers, token->n_balancers) {
		wire_put_addr(&writer, &balancer->addr);
		cursor_put_u16(&writer, balancer->port);
	}
	cursor_put_u8(&writer, (uint8_t)token->n_vips);
	ARRAY_FOREACH (vip, token->vips, token->n_vips)
		wire_put_addr(&writer, vip);
	size = (size_t)(writer.next - bytes);
	make_sum(bytes, size, bytes + size);
	memcpy(ret_text, prefix, sizeof(prefix));
	sodium_bin2base64(ret_text + sizeof(prefix) - 1, TOKEN_BYTES - (sizeof(prefix) - 1), bytes,
		size + SUM_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof(bytes));
	return 0;
}

/* Whether the body is a token to its last byte. */
static bool parse_body(const uint8_t *body, size_t size_bytes, struct token *token)
{
	struct wire_parser parser = { .reader = cursor_reader_make(body, size_bytes) };

	wire_get_string(&parser, token->key.id, PROTO_KEY_ID_MAX);
	wire_get_string(&parser, token->key.agent, PROTO_NAME_MAX);
	cursor_get(&parser.reader, token->key.secret, AUTH_KEY_BYTES);
	token->n_balancers = cursor_get_u8(&parser.reader);
	for (size_t i = 0; i < MIN(token->n_balancers, (size_t)TOKEN_BALANCERS_MAX); i++) {
		wire_get_addr(&parser, &token->balancers[i].addr);
		token->balancers[i].port = cursor_get_u16(&parser.reader);
	}
	token->n_vips = cursor_get_u8(&parser.reader);
	for (size_t i = 0; i < MIN(token->n_vips, (size_t)PROTO_VIPS_WHOLE); i++)
		wire_get_addr(&parser, &token->vips[i]);
	return !parser.bad && !parser.reader.failed && cursor_left(&parser.reader) == 0 &&
		is_legal(token);
}

/* The bytes of the word, their checksum proved and cut off. */
static int decode(const char *text, uint8_t *bytes, size_t *ret_size, struct why *ret_why)
{
	size_t length = strnlen(text, TOKEN_BYTES);
	uint8_t sum[SUM_BYTES];
	size_t size = 0;

	if (strncmp(text, "dsr", 3) != 0 || length < sizeof(prefix) || text[4] != '-')
		return why_fail(ret_why, -EINVAL,
			"it does not begin with %s; a token is the one word that `dsr-lb token "
			"NAME` prints",
			prefix);
	if (text[3] != prefix[3])
		return why_fail(ret_why, -EINVAL,
			"it is a token of another version (dsr%c-); make one with the dsr-lb of this version",
			text[3] >= 0x21 && text[3] <= 0x7e ? text[3] : '?');
	if (length == TOKEN_BYTES ||
		sodium_base642bin(bytes, BODY_BYTES_MAX + SUM_BYTES, text + sizeof(prefix) - 1,
			length - (sizeof(prefix) - 1), NULL, &size, NULL,
			sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
		size <= SUM_BYTES)
		return why_fail(ret_why, -EINVAL,
			"a character is none of a token's, or it is too long; copy the word again, whole");
	size -= SUM_BYTES;
	make_sum(bytes, size, sum);
	if (memcmp(sum, bytes + size, SUM_BYTES) != 0)
		return why_fail(
			ret_why, -EINVAL, "its checksum does not fit; copy the word again, whole");
	*ret_size = size;
	return 0;
}

int token_parse(const char *text, struct token *ret_token, struct why *ret_why)
{
	uint8_t bytes[BODY_BYTES_MAX + SUM_BYTES];
	struct token token = { 0 };
	size_t size = 0;
	int r = decode(text, bytes, &size, ret_why);

	if (r == 0 && !parse_body(bytes, size, &token))
		r = why_fail(ret_why, -EINVAL,
			"what it says is not legal; make another with `dsr-lb token NAME`");
	if (r == 0)
		*ret_token = token;
	sodium_memzero(bytes, sizeof(bytes));
	keyring_key_wipe(&token.key);
	return r;
}
