# SPDX-License-Identifier: GPL-2.0-or-later
# Included by the Makefile: the checks that read code instead of running it.

LINT_C := $(shell git ls-files '*.c' '*.h' 2>/dev/null || find agent common lb tests -name '*.[ch]')
LINT_TIDY := $(filter-out %.bpf.c,$(filter %.c,$(LINT_C)))

LINT_SHELL := $(wildcard tests/run tests/deps tests/demo tests/check-* tests/fuzz/run \
	tests/netns/*.bash tests/scenario/*.bash units/*.bash)

lint: check-format check-tidy check-cppcheck check-shell check-layers check-units

.PHONY: check-format check-tidy check-cppcheck check-shell
check-format:
	$(call say,FORMAT,all)clang-format --dry-run --Werror $(LINT_C)
check-tidy:
	$(call say,TIDY,all)printf '%s\n' $(LINT_TIDY) | xargs -P $$(nproc) -n 4 sh -c \
		'clang-tidy --quiet "$$@" -- $(subst ",\",$(BASE_CFLAGS)) 2>/dev/null' tidy
check-cppcheck:
	$(call say,CPPCHK,all)cppcheck --quiet --std=c11 --enable=warning,performance,portability \
		--inline-suppr --suppress=missingIncludeSystem --error-exitcode=1 -j $$(nproc) \
		-D_GNU_SOURCE -D__x86_64__ -I. $(filter-out %.bpf.c,$(filter %.c,$(LINT_C)))
# Scenarios call functions by name through fact(), and share variables with what they source.
check-shell:
	$(call say,SHELL,all)shellcheck --shell=bash --severity=warning \
		--exclude=SC1091,SC2034,SC2119,SC2120,SC2154,SC2317,SC2329 \
		$(LINT_SHELL)
check-layers:
	$(call say,LAYERS,all)tests/check-layers
check-units:
	$(call say,UNITS,all)tests/check-units
format:
	clang-format -i $(LINT_C)

# libFuzzer with the room's sources compiled in, so that coverage guides it.
FUZZ_FLAGS := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -O1 -g
fuzz:
	$(Q)CLANG='$(CLANG)' CFLAGS='$(filter-out -DDSR_VERSION=% -D_FORTIFY_SOURCE=3 -U_FORTIFY_SOURCE $(OPTIMISE),$(BASE_CFLAGS)) $(FUZZ_FLAGS)' \
		LIBS='$(LIBS_agent) $(LIBS_common)' BUILD=$(BUILD) tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ)
