/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See http_host.h. Called by http.c. */
#include "common/http/http_host.h"

#include <string.h>
#include <strings.h>

#include "common/addr.h"

#define HTTP_HOST_BYTES 256u

/* Cuts ":PORT" off, and the brackets of an IPv6 address. False: it is neither. */
static bool http_host_cut(char *host, const char **ret_name)
{
	char *end;

	if (host[0] == '[') {
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*end = '\0';
		*ret_name = host + 1;
		return true;
	}
	end = strchr(host, ':');
	if (end)
		*end = '\0';
	*ret_name = host;
	return host[0];
}

static bool http_host_is_name(const char *name, const char *hostname)
{
	size_t short_len = strcspn(hostname, ".");

	if (strcasecmp(name, "localhost") == 0)
		return true;
	if (!hostname[0])
		return false;
	return strcasecmp(name, hostname) == 0 ||
		(strlen(name) == short_len && strncasecmp(name, hostname, short_len) == 0);
}

bool http_host_is_ours(const char *host, const char *hostname)
{
	char copy[HTTP_HOST_BYTES];
	const char *name;
	struct addr addr;

	if (!host)
		return true;
	if (strlen(host) >= sizeof(copy))
		return false;
	memcpy(copy, host, strlen(host) + 1);
	if (!http_host_cut(copy, &name))
		return false;
	return addr_parse(name, &addr) == 0 ||
		(host[0] != '[' && http_host_is_name(name, hostname));
}
