/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands "add lb vserver", "set lb vserver" and "bind lb vserver". Pure. */
#pragma once

#include "lb/client/import/netscaler_reader.h"

/* 0 or -ENOMEM. */
int netscaler_take_vserver(struct netscaler_reader *reader);
int netscaler_bind_vserver(struct netscaler_reader *reader);
