# One vocabulary for people, hooks and CI. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXTRAS := serving,orchestration,dev
SOURCES := ct_assets serving benchmarks tests

##@ Run
.PHONY: demo dev bench
demo: $(INSTALLED) ## the whole loop on this machine: traffic, drift, retraining, gate, canary (ARGS="..." goes to `ct demo`)
	$(BIN)/ct demo $(ARGS)

dev: $(INSTALLED) ## Dagster's UI and daemon on the repo's models; history stays in .ct/dagster
	mkdir -p .ct/dagster && cp dagster.yaml .ct/dagster/dagster.yaml
	cd .ct && CT_HOME=$(CURDIR)/.ct DAGSTER_HOME=$(CURDIR)/.ct/dagster $(CURDIR)/$(BIN)/dagster dev -w $(CURDIR)/workspace.yaml $(ARGS)

bench: $(INSTALLED) ## every benchmark, tables and .ct/bench/*.json (QUICK=1: small sizes)
	$(BIN)/python -m benchmarks.harness $(if $(QUICK),--quick)

##@ Check
.PHONY: check lint format types test
check: lint types test ## all that CI runs: lint, types, tests

lint: $(INSTALLED) ## ruff (rules and format) and the import rules of the house
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "run 'make format'"; exit 1; }
	$(BIN)/lint-imports --no-cache --no-logo

format: $(INSTALLED) ## puts the sources into ruff's format
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

test: $(INSTALLED) ## all tests and doctests (ARGS="tests/lake -k late" goes to pytest)
	$(BIN)/python -m pytest $(ARGS)

##@ House
.PHONY: setup constraints clean reset help
setup: $(INSTALLED) ## .venv with everything; instant when pyproject.toml and constraints.txt have not changed
	@echo "ready: $(BIN)"

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV), about a minute ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[$(EXTRAS)]" \
	  || { echo "uv could not install; pip does it now, some minutes"; \
	       $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"; }
	@touch $@

constraints: $(INSTALLED) ## resolves the newest versions that pyproject.toml allows into constraints.txt
	$(BIN)/uv pip compile pyproject.toml $(foreach extra,serving orchestration dev,--extra $(extra)) \
	  --universal --python-version 3.11 --upgrade --no-annotate --no-header --no-emit-index-url --quiet -o constraints.txt

clean: ## removes caches and .venv; keeps .ct
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

reset: ## deletes .ct: the lake, registry, history and ledger of the embedded deployment
	rm -rf .ct

help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
