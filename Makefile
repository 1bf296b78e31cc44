# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build/dsr-lb and build/dsr-agent
# make demo       (root) the whole product once, in network namespaces
# make check      (root) the tests and the lint; TESTS='scenario drain*' for those of that name alone
# make check-all  (root) every scenario on every engine
# make deps-all   (root) what even optional tests need: servers of six protocols, promtool, a browser
# make lint       format, static analysis, layers, units
# make coverage   of the forwarding core and its tables by the unit tests, a line a file
# make coverage-all  (root) lines of common/, agent/ and lb/ by all unit tests and by SCENARIOS=; fails under COVERAGE_MIN=90 per cent
# make fuzz       what is too long for make check (doc/testing.md): TRACKING_STEPS= SEEDS= FUZZ_SECONDS= FUZZ=
# make soak       (root) for HOURS=1, or MINUTES=: what grows
# make bench      (root) the benchmark, ten minutes; BENCH="xdp packet" ROUNDS= SECONDS_EACH= for less
# make install    DESTDIR= PREFIX=/usr
# make deb        Debian packages, in build/deb; what that needs: make deps-all
#
# V=1 verbose; SAN=address,undefined or thread; COVERAGE=1; XDP=0 without libbpf and clang.

VERSION  := 0.1.0
PREFIX   ?= /usr
DESTDIR  ?=
SYSCONFDIR ?= /etc
BUILD    ?= build
CLANG    ?= clang
SAN      ?=
COVERAGE ?=
XDP      ?= 1
FUZZ_SECONDS ?= 60
SEEDS ?= 10000

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' "$(1)" "$(2)";)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Goals that install what is missing, then call make again with pkg-config in place.
ENTRY_GOALS := demo check check-all soak bench
PLAIN_GOALS := deps deps-all clean deb $(ENTRY_GOALS)

ifneq ($(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),all)),)
PACKAGES := libmnl libnl-3.0 libnl-route-3.0 libsystemd inih cmocka libsodium jansson smartcols libcurl ncursesw libmicrohttpd $(if $(filter 0,$(XDP)),,libbpf)
ifeq ($(shell command -v pkg-config),)
$(error pkg-config is missing; `make deps` installs what the build needs)
endif
MISSING := $(foreach p,$(PACKAGES),$(shell pkg-config --exists $(p) || echo $(p)))
ifneq ($(strip $(MISSING)),)
$(error missing libraries: $(strip $(MISSING)); `make deps` installs what the build needs)
endif
PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
LIBS_common := $(shell pkg-config --libs libmnl libsystemd inih libsodium jansson smartcols libmicrohttpd) -lm -lpthread
LIBS_bpf    := $(if $(filter 0,$(XDP)),,$(shell pkg-config --libs libbpf))
LIBS_agent  := $(LIBS_bpf) $(shell pkg-config --libs libnl-route-3.0 libnl-3.0 libcurl)
LIBS_lb     := $(LIBS_bpf) $(shell pkg-config --libs ncursesw)
LIBS_test   := $(shell pkg-config --libs cmocka)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wformat=2 -Wundef -Wvla -Wwrite-strings -Wimplicit-fallthrough -Werror=return-type \
	-Wno-unused-parameter $(if $(WERROR),-Werror)
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection
LINK_HARDEN := -pie -Wl,-z,relro,-z,now
OPTIMISE := -O2 -g
ifneq ($(SAN),)
OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
LINK_HARDEN += -fsanitize=$(SAN)
else
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
ifneq ($(COVERAGE),)
OPTIMISE := -O0 -g --coverage '-DFWD_INLINE=static __attribute__((__unused__))'
HARDEN := $(filter-out -D_FORTIFY_SOURCE=3,$(HARDEN))
LINK_HARDEN += --coverage
endif

BASE_CFLAGS := -std=gnu17 -D_GNU_SOURCE -DDSR_VERSION='"$(VERSION)"' -I. -I$(BUILD) $(PACKAGE_CFLAGS) \
	$(OPTIMISE) $(HARDEN) -fPIE $(WARNINGS)
ALL_CFLAGS = $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LINK_HARDEN) $(LDFLAGS)

