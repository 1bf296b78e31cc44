/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several keys or virtual servers say together. */
#pragma once

struct config;
struct ini_report;

/*
 * Reports what no single key shows, through ini_report_add(); settles what depends on others. What was refused alone is
 * in the report already: nothing is said that would only follow from it. -ENOMEM.
 */
int config_check(struct config *config, struct ini_report *report);
