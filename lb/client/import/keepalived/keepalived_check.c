/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How keepalived asks real servers, in the words of `check`: see keepalived_check.h. */
#include "lb/client/import/keepalived/keepalived_check.h"

#include <strings.h>

#include "common/url.h"

void keepalived_note(struct farm *farm, const struct keepalived_node *node, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_(text_clearp) struct text words = { 0 };
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0) {
		text = NULL;
		farm->failed = true;
		return;
	}
	for (size_t i = 0; i < node->n_words && words.size_bytes < 100; i++)
		text_format(&words, "%s%s", i ? " " : "", node->words[i]);
	if (node->place.file > 0)
		farm_note(farm, node->place.line, "%s (line %u of an included file): %s",
			words.data ? words.data : "", node->place.file_line, text);
	else
		farm_note(farm, node->place.line, "%s: %s", words.data ? words.data : "", text);
}

const char *keepalived_argument(const struct keepalived_node *node)
{
	return node->n_words > 1 ? node->words[1] : "";
}

bool keepalived_milliseconds(const char *text, uint64_t *ret_ms)
{
	uint64_t ms = 0, digit_ms = 1000;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && ms < UINT32_MAX; at++)
		ms = ms * 10 + (uint64_t)(*at - '0') * 1000;
	if (at == text)
		return false;
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9'; at++) {
			digit_ms /= 10;
			ms += (uint64_t)(*at - '0') * digit_ms;
		}
	*ret_ms = ms;
	return *at == '\0';
}

bool keepalived_is_on(const struct keepalived_node *node)
{
	const char *value = keepalived_argument(node);

	return strcasecmp(value, "no") != 0 && strcasecmp(value, "off") != 0 &&
		strcasecmp(value, "false") != 0;
}

static void set_time(struct farm *farm, const struct keepalived_node *node, uint64_t *ret_ms)
{
	if (!keepalived_milliseconds(keepalived_argument(node), ret_ms))
		keepalived_note(farm, node, "that is no time");
}

bool keepalived_checking_set(
	struct farm *farm, const struct keepalived_node *node, struct keepalived_checking *checking)
{
	const char *word = node->words[0], *value = keepalived_argument(node);

	if (streq(word, "delay_loop"))
		set_time(farm, node, &checking->interval_ms);
	else if (streq(word, "connect_timeout"))
		set_time(farm, node, &checking->timeout_ms);
	else if (streq(word, "delay_before_retry"))
		set_time(farm, node, &checking->retry_delay_ms);
	else if (streq(word, "virtualhost"))
		checking->host = value;
	else if (!streq(word, "retry") && !streq(word, "nb_get_retry"))
		/* When a first check is made, and what is believed before: here at once, and nothing before. */
		return streq(word, "warmup") || streq(word, "alpha") ||
			streq(word, "log_all_failures");
	else if (!text_number(value, 1000, &checking->retries))
		keepalived_note(farm, node, "that is no number of retries");
	return true;
}

static void apply(struct farm *farm, const struct keepalived_node *node, const char *key,
	uint64_t wanted, uint64_t *value)
{
	if (*value != 0 && *value != wanted)
		keepalived_note(farm, node,
			"%s is one for all checks of a virtual server here, and another was said "
			"before",
			key);
	else
		*value = wanted;
}

void keepalived_checking_apply(struct farm *farm, struct farm_server *server,
	const struct keepalived_node *node, const struct keepalived_checking *checking)
{
	uint64_t fall = server->check_fall;

	if (checking->interval_ms > 0)
		apply(farm, node, "check-interval", checking->interval_ms,
			&server->check_interval_ms);
	if (checking->timeout_ms > 0)
		apply(farm, node, "check-timeout", checking->timeout_ms, &server->check_timeout_ms);
	if (checking->retries != UINT64_MAX) {
		apply(farm, node, "check-fall", checking->retries + 1, &fall);
		server->check_fall = (unsigned int)fall;
	}
	if (checking->retry_delay_ms > 0 && checking->retry_delay_ms != server->check_interval_ms)
		keepalived_note(farm, node,
			"delay_before_retry: checks are check-interval apart here, those after a "
			"failure, too");
}

