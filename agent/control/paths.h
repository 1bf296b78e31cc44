/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent answers by HTTP: metrics, status, readiness. */
#pragma once

struct agent;

/* Answers from then on, on the control socket and where agent_set_http() says. 0 or negative errno. */
int paths_start(struct agent *agent);
