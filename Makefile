# Every target works on a fresh machine with Go; fixtures and interop also need Python, race a C compiler,
# test-arm64 qemu, peers all of Python, Rust and a C++ compiler.

FUZZTIME   ?= 10m
BENCHCOUNT ?= 6
BENCHDIR   ?= .bench-convert
ROUNDS     ?= 20
PYTHON     ?= python3
SHAPES     ?=
PEERS      ?=

.PHONY: help demo test race lint fuzz faults bench bench-convert peers quants generate fixtures interop pictures badges memory \
	build man release clean test-arm64

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run everything gomamba does with the built-in model, in seconds
	go run ./cmd/gomamba demo

test: ## run all tests, also those of kernel and network in plain Go, and build for arm64
	go test ./...
	go test -tags purego ./internal/kernel ./model/...
	GOOS=linux GOARCH=arm64 go build ./...

test-arm64: ## run the tests for arm64 (needs qemu-aarch64)
	.ci/arm64

race: ## run all tests under the race detector (needs a C compiler)
	go test -race ./...

lint: ## run gofmt, go vet, staticcheck and go mod tidy
	.ci/lint

fuzz: ## run every fuzz target for FUZZTIME (10m)
	.ci/fuzz $(FUZZTIME)

faults: ## test kills, interrupts, full disks and changing files, as before a release (as root: full file systems too)
	go test -count=1 -v -timeout 60m ./internal/hostile -long -run 'Killed|Interrupted|Full|TwoAtOnce|SourceChanges|SameBytes|Destinations|Force|Unprivileged|Leftovers'

bench: ## run the Go benchmarks BENCHCOUNT (6) times each, for benchstat
	@go test -run='^$$' -bench=. -benchmem -count=$(BENCHCOUNT) ./...

bench-convert: build ## time conversions of an 11 GB checkpoint against cp, in BENCHDIR (.bench-convert), which needs 35 GB
	.ci/bench-convert ./gomamba $(BENCHDIR)

peers: ROUNDS = 5
peers: build .venv/installed ## compare speed with llama.cpp, mamba-rs, candle and transformers, in ROUNDS (5), for SHAPES and PEERS (all)
	.venv/bin/python fixtures/peers/run.py --gomamba ./gomamba --rounds $(ROUNDS) --shapes '$(SHAPES)' --peers '$(PEERS)'

quants: ROUNDS = 3
quants: build .venv/installed ## compare the speed of every quantized type with llama.cpp, and write table and picture (takes twenty minutes)
	.venv/bin/python fixtures/peers/run.py --gomamba ./gomamba --rounds $(ROUNDS) --starts 1 \
		--shapes mamba-130m-quantized --peers gomamba,llama.cpp
	go run ./internal/pictures

generate: ## regenerate the assembly from internal/kernel/_asm
	go generate ./...

fixtures: .venv/installed ## regenerate the fixtures (needs Python)
	.venv/bin/python fixtures/generate.py
	.venv/bin/python fixtures/precision.py
	.venv/bin/python fixtures/configs.py
	.venv/bin/python fixtures/generate_tokenizers.py
	.venv/bin/python fixtures/unicode_tables.py
	.venv/bin/python fixtures/modelids.py
	.venv/bin/python fixtures/templates.py
	.venv/bin/python fixtures/tool_templates.py
	.venv/bin/python fixtures/sampling.py
	.venv/bin/python fixtures/attention.py
	.venv/bin/python fixtures/init_weights.py
	.venv/bin/python fixtures/adapters.py

interop: build .venv/installed .venv/judged ## compare with the readers of every layout on ROUNDS (20) fresh checkpoints (needs Python)
	.venv/bin/python fixtures/interop.py --gomamba ./gomamba -n $(ROUNDS)
	.venv/bin/python fixtures/router_ties.py --gomamba ./gomamba -n $(ROUNDS)
	.venv/bin/python fixtures/dt_floor.py --gomamba ./gomamba
	.venv/bin/python fixtures/interop_hub.py --gomamba ./gomamba
	.venv/bin/python fixtures/interop_tokenizers.py --gomamba ./gomamba
	.venv/bin/python fixtures/interop_templates.py --gomamba ./gomamba --templates .venv/llama.cpp/models/templates
	llama=$$(.venv/bin/python -c 'import llama_cpp' 2>/dev/null && echo --llama .venv/bin/python); \
	.venv/bin/python fixtures/interop_hybrids.py --gomamba ./gomamba -n $(ROUNDS) $$llama && \
	.venv/bin/python fixtures/interop_layouts.py --gomamba ./gomamba -n $(ROUNDS) $$llama && \
	.venv/bin/python fixtures/interop_sources.py --gomamba ./gomamba -n $(ROUNDS) $$llama && \
	{ test -z "$$llama" || { .venv/bin/python fixtures/interop_text.py --gomamba ./gomamba -n $(ROUNDS) && \
	.venv/bin/python fixtures/interop_quantize.py --gomamba ./gomamba; }; }
	.venv/bin/python fixtures/interop_page.py --gomamba ./gomamba

pictures: ## draw the pictures and badges of README.md from fixtures/measured
	go run ./internal/pictures

badges: ## count the tests by running them, and redraw badges and pictures
	go run ./internal/pictures tests

memory: build .venv/installed ## measure memory for prompts of growing length, and draw it (Linux; needs Python)
	go run ./internal/pictures memory

build: ## build the binary, ./gomamba
	go build -trimpath -o gomamba ./cmd/gomamba

man: ## write the manual pages to man1
	go run -tags man ./cmd/gomamba man man1

release: ## build reproducible archives and wheels for every platform, with checksums, in dist
	go run ./internal/release dist

clean: ## remove what the other targets made, including .venv
	rm -rf gomamba gomamba.exe man1 dist .venv .peers .bench-convert *.prof *.test coverage.*

.venv/installed: fixtures/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r fixtures/requirements.txt
	@touch $@

# mamba_ssm and mistral-inference without their kernels, and llama.cpp's source for its converter, where no other package
# sees them; fixtures/readers.py says why.
.venv/judged: fixtures/requirements-judges.txt .venv/installed
	rm -rf .venv/judges .venv/llama.cpp .venv/sdist
	.venv/bin/python -m pip install --quiet setuptools wheel packaging ninja
	MAMBA_SKIP_CUDA_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE .venv/bin/python -m pip install --quiet --target .venv/judges \
		--no-deps --no-build-isolation --no-binary mamba-ssm -r fixtures/requirements-judges.txt
	.venv/bin/python -m pip download --quiet --no-deps --no-binary :all: -d .venv/sdist llama-cpp-python==0.3.36
	tar -xzf .venv/sdist/llama_cpp_python-*.tar.gz -C .venv/sdist
	mv .venv/sdist/llama_cpp_python-*/vendor/llama.cpp .venv/llama.cpp && rm -rf .venv/sdist
	@touch $@
