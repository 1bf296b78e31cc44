/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The administrator's word (drain, disable) in DIR/admin: it outlives a crash of the agent, so that a
 * server under maintenance is not sent traffic by a restart. A clean stop forgets it.
 */
#pragma once

#include "agent/registration/report.h"
#include "common/why.h"

/*
 * 0, without a file: enabled. A file that cannot be read or says nothing known is a negative errno
 * (-EBADMSG) with `*ret_why`: what the administrator said is not known then.
 */
int admin_load(const char *directory, enum report_admin *ret_admin, struct why *ret_why);
/* 0 or negative errno. REPORT_ENABLED removes the file. */
int admin_store(const char *directory, enum report_admin admin);