/* What a connection may be told that ours cannot; false: it is no word of that kind. */
static bool take_connection(struct farm *farm, const struct addr *real_server,
	const struct keepalived_node *node, uint64_t *port)
{
	static const char *const ours[] = { "bindto", "bind_if", "bind_port", "fwmark" };
	const char *word = node->words[0], *value = keepalived_argument(node);
	struct addr address;

	if (streq(word, "connect_port")) {
		if (!text_number(value, UINT16_MAX, port))
			keepalived_note(farm, node, "that is no port");
		return true;
	}
	if (streq(word, "connect_ip")) {
		if (addr_parse(value, &address) < 0 || !addr_equal(&address, real_server))
			keepalived_note(farm, node,
				"a check asks the real server itself, and path the VIP at its MAC");
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (streq(word, ours[i])) {
			keepalived_note(farm, node,
				"checks go out from the backend interface's own address");
			return true;
		}
	return false;
}

static void take_url(struct farm *farm, struct farm_server *server,
	const struct keepalived_node *url, const char *host, uint64_t port)
{
	const char *path = "/";

	for (size_t i = 0; i < url->n_children; i++) {
		const struct keepalived_node *node = url->children[i];

		if (streq(node->words[0], "path"))
			path = keepalived_argument(node);
		else if (streq(node->words[0], "virtualhost"))
			host = keepalived_argument(node);
		else if (streq(node->words[0], "status_code"))
			keepalived_note(farm, node, "2xx and 3xx are well here, and no others");
		else
			keepalived_note(farm, node, "of an answer its status alone is looked at");
	}
	if (port == 0 && server->port == 0)
		port = URL_HTTP_PORT;
	farm_request_add(farm, server, url->place.line, host, port, path);
}

static void check_http(struct farm *farm, struct farm_server *server,
	const struct addr *real_server, const struct keepalived_node *block,
	struct keepalived_checking *checking)
{
	uint64_t port = 0;

	for (size_t i = 0; i < block->n_children; i++) {
		const struct keepalived_node *node = block->children[i];

		if (streq(node->words[0], "url") || keepalived_checking_set(farm, node, checking) ||
			take_connection(farm, real_server, node, &port) ||
			streq(node->words[0], "http_protocol") ||
			streq(node->words[0], "fast_recovery"))
			continue;
		keepalived_note(farm, node, "not known here");
	}
	for (size_t i = 0; i < block->n_children; i++)
		if (streq(block->children[i]->words[0], "url"))
			take_url(farm, server, block->children[i], checking->host, port);
}

static void check_tcp(struct farm *farm, struct farm_server *server, const struct addr *real_server,
	const struct keepalived_node *block, struct keepalived_checking *checking)
{
	uint64_t port = server->port;

	for (size_t i = 0; i < block->n_children; i++) {
		const struct keepalived_node *node = block->children[i];

		if (!keepalived_checking_set(farm, node, checking) &&
			!take_connection(farm, real_server, node, &port))
			keepalived_note(farm, node, "not known here");
	}
	if (port > 0)
		farm_check_add(farm, server, "tcp:%u", (unsigned int)port);
	else
		keepalived_note(farm, block, "no port is said");
}

/* What the balancer does not ask itself. */
static const struct {
	const char *word, *why;
} others[] = {
	{ "MISC_CHECK", "a script: let the real server run it, as check = exec:… of dsr-agent" },
	{ "SSL_GET", "TLS is not asked; path asks for a connection" },
	{ "SMTP_CHECK", "path asks for a connection; dsr-agent runs plugins by check = exec:…" },
	{ "DNS_CHECK", "see check-payload and check-expect in dsr-lb.conf(5)" },
	{ "UDP_CHECK", "see check-payload and check-expect in dsr-lb.conf(5)" },
	{ "BFD_CHECK", "agents' heartbeats notice a death in less than a second" },
	{ "PING_CHECK", "path asks at the VIP, and ARP whether the host is there" },
	{ "FILE_CHECK", "dsr-agent has check = file:…" },
};

bool keepalived_is_checker(const struct keepalived_node *node)
{
	ARRAY_FOREACH (each, others, ARRAY_LEN(others))
		if (streq(each->word, node->words[0]))
			return true;
	return streq(node->words[0], "TCP_CHECK") || streq(node->words[0], "HTTP_GET");
}

void keepalived_check(struct farm *farm, struct farm_server *server, const struct addr *real_server,
	const struct keepalived_node *node, struct keepalived_checking checking)
{
	ARRAY_FOREACH (each, others, ARRAY_LEN(others))
		if (streq(each->word, node->words[0])) {
			keepalived_note(farm, node, "%s", each->why);
			return;
		}
	if (streq(node->words[0], "TCP_CHECK"))
		check_tcp(farm, server, real_server, node, &checking);
	else
		check_http(farm, server, real_server, node, &checking);
	keepalived_checking_apply(farm, server, node, &checking);
}
