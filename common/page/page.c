/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts page.css and page.js into page.html. They are three files so that each is edited as what it is, and
 * one answer because a browser that asks once for all can be refused once for all.
 */
#include "common/page/page.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"

#define PAGE_HASH_BYTES \
	sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL)

/* A file as a string. The Makefile knows that page.o is older than its files. */
#define PAGE_FILE(name, file) \
	extern const char name[]; \
	__asm__(".section .rodata\n" #name ":\n.incbin \"common/page/" file \
		"\"\n.byte 0\n.previous\n")

PAGE_FILE(page_html, "page.html");
PAGE_FILE(page_css, "page.css");
PAGE_FILE(page_js, "page.js");

/* What stands in page.html where the other two belong. */
static const char page_css_mark[] = "/*page.css*/", page_js_mark[] = "/*page.js*/";

static const char *page_hash(const char *text, char ret_hash[PAGE_HASH_BYTES])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
	return sodium_bin2base64(
		ret_hash, PAGE_HASH_BYTES, hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
}

char *page_make(char ret_policy[PAGE_POLICY_BYTES], size_t *ret_bytes)
{
	const char *css_mark = strstr(page_html, page_css_mark);
	const char *js_mark = strstr(page_html, page_js_mark);
	char css_hash[PAGE_HASH_BYTES], js_hash[PAGE_HASH_BYTES];
	char *page = NULL;
	int len;

	assert(css_mark && js_mark && css_mark < js_mark);
	len = asprintf(&page, "%.*s%s%.*s%s%s", (int)(css_mark - page_html), page_html, page_css,
		(int)(js_mark - css_mark - strlen(page_css_mark)), css_mark + strlen(page_css_mark),
		page_js, js_mark + strlen(page_js_mark));
	if (len < 0)
		return NULL;
	snprintf(ret_policy, PAGE_POLICY_BYTES,
		"default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; img-src data:; "
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
		"require-trusted-types-for 'script'; trusted-types 'none'",
		page_hash(page_js, js_hash), page_hash(page_css, css_hash));
	*ret_bytes = (size_t)len;
	return page;
}
