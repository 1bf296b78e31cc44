/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine over packet sockets, on any interface. */
#pragma once

#include "lb/engine/engine.h"

extern const struct engine_ops engine_packet_ops;
