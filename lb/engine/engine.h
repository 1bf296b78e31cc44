/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract of a packet engine. An engine takes frames from the client interface, runs the
 * core on them against the loaded snapshot, sends what is to be forwarded, and counts. It
 * knows neither configuration nor registry. All calls come from the main loop.
 */
#pragma once

#include "lb/fwd/reason.h"
#include "lb/fwd/types.h"
#include "lb/engine/rates.h"

#define ENGINE_WORKERS_MAX 64u

struct engine_config {
	unsigned int ifindex; /* clients */
	/*
	 * Those to backends that are there at the start, and zeros; the clients' may be among them. Where frames go, the
	 * links of snapshots say.
	 */
	unsigned int outs[FWD_LINKS_MAX];
	unsigned int n_workers; /* 1–ENGINE_WORKERS_MAX; of the packet engine */
	/*
	 * For engines in the kernel: the maps behind flows and loads, or -1, and a bpffs of the service's own
	 * where the program is pinned, or NULL. All outlive the engine.
	 */
	int flows_map;
	int loads_map;
	const char *pin_directory;
};

/* received = packets[PASS] + [FORWARD] + [DROP], exactly; reasons add up to the verdicts. */
struct engine_totals {
	uint64_t received_pkts;
	uint64_t verdict_pkts[FWD_VERDICT_N_];
	uint64_t reason_pkts[FWD_REASON_N_];
	uint64_t evictions;
	uint64_t unrecorded;
	uint64_t named;              /* forwarded frames that named an alternative: second chance */
	uint64_t uncounted_pairs;    /* forwarded frames that pair_counters() had no room for */
	uint64_t fragments_held;     /* at this moment; received when they are decided */
	uint64_t fragments_released; /* decided after the first of their datagram */
	uint64_t fragments_expired;  /* dropped: it did not come in time, or too many were held */
	uint64_t answers_sent;       /* to frames that were too big */
	uint64_t answers_limited;    /* not sent: too many in this second */
};

struct engine_service_counters {
	uint64_t packets;
	uint64_t bytes; /* of forwarded frames, Ethernet header included */
	uint64_t syns;
};

struct engine_pair_counters {
	uint16_t service;
	uint16_t backend;
	uint64_t packets;
	uint64_t bytes;
	uint64_t new_flows; /* SYNs forwarded and records made */
	uint64_t syns;
};

struct capture_filter;
struct captured;
struct engine;
struct snapshot;
struct why;

struct engine_ops {
	const char *name; /* "packet", "xdp", "tc" */
	/* Whether auto may take it on these interfaces; if not, `ret_why` says why. NULL: on any. */
	bool (*suits)(const struct engine_config *config, struct why *ret_why);
	/* Whether it can send to the interfaces in `outs` at all; if not, `ret_why` says why. NULL: to any. */
	bool (*takes_outs)(const struct engine_config *config, struct why *ret_why);
	/*
	 * Opens sockets and starts workers with an empty snapshot: everything is passed; where a program
	 * of a previous run forwards, it goes on until the first snapshot is loaded. 0 or
	 * negative errno with the failing step in `ret_why`.
	 */
	int (*start)(const struct engine_config *config, struct engine **ret_engine,
		struct why *ret_why);
	/*
	 * Makes `snapshot` the one in force and owns it from here on, also on error. When no
	 * worker can read the replaced one any more, it is freed. Never blocks for longer than a
	 * batch takes; frames on the way see the old or the new one whole.
	 */
	int (*load)(struct engine *engine, struct snapshot *snapshot);
	/* The snapshot in force. */
	const struct snapshot *(*current)(struct engine *engine);
	/* The buckets of SYN rates, for who only looks; the engine's, as long as it is. */
	struct rates (*rates)(struct engine *engine);
	/* Frees replaced snapshots that nobody reads any more; call now and then. */
	void (*reclaim)(struct engine *engine);
	void (*totals)(struct engine *engine, struct engine_totals *ret_totals);
	void (*service_counters)(struct engine *engine, uint16_t service,
		struct engine_service_counters *ret_counters);
	void (*pair_counters)(struct engine *engine, uint16_t service, uint16_t backend,
		struct engine_pair_counters *ret_counters);
	/*
	 * Which of FWD_CLIENTS numbers the clients of SYNs had since this was asked last, one bit each; some may be told
	 * twice.
	 */
	uint64_t (*take_clients)(struct engine *engine, uint16_t service, uint16_t backend);
	/*
	 * Of the clients' interface: 0; -ENETDOWN while it is down (workers wait and go on by themselves when it is
	 * up); another negative errno when a worker ended for good (-ENODEV: the interface is
	 * gone), and the engine must be started anew.
	 */
	int (*health)(struct engine *engine);
	/*
	 * Why this host's own stack, too, gets frames for VIPs, which it would answer where the VIP is an
	 * address of the host; the engine's. NULL, or no such member: it gets none but neighbour discovery.
	 */
	const char *(*unguarded)(const struct engine *engine);
	/*
	 * What is received and sent is captured from now on, as far as the filter takes it, until the engine stops or
	 * this is called with NULL; never at the cost of forwarding. 0 or negative errno: -EOPNOTSUPP, this kernel
	 * cannot.
	 */
	int (*capture)(struct engine *engine, const struct capture_filter *filter);
	/* The rest while it is on. Readable when a frame waits; the engine's. */
	int (*capture_fd)(const struct engine *engine);
	/* Each frame once, nearly in their order. False: none waits. */
	bool (*capture_take)(struct engine *engine, struct captured *ret_captured);
	/* Frames that found no room, since it began. */
	uint64_t (*capture_lost)(const struct engine *engine);
	/*
	 * Stops workers and frees everything; the kept memory (flows, rows) stays as it is. What forwards
	 * in the kernel goes on with the snapshot in force, unless `detach`.
	 */
	void (*stop)(struct engine *engine, bool detach);
	/*
	 * Removes what a previous run of this engine left on the interfaces of `config`. Safe where nothing was
	 * left; never while this engine runs there.
	 */
	void (*sweep)(const struct engine_config *config);
};
