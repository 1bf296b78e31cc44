/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a frame was forwarded, passed or dropped: one name each, with a counter, a line in the
 * man page and at least one packet vector. The list is the enum, the names and the documentation.
 */
#pragma once

/* X(identifier, "name in JSON and metrics", verdict, "what it means") */
#define FWD_REASONS(X) \
	X(FORWARDED, "forwarded", FWD_FORWARD, "sent to a backend") \
	X(NOT_OURS, "not-ours", FWD_PASS, "destination MAC is not the interface's own") \
	X(NOT_IP, "not-ip", FWD_PASS, "neither IPv4 nor IPv6") \
	X(NOT_VIP, "not-vip", FWD_PASS, "destination address is no VIP") \
	X(NO_SERVICE, "no-service", FWD_PASS, "no virtual server has this VIP, protocol and port") \
	X(NOT_FORWARDED_ICMP, "icmp-not-forwarded", FWD_PASS, \
		"ICMP to a VIP that is neither echo nor an error about a flow of ours") \
	X(TRUNCATED, "truncated", FWD_DROP, \
		"ends within a header, or before the length that IP claims") \
	X(BAD_IP, "bad-ip-header", FWD_DROP, \
		"IP version, header length or total length contradict") \
	X(BAD_L4, "bad-l4-header", FWD_DROP, "TCP data offset or UDP length is wrong") \
	X(BAD_EXTENSION, "bad-extension-header", FWD_DROP, \
		"IPv6 extension header chain too long or malformed") \
	X(MULTICAST_SOURCE, "multicast-source-mac", FWD_DROP, "source MAC is a group address") \
	X(LAND, "land", FWD_DROP, "source address is the VIP itself") \
	X(CLIENT_DENIED, "client-denied", FWD_DROP, \
		"allow-clients and deny-clients of the virtual server do not take this client") \
	X(LOOP, "loop", FWD_DROP, "sent by ourselves or a backend of this VIP") \
	X(SYN_RATE, "syn-rate", FWD_DROP, "more SYNs than the virtual server's syn-rate") \
	X(SYN_RATE_SOURCE, "syn-rate-source", FWD_DROP, \
		"more SYNs of this /24 or /56 than syn-rate-source") \
	X(NO_BACKEND, "no-backend", FWD_DROP, "the virtual server has no usable backend") \
	X(FRAGMENT_DROPPED, "fragment-dropped", FWD_DROP, "a fragment, and fragments = drop") \
	X(FRAGMENT_EARLY, "fragment-early", FWD_SLOW_PATH, \
		"a fragment whose first did not come in time") \
	X(FRAGMENT_TINY, "fragment-tiny", FWD_DROP, \
		"a first fragment without its ports (RFC 1858)") \
	X(TOO_BIG, "too-big", FWD_SLOW_PATH, "longer than the link to the backend takes") \
	X(RING_FULL, "ring-full", FWD_DROP, "arrived faster than it was taken (receive ring)") \
	X(SEND_FAILED, "send-failed", FWD_DROP, "the backend interface refused the frame")

enum fwd_reason {
#define FWD_REASON_ENUM(id, name, verdict, text) FWD_REASON_##id,
	FWD_REASONS(FWD_REASON_ENUM)
#undef FWD_REASON_ENUM
		FWD_REASON_N_
};

/* The verdict of each reason, two bits each in one word: BPF needs no table for it. */
#define FWD_REASON_VERDICT(id, name, verdict, text) \
	| (unsigned long long)(verdict) << (2 * FWD_REASON_##id)
#define FWD_REASON_VERDICTS (0ull FWD_REASONS(FWD_REASON_VERDICT))
_Static_assert(FWD_REASON_N_ <= 32, "two bits a reason fit into one word");
