# fleet-audit: every target works on a fresh Debian machine; `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
RUN := $(BIN)/python -m

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types docs docs-check pytest fmt lab-up lab-down lab-status matrix bench-fanout bench-merge bench-drift night clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  %-14s %s\n", $$1, $$2 }'

setup: $(STAMP) ## make .venv with .venv/bin/fleet-audit in it
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "fleet-audit needs Python 3.11 or newer: set PYTHON=... to one" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -q && apt-get install -qy python3-venv || { \
		echo "the venv module is missing: install your distribution's python3-venv" >&2; exit 2; }; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup ## start the lab and audit its fleet, with the findings on screen
	@$(RUN) tests.demo

test: lint types docs-check pytest ## lint, types, docs and every test (with the lab, where it can run)

check: test ## the same as test

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict
	$(BIN)/mypy

docs: setup ## write what is generated: docs/rules.md, docs/schema, the README's outputs
	$(RUN) tests.docs --write

docs-check: setup ## whether what is generated is up to date
	$(RUN) tests.docs --check

pytest: setup ## the tests; the lab is started for them and stopped again if it was not up
	$(RUN) tests.lab with -- $(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST)

fmt: setup ## format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lab-up: setup ## start the lab's workers (root, Debian)
	$(RUN) tests.lab up

lab-down: setup ## stop them and clean up; the cache stays
	$(RUN) tests.lab down

lab-status: setup ## what is up
	@$(RUN) tests.lab status

matrix: setup ## prove the predictor on the lab's engines, cell by cell; writes .bench/matrix.json
	$(RUN) tests.lab with -- $(RUN) tests.lab.matrix

bench-fanout: setup ## fan-out against Ansible, pyinfra and clush: prints ratios, writes .bench/fanout.json
	$(RUN) tests.bench.fanout

bench-merge: setup ## merging against docker manifest, imagetools, crane, skopeo: requests and times; .bench/merge.json
	$(RUN) tests.bench.merge

bench-drift: setup ## recording and comparing 1,000 workers over 200 checks: seconds, megabytes; .bench/drift.json
	$(RUN) tests.bench.drift

night: setup ## a real night of merges, rehearsed against a registry that limits and injures; .bench/night.json
	$(RUN) tests.lab with -- $(RUN) tests.bench.night $(NIGHT)

clean: ## remove what the targets above made here, but the lab
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache build *.egg-info
