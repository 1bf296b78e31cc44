/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One event: something that changed, and that an administrator may want to know of later. Its message id
 * says for ever what kind of thing it is (units/dsr.catalog explains each); its JSON is one line, which is
 * what is kept, followed and shown. Pure.
 */
#pragma once

#include <stdarg.h>

#include "common/log.h"
#include "common/util.h"

#define EVENT_ID_BYTES      33u
#define EVENT_WORDS_BYTES   1024u /* of the words, their end included; longer: cut */
#define EVENT_TEXT_BYTES    512u  /* of each other text */
#define EVENT_SERVICES_MAX  64u
#define EVENT_SERVICE_BYTES 80u    /* "[198.51.100.10]:tcp:80" */
#define EVENT_LINE_MAX      32768u /* bytes of its JSON, its line end included */
#define EVENT_SEQUENCE_MAX  (UINT64_C(1) << 53)
#define EVENT_TIME_BYTES    32u

/* Name, kind, message id (never changed, never used again). */
#define EVENT_MESSAGES(X) \
	X(BACKEND_STATE, "backend", "a7af0c908c7b41ed8c42a5597ca96711") \
	X(BACKEND_LEFT, "backend", "04a252fe0bce4bfd83e38ef0764a2390") \
	X(BACKEND_MOVED, "backend", "769f12a7affa46419bf004b86f011fcb") \
	X(BACKEND_ODD, "backend", "9dd7bf36fbe24e939ced03fa5eade45a") \
	X(VIRTUAL_SERVER, "virtual-server", "b234ac50c9ee45a38767ad6bae72556a") \
	X(TABLES, "drift", "5c0f6f4b7d3c4d0e9a4be0c6a5d1f2b7") \
	X(ACTIVE, "active", "bb1cdfdee312453e9ce146a159889ed8") \
	X(CONFIG_LOADED, "config", "2f9e6add37a6402bacdaf97918dbb1b6") \
	X(CONFIG_REFUSED, "config", "a441c189b6394fefbc97f8c12a70839e") \
	X(CLAIM, "claim", "5d5d4a27cf00460fac2a7347b85c9684") \
	X(VIP_HELD, "claim", "12ed7ee18587429a819e69ba22c6c22a") \
	X(REFUSED, "refused", "4c44855abbae46929b4285c12310a777") \
	X(ENGINE_CHOSEN, "engine", "52898aa8de604aea80ce36c15624f93b") \
	X(ENGINE_ENDED, "engine", "daed917c26e34770814c0e6bf176a51e") \
	X(ENGINE_NONE, "engine", "7789156e3db246c3b3e20d0ff90ec1ef") \
	X(INTERFACE, "engine", "00e3a9562c4341eabf511761770128ad") \
	X(DRIFT_REPAIRED, "drift", "e183aa7eda0f418cabb5f5d3a3957539") \
	X(DRIFT_FIGHT, "drift", "cecf631731864e9394c9fae23e9b76dc") \
	X(DRIFT_BLOCKED, "drift", "435473aac9b24fdea1a7a65f55be78ec") \
	X(REGISTRATION, "backend", "bb9c1947ed0342bf99a688b3e1ee1667")

enum event_message {
#define EVENT_ENUM(name, kind, id) EVENT_##name,
	EVENT_MESSAGES(EVENT_ENUM)
#undef EVENT_ENUM
		EVENT_MESSAGE_N_
};

/* Everything is borrowed, and NULL or "" where it does not apply. */
struct event {
	enum event_message message;
	enum log_level level;
	/* The subject; `address` beside a backend is that backend's. */
	const char *backend, *virtual_server, *vip, *address, *interface;
	const char *old, *now; /* the state before and after, or whatever it was that changed */
	const char *reason;
	/* What is served there: "[VIP]:PROTOCOL:PORT", at most EVENT_SERVICES_MAX of them. */
	char (*services)[EVENT_SERVICE_BYTES];
	size_t n_services;
};

const char *event_id(enum event_message message);
const char *event_kind(enum event_message message);
/* Whether anybody on the link, or any agent by what it tells of others, can raise events of this message id. */
bool event_is_strangers(const char *id);
/* Whether a message of this id and kind exists; NULL names none. */
bool event_is_known(const char *id, const char *kind);

/* RFC 3339 in UTC, with milliseconds; microseconds since 1970. Returns `buffer` (EVENT_TIME_BYTES). */
const char *event_time_format(uint64_t realtime_us, char *buffer);

/*
 * One line of JSON without its end; to free. Texts that other hosts said may be anything: what is no
 * UTF-8 or a control code becomes '?'. NULL: no memory.
 */
char *event_json(
	const struct event *event, uint64_t sequence, uint64_t realtime_us, const char *words);
