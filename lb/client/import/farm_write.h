/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints a farm as our configuration. Pure. */
#pragma once

#include "lb/client/import/farm.h"

/* A settled farm as sections, with the notes as comments, each before the section that it is about. */
void farm_write(const struct farm *farm, const char *source, struct text *ret_text);
