# One target is what CI runs. Everything works from a clean checkout: the first target makes .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-for-bench
SECONDS = 60
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/eventstreams
export PYTHONPATH := $(CURDIR)/operator:$(CURDIR)/deploy

SOURCES := operator/eventstreams deploy tests
SCRIPTS = $(shell find .ci deploy operator -type f \( -name '*.sh' -o -path '.ci/*' \))

.PHONY: help venv lock clean lint format types layers generate generated-fresh test-unit check fuzz fuzz-corpus \
	test-integration test-e2e test bench bench-producer bench-revocation demo cluster-build kafka-jars cluster-up cluster-down cluster-status images

help: ## Show this list
	@awk -F':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' \
	  $(MAKEFILE_LIST)

##@ Try it
demo: venv ## From nothing to a record read back from Kafka: the whole path, with the commands a person types
	@$(BIN)/python -m demo

cluster-up: venv ## Start (or repair) a real Kubernetes on this machine
	@$(BIN)/python -m local up

cluster-down: venv ## Stop it; nothing stays running, mounted or firewalled
	@$(BIN)/python -m local down

cluster-status: venv ## Show what runs, and the kubeconfig
	@$(BIN)/python -m local status

cluster-build: venv ## Build its programs from Go modules, once; what needs them does it
	@$(BIN)/python -m local build

kafka-jars: venv
	@$(BIN)/python -m local kafka jars >/dev/null

images: venv ## Build the project's and Kafka's images
	@$(BIN)/python -m images build

##@ Check
check: venv ## Under a minute, no cluster
	@$(MAKE) --no-print-directory -j 2 types lint layers generated-fresh test-unit

lint: venv ## Style of Python, YAML, shell and words
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/yamllint --strict .
	@$(BIN)/shellcheck $(SCRIPTS)
	@$(BIN)/codespell

types: venv ## mypy, strict
	@$(BIN)/mypy --cache-dir $(CACHE)/mypy --no-error-summary $(SOURCES)

layers: venv ## Which package may import which
	@$(BIN)/lint-imports --no-logo

generated-fresh: venv ## CRDs, chart copy and reference pages follow from the code
	@$(BIN)/python -m eventstreams.main.generate --check

test-unit: venv ## Unit tests
	@$(BIN)/pytest -q -n 2 tests/unit

fuzz: venv ## Throw bytes at the REST producer's connections for SECONDS=60, guided by what they reach
	@PYTHONPATH=$(PYTHONPATH):$(CURDIR)/tests $(BIN)/python -m fuzz --seconds $(SECONDS)

##@ Test on the real thing
test-integration: cluster-build kafka-jars ## Against a real API server and a real Kafka, without a node
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder tests/integration  # each has a cluster and a broker

test-e2e: cluster-build images ## Against a real node: the chart, real pods, the whole path
	@$(BIN)/pytest tests/e2e

test: lint cluster-build kafka-jars images ## All that CI runs
	@nice $(MAKE) --no-print-directory check fuzz SECONDS=15 & \
	trap "kill $$! 2>/dev/null || true" INT TERM; trap wait EXIT; \
	$(MAKE) --no-print-directory test-e2e && wait $$!  # which waits for pods more than it works
	@$(MAKE) --no-print-directory test-integration

##@ Measure it
bench: ## Every benchmark; the tables go to docs/
	@$(MAKE) --no-print-directory bench-producer
	@$(MAKE) --no-print-directory bench-revocation

bench-producer: $(BENCH_STAMP) kafka-jars ## The REST producer beside its peers; BENCH=--quick takes 3 minutes, not 30
	@PYTHONPATH=$(PYTHONPATH):$(CURDIR)/tests $(BIN)/python -m perf.producer $(BENCH)

bench-revocation: cluster-build ## How long a revoked key still works, of 10 000 in a real API server; a minute
	@PYTHONPATH=$(PYTHONPATH):$(CURDIR)/tests $(BIN)/python -m perf.revocation

##@ Change it
venv: $(STAMP) ## Make .venv from the locked requirements

$(STAMP): requirements/dev.txt
	@PYTHON=$(PYTHON) .ci/venv $(VENV) $<
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_STAMP): requirements/bench.txt $(STAMP)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

format: venv ## Format Python and apply the safe fixes
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format --quiet .

generate: venv ## Write CRDs, the chart's copy and the reference pages from the code
	@$(BIN)/python -m eventstreams.main.generate

lock: venv ## Lock the dependencies of pyproject.toml with their hashes
	@lock() { $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-annotate --no-header pyproject.toml "$$@"; }; \
	lock -o requirements/runtime.txt; lock --extra dev -o requirements/dev.txt; \
	lock --extra bench -o requirements/bench.txt

fuzz-corpus: venv ## Keep what fuzzing found, in the fewest streams that reach as much
	@rm -rf .fuzz/fewest
	@PYTHONPATH=$(PYTHONPATH):$(CURDIR)/tests $(BIN)/python -m fuzz --merge .fuzz/fewest
	@rm -rf tests/fuzz/corpus && mv .fuzz/fewest tests/fuzz/corpus

clean: ## Remove .venv and what tools leave behind; the platform and its cache stay
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz .import_linter_cache .coverage htmlcov dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
