/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status document as JSON, in an answer of the control socket. */
#pragma once

#include "lb/control/form/form.h"

/* What stands around the document there, and is no part of it. */
#define STATUS_TEXT_BEFORE "{\"status\":0,\"result\":"
#define STATUS_TEXT_AFTER  "}\n"

extern const struct status_form status_text_form;