# Every .c below the folders, whatever room it is in; programs' main.c and BPF programs are apart.
below = $(sort $(shell find $(1) -name '*.c' ! -name '*.bpf.c' ! -path '$(firstword $(1))/main.c'))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

COMMON_O := $(call objects,$(call below,common))
# With the program of second chance, or a word that it is not there.
AGENT_BPF := $(filter-out %/chance_none.c %.bpf.c,$(wildcard agent/chance/*.c))
AGENT_O  := $(call objects,$(filter-out $(if $(filter 0,$(XDP)),$(AGENT_BPF),agent/chance/chance_none.c),$(call below,agent)))
# The engines in the kernel, or a word that they are not there.
LB_BPF   := $(filter-out %/none.c %.bpf.c,$(wildcard lb/engine/bpf/*.c))
LB_O     := $(call objects,$(filter-out $(if $(filter 0,$(XDP)),$(LB_BPF),lb/engine/bpf/none.c),$(call below,lb)))
LIB_common := $(BUILD)/libcommon.a
LIB_agent  := $(BUILD)/libagent.a
LIB_lb     := $(BUILD)/liblb.a
VECTORS_O := $(call objects,$(wildcard tests/vectors/*.c))

# Those of the engines in the kernel want libbpf.
UNIT    := $(patsubst %.c,$(BUILD)/%,$(filter-out $(if $(filter 0,$(XDP)),tests/unit/lb/engine/bpf/% tests/unit/agent/chance/%), \
	$(shell find tests/unit -name 'test_*.c')))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(shell find tests/fuzz -name 'fuzz_*.c'))
SIMULATION := $(BUILD)/tests/simulation/simulate
TOOLS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/harness/*.c))
PRELOADS := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/harness/preload/*.c))
BENCH_TOOLS := $(patsubst %.c,$(BUILD)/%,$(filter-out %.bpf.c,$(wildcard bench/*.c)))
BENCH_BPF   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.bpf.c))

.PHONY: all tests clean deps deps-all demo check check-all soak bench install deb lint format check-layers check-units fuzz run-fuzz unit coverage coverage-all \
	run-check run-check-all run-demo run-soak
all: $(BUILD)/dsr-lb $(BUILD)/dsr-agent
tests: all $(UNIT) $(FUZZERS) $(TOOLS) $(PRELOADS) $(SIMULATION) $(BUILD)/tests/next/dsr-lb $(if $(filter 0,$(XDP)),,$(BENCH_TOOLS) $(BENCH_BPF))

# Everything is compiled anew when the compiler or its flags change.
FLAGS_NOW := $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','"'"',$(FLAGS_NOW))' | cmp -s - $@ || printf '%s\n' '$(subst ','"'"',$(FLAGS_NOW))' > $@
# Phony, because .SECONDARY (below) lets make pass over what is not there.
.PHONY: FORCE
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# It takes these files in whole (.incbin), which no compiler tells make.
$(BUILD)/common/page/page.o: $(wildcard common/page/page.html common/page/page.css common/page/page.js)

# Appended (q), not replaced: files of two rooms may have one name.
$(LIB_common): $(COMMON_O)
$(LIB_agent): $(AGENT_O)
$(LIB_lb): $(LB_O)
%.a:
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) qcs $@ $^

$(BUILD)/dsr-lb: $(BUILD)/lb/main.o $(LIB_lb) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_lb) $(LIBS_common)
$(BUILD)/dsr-agent: $(BUILD)/agent/main.o $(LIB_agent) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_agent) $(LIBS_common)

# A daemon that keeps its state in another layout, as a later version may, for the upgrade scenario.
$(BUILD)/tests/next/store.o: lb/state/store.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$< (KEEP_LAYOUT=99))$(CC) $(ALL_CFLAGS) -DKEEP_LAYOUT=99u -MMD -MP -c -o $@ $<
$(BUILD)/tests/next/dsr-lb: $(BUILD)/lb/main.o $(BUILD)/tests/next/store.o $(LIB_lb) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_lb) $(LIBS_common)

# A test below tests/unit/lb links all of lb and common, and the packet vectors; likewise the others.
$(BUILD)/tests/unit/common/%: $(BUILD)/tests/unit/common/%.o $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_common) $(LIBS_test)
$(BUILD)/tests/unit/agent/%: $(BUILD)/tests/unit/agent/%.o $(LIB_agent) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_agent) $(LIBS_common) $(LIBS_test)
$(BUILD)/tests/unit/lb/%: $(BUILD)/tests/unit/lb/%.o $(VECTORS_O) $(LIB_lb) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_lb) $(LIBS_common) $(LIBS_test)

# A fuzzer is one function, linked with a driver that runs the corpus and random mutations of it, under any compiler; or
# with libFuzzer, which brings a main of its own (`make fuzz`): by the same rules, so that what links here links there.
FUZZ_DRIVER := $(if $(findstring fuzzer,$(SAN)),,$(BUILD)/tests/fuzz/driver.o)
FUZZ_LINK := $(if $(FUZZ_DRIVER),,-fsanitize=fuzzer)
$(BUILD)/tests/fuzz/common/%: $(BUILD)/tests/fuzz/common/%.o $(FUZZ_DRIVER) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FUZZ_LINK) -o $@ $^ $(LIBS_common)
$(BUILD)/tests/fuzz/agent/%: $(BUILD)/tests/fuzz/agent/%.o $(FUZZ_DRIVER) $(LIB_agent) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FUZZ_LINK) -o $@ $^ $(LIBS_agent) $(LIBS_common)
$(BUILD)/tests/fuzz/lb/%: $(BUILD)/tests/fuzz/lb/%.o $(FUZZ_DRIVER) $(VECTORS_O) $(LIB_lb) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FUZZ_LINK) -o $@ $^ $(LIBS_lb) $(LIBS_common)

# Both programs' rooms in one process, with one clock, and one chance, for all of it.
$(SIMULATION): $(call objects,$(wildcard tests/simulation/*.c)) $(LIB_lb) $(LIB_agent) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=clock_gettime,--wrap=getrandom -o $@ $^ $(LIBS_lb) $(LIBS_common) $(LIBS_test)

# What a scenario puts between a program and the C library; never with a sanitizer, which has its own there.
$(PRELOADS): $(BUILD)/%.so: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g -fPIC $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -shared -o $@ $<

# It is many agents: it speaks as they do.
$(BUILD)/tests/harness/agents: $(BUILD)/tests/harness/agents.o $(LIB_agent) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_common)
$(BUILD)/tests/harness/%: $(BUILD)/tests/harness/%.o $(LIB_lb) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_lb) $(LIBS_common)

# The benchmark's programs, never part of the product.
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIB_lb) $(LIB_common)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lbpf -lm $(LIBS_lb) $(LIBS_common)

# One source, two programs, and the guard's; each is loaded by way of its skeleton.
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPFTOOL   ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
BPF_CFLAGS := -O2 -g -Wall -Werror -target bpf -mcpu=v3 -I. $(if $(MULTIARCH),-I/usr/include/$(MULTIARCH))
$(BUILD)/lb/engine/bpf/dsr_tc.bpf.o: BPF_CFLAGS += -DDSR_TC
$(BUILD)/lb/engine/bpf/dsr_xdp.bpf.o $(BUILD)/lb/engine/bpf/dsr_tc.bpf.o: lb/engine/bpf/dsr.bpf.c
$(BUILD)/lb/engine/bpf/dsr_guard.bpf.o: lb/engine/bpf/dsr_guard.bpf.c
$(BUILD)/lb/engine/bpf/dsr_xdp.bpf.o $(BUILD)/lb/engine/bpf/dsr_tc.bpf.o $(BUILD)/lb/engine/bpf/dsr_guard.bpf.o: $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $(filter %.bpf.c,$^)
$(BUILD)/agent/chance/dsr_chance.bpf.o: agent/chance/dsr_chance.bpf.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $(notdir $*) > $@
$(BUILD)/agent/chance/chance.o: $(BUILD)/agent/chance/dsr_chance.skel.h
$(BUILD)/lb/engine/bpf/object.o $(call objects,$(wildcard tests/unit/lb/engine/bpf/*.c)): \
	$(BUILD)/lb/engine/bpf/dsr_xdp.skel.h $(BUILD)/lb/engine/bpf/dsr_tc.skel.h
$(BUILD)/lb/engine/bpf/guard.o: $(BUILD)/lb/engine/bpf/dsr_guard.skel.h
$(BUILD)/bench/%.bpf.o: bench/%.bpf.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

unit: $(UNIT)
	$(Q)tests/run unit

# In a build folder of its own: the counters are part of the objects.
coverage:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)-coverage COVERAGE=1 run-coverage
run-coverage: $(UNIT)
	$(Q)BUILD=$(BUILD) tests/coverage

# Daemons of that build play the scenarios; they must be able to write into the tree.
coverage-all:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)-coverage COVERAGE=1 run-coverage-all
run-coverage-all: tests
	$(Q)BUILD=$(BUILD) tests/coverage-all

deps:
	$(Q)tests/deps
# And what only some tests need: servers of six protocols, promtool, a browser.
deps-all:
	$(Q)tests/deps all

# On all processors, unless it was said on how many.
$(ENTRY_GOALS): deps
	$(Q)$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) run-$@
run-check run-check-all: tests
	$(Q)BUILD=$(BUILD) SAN='$(SAN)' XDP='$(XDP)' TESTS='$(TESTS)' tests/run $(if $(filter %-all,$@),all,usual)
run-soak: tests
	$(Q)BUILD=$(BUILD) SAN='$(SAN)' HOURS='$(HOURS)' MINUTES='$(MINUTES)' tests/soak
run-demo: all tests
	$(Q)BUILD=$(BUILD) tests/demo
# The control plane is measured by programs of the tests.
run-bench: $(if $(filter control,$(or $(BENCH),control)),tests,all) $(BENCH_TOOLS) $(BENCH_BPF)
	$(Q)bench/deps
	$(Q)BUILD=$(BUILD) bench/run $(BENCH)

include lint.mk

install: all
	install -d -m 755 $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/lib/systemd/system-preset $(DESTDIR)$(PREFIX)/lib/sysusers.d \
		$(DESTDIR)$(PREFIX)/lib/systemd/catalog \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d \
		$(DESTDIR)$(PREFIX)/share/doc/dsr/examples \
		$(DESTDIR)/etc/dsr-lb $(DESTDIR)/etc/dsr-agent
	install -m 755 $(BUILD)/dsr-lb $(BUILD)/dsr-agent $(DESTDIR)$(PREFIX)/sbin/
	for u in dsr-lb dsr-agent; do \
		sed 's|@SBINDIR@|$(PREFIX)/sbin|g' units/$$u.service > $(BUILD)/$$u.service && \
		install -m 644 $(BUILD)/$$u.service $(DESTDIR)$(PREFIX)/lib/systemd/system/ || exit 1; done
	install -m 644 units/dsr.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/dsr.conf
	install -m 644 units/dsr.preset $(DESTDIR)$(PREFIX)/lib/systemd/system-preset/50-dsr.preset
	install -m 644 units/dsr.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog/
	for page in man/*.scd; do name=$$(basename $$page .scd); \
		scdoc < $$page > $(BUILD)/$$name && \
		install -m 644 $(BUILD)/$$name $(DESTDIR)$(PREFIX)/share/man/man$${name##*.}/ || exit 1; done
	install -m 644 units/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dsr-lb
	ln -sf dsr-lb $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dsr-agent
	install -m 644 units/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_dsr-lb
	ln -sf _dsr-lb $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_dsr-agent
	install -m 644 units/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/dsr-lb.fish
	ln -sf dsr-lb.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/dsr-agent.fish
	install -m 644 units/dsr-lb.conf units/dsr-agent.conf units/dsr-agent.sysctl units/dsr-agent-second-chance.conf \
		$(DESTDIR)$(PREFIX)/share/doc/dsr/examples/

# From a copy of the tree, without network; debian/ is packaging/debian.
deb:
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/dsr
	tar --exclude=./build --exclude='./build-*' --exclude=./.git -cf - . | tar -C $(BUILD)/deb/dsr -xf -
	cp -r packaging/debian $(BUILD)/deb/dsr/debian
	cd $(BUILD)/deb/dsr && env -u MAKEFLAGS -u MAKEOVERRIDES -u BUILD DEB_BUILD_OPTIONS="$${DEB_BUILD_OPTIONS-parallel=$$(nproc)}" \
		dpkg-buildpackage -us -uc -b

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -path $(BUILD)/deb -prune -o -type f -name '*.d' -print 2>/dev/null)
.SECONDARY:
