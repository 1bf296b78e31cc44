/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The token: what is accepted has exactly one form. A checksum keeps a fuzzer out, so every input is also
 * taken for the body of a token, and gets one.
 */
#include "common/proto/token.h"

#include <sodium.h>

#define SUM_BYTES 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *text)
{
	struct token token;
	struct why why = { 0 };
	char again[TOKEN_BYTES];

	if (token_parse(text, &token, &why) < 0) {
		if (why.text[0] == '\0')
			abort();
		return;
	}
	if (token_format(&token, again) < 0 || strcmp(again, text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[TOKEN_BYTES], hash[crypto_generichash_BYTES_MIN];
	char text[2 * TOKEN_BYTES] = "dsr1-";

	if (auth_init() < 0 || size > TOKEN_BYTES - SUM_BYTES)
		return 0;
	memcpy(text + 5, data, size);
	text[5 + size] = '\0';
	parse(text);
	parse(text + 5);
	memcpy(bytes, data, size);
	crypto_generichash(hash, sizeof(hash), data, size, NULL, 0);
	memcpy(bytes + size, hash, SUM_BYTES);
	sodium_bin2base64(text + 5, sizeof(text) - 5, bytes, size + SUM_BYTES,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	parse(text);
	return 0;
}
