/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/page/page.h"
#include "common/util.h"

#define HASH_BYTES \
	sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL)

/* As a browser does: over what stands between the tags, which are there exactly once. */
static void policy_allows(
	const char *page, const char *policy, const char *tag, const char *directive)
{
	char begin_tag[32], end_tag[32], hash_text[HASH_BYTES], wanted[128];
	unsigned char hash[crypto_hash_sha256_BYTES];
	const char *begin, *end;

	snprintf(begin_tag, sizeof(begin_tag), "<%s>", tag);
	snprintf(end_tag, sizeof(end_tag), "</%s>", tag);
	begin = strstr(page, begin_tag);
	assert_non_null(begin);
	begin += strlen(begin_tag);
	assert_null(strstr(begin, begin_tag));
	end = strstr(begin, end_tag);
	assert_non_null(end);
	assert_true(end - begin > 1000);
	crypto_hash_sha256(hash, (const unsigned char *)begin, (unsigned long long)(end - begin));
	sodium_bin2base64(
		hash_text, sizeof(hash_text), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
	snprintf(wanted, sizeof(wanted), "%s 'sha256-%s';", directive, hash_text);
	assert_non_null(strstr(policy, wanted));
}

static void policy_knows_script_and_style_by_their_hashes(void **state)
{
	char policy[PAGE_POLICY_BYTES];
	size_t bytes;
	_cleanup_free_ char *page = page_make(policy, &bytes);

	assert_non_null(page);
	assert_int_equal(bytes, strlen(page));
	policy_allows(page, policy, "script", "script-src");
	policy_allows(page, policy, "style", "style-src");
	assert_non_null(strstr(policy, "default-src 'none';"));
	assert_null(strstr(policy, "unsafe"));
	assert_true(strlen(policy) < PAGE_POLICY_BYTES - 1);
}

/* No resource but what is within, nothing that the policy would refuse, and no text as markup. */
static void page_needs_nothing_from_outside(void **state)
{
	static const char *const refused[] = { "src=", "@import", "url(", "style=\"",
		"onclick=", "innerHTML", "insertAdjacentHTML", "document.write", "eval(",
		"/*page." };
	char policy[PAGE_POLICY_BYTES];
	size_t bytes;
	_cleanup_free_ char *page = page_make(policy, &bytes);
	const char *at = page;

	assert_non_null(page);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_null(strstr(page, refused[i]));
	/* The names of XML are the only addresses. */
	while ((at = strstr(at, "//www.")) != NULL) {
		assert_memory_equal(at, "//www.w3.org/2000/svg", strlen("//www.w3.org/2000/svg"));
		at++;
	}
	assert_null(strstr(page, "https:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_knows_script_and_style_by_their_hashes),
		cmocka_unit_test(page_needs_nothing_from_outside),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
