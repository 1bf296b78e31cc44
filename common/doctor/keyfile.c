/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judged as the daemon would judge it, which may be another user than we. Called by the doctors.
 */
#include "common/doctor/keyfile.h"

#include <sys/stat.h>

#include "common/doctor/doctor.h"
#include "common/doctor/files.h"
#include "common/doctor/service.h"
#include "common/proto/keyring.h"

/* The words of a file that the daemon may read and we, by our own rules, may not. */
static int keyfile_parse(
	const char *path, bool with_bindings, struct keyring **ret_ring, struct why *ret_why)
{
	_cleanup_free_ char *text = NULL;
	int r = files_read("", path, &text);

	if (r < 0)
		return why_errno(ret_why, r, path);
	r = keyring_parse(path, text, strlen(text), with_bindings, ret_ring, ret_why);
	explicit_bzero(text, strlen(text));
	return r;
}

int keyfile_look(const char *path, bool with_bindings, const struct service *service,
	struct keyfile *ret_keyfile)
{
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct keyfile keyfile = { .path = strdup(path), .is_balancers = with_bindings };
	bool is_daemons = false;
	struct stat status;

	if (!keyfile.path)
		return -ENOMEM;
	if (stat(path, &status) == 0) {
		keyfile.mode = status.st_mode & 07777;
		is_daemons = service->has_uid && status.st_uid == service->uid;
		keyfile.is_foreign = status.st_uid != 0 && !is_daemons && service->has_uid;
	}
	keyfile.error = keyring_load(path, with_bindings, &ring, &keyfile.why);
	if (keyfile.error == -EACCES && (keyfile.mode & 077))
		keyfile.is_open = true;
	else if (keyfile.error == -EACCES && is_daemons)
		keyfile.error = keyfile_parse(path, with_bindings, &ring, &keyfile.why);
	keyfile.n_keys = ring ? ring->n_keys : 0;
	*ret_keyfile = keyfile;
	return 0;
}

void keyfile_clear(struct keyfile *keyfile)
{
	free(keyfile->path);
	*keyfile = (struct keyfile){ 0 };
}

void keyfile_judge(
	const struct keyfile *keyfile, const struct service *service, struct doctor *doctor)
{
	char word[DOCTOR_WORD_BYTES];

	doctor_word(keyfile->path, word);
	if (keyfile->is_open) {
		doctor_fail(doctor, keyfile->path, "mode %04o: others than its owner have access",
			keyfile->mode);
		doctor_mend(doctor, "chmod 600 %s", word);
	} else if (keyfile->is_foreign) {
		doctor_fail(doctor, keyfile->path,
			"its owner is neither root nor the daemon, and could change it");
		doctor_mend(doctor, "chown root %s", word);
	} else if (keyfile->error == -EACCES && !service->is_root) {
		service_warn_hidden(service, doctor, keyfile->path, "only root may read the key");
	} else if (keyfile->error < 0) {
		doctor_fail(doctor, keyfile->path, "%s", keyfile->why.text);
		if (keyfile->error == -ENOENT && keyfile->is_balancers)
			doctor_mend(doctor, "(umask 077; dsr-lb keygen > %s)", word);
	} else {
		doctor_ok(doctor, keyfile->path, "readable by its owner alone, %zu key%s",
			keyfile->n_keys, keyfile->n_keys == 1 ? "" : "s");
	}
}
