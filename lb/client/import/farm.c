/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual servers as another configuration says them: see farm.h. */
#include "lb/client/import/farm.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "common/grow.h"
#include "common/url.h"

#define NOTE_BYTES_MAX 600u /* a line of our configuration has 1024 */

struct farm *farm_new(void)
{
	return calloc(1, sizeof(struct farm));
}

static void server_free(struct farm_server *server)
{
	for (size_t i = 0; i < server->n_checks; i++)
		free(server->checks[i]);
	free(server->checks);
	free(server->vips);
	free(server->real_servers);
	free(server);
}

struct farm *farm_free(struct farm *farm)
{
	if (!farm)
		return NULL;
	for (size_t i = 0; i < farm->n_servers; i++)
		server_free(farm->servers[i]);
	for (size_t i = 0; i < farm->n_notes; i++)
		free(farm->notes[i].text);
	free(farm->servers);
	free(farm->notes);
	free(farm);
	return NULL;
}

/* A comment is one line of printable text, whatever the source had; a cut character of UTF-8 does no harm. */
static void make_printable(char *text)
{
	size_t size_bytes = strlen(text);

	if (size_bytes > NOTE_BYTES_MAX)
		memcpy(text + NOTE_BYTES_MAX - 3, "...", 4);
	for (char *byte = text; *byte; byte++)
		if ((unsigned char)*byte < ' ' || *byte == 0x7f)
			*byte = '?';
}

void farm_note(struct farm *farm, unsigned int line, const char *format, ...)
{
	struct farm_note note = { .line = line };
	va_list args;
	int r;

	if (farm->n_notes >= FARM_NOTES_MAX)
		return;
	va_start(args, format);
	r = vasprintf(&note.text, format, args);
	va_end(args);
	if (r >= 0 && farm->n_notes + 1 == FARM_NOTES_MAX) {
		free(note.text);
		note.text = strdup("and what follows; no more notes are made");
		r = note.text ? 0 : -1;
	}
	if (r < 0 || GROW(farm->notes, farm->n_notes) < 0) {
		if (r >= 0)
			free(note.text);
		farm->failed = true;
		return;
	}
	make_printable(note.text);
	farm->notes[farm->n_notes++] = note;
}

struct farm_server *farm_server_add(struct farm *farm, unsigned int line)
{
	struct farm_server *server;

	if (farm->n_servers == FARM_SERVERS_MAX) {
		farm_note(farm, line, "more than %u virtual servers", FARM_SERVERS_MAX);
		return NULL;
	}
	server = calloc(1, sizeof(*server));
	if (!server || GROW(farm->servers, farm->n_servers) < 0) {
		free(server);
		farm->failed = true;
		return NULL;
	}
	*server = (struct farm_server){
		.line = line,
		.last_line = line,
		.protocol = "tcp",
		.scheduler = CONFIG_MAGLEV,
		.hash = CONFIG_SOURCE_IP_PORT,
	};
	farm->servers[farm->n_servers++] = server;
	return server;
}

void farm_name(const char *text, char *ret_name)
{
	size_t size_bytes = 0;

	for (; *text && size_bytes < PROTO_NAME_MAX; text++) {
		bool legal = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
			(*text >= '0' && *text <= '9') || *text == '.' || *text == '_' ||
			(*text == '-' && size_bytes > 0);

		if (legal || size_bytes > 0)
			ret_name[size_bytes++] = legal ? *text : '_';
	}
	ret_name[size_bytes] = '\0';
}

void farm_server_name(struct farm_server *server)
{
	char address[ADDR_STRLEN] = "", port[sizeof("65535")] = "any";
	int r;

	if (server->n_vips > 0)
		addr_format(&server->vips[0], address);
	for (char *byte = address; *byte; byte++)
		if (*byte == ':')
			*byte = '-';
	if (server->port > 0)
		(void)snprintf(port, sizeof(port), "%u", server->port);
	r = snprintf(
		server->name, sizeof(server->name), "%s-%s-%s", server->protocol, address, port);
	if (r < 0)
		server->name[0] = '\0';
}

struct farm_real_server *farm_real_server_add(struct farm *farm, struct farm_server *server,
	const struct addr *address, unsigned int line)
{
	struct farm_real_server *real_server;

	if (GROW(server->real_servers, server->n_real_servers) < 0) {
		farm->failed = true;
		return NULL;
	}
	real_server = &server->real_servers[server->n_real_servers++];
	*real_server = (struct farm_real_server){ .address = *address, .line = line, .weight = 1 };
	return real_server;
}

void farm_vip_add(struct farm *farm, struct farm_server *server, const struct addr *vip)
{
	if (GROW(server->vips, server->n_vips) < 0)
		farm->failed = true;
	else
		server->vips[server->n_vips++] = *vip;
}

void farm_check_add(struct farm *farm, struct farm_server *server, const char *format, ...)
{
	char *check = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&check, format, args);
	va_end(args);
	if (r < 0) {
		farm->failed = true;
		return;
	}
	for (size_t i = 0; i < server->n_checks; i++)
		if (streq(server->checks[i], check)) {
			free(check);
			return;
		}
	if (GROW(server->checks, server->n_checks) < 0) {
		free(check);
		farm->failed = true;
		return;
	}
	server->checks[server->n_checks++] = check;
}

/* A comma would end the value, and nothing but printable ASCII stands in a request. */
static void add_path(struct text *url, const char *path)
{
	if (path[0] != '/')
		text_add(url, "/", 1);
	for (; *path; path++)
		if (*path <= ' ' || *path >= 0x7f || *path == '#' || *path == ',')
			text_format(url, "%%%02X", (unsigned char)*path);
		else
			text_add(url, path, 1);
}

bool farm_request_add(struct farm *farm, struct farm_server *server, unsigned int line,
	const char *host, uint64_t port, const char *path)
{
	_cleanup_(text_clearp) struct text url = { 0 };
	char vip[ADDR_STRLEN] = "";
	struct why why = { 0 };
	struct url parts;

	if (server->n_vips > 0)
		addr_format(&server->vips[0], vip);
	if (host && *host)
		text_format(&url, "http://%s", host);
	else
		text_format(&url, strchr(vip, ':') ? "http://[%s]" : "http://%s", vip);
	if (port > 0 && port != server->port)
		text_format(&url, ":%" PRIu64, port);
	add_path(&url, path);
	if (url.failed) {
		farm->failed = true;
		return false;
	}
	if (url_parse(url.data, &parts, &why) < 0 || strcspn(url.data, ",") < url.size_bytes ||
		url.size_bytes > CONFIG_URL_MAX || (server->port == 0 && parts.port == 0)) {
		farm_note(farm, line, "%s: no such request can be made here", url.data);
		return false;
	}
	farm_check_add(farm, server, "%s", url.data);
	return true;
}

bool farm_parse_mask(const char *text, unsigned int *ret_bits)
{
	struct in_addr mask;
	uint64_t number;
	uint32_t host;

	if (text_number(text, 128, &number)) {
		*ret_bits = (unsigned int)number;
		return true;
	}
	if (inet_pton(AF_INET, text, &mask) != 1)
		return false;
	host = ~ntohl(mask.s_addr);
	if (host & (host + 1))
		return false;
	*ret_bits = 32 - (unsigned int)__builtin_popcount(host);
	return true;
}
