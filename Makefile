# `make quickstart` and `make test` do all the set-up they need on a machine
# with Python 3.11 or newer and make; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The interpreter that makes the environment; `make PYTHON=... install` sets it.
# Plain python3 first, then by version, for machines without that name or
# where it is too old.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
  then echo $$p; break; fi; done)
# Where the quickstart writes, and how many processes run the tests.
OUT ?= quickstart
WORKERS ?= 2

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Huge pages spare large buffers their page faults: up to 1.4 times faster.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: help install install-dev quickstart test lint format benchmarks clean

help:  ## List the commands.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
	  echo "inrjax needs Python 3.11 or newer; none was found." >&2; exit 1; fi
	@echo "== Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip

# One stamp per set of extras, older than setup.py when it must be redone.
$(VENV)/.installed: setup.py | $(BIN)/python
	@echo "== Installing inrjax and its dependencies into $(VENV)"
	@$(PIP) install --editable '.[codecs,photos,plots]'
	@touch $@

$(VENV)/.installed-dev: setup.py | $(BIN)/python
	@echo "== Installing inrjax, its dependencies and the tools into $(VENV)"
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed  ## Install inrjax into .venv.

install-dev: $(VENV)/.installed-dev  ## Install inrjax and the tools for it.

quickstart: install  ## Train a codec, compress a photograph, compare.
	@echo "== Quickstart: results go to $(OUT)/"
	@$(BIN)/python -m experiments.quickstart --out=$(OUT)

lint: install-dev  ## Check the format, the style and the types.
	@echo "== Format, style and types"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

test: lint  ## Check everything: format, style, types and tests.
	@echo "== Tests"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

format: install-dev  ## Rewrite the sources in the format of the project.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

benchmarks: install  ## Measure speed and memory against plain baselines.
	@$(BIN)/python -m benchmarks.train_step
	@$(BIN)/python -m benchmarks.encode
	@$(BIN)/python -m benchmarks.maml_step
	@$(BIN)/python -m benchmarks.ecop_step
	@$(BIN)/python -m benchmarks.long_horizon_memory
	@$(BIN)/python -m benchmarks.large_step --num_steps=4
	@$(BIN)/python -m benchmarks.large_step --num_steps=16 --gamma=0.25
	@$(BIN)/python -m benchmarks.large_step --signal=video256 --num_steps=2 --gamma=0.5
	@$(BIN)/python -m benchmarks.pruned_forward
	@$(BIN)/python -m benchmarks.prospr_score
	@$(BIN)/python -m benchmarks.gradient_l1_step
	@$(BIN)/python -m benchmarks.structured_pruning
	@$(BIN)/python -m benchmarks.hyperprior_codec
	@$(BIN)/python -m benchmarks.clip_meta_step

clean:  ## Remove the environment, the caches and the quickstart's results.
	rm -rf $(VENV) quickstart build dist *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
