# Every target does its own set-up from an empty clone: Debian packages (ci/bootstrap), .venv from hash-pinned locks, llhttp and libuv (ci/native.py).
#
#   make gate                  the main job on the demo shop: uvicorn against the bridge (same), granian (differs), and itself (same)
#   make test                  C unit tests, lint, pytest
#   make asan                  the C unit tests, the bridge's tests and the gate on it, under the address and undefined-behaviour sanitizers
#   make bench                 throughput and cost, measured
#   make soak                  the bridge under a million requests, every kind of request, and clients that hang
#   make fuzz T=NAME S=SECONDS fuzz/fuzz_NAME.c with libFuzzer
#   make locks                 compile ci/locks/requirements.txt anew
#   make clean                 back to a fresh clone

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.PHONY: gate test units lint pytest pytest-conformance pytest-others asan bench soak fuzz locks clean

PYTHON := .venv/bin/python
FLAGS := -std=c11 -g -Wall -Wextra -Werror -Ibuild/native/include
C_FILES := $(wildcard bridge/*/*.[ch] bridge/*/tests/*.[ch] conformance/*/*.[ch] conformance/*/tests/*.[ch] spec/observer/recorder/*.[ch] spec/observer/recorder/tests/*.[ch] fuzz/*.[ch] ci/*.h)

gate: .venv/installed
	@ci/gate

# All three parts run even if one fails; pytest's closing line comes last.
test: .venv/installed
	@failed=; for part in units lint pytest; do $(MAKE) --no-print-directory $$part || failed+=" $$part"; done; \
	[ -z "$$failed" ] || { echo "make test: failed:$$failed" >&2; exit 1; }

# Most tests wait for servers, so two halves run at the same time; each tells all its words when it is through.
pytest: .venv/installed
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target pytest-conformance pytest-others

pytest-conformance:
	@$(PYTHON) -m pytest conformance/tests

pytest-others:
	@$(PYTHON) -m pytest bridge/tests spec/tests demo/tests ci/tests

lint: .venv/locked
	@$(PYTHON) -m ruff check .
	@.venv/bin/clang-format --dry-run --Werror $(C_FILES)

asan: .venv/installed
	@$(MAKE) --no-print-directory units FLAVOUR=asan EXTRA='-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'
	@ci/asan

bench: .venv/installed
	@ci/bootstrap wrk
	@set -e; for bench in ci/bench*.py; do $(PYTHON) $$bench; done

soak: .venv/installed
	@set -e; for loop in uvloop asyncio; do $(PYTHON) ci/soak_bridge.py --loop $$loop; done

locks:
	@ci/lock

clean:
	rm -rf .venv build bridgecheck-report *.egg-info .pytest_cache .ruff_cache
	find bridge conformance spec demo ci \( -name '*.so' -o -name __pycache__ \) -prune -exec rm -rf {} +

# --- Python ---------------------------------------------------------------------------------------------------------------------------

.venv/locked: ci/locks/requirements.txt
	@ci/venv

.venv/installed: .venv/locked pyproject.toml setup.py $(filter-out %_test.c,$(C_FILES)) build/native/made-from
	@ci/bootstrap zlib
	@echo 'building bridgecheck into .venv'
	@PYTHONWARNINGS=ignore CFLAGS='-O2 -Wall -Wextra -Werror' $(PYTHON) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(PYTHON) ci/boundaries.py sources
	@for extension in bridge/_bridge.*.so conformance/_*.so; do $(PYTHON) ci/boundaries.py extension $$extension || exit 1; done
	@touch $@

build/native/made-from: ci/native.py ci/native.txt | .venv/locked
	@$(PYTHON) ci/native.py && touch $@

# --- C units: each folder's objects in an archive, so that a test links only what it reaches --------------------------------------------

FLAVOUR := unit
EXTRA := -O1
OUT := build/$(FLAVOUR)
FOLDERS := bridge/core conformance/exchange conformance/player conformance/recorder conformance/guard spec/observer/recorder
sources = $(filter-out %/module.c %_test.c,$(wildcard $(1)/*.c $(1)/tests/*.c))
TESTS := $(patsubst %.c,$(OUT)/%,$(foreach folder,$(FOLDERS),$(wildcard $(folder)/tests/*_test.c)))

units: build/native/made-from
	@ci/bootstrap cmocka zlib
	@$(MAKE) --no-print-directory --jobs=$$(nproc) $(TESTS)
	@ci/units $(TESTS)

define unit_rules
$(OUT)/$(1).a: $(patsubst %.c,$(OUT)/%.o,$(call sources,$(1)))
	@rm -f $$@ && ar rcs $$@ $$^
	$$(if $$(findstring bridge/core,$$@),@$(PYTHON) ci/boundaries.py core $$@)
$(OUT)/$(1)/tests/%_test: $(OUT)/$(1)/tests/%_test.o $(OUT)/$(1).a $(2)
	$$(CC) $$(EXTRA) $$^ -lcmocka -pthread $(3) -o $$@
endef
NATIVE := build/native/lib/libllhttp.a build/native/lib/libuv.a
$(foreach folder,$(filter-out bridge/core conformance/player conformance/recorder,$(FOLDERS)),$(eval $(call unit_rules,$(folder))))
$(eval $(call unit_rules,bridge/core,$(NATIVE),-lz))
$(eval $(call unit_rules,conformance/player,$(OUT)/conformance/exchange.a $(NATIVE),-lz))
$(eval $(call unit_rules,conformance/recorder,$(OUT)/conformance/exchange.a $(NATIVE)))

$(OUT)/spec/%.o: FLAGS += -isystem $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')
$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(EXTRA) -MMD -MP -c $< -o $@
.PRECIOUS: $(OUT)/%.o

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

# --- Fuzzing ----------------------------------------------------------------------------------------------------------------------------

# Seeds are fuzz/corpus/NAME and stay as they are; what a run finds goes to build/fuzz/corpus/NAME, a crash to build/fuzz.
fuzz: build/native/made-from
	@[ -f fuzz/fuzz_$(T).c ] && [ -n "$(S)" ] || { echo "make fuzz T=NAME S=SECONDS, with NAME one of: $(patsubst fuzz/fuzz_%.c,%,$(wildcard fuzz/fuzz_*.c))" >&2; exit 2; }
	@ci/bootstrap clang zlib
	@$(MAKE) --no-print-directory --jobs=$$(nproc) CC=clang FLAVOUR=fuzz EXTRA='-O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' build/fuzz/fuzz_$(T)
	@mkdir -p build/fuzz/corpus/$(T) fuzz/corpus/$(T)
	build/fuzz/fuzz_$(T) -max_total_time=$(S) -timeout=10 -artifact_prefix=build/fuzz/ $(addprefix -dict=,$(wildcard fuzz/$(T).dict)) build/fuzz/corpus/$(T) fuzz/corpus/$(T)

# A target that tests the bridge links its core, one of the recorder that, the others the player: all have a connection and a response.
build/fuzz/fuzz_record: build/fuzz/fuzz/fuzz_record.o build/fuzz/conformance/recorder.a build/fuzz/conformance/exchange.a $(NATIVE)
	$(CC) $(EXTRA) -fsanitize=fuzzer $^ -pthread -o $@
build/fuzz/fuzz_bridge_%: build/fuzz/fuzz/fuzz_bridge_%.o build/fuzz/bridge/core.a $(NATIVE)
	$(CC) $(EXTRA) -fsanitize=fuzzer $^ -pthread -lz -o $@
build/fuzz/fuzz_%: build/fuzz/fuzz/fuzz_%.o build/fuzz/conformance/player.a build/fuzz/conformance/exchange.a $(NATIVE)
	$(CC) $(EXTRA) -fsanitize=fuzzer $^ -pthread -lz -o $@
