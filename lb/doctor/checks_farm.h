/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real servers, agents, and others on the segment, as the daemon knows them. Of struct facts; pure. */
#pragma once

struct doctor;

/* Each backend that is not up, with its reason; virtual servers without any. */
void checks_backend(const void *context, struct doctor *doctor);
/* Checks that fail, of each backend in each virtual server: its path, its ports, its agent's word. */
void checks_check(const void *context, struct doctor *doctor);
/* Agents of another version than the balancer's. */
void checks_agent_version(const void *context, struct doctor *doctor);
/* Messages that were refused lately, with the words for it. */
void checks_refused(const void *context, struct doctor *doctor);
/* Who else says that it has a VIP. */
void checks_claim(const void *context, struct doctor *doctor);
/* Other balancers that would send clients elsewhere than this one. */
void checks_tables(const void *context, struct doctor *doctor);
/* Room in the kernel's neighbour table: twice as many as there are real servers, for routers, clients and forgers on the link. */
void checks_neighbours(const void *context, struct doctor *doctor);
