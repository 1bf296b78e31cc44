/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file is written beside its place, synced, and linked there: link(2) never replaces, and whoever reads finds the whole
 * file or none. See join_files.h.
 */
#include "agent/control/join_files.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <sodium.h>
#include <sys/stat.h>

#include "agent/config/settings.h"

#define KEY_MODE    0600
#define CONFIG_MODE 0644

int join_files_init(const char *config_path, struct join_files *ret_files)
{
	const char *slash = strrchr(config_path, '/');
	char *key_path = NULL;

	if (asprintf(&key_path, "%.*skey", slash ? (int)(slash - config_path + 1) : 0,
		    config_path) < 0)
		return -ENOMEM;
	*ret_files = (struct join_files){ config_path, key_path };
	return 0;
}

void join_files_clear(struct join_files *files)
{
	free(files->key_path);
	*files = (struct join_files){ 0 };
}

int join_files_check(const struct join_files *files, struct why *ret_why)
{
	const char *const paths[] = { files->config_path, files->key_path };
	struct stat status;

	ARRAY_FOREACH (path, paths, ARRAY_LEN(paths))
		if (lstat(*path, &status) == 0)
			return why_fail(ret_why, -EEXIST,
				"%s stands already, and is not written over; remove it to join anew",
				*path);
	return 0;
}

/* ---- one file ---- */

static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory =
		slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	_cleanup_close_ int fd = -1;

	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? util_negative_errno() : 0;
}

static int write_whole(int fd, const char *text, mode_t mode)
{
	size_t length = strlen(text);

	for (size_t done = 0; done < length;) {
		ssize_t n = write(fd, text + done, length - done);

		if (n < 0 && errno != EINTR)
			return util_negative_errno();
		done += n > 0 ? (size_t)n : 0;
	}
	return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? util_negative_errno() : 0;
}

static int put_file(const char *path, const char *text, mode_t mode, struct why *ret_why)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return why_fail(ret_why, -ENOMEM, "out of memory");
	}
	fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return why_fail(ret_why, util_negative_errno(), "cannot write %s: %s", path,
			strerror(errno));
	r = write_whole(fd, text, mode);
	if (r == 0 && link(temporary, path) < 0)
		r = util_negative_errno();
	(void)unlink(temporary);
	if (r == 0)
		r = sync_directory(path);
	return r < 0 ? why_fail(ret_why, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

/* ---- what stands in it ---- */

static bool is_on_subnet(const struct ifaddrs *address, const struct addr *target)
{
	struct addr_port own, mask;

	if (!address->ifa_addr || !address->ifa_netmask ||
		addr_from_sockaddr(address->ifa_addr, &own) < 0 ||
		addr_from_sockaddr(address->ifa_netmask, &mask) < 0 ||
		own.addr.family != target->family)
		return false;
	for (size_t i = 0; i < addr_size_bytes(target); i++)
		if ((own.addr.bytes[i] ^ target->bytes[i]) & mask.addr.bytes[i])
			return false;
	return true;
}

static bool is_on_link(const struct ifaddrs *addresses, const struct addr *target)
{
	for (const struct ifaddrs *each = addresses; each; each = each->ifa_next)
		if (is_on_subnet(each, target))
			return true;
	return false;
}

/* A balancer has an address on each of its links, and this host is on one of them. */
static void tell_balancers(FILE *stream, const struct token *token)
{
	struct ifaddrs *addresses = NULL;
	bool some = false;

	if (getifaddrs(&addresses) < 0)
		addresses = NULL;
	ARRAY_FOREACH (each, token->balancers, token->n_balancers)
		some |= is_on_link(addresses, &each->addr);
	ARRAY_FOREACH (each, token->balancers, token->n_balancers) {
		char text[ADDR_PORT_STRLEN];

		if (some && !is_on_link(addresses, &each->addr))
			continue;
		fprintf(stream, "balancer = %s\n",
			each->port == PROTO_PORT ? addr_format(&each->addr, text)
						 : addr_port_format(each, text));
	}
	freeifaddrs(addresses);
}

/* The text, to free; NULL: no memory. */
static char *config_text(const struct join_files *files, const struct token *token)
{
	char *text = NULL;
	size_t size_bytes = 0;
	FILE *stream = open_memstream(&text, &size_bytes);

	if (!stream)
		return NULL;
	fprintf(stream,
		"# Written by `dsr-agent join`; dsr-agent.conf(5) has every key.\n[agent]\nname = "
		"%s\n",
		token->key.agent);
	tell_balancers(stream, token);
	ARRAY_FOREACH (vip, token->vips, token->n_vips)
		fprintf(stream, "vip = %s\n", addr_format(vip, (char[ADDR_STRLEN]){ 0 }));
	/* As the default it is handed over as a credential of systemd. */
	if (!streq(files->key_path, CONFIG_DEFAULT_KEY_FILE))
		fprintf(stream, "key-file = %s\n", files->key_path);
	if (fclose(stream) == 0)
		return text;
	free(text);
	return NULL;
}

int join_files_write(const struct join_files *files, const struct token *token, struct why *ret_why)
{
	_cleanup_free_ char *text = config_text(files, token);
	char line[KEYRING_LINE_BYTES + 1] = "";
	int r;

	if (!text)
		return why_fail(ret_why, -ENOMEM, "out of memory");
	/* Of what a token may say, not all makes a configuration: balancers of two families do not. */
	r = settings_check_text(files->config_path, text, ret_why);
	if (r < 0)
		return r;
	keyring_format(&token->key, line);
	line[strlen(line)] = '\n'; /* the rest is zeros */
	r = put_file(files->key_path, line, KEY_MODE, ret_why);
	sodium_memzero(line, sizeof(line));
	if (r < 0)
		return r;
	r = put_file(files->config_path, text, CONFIG_MODE, ret_why);
	if (r < 0) {
		(void)unlink(files->key_path);
		(void)sync_directory(files->key_path);
	}
	return r;
}
