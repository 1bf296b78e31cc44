/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A main() for fuzz targets where libFuzzer is not: runs every file of the corpus directories
 * given, then N random mutations of each, the same ones every time. A crash names the input:
 * the one in work is described on stderr by the abort handler.
 *
 *	fuzz_X [-n MUTATIONS] [-s SEED] CORPUS…
 */
#include "common/util.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>

#define INPUT_MAX_BYTES 65536u
#define MUTATIONS_SMALL 200u
#define EDITS_MAX       8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Weak: few targets prepare anything. */
__attribute__((__weak__)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What the handler of a crash writes: it can be told nothing, and may call next to nothing. */
static char current[PATH_MAX + 128];
static size_t current_size;

struct random {
	uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood: OOPSLA 2014): small, and the same everywhere. */
static uint64_t random_next(struct random *random)
{
	uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static size_t random_below(struct random *random, size_t limit)
{
	return limit > 0 ? (size_t)(random_next(random) % limit) : 0;
}

/* One edit: flip, overwrite, insert, delete, cut or repeat. Returns the new size. */
static size_t mutate_once(struct random *random, uint8_t *data, size_t size, size_t capacity)
{
	static const uint8_t telling[] = { 0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, '\n', '=', '[' };
	size_t at = random_below(random, size);
	size_t length;

	switch (random_below(random, 6)) {
	case 0:
		if (size > 0)
			data[at] ^= (uint8_t)(1u << random_below(random, 8));
		return size;
	case 1:
		if (size > 0)
			data[at] = telling[random_below(random, ARRAY_LEN(telling))];
		return size;
	case 2:
		if (size >= capacity)
			return size;
		memmove(data + at + 1, data + at, size - at);
		data[at] = (uint8_t)random_next(random);
		return size + 1;
	case 3:
		if (size == 0)
			return 0;
		memmove(data + at, data + at + 1, size - at - 1);
		return size - 1;
	case 4:
		return at;
	default:
		length = MIN(random_below(random, size - at + 1), capacity - size);
		memmove(data + at + length, data + at, size - at);
		return size + length;
	}
}

/* The target gets a heap block of exactly its size, so that a sanitizer sees one byte too far. */
static void run_once(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *exact = malloc(size > 0 ? size : 1);

	if (!exact)
		abort();
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
}

static int read_file(const char *path, uint8_t *ret_data, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	bool failed;

	if (!file)
		return util_negative_errno();
	*ret_size = fread(ret_data, 1, INPUT_MAX_BYTES, file);
	failed = ferror(file);
	fclose(file);
	return failed ? -EIO : 0;
}

static int run_file(const char *path, unsigned long n_mutations, unsigned long seed)
{
	static uint8_t original[INPUT_MAX_BYTES], data[INPUT_MAX_BYTES];
	struct random random = { seed };
	size_t size = 0;
	int r = read_file(path, original, &size);

	if (r < 0)
		return r;
	/* Mutation 0 is the file as it is. */
	for (unsigned long i = 0; i <= n_mutations; i++) {
		size_t mutated = size;

		current_size = (size_t)snprintf(current, sizeof(current),
			"input: %s, mutation %lu of seed %lu\n", path, i, seed);
		memcpy(data, original, size);
		if (i > 0)
			for (size_t edits = 1 + random_below(&random, EDITS_MAX); edits > 0;
				edits--)
				mutated = mutate_once(&random, data, mutated, INPUT_MAX_BYTES);
		run_once(data, mutated);
	}
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* not alphasort(): that follows the locale */
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int run_directory(const char *directory, unsigned long n_mutations, unsigned long seed)
{
	struct dirent **entries = NULL;
	int n_entries = scandir(directory, &entries, visible, by_name);
	int r = n_entries < 0 ? util_negative_errno() : n_entries == 0 ? -ENOENT : 0;

	for (int i = 0; i < n_entries; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (r == 0)
			r = run_file(path, n_mutations, seed + (unsigned long)i);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static void say_input(void)
{
	ssize_t written = write(STDERR_FILENO, current, current_size);

	(void)written;
}

static void on_crash(int signal_number)
{
	say_input();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* A sanitizer that exits instead of aborting calls this; weak, since it comes with them only. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((__weak__));

int main(int argc, char **argv)
{
	unsigned long n_mutations = MUTATIONS_SMALL, seed = 1;
	int option;

	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			n_mutations = strtoul(optarg, NULL, 10);
		else if (option == 's')
			seed = strtoul(optarg, NULL, 10);
		else
			return 64;
	}
	if (optind == argc) {
		fprintf(stderr, "usage: %s [-n MUTATIONS] [-s SEED] CORPUS…\n", argv[0]);
		return 64;
	}
	signal(SIGABRT, on_crash);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(say_input);
	} else {
		signal(SIGSEGV, on_crash);
		signal(SIGBUS, on_crash);
	}
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = optind; i < argc; i++) {
		int r = run_directory(argv[i], n_mutations, seed);

		if (r < 0) {
			fprintf(stderr, "%s: cannot run the corpus: %s\n", argv[i], strerror(-r));
			return 1;
		}
	}
	return 0;
}
