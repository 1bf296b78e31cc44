/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The administrator's word (drain, disable) in DIR/admin: it outlives a crash of the agent, so that a
 * server under maintenance is not sent traffic by a restart. A clean stop forgets it.
 */
#pragma once

#include "agent/registration/report.h"

/* Without a file, or with one that says nothing known: enabled. */
enum report_admin admin_load(const char *directory);
/* 0 or negative errno. REPORT_ENABLED removes the file. */
int admin_store(const char *directory, enum report_admin admin);
