/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `http://HOST[:PORT]/PATH`: does a VIP answer a request with a good status, and the text that is expected? */
#pragma once

#include "agent/check/check_kind.h"

#define CHECK_HTTP_BODY_MAX 65536u /* bytes of an answer in which the text is looked for */

extern const struct check_kind check_http_kind;
