/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a NetScaler's commands make: servers, services and groups of them, monitors, virtual servers. Pure. */
#pragma once

#include "common/hash_map.h"
#include "lb/client/import/farm.h"

enum netscaler_kind {
	NETSCALER_SERVER,
	NETSCALER_SERVICE, /* and service groups, whose names are in the same place */
	NETSCALER_MONITOR,
	NETSCALER_VSERVER,
	NETSCALER_KIND_N_,
};

#define NETSCALER_PORT_ANY  0u
#define NETSCALER_PORT_NONE UINT32_MAX

/* A host behind a service: one of its own, several of a group. */
struct netscaler_member {
	struct addr address; /* AF_UNSPEC: a name that no address belongs to */
	char *server;        /* its name; NULL: none */
	uint32_t port;       /* of the member */
	uint64_t weight;
	bool disabled;
	unsigned int line;
};

/* A name that is bound to an object, for instance a service to a virtual server. */
struct netscaler_binding {
	char *name;
	uint64_t weight; /* 0: not said */
	unsigned int line;
};

struct netscaler_object {
	enum netscaler_kind kind;
	char *name;
	unsigned int line;
	char *type;          /* of all but servers: "TCP", "ANY" */
	struct addr address; /* of a server, and of a virtual server; AF_UNSPEC: none */
	uint32_t port;       /* of a virtual server */
	bool disabled;
	/* services */
	struct netscaler_member *members;
	size_t n_members;
	bool usip_said, usip;
	bool unmonitored;
	uint64_t max_connections;
	/* virtual servers: services, service groups; services: monitors */
	struct netscaler_binding *bindings;
	size_t n_bindings;
	/* virtual servers */
	char *mode, *method, *persistence, *backup;
	char *mask4, *mask6;
	bool sessionless;
	uint64_t persistence_min, health_threshold, client_timeout_s, range;
	/* monitors */
	uint64_t interval_ms, timeout_ms, retries, successes, check_port;
	char *request; /* "HEAD /alive" */
};

struct netscaler_objects {
	struct netscaler_object **items; /* in the order of the source */
	size_t n_items;
	struct hash_map by_name;
	bool usip; /* the global mode */
};

void netscaler_objects_clear(struct netscaler_objects *objects);
/* NULL: there is none. Names are the same in any case of letters. */
struct netscaler_object *netscaler_object_find(
	const struct netscaler_objects *objects, enum netscaler_kind kind, const char *name);
/* A new one, or the one of that name. NULL: no memory. */
struct netscaler_object *netscaler_object_add(struct netscaler_objects *objects,
	enum netscaler_kind kind, const char *name, unsigned int line);
/* 0 or -ENOMEM. `name` is copied. */
int netscaler_bind(
	struct netscaler_object *object, const char *name, uint64_t weight, unsigned int line);
/* A new member of weight 1; NULL: no memory. */
struct netscaler_member *netscaler_member_add(struct netscaler_object *service, unsigned int line);
