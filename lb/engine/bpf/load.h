/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings a snapshot into the maps of a program in the kernel. */
#pragma once

struct engine;
struct snapshot;

/* As engine_ops.load, for a program that is attached or not. */
int load_snapshot(struct engine *engine, struct snapshot *snapshot);
