# make            build/plain/bin/cvx and build/plain/bin/rackd
# make demo       everything a fresh machine needs, then fixtures/apps/demo
# make check      all tests, the end-to-end ones on a real engine
# make test       the tests that need no engine    make test SAN=1   ASan, UBSan
# make memcheck   the unit tests under valgrind    make fuzz         libFuzzer
# make chaos N=200 ENGINE_KILLS=20   kills at random moments    make soak N=300
# make check-engines   the end-to-end tests on Podman and on a newer Docker
# make lint       formatting, module rules, clang-tidy
# make format     clang-format                     make cover        coverage
# make golden     rewrite the golden files (review the diff)
# make bench      figures, side by side with docker compose
# make install PREFIX=/usr/local
CC       = gcc
VERSION  = 0.1.0
PREFIX  ?= /usr/local
LLHTTP  ?= /usr/share/llhttp
CPPFLAGS = -D_GNU_SOURCE -Irackd -I. -Itests -MMD -MP \
           -DCVX_VERSION=\"$(VERSION)\" -isystem /usr/share/include/llhttp
BANNED   = -include base/banned.h
WARN     = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
           -Wmissing-prototypes -Wold-style-definition -Wvla -Wwrite-strings \
           -Wpointer-arith -Wformat=2 -Wundef
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
RACK_PKGS = libuv libcurl libcjson yaml-0.1 openssl libarchive
CLI_PKGS  = libcjson
CFLAGS   = -std=c11 -g $(OPT) $(WARN) $(shell pkg-config --cflags $(RACK_PKGS))
LDFLAGS  = -pie -Wl,-z,relro,-z,now -Wl,--as-needed

B := build/plain
OPT = -O2 $(HARDEN)
ifdef SAN
B := build/san
OPT = -O1 -fsanitize=address,undefined -fno-omit-frame-pointer \
      -fPIE -Wno-format-truncation
endif
ifdef COV
B := build/cov
OPT = -O0 --coverage -fPIE
endif

