/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What files of this host do to the agent's work. Of struct facts; pure. */
#pragma once

struct doctor;

/* Settings of sysctl.d that spoil ARP silence at the next boot, or when an interface comes. */
void checks_sysctl(const void *context, struct doctor *doctor);
/* Another manager of the interface of the VIPs, who takes away what it does not know. */
void checks_managed(const void *context, struct doctor *doctor);
/* What others put at the VIPs at boot, before anything is silent. */
void checks_leftover(const void *context, struct doctor *doctor);
