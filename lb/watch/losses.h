/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes of the SYNs that each backend gets, looked at once a second, a quarter of them at a time, and what
 * the registry is told of it: see loss_judge.h. Only virtual servers of TCP whose ports are single ones are judged:
 * at any of many ports nobody need listen.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

struct losses;
struct registry;
struct service_list;

/* What was forwarded to a backend for a service. */
struct losses_count {
	uint64_t syns, packets;
	uint64_t clients; /* one bit for each number of a SYN's client, since it was asked last */
};

/* All of them outlive it; what a reload replaces is looked at where it stands. */
struct losses_parts {
	sd_event *event;
	struct registry *registry;
	struct service_list *const *services;
	void (*count)(
		uint16_t service, uint16_t backend, struct losses_count *ret_count, void *context);
	void (*changed)(void *context); /* the registry has actions */
	void *context;
};

/* 0 or negative errno. */
int losses_new(const struct losses_parts *parts, struct losses **ret_losses);
struct losses *losses_free(struct losses *losses);