RACK_SRC := $(filter-out rackd/main.c,$(wildcard rackd/*.c rackd/*/*.c))
CLI_SRC  := $(wildcard cli/*.c)
# cvx starts in a millisecond because it links no OpenSSL.
CLI_BASE := $(filter-out rackd/base/sha256.c,$(wildcard rackd/base/*.c))
SUP_SRC  := $(wildcard tests/support/*.c)
# Those that take longest begin first: all together take no longer than the first.
LONG     := rack reaper session_end session_survive httpc session_start session_sandbox engine httpd
TESTS    := $(patsubst tests/unit/%.c,$(B)/bin/%,$(wildcard tests/unit/test_*.c))
TESTS    := $(filter $(TESTS),$(LONG:%=$(B)/bin/test_%)) $(filter-out $(LONG:%=$(B)/bin/test_%),$(TESTS))
FUZZERS  := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
LLHTTP_O := $(B)/llhttp/api.o $(B)/llhttp/http.o $(B)/llhttp/llhttp.o
BUILD_ID := $(B)/build_id.o
# The reaper: static, for a container that holds nothing else; rackd carries it
# (images/reaper/main.c). bin/cvx-reaper is the same with the variant's checks.
REAPER_SRC := $(wildcard images/reaper/*.c) $(patsubst %,rackd/base/%.c,mem percent str)
REAPER_LIB := $(B)/reaper/api.o $(B)/reaper/http.o $(B)/reaper/llhttp.o
REAPER   := $(B)/reaper/blob.o
obj       = $(patsubst %.c,$(B)/%.o,$(1))
SOURCES   = $$(find rackd cli images tests -name '*.[ch]')

MAKEFLAGS += --no-print-directory -j$(shell nproc)
.PHONY: all demo check e2e check-engines chaos soak test memcheck lint format golden fuzz cover bench \
        install clean
all: $(B)/bin/rackd $(B)/bin/cvx

$(B)/bin/rackd: $(call obj,rackd/main.c $(RACK_SRC)) $(LLHTTP_O) $(BUILD_ID) $(REAPER)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(shell pkg-config --libs $(RACK_PKGS))
$(B)/bin/cvx: $(call obj,$(CLI_SRC) $(CLI_BASE)) $(LLHTTP_O) $(BUILD_ID)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(shell pkg-config --libs $(CLI_PKGS))
$(B)/bin/cvx-reaper: $(call obj,$(REAPER_SRC)) $(LLHTTP_O)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ -ljansson
$(B)/reaper/cvx-reaper: $(REAPER_SRC) $(REAPER_LIB) $(wildcard images/reaper/*.h rackd/base/*.h)
	@echo "  LINK $@"
	@$(CC) -std=c11 -Os $(WARN) $(BANNED) -D_GNU_SOURCE -Irackd -I. \
	    -isystem /usr/share/include/llhttp -static -s $(REAPER_SRC) \
	    $(REAPER_LIB) -o $@ -ljansson
$(B)/reaper/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	@$(CC) -Os -w -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -c $< -o $@
$(REAPER): $(B)/reaper/cvx-reaper
	@{ printf 'extern const char reaper_tag[];\nconst char reaper_tag[] = "%s";\n' \
	       $$(sha256sum $< | cut -c1-12); \
	    printf '__asm__(".section .rodata\\n.global reaper_blob\\nreaper_blob:\\n'; \
	    printf '.incbin \\"%s\\"\\n.global reaper_blob_end\\nreaper_blob_end:\\n.previous");\n' $<; \
	} >$(B)/reaper/blob.c
	@$(CC) $(OPT) -c $(B)/reaper/blob.c -o $@
$(B)/bin/test_%: $(B)/tests/unit/test_%.o $(B)/libtested.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(CFLAGS) $^ -o $@ $(shell pkg-config --libs $(RACK_PKGS)) -lcmocka
$(B)/bin/floor: $(call obj,tests/bench/floor.c tests/bench/floor_calls.c) $(B)/libtested.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(CFLAGS) $^ -o $@ $(shell pkg-config --libs $(RACK_PKGS))
$(B)/libtested.a: $(call obj,$(RACK_SRC) $(SUP_SRC) $(filter-out cli/main.c,$(CLI_SRC))) $(LLHTTP_O) $(BUILD_ID) $(REAPER)
	@rm -f $@
	@ar rcs $@ $^
$(BUILD_ID): $(RACK_SRC) $(CLI_SRC) $(REAPER_SRC) rackd/main.c $(wildcard rackd/*/*.h cli/*.h)
	@mkdir -p $(@D)
	@printf 'extern const char cvx_build[];\nconst char cvx_build[] = "%s";\n' \
	    $$(cat $^ | sha256sum | cut -c1-12) >$(B)/build_id.c
	@$(CC) $(CFLAGS) -c $(B)/build_id.c -o $@
# llhttp's C source comes with Debian's node-llhttp; strict, or "Host : a" is
# let through. Its warnings are not ours to mend.
$(B)/llhttp/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	@$(CC) $(OPT) -w -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -c $< -o $@
$(B)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(BANNED) $(CFLAGS) -c $< -o $@
.SECONDARY:

# They wait more than they compute.
test: $(TESTS) $(B)/bin/cvx-reaper
	CMOCKA_MESSAGE_OUTPUT=TAP prove -f -o -j $$((4 * $$(nproc))) -e 'timeout 120' $(TESTS)
VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full \
           --errors-for-leak-kinds=definite
memcheck: $(TESTS) $(B)/bin/cvx-reaper
	TEST_PATIENCE=5 CMOCKA_MESSAGE_OUTPUT=TAP prove -f -o -j $$((2 * $$(nproc))) -e 'timeout 900 $(VALGRIND)' \
	    $(TESTS)

demo:
	@images/demo.sh
# Everything, from nothing: packages, engine and images included.
check:
	images/setup.sh test-packages
	$(MAKE) all test
	$(MAKE) test SAN=1
	$(MAKE) memcheck
	$(MAKE) e2e
# The end-to-end tests, in LANES lanes with an engine each (tests/e2e.sh); on the
# engine that answers, one file after the other, where DOCKER_HOST is set or we
# are not root. E2E names files: make e2e E2E=tests/e2e/start.bats
E2E ?= $(wildcard tests/e2e/*.bats)
e2e: all $(B)/bin/floor
	tests/e2e.sh $(E2E)
# The same on other engines, beside the first: ENGINES="podman docker28", or any
# DOCKER_HOST. The images' own tests need no second engine.
ENGINES ?= podman docker28
check-engines: all
	ENGINES="$(ENGINES)" tests/engines.sh $(filter-out %/images.bats %/helpers.bats,$(E2E))
# On an engine of their own; a bounded run of both is among the e2e tests.
chaos: all
	images/setup.sh jq perl && images/build.sh --if-needed base redis
	tests/chaos/chaos.sh --kills $(or $(N),200) --engine-kills $(or $(ENGINE_KILLS),20)
soak: all
	images/setup.sh jq perl && images/build.sh --if-needed base redis
	tests/chaos/soak.sh $(or $(N),300)
bench: all $(B)/bin/floor
	images/setup.sh jq time
	DOCKER_HOST=$$(images/engine.sh) && export DOCKER_HOST && \
	    images/build.sh --if-needed && tests/bench/bench.sh

lint:
	clang-format --dry-run -Werror $(SOURCES)
	tests/lint/deps.sh
	find rackd cli images -name '*.c' | xargs -P $$(nproc) -n 4 tests/lint/tidy.sh
format:
	clang-format -i $(SOURCES)
golden: $(TESTS)
	GOLDEN=write CMOCKA_MESSAGE_OUTPUT=TAP prove -f -o -e 'timeout 120' $(TESTS)

FUZZ_SECONDS ?= 20
build/fuzz/%: tests/fuzz/%.c $(RACK_SRC) $(BUILD_ID) $(REAPER)
	@mkdir -p $(@D)
	clang-14 -w -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE \
	    -DCVX_VERSION=\"fuzz\" -I. \
	    -Irackd -Itests -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1 \
	    $(shell pkg-config --cflags $(RACK_PKGS)) $(filter %.c,$^) $(B)/build_id.c $(REAPER) $(LLHTTP)/api.c \
	    $(LLHTTP)/http.c $(LLHTTP)/llhttp.c -o $@ \
	    $(shell pkg-config --libs $(RACK_PKGS))
fuzz: $(FUZZERS)
	@for f in $(FUZZERS); do n=$${f##*/fuzz_}; mkdir -p build/fuzz/corpus-$$n; \
	    echo "== $$n"; $$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	    -rss_limit_mb=1024 -artifact_prefix=build/fuzz/ build/fuzz/corpus-$$n \
	    fixtures/fuzz/$$n 2>&1 | tail -8 || exit 1; done
cover:
	$(MAKE) test COV=1
	gcovr -r . --object-directory build/cov -f rackd -f cli

install: all
	install -Dm755 $(B)/bin/cvx $(DESTDIR)$(PREFIX)/bin/cvx
	install -Dm755 $(B)/bin/rackd $(DESTDIR)$(PREFIX)/bin/rackd
clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
