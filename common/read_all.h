/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a file to its end. Header only. */
#pragma once

#include "common/util.h"

/* As many bytes as there are, at most `size_bytes`. 0 or negative errno. */
static inline int read_all(int fd, void *data, size_t size_bytes, size_t *ret_size_bytes)
{
	size_t done_bytes = 0;

	while (done_bytes < size_bytes) {
		ssize_t n = read(fd, (char *)data + done_bytes, size_bytes - done_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return util_negative_errno();
		if (n == 0)
			break;
		done_bytes += (size_t)n;
	}
	*ret_size_bytes = done_bytes;
	return 0;
}
