/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import: reads a file of another balancer and those that it includes, and prints sections for dsr-lb.conf. What
 * the readers below import/ ask of the outside (files, names of services and hosts) is here.
 */
#include "lb/client/import_config.h"

#include <fcntl.h>
#include <glob.h>
#include <netdb.h>
#include <sys/utsname.h>

#include "common/cli/cli.h"
#include "common/read_all.h"
#include "lb/client/import/farm_settle.h"
#include "lb/client/import/farm_write.h"
#include "lb/client/import/ipvsadm.h"
#include "lb/client/import/keepalived/keepalived.h"
#include "lb/client/import/netscaler.h"

#define FILE_BYTES_MAX (4u << 20)

/* Whole, or -EFBIG. The caller's to free. */
static int read_fd(int fd, char **ret_data, size_t *ret_size_bytes)
{
	_cleanup_free_ char *data = malloc(FILE_BYTES_MAX + 1);
	int r;

	if (!data)
		return -ENOMEM;
	r = read_all(fd, data, FILE_BYTES_MAX + 1, ret_size_bytes);
	if (r == 0 && *ret_size_bytes > FILE_BYTES_MAX)
		r = -EFBIG;
	if (r == 0)
		*ret_data = TAKE_PTR(data);
	return r;
}

static int read_path(const char *path, char **ret_data, size_t *ret_size_bytes)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return util_negative_errno();
	return read_fd(fd, ret_data, ret_size_bytes);
}

/* The folder of a path: "" becomes ".". The caller's to free. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static int include_path(const char *path, keepalived_file_fn *take, void *reader)
{
	_cleanup_free_ char *folder = folder_of(path), *data = NULL;
	size_t size_bytes = 0;
	int r = folder ? read_path(path, &data, &size_bytes) : -ENOMEM;

	return r < 0 ? r : take(reader, folder, data, size_bytes);
}

/* What is no file does not count: a pattern may meet folders. */
static int include(void *context, const char *folder, const char *pattern, keepalived_file_fn *take,
	void *reader)
{
	_cleanup_free_ char *path = NULL;
	glob_t found = { 0 };
	int r;

	if (asprintf(&path, "%s%s%s", pattern[0] == '/' ? "" : folder, pattern[0] == '/' ? "" : "/",
		    pattern) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = glob(path, GLOB_MARK | GLOB_BRACE, NULL, &found);
	if (r != 0)
		return r == GLOB_NOMATCH ? -ENOENT : r == GLOB_NOSPACE ? -ENOMEM : -EACCES;
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		const char *each = found.gl_pathv[i];

		if (each[strlen(each) - 1] != '/')
			r = include_path(each, take, reader);
	}
	globfree(&found);
	return r;
}

static uint16_t port_of(void *context, const char *service, const char *protocol)
{
	const struct servent *found = getservbyname(service, protocol);

	return found ? ntohs((uint16_t)found->s_port) : 0;
}

/* One name that nobody answers takes seconds: the next ones are not asked for. */
static bool address_of(void *context, const char *host, struct addr *ret_address)
{
	bool *gave_up = context;
	struct addrinfo *found = NULL;
	struct addr_port endpoint;
	bool ok;
	int r = *gave_up ? EAI_AGAIN : getaddrinfo(host, NULL, NULL, &found);

	*gave_up |= r == EAI_AGAIN;
	if (r != 0)
		return false;
	ok = addr_from_sockaddr(found->ai_addr, &endpoint) == 0;
	if (ok)
		*ret_address = endpoint.addr;
	freeaddrinfo(found);
	return ok;
}

static int read_keepalived(const char *path, const char *data, size_t size_bytes, struct farm *farm,
	struct why *ret_why)
{
	_cleanup_free_ char *folder = streq(path, "-") ? strdup(".") : folder_of(path);
	struct utsname host;
	struct keepalived_outside outside = { .include = include, .folder = folder };

	if (!folder)
		return -ENOMEM;
	if (uname(&host) < 0)
		return util_negative_errno();
	host.nodename[strcspn(host.nodename, ".")] = '\0';
	outside.config_id = host.nodename;
	return keepalived_read(data, size_bytes, &outside, farm, ret_why);
}

static int read_as(const char *kind, const char *path, const char *data, size_t size_bytes,
	struct farm *farm, struct why *ret_why)
{
	bool gave_up = false;
	struct import_names names = { port_of, address_of, &gave_up };

	if (streq(kind, "netscaler"))
		return netscaler_read(data, size_bytes, farm, ret_why);
	if (streq(kind, "ipvsadm"))
		return ipvsadm_read(data, size_bytes, &names, farm, ret_why);
	return read_keepalived(path, data, size_bytes, farm, ret_why);
}

/* For a comment: a name may have any byte. */
static const char *source_name(const char *path)
{
	if (streq(path, "-"))
		return "standard input";
	for (const char *byte = path; *byte; byte++)
		if ((unsigned char)*byte < ' ')
			return "a file";
	return strlen(path) > 500 ? "a file" : path;
}

/* Prints; the number of notes decides the exit status. */
static int import_data(const struct cli *cli, const char *data, size_t size_bytes)
{
	_cleanup_(farm_freep) struct farm *farm = farm_new();
	_cleanup_(text_clearp) struct text text = { 0 };
	struct why why = { 0 };
	int r = farm ? read_as(cli->args[0], cli->args[1], data, size_bytes, farm, &why) : -ENOMEM;

	if (r == 0)
		r = farm_settle(farm);
	if (r == 0)
		farm_write(farm, source_name(cli->args[1]), &text);
	if (r == -EINVAL)
		return cli_fail(cli, CONTROL_CONFIG, "import %s: %s: %s", cli->args[0],
			cli->args[1], why.text);
	if (r < 0 || text.failed)
		return cli_fail(cli, CONTROL_CONFIG, "import: %s", strerror(r < 0 ? -r : ENOMEM));
	fwrite(text.data, 1, text.size_bytes, stdout);
	return farm->n_notes > 0 ? IMPORT_LEFT : 0;
}

int import_config(const struct cli *cli, void *context)
{
	static const char *const kinds[] = { "netscaler", "keepalived", "ipvsadm" };
	_cleanup_free_ char *data = NULL;
	size_t size_bytes = 0, kind = 0;
	int r;

	while (kind < ARRAY_LEN(kinds) && !streq(kinds[kind], cli->args[0]))
		kind++;
	if (kind == ARRAY_LEN(kinds))
		return cli_fail(cli, CONTROL_USAGE,
			"import: '%s' is not known; write netscaler, keepalived or ipvsadm",
			cli->args[0]);
	r = streq(cli->args[1], "-") ? read_fd(STDIN_FILENO, &data, &size_bytes)
				     : read_path(cli->args[1], &data, &size_bytes);
	if (r == -EFBIG)
		return cli_fail(cli, CONTROL_CONFIG, "import: %s is larger than %u MiB",
			cli->args[1], FILE_BYTES_MAX >> 20);
	if (r < 0)
		return cli_fail(cli, CONTROL_CONFIG, "import: cannot read %s: %s", cli->args[1],
			strerror(-r));
	return import_data(cli, data, size_bytes);
}
