/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which backends are asked whether they answer for their VIPs, and what the registry is told of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/addr.h"

struct config;
struct leaks;
struct registry;
struct segments;
struct service_list;

/* All of them outlive it; what a reload replaces is looked at where it stands. */
struct leaks_parts {
	sd_event *event;
	const struct segments *segments;
	struct registry *registry;
	struct config *const *config;
	struct service_list *const *services;
	const uint64_t *config_generation;
	void (*changed)(void *context); /* the registry has actions */
	void *context;
};

/* 0 or negative errno. */
int leaks_new(const struct leaks_parts *parts, struct leaks **ret_leaks);
struct leaks *leaks_free(struct leaks *leaks);
/* Follows links and configuration: call when they changed, and each second. */
void leaks_follow(struct leaks *leaks);
/* The backend is asked soon: it has just come up. */
void leaks_ask(struct leaks *leaks, uint16_t backend);
/* Whoever is at this MAC says that the VIP is its own; anybody can forge that, so it is asked. */
void leaks_claimed(struct leaks *leaks, const struct addr *vip, const struct mac *mac);
/* Whether a backend that serves the VIP is at this MAC. */
bool leaks_is_server(const struct leaks *leaks, const struct addr *vip, const struct mac *mac);
/* The backend is gone, or has another MAC. */
void leaks_forget(struct leaks *leaks, uint16_t backend);
