/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What another balancer's configuration says, in our terms: virtual servers with their real servers, and notes
 * about what cannot be said here. Readers of other configurations fill it, farm_write.h prints it. Pure.
 */
#pragma once

#include "common/proto/message.h"
#include "lb/client/import/text.h"
#include "lb/config/model.h"

#define FARM_NOTES_MAX   20000u
#define FARM_SERVERS_MAX CONFIG_VIRTUAL_SERVERS_MAX

struct farm_real_server {
	struct addr address;
	char name[PROTO_NAME_MAX + 1]; /* "": none */
	unsigned int line;
	uint64_t weight;
	uint64_t max_connections; /* 0: no ceiling */
	bool backup;
	bool dropped;
};

struct farm_server {
	char name[PROTO_NAME_MAX + 1];
	unsigned int line, last_line; /* of the source */
	bool dropped;                 /* not to be written; a note says why */
	struct addr *vips;
	size_t n_vips;
	uint16_t port; /* 0: any */
	const char *protocol;
	enum config_scheduler scheduler;
	enum config_hash hash; /* of maglev */
	bool sessionless;
	bool weights_ignored; /* by the source's scheduler, but for 0 */
	bool failover;        /* one real server serves, the one of the highest weight */
	uint64_t persistence_s;
	unsigned int prefix4, prefix6; /* 0: whole addresses */
	unsigned int minimum;          /* 0: not said */
	bool minimum_percent;
	uint64_t tcp_timeout_s, fin_timeout_s, udp_timeout_s; /* 0: not said */
	char **checks;                                        /* as our key writes them */
	size_t n_checks;
	bool check_none;
	uint64_t check_interval_ms, check_timeout_ms; /* 0: not said */
	unsigned int check_fall, check_rise;          /* 0: not said */
	struct farm_real_server *real_servers;
	size_t n_real_servers;
	bool refused; /* real servers that it has in the source: notes say which */
};

struct farm_note {
	unsigned int line;
	char *text;
};

struct farm {
	struct farm_server **servers; /* in the order of the source */
	size_t n_servers;
	struct farm_note *notes;
	size_t n_notes;
	bool failed; /* memory was missing: what is here is not all */
};

struct farm *farm_new(void);
struct farm *farm_free(struct farm *farm);
DEFINE_CLEANUP(struct farm *, farm_free)

/* What of the source's line `line` is not translated, and why; one line. Of more than FARM_NOTES_MAX the last says so. */
_printf_(3, 4) void farm_note(struct farm *farm, unsigned int line, const char *format, ...);
/* A new one, with our defaults; the farm's. NULL: no memory (`failed`), or FARM_SERVERS_MAX are there (a note). */
struct farm_server *farm_server_add(struct farm *farm, unsigned int line);
/* Makes `ret_name` (PROTO_NAME_MAX + 1 bytes) a legal name that is like `text`; "" where nothing of it can stay. */
void farm_name(const char *text, char *ret_name);
/* "tcp-198.51.100.10-80", for a virtual server that has no name. */
void farm_server_name(struct farm_server *server);
/* A new real server of weight 1; the virtual server's. NULL: no memory. */
struct farm_real_server *farm_real_server_add(struct farm *farm, struct farm_server *server,
	const struct addr *address, unsigned int line);
void farm_vip_add(struct farm *farm, struct farm_server *server, const struct addr *vip);
/* As our key writes it; the same twice is one. */
_printf_(3, 4) void farm_check_add(
	struct farm *farm, struct farm_server *server, const char *format, ...);
/*
 * check = http://HOST[:PORT]/PATH. `host` NULL or "": the first VIP; `port` 0: the virtual server's. False, with a note,
 * where there is no such check here.
 */
bool farm_request_add(struct farm *farm, struct farm_server *server, unsigned int line,
	const char *host, uint64_t port, const char *path);
/* A mask (255.255.255.0) or a length (64) as bits, 0 to 128. False: neither. */
bool farm_parse_mask(const char *text, unsigned int *ret_bits);
