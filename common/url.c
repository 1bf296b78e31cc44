/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See url.h. Called by the configuration of both programs. */
#include "common/url.h"

#include <ctype.h>
#include <strings.h>

#define URL_PREFIX "http://"
#define URL_HINT   "write http://HOST[:PORT]/PATH"

static bool url_host_is_good(const char *host, size_t len)
{
	if (len == 0)
		return false;
	if (host[0] == '[')
		return len > 2 && host[len - 1] == ']' &&
			strspn(host + 1, "0123456789abcdefABCDEF:.") == len - 2;
	for (size_t idx = 0; idx < len; idx++) {
		if (!isalnum((unsigned char)host[idx]) && !strchr("-._", host[idx]))
			return false;
	}
	return true;
}

static bool url_parse_port(const char *text, uint16_t *ret_port, const char **ret_rest)
{
	uint32_t port = 0;

	for (; isdigit((unsigned char)*text) && port <= UINT16_MAX; text++)
		port = port * 10 + (uint32_t)(*text - '0');
	if (port == 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	*ret_rest = text;
	return true;
}

int url_parse(const char *text, struct url *ret_url, struct why *ret_why)
{
	bool is_http = strncasecmp(text, URL_PREFIX, strlen(URL_PREFIX)) == 0;
	const char *host = is_http ? text + strlen(URL_PREFIX) : text;
	size_t len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":/");
	const char *rest = host + len;
	uint16_t port = 0;

	if (*rest == ']') {
		rest++;
		len++;
	}
	if (!is_http || !url_host_is_good(host, len))
		return why_fail(ret_why, -EINVAL, "\"%.64s\" names no host; " URL_HINT, text);
	if (*rest == ':' && !url_parse_port(rest + 1, &port, &rest))
		return why_fail(ret_why, -EINVAL, "\"%.64s\" has no good port; " URL_HINT, text);
	if (*rest != '/')
		return why_fail(ret_why, -EINVAL, "\"%.64s\" has no path; " URL_HINT, text);
	for (const char *at = rest; *at; at++) {
		if (*at <= ' ' || *at >= 0x7f || *at == '#')
			return why_fail(ret_why, -EINVAL,
				"\"%.64s\" is no URL: write other bytes than printable ASCII "
				"as %%XX, and no fragment",
				text);
	}
	*ret_url = (struct url){ host, (size_t)(rest - host), rest, port };
	return 0;
}
