/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot's id, from the kernel: see boot_id.h. */
#include "common/os/boot_id.h"

#include <fcntl.h>

#include "common/util.h"

int boot_id_read(char ret_text[BOOT_ID_BYTES])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[BOOT_ID_BYTES] = "";
	ssize_t size;

	ret_text[0] = '\0';
	if (fd < 0)
		return util_negative_errno();
	size = read(fd, text, sizeof(text) - 1);
	if (size < 0)
		return util_negative_errno();
	if (size != (ssize_t)sizeof(text) - 1)
		return -EIO;
	memcpy(ret_text, text, sizeof(text));
	return 0;
}
