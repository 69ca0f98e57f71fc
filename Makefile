# Two commands on a fresh machine: `make demo` and `make test`. Both set everything up first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTHON_FILES := $(wildcard src tests benchmarks examples scripts docs)
# One seed for all random tests of a run. Give the printed one back to repeat it: make test SEED=123
ifndef SEED
SEED := $(shell od -An -N3 -tu4 /dev/urandom | tr -d " ")
endif
# More options for pytest: make test ARGS="-k fir -x"
ARGS ?=
# Tests run in this many processes; 0 is this one, for a debugger.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --hypothesis-seed=$(SEED) $(ARGS)

.PHONY: help setup setup-run demo test native-test check lint types layers docs version-check wheel bench soak clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup-run ## set up, then run the main job on a recording it makes (about a minute)
	@$(BIN)/headrace demo

test: setup native-test ## set up, then run all tests (native ones under ASan and UBSan)
	@HEADRACE_TEST_SEED=$(SEED) $(PYTEST) \
		|| { code=$$?; echo "the random tests ran with this seed; again: make test SEED=$(SEED)"; exit $$code; }

native-test: setup
	@scripts/native_tests.sh

check: setup lint types layers version-check docs ## lint, types, layers, docs and their doctests, versions
	@if [ -f README.md ]; then $(BIN)/python scripts/readme_tables.py --check; fi

lint: setup
	@$(BIN)/ruff format --check --quiet --diff $(PYTHON_FILES) || { echo "mend with: .venv/bin/ruff format"; exit 1; }
	@$(BIN)/ruff check $(PYTHON_FILES)

types: setup
	@$(BIN)/mypy

layers: setup
	@$(BIN)/lint-imports --no-logo >build/layers.log 2>&1 || { cat build/layers.log; exit 1; }

version-check: setup
	@$(BIN)/python scripts/version_check.py

docs: setup ## build docs/_build/html (offline), warnings are errors, and run the doctests
	@$(BIN)/sphinx-build -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html
	@$(BIN)/sphinx-build -W --keep-going -q -b doctest -d docs/_build/doctrees docs docs/_build/doctest
	@echo "docs: docs/_build/html/index.html"

wheel: setup ## build a wheel into dist/
	@PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python -m build --wheel --no-isolation --outdir dist

bench: setup ## measure against the rivals (make bench ARGS="fir --runs 3")
	@$(BIN)/headrace bench $(ARGS)

soak: setup native-test ## all tests at their full counts (long)
	@HEADRACE_SOAK=1 HEADRACE_TEST_SEED=$(SEED) $(PYTEST) -o faulthandler_timeout=1800 \
		|| { code=$$?; echo "the random tests ran with this seed; again: make soak SEED=$(SEED)"; exit $$code; }

setup: ## create or renew .venv with everything that tests, checks, docs and benchmarks need
	@scripts/setup.sh dev

setup-run:
	@scripts/setup.sh run

clean: ## delete what was built; .venv stays (rm -rf .venv to start anew)
	@rm -rf build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@rm -f src/headrace/_native*.so
	@find $(PYTHON_FILES) -name __pycache__ -type d -prune -exec rm -rf {} +
