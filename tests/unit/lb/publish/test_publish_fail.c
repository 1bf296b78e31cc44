/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A build that fails changes nothing: memory runs out at each allocation of a build in turn, and what is
 * published, kept and counted is as before; then the same build succeeds.
 */
#include "publish_world.h"

#include <dirent.h>
#include <pthread.h>

#include "lb/table/scheduler.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OWN_ALLOCATOR 0
#else
#define HAS_OWN_ALLOCATOR 1

/* Allocations until one fails; 0: none fails. */
static size_t fails_at;
static pthread_t fails_for;

static bool fails(void)
{
	return fails_at > 0 && pthread_equal(pthread_self(), fails_for) && --fails_at == 0;
}

/* glibc's own, by the names that it exports for those who replace them. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t len, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t len, size_t size)
{
	return fails() ? NULL : __libc_calloc(len, size);
}

void *realloc(void *memory, size_t size)
{
	return fails() ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t len, size_t size)
{
	size_t size_bytes;

	return __builtin_mul_overflow(len, size, &size_bytes) ? NULL : realloc(memory, size_bytes);
}

static void fail_at(size_t n)
{
	fails_for = pthread_self();
	fails_at = n;
}
#endif

#if HAS_OWN_ALLOCATOR
/* What anybody can see of what is published. */
struct view {
	char *document;
	char digests[2][TABLE_DIGEST_LEN];
	size_t moving[2], owned[2][5];
	uint32_t weights
		[5]; /* that lc has of each backend; UINT32_MAX: it counts none of its connections */
	size_t n_files;
};

static size_t count_files(const struct world *world)
{
	DIR *directory = opendir(world->directory);
	size_t n = 0;

	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

static struct view look(const struct world *world)
{
	json_t *document = publish_export(world->publish);
	struct view view = { .document = json_dumps(document, JSON_COMPACT),
		.n_files = count_files(world) };

	json_decref(document);
	for (size_t i = 0; i < 2; i++) {
		uint16_t service = service_at(world, i);

		snprintf(view.digests[i], TABLE_DIGEST_LEN, "%s",
			publish_digest(world->publish, service));
		view.moving[i] = publish_moving(world->publish, service);
		for (uint16_t id = 0; id < 5; id++)
			view.owned[i][id] = publish_owned(world->publish, service, id);
	}
	for (uint16_t id = 0; id < 5; id++) {
		const struct fwd_load *load =
			snapshot_load(world->snapshot, service_at(world, 0), id);

		view.weights[id] = load ? load->weight : UINT32_MAX;
	}
	return view;
}

static void assert_same(struct view *before, const struct world *world)
{
	struct view after = look(world);

	assert_string_equal(before->document, after.document);
	assert_memory_equal(before->digests, after.digests, sizeof(after.digests));
	assert_memory_equal(before->moving, after.moving, sizeof(after.moving));
	assert_memory_equal(before->owned, after.owned, sizeof(after.owned));
	assert_memory_equal(before->weights, after.weights, sizeof(after.weights));
	assert_int_equal(before->n_files, after.n_files);
	free(after.document);
}

/* Until one succeeds; at least so many allocations are part of it. */
static void fail_everywhere(struct world *world, uint64_t now_us)
{
	const struct publish_request request = { world->services, world->registry, &world->links };
	struct view before = look(world);
	struct snapshot *snapshot = NULL;
	size_t n = 0;
	int r;

	do {
		fail_at(++n);
		r = publish_build(world->publish, &request, now_us, &snapshot);
		fail_at(0);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(snapshot);
		assert_same(&before, world);
	} while (n < 10000);
	assert_int_equal(r, 0);
	assert_in_range(n, 20, 9999);
	snapshot_free(world->snapshot);
	world->snapshot = snapshot;
	free(before.document);
}
#endif

static void failed_build_changes_nothing(struct world *world, const char *more)
{
#if HAS_OWN_ALLOCATOR
	__u64 *meta;

	world->more = more;
	quieten(world, 3);
	keep_sweep(world->keep);
	meta = &keep_flows(world->keep)->flow4[0].entries[0].meta;
	*meta = flow_meta(service_at(world, 0), id_of(world, "b3"), FLOW_TCP_ESTABLISHED, 1019);
	/* One goes, then two come, and the first has another weight. */
	world_configure(world, 2, START_US + S(20));
	fail_everywhere(world, START_US + S(20));
	assert_int_equal(flow_meta_state(*meta), FLOW_TCP_ESTABLISHED);
	/* Its void records were noted all the same. */
	walk(world, START_US + S(20));
	assert_int_equal(*meta, 0);
	world->first = "weight=7";
	world_configure(world, 4, START_US + S(30));
	fail_everywhere(world, START_US + S(30));
	assert_int_not_equal(owned(world, service_at(world, 0), "b4"), 0);
#else
	print_message("skipped: the sanitizer has the allocator\n");
#endif
}

static void publish_changes_nothing_when_memory_runs_out(void **state)
{
	failed_build_changes_nothing(*state, NULL);
}

static void publish_changes_nothing_of_lc_when_memory_runs_out(void **state)
{
	failed_build_changes_nothing(*state, "scheduler = lc\n");
}

static void publish_changes_nothing_of_rr_when_memory_runs_out(void **state)
{
	failed_build_changes_nothing(*state, "scheduler = rr\n");
}

/* It is as fresh as before, whatever the time of the failed build. */
static void publish_follows_on_when_memory_runs_out(void **state)
{
#if HAS_OWN_ALLOCATOR
	struct world *world = *state;
	struct publish_request request;
	struct snapshot *snapshot = NULL;

	world_configure(world, 2, START_US);
	world_build(world, START_US);
	request = (struct publish_request){ world->services, world->registry, &world->links };
	fail_at(1);
	assert_int_equal(
		publish_build(world->publish, &request, START_US + S(60), &snapshot), -ENOMEM);
	fail_at(0);
	/* It is still due. */
	assert_true(publish_tick(world->publish, START_US + S(60)));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(publish_changes_nothing_when_memory_runs_out),
		TEST(publish_changes_nothing_of_lc_when_memory_runs_out),
		TEST(publish_changes_nothing_of_rr_when_memory_runs_out),
		TEST(publish_follows_on_when_memory_runs_out),
	};

	return cmocka_run_group_tests_name("publish fail", tests, NULL, NULL);
}
