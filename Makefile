# HAL9. `make help` says what there is; every target installs first when that is needed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python of these that is 3.11 or later; name another with `make PYTHON=… install`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --only-binary :all: --require-hashes
RUN_STAMP := .venv/.installed-run
DEV_STAMP := .venv/.installed-dev
SOURCES := functions shared events knative tests
SAMPLE ?= build/sample

export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## Show this help
	@printf 'HAL9: hierarchical AI agents, as functions on Knative.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nStart with `make run`.\n'

$(RUN_STAMP): requirements/run.lock requirements/generated-python.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo 'HAL9 needs Python 3.11 or later: install it, or name it with make PYTHON=/path/to/python3'; exit 1; }
	@printf 'Installing HAL9 into .venv (once, about a minute) …\n'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(PIP) -r requirements/run.lock
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q functions shared events knative
	@$(BIN)/hal9 toolchains install python
	@touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements/dev.lock
	@printf 'Installing what tests and linters need …\n'
	@$(PIP) -r requirements/dev.lock
	@touch $@

.PHONY: install
install: $(RUN_STAMP) ## Install HAL9 into .venv, and what generated projects need to be verified

.PHONY: run
run: install ## Start the platform, build a sample project from plain English, stay until Ctrl-C
	@$(BIN)/hal9 demo --out "$(SAMPLE)"

.PHONY: test
test: $(DEV_STAMP) ## Run the test suite (it starts every server that it needs)
	@$(BIN)/python -m pytest $(TESTS)

.PHONY: test-cluster
test-cluster: $(DEV_STAMP) ## Run the tests of a cluster, and those that run anywhere, on that of KUBECONFIG
	@$(BIN)/python -m pytest --cluster $(TESTS)

.PHONY: lint
lint: $(DEV_STAMP) ## Check style, types, layers, migrations, and that generated files are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/hal9 migrate --lint
	$(BIN)/hal9 reference --check

.PHONY: bench
bench: $(DEV_STAMP) ## Measure against named peers; results under build/bench
	@$(BIN)/python -m tests.performance

.PHONY: bench-cluster
bench-cluster: $(DEV_STAMP) ## Measure the cluster of KUBECONFIG; results under build/bench
	@$(BIN)/python -m tests.performance.cluster

.PHONY: docs
docs: $(DEV_STAMP) ## Write the generated reference: OpenAPI, AsyncAPI, schemas, settings
	@$(BIN)/hal9 reference

.PHONY: lock
lock: ## Write the lock files anew (needs uv)
	uv pip compile $(LOCK) pyproject.toml -o requirements/run.lock
	uv pip compile $(LOCK) --extra dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock
	uv pip compile $(LOCK) requirements/generated-python.in -o requirements/generated-python.lock
	uv pip compile $(LOCK) -c requirements/dev.lock requirements/bench.in -o requirements/bench.lock
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: clean
clean: ## Stop the platform; delete .venv, .hal9 and build
	@test ! -x $(BIN)/hal9 || $(BIN)/hal9 down
	rm -rf .venv .hal9 build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
