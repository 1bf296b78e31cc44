/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fragment table: finds what was put, forgets the oldest, is shared by threads. */
#include "lb/engine/fragments.h"

#include <pthread.h>
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const __u64 seed[2] = { 1, 2 };

static struct fwd_fragment_key key_of(uint32_t id)
{
	return (struct fwd_fragment_key){
		.source = { { 0, 0, htonl(0xffff), id * 7 } },
		.vip = { { 0, 0, htonl(0xffff), 42 } },
		.id = id,
		.proto = 17,
	};
}

static void put(struct fragments *fragments, uint32_t id, uint16_t backend, uint32_t now_s)
{
	struct fwd_fragment_key key = key_of(id);
	struct fwd_fragment fragment = { .service = 1, .backend = backend, .seen_s = now_s };

	fragments_put(fragments, &key, &fragment);
}

static int backend_of(struct fragments *fragments, uint32_t id)
{
	struct fwd_fragment_key key = key_of(id);
	struct fwd_fragment fragment;

	return fragments_get(fragments, &key, &fragment) ? fragment.backend : -1;
}

static void fragments_refuse_sizes_out_of_range(void **state)
{
	struct fragments *fragments = NULL;

	assert_int_equal(fragments_new(0, seed, &fragments), -EINVAL);
	assert_int_equal(fragments_new(FRAGMENTS_MAX + 1, seed, &fragments), -EINVAL);
	assert_null(fragments);
	assert_null(fragments_free(NULL));
}

static void fragments_find_what_was_put(void **state)
{
	_cleanup_(fragments_freep) struct fragments *fragments = NULL;
	struct fwd_fragment_key other = key_of(3);
	struct fwd_fragment fragment;

	assert_int_equal(fragments_new(1024, seed, &fragments), 0);
	put(fragments, 3, 11, 100);
	assert_int_equal(backend_of(fragments, 3), 11);
	assert_int_equal(backend_of(fragments, 4), -1);
	other.proto = 6;
	assert_false(fragments_get(fragments, &other, &fragment));
	put(fragments, 3, 12, 101);
	assert_int_equal(backend_of(fragments, 3), 12);
}

static void fragments_forget_the_oldest_when_full(void **state)
{
	_cleanup_(fragments_freep) struct fragments *fragments = NULL;

	assert_int_equal(fragments_new(4, seed, &fragments), 0);
	/* The clock wraps in between. */
	put(fragments, 1, 1, UINT32_MAX);
	put(fragments, 2, 2, UINT32_MAX - 1);
	put(fragments, 3, 3, 0);
	put(fragments, 4, 4, 1);
	put(fragments, 5, 5, 2);
	assert_int_equal(backend_of(fragments, 2), -1);
	for (uint32_t id = 1; id <= 5; id++)
		if (id != 2)
			assert_int_equal(backend_of(fragments, id), id);
}

static void *put_many(void *context)
{
	for (uint32_t i = 0; i < 20000; i++) {
		int backend;

		put(context, i % 97, (uint16_t)(i % 97 + 1), i);
		backend = backend_of(context, i % 89);
		if (backend != -1 && backend != (int)(i % 89 + 1))
			return context;
	}
	return NULL;
}

static void fragments_are_never_torn_between_threads(void **state)
{
	_cleanup_(fragments_freep) struct fragments *fragments = NULL;
	pthread_t threads[2];

	assert_int_equal(fragments_new(64, seed, &fragments), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, fragments), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_refuse_sizes_out_of_range),
		cmocka_unit_test(fragments_find_what_was_put),
		cmocka_unit_test(fragments_forget_the_oldest_when_full),
		cmocka_unit_test(fragments_are_never_torn_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
