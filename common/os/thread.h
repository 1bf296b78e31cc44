/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads beside the event loop, which alone takes signals. Header only. */
#pragma once

#include <pthread.h>
#include <signal.h>

/* Starts a thread that has every signal blocked. 0 or negative errno. */
static inline int thread_start(pthread_t *ret_thread, void *(*run)(void *context), void *context)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(ret_thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}
