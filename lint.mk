# SPDX-License-Identifier: GPL-2.0-or-later
# Included by the Makefile: the checks that read code instead of running it.

LINT_C := $(shell git ls-files '*.c' '*.h' 2>/dev/null || find agent common lb tests bench -name '*.[ch]')
# As the compiler gets them, but for the version: its quotes would not survive the shells between.
LINT_CFLAGS = $(filter-out -DDSR_VERSION=%,$(BASE_CFLAGS)) -DDSR_VERSION=__FILE__

LINT_SHELL := $(wildcard tests/run tests/deps tests/demo tests/soak tests/coverage tests/coverage-all tests/check-* \
	tests/fuzz/run .ci/run bench/run bench/deps bench/control bench/savings bench/latency bench/*.bash \
	tests/netns/*.bash tests/netns/container_* tests/scenario/*.bash units/*.bash \
	packaging/debian/*.p* packaging/debian/tests/pair packaging/container/install packaging/container/start \
	packaging/keepalived/dsr-lb-track)

lint: check-format check-tidy check-cppcheck check-shell check-layers check-units

.PHONY: check-format check-tidy check-cppcheck check-shell
check-format:
	$(call say,FORMAT,all)clang-format --dry-run --Werror $(LINT_C)
check-tidy:
	$(call say,TIDY,all)BUILD='$(BUILD)' CLANG='$(CLANG)' CFLAGS='$(LINT_CFLAGS)' BPF_CFLAGS='$(BPF_CFLAGS)' \
		tests/check-tidy $(filter %.c,$(LINT_C))
# To cppcheck, which does not know __cleanup__, every owning local would be a leak; LeakSanitizer
# sees the real ones in every test.
check-cppcheck:
	$(call say,CPPCHK,all)cppcheck --quiet --std=c11 --enable=warning,performance,portability \
		--inline-suppr --suppress=missingIncludeSystem --suppress=memleak \
		--suppress=resourceLeak --error-exitcode=1 -j $$(nproc) \
		--library=tests/cppcheck.cfg -D_GNU_SOURCE -D__x86_64__ -I. $(filter %.c,$(LINT_C))
# Scenarios call functions by name through fact(), and share variables with what they source.
check-shell:
	$(call say,SHELL,all)shellcheck --shell=bash --severity=warning \
		--exclude=SC1091,SC2034,SC2119,SC2120,SC2154,SC2317,SC2329 \
		$(LINT_SHELL)
# It reads the objects' symbols: those of sources that have changed since would tell of another tree.
check-layers: all
	$(call say,LAYERS,all)tests/check-layers
check-units:
	$(call say,UNITS,all)said=$$(tests/check-units) || { printf '%s\n' "$$said" | grep -v '^ok '; exit 1; }
format:
	clang-format -i $(LINT_C)

# With libFuzzer, in a build folder of its own, all of the product instrumented, so that coverage guides it.
DIFFERENTIAL := $(filter %/lb/engine/bpf/test_differential,$(UNIT))
TRACKING := $(filter %/lb/fwd/test_tracking,$(UNIT))
TRACKING_STEPS ?= 1000000
fuzz: $(DIFFERENTIAL) $(TRACKING) $(SIMULATION)
	$(if $(DIFFERENTIAL),$(Q)DIFFERENTIAL_FRAMES=1000000 $(DIFFERENTIAL))
	$(Q)TRACKING_STEPS=$(TRACKING_STEPS) $(TRACKING)
	$(Q)$(SIMULATION) -f tests/simulation/seeds
	$(Q)$(SIMULATION) 1 $(SEEDS)
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)-fuzz CC='$(CLANG)' SAN=fuzzer-no-link,address,undefined run-fuzz
run-fuzz: $(FUZZERS)
	$(Q)BUILD=$(BUILD) tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ)
