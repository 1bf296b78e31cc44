/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb `doctor` of dsr-lb: its table of checks. */
#pragma once

#include "common/doctor/doctor.h"

struct cli;

/* A verb of the command line; returns the exit status. */
int examine(const struct cli *cli, void *context);
/* The table, for the test that holds the manual to it. */
const struct doctor_check *examine_checks(size_t *ret_n_checks);
