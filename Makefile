# Every target works on a fresh machine with Go; fixtures and interop also need Python, race a C compiler,
# test-arm64 qemu.

FUZZTIME   ?= 10m
BENCHCOUNT ?= 6
ROUNDS     ?= 20
PYTHON     ?= python3

.PHONY: help demo test race lint fuzz bench generate fixtures interop build clean test-arm64

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## everything gomamba does, on the embedded checkpoint, in seconds
	go run ./cmd/gomamba demo

test: ## all tests, with assembly and with plain Go, and a build for arm64
	go test ./...
	go test -tags purego ./...
	GOOS=linux GOARCH=arm64 go build ./...

test-arm64: ## the kernel tests as arm64 runs them (needs qemu-aarch64)
	GOOS=linux GOARCH=arm64 go test -exec qemu-aarch64 ./internal/kernel

race: ## all tests under the race detector (needs a C compiler)
	go test -race ./...

lint: ## gofmt, go vet, staticcheck, go mod tidy
	.ci/lint

fuzz: ## every fuzz target for FUZZTIME (10m)
	.ci/fuzz $(FUZZTIME)

bench: ## Go benchmarks, BENCHCOUNT (6) runs each, for benchstat
	@go test -run='^$$' -bench=. -benchmem -count=$(BENCHCOUNT) ./...

generate: ## write the assembly anew from internal/kernel/_asm
	go generate ./...

fixtures: .venv/installed ## write the fixtures anew (needs Python)
	.venv/bin/python fixtures/generate.py

interop: build .venv/installed ## compare with transformers on ROUNDS (20) fresh checkpoints (needs Python)
	.venv/bin/python fixtures/interop.py --gomamba ./gomamba -n $(ROUNDS)
	.venv/bin/python fixtures/interop_layouts.py --gomamba ./gomamba -n $(ROUNDS) \
		$$(.venv/bin/python -c 'import llama_cpp' 2>/dev/null && echo --llama .venv/bin/python)

build: ## the binary, ./gomamba
	go build -trimpath -o gomamba ./cmd/gomamba

clean: ## remove what the other targets made, .venv included
	rm -rf gomamba gomamba.exe .venv *.prof *.test coverage.*

.venv/installed: fixtures/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r fixtures/requirements.txt
	@touch $@
