# make run   sets everything up, once, and starts the bot on this machine      make test   sets everything up and tests it
# Needs Python 3.11, 3.12 or 3.13 (with venv) and make; nothing else.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
UV_VERSION := 0.13.9

.PHONY: help run test lint bench soak lock clean
.DEFAULT_GOAL := help

help:
	@echo "make run    start Firstline here: SQLite, local classifier, mail written to outbox/"
	@echo "make test   run the tests"
	@echo "make lint   ruff and mypy"
	@echo "make bench  the benchmarks"
	@echo "make soak   the long tests: many kills, many messages"
	@echo "make lock   write the lock files anew"

run: $(VENV)/ready
	@exec $(BIN)/bot run

test: $(VENV)/ready-dev
	$(BIN)/python -m pytest -m "not soak" -n 3 --dist loadfile $(ARGS)

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

BENCHMARKS := intake slack telegram mail pipeline follow_ups start replies classify

bench: $(VENV)/ready-dev
	@set -e; for name in $(BENCHMARKS); do echo "== benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py; done

soak: $(VENV)/ready-dev
	$(BIN)/python -m pytest -m soak -s $(ARGS)

# --- setting up: $(VENV)/ready is newer than the lock, or the lock is installed again. The lock is complete: with
# --no-deps nothing else is looked for (an older pip takes the newest google-auth[requests] for what is pinned as google-auth)

$(BIN)/python:
	@bash deploy/make-venv $(VENV)

$(VENV)/ready: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Firstline into $(VENV) (once; about a minute) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/ready-dev: requirements-dev.lock $(VENV)/ready
	@echo "Installing what the tests need into $(VENV) (once; about a minute) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

# --- the lock names packages, versions and hashes, and no host

LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml

lock: | $(BIN)/python
	@$(PIP) install uv==$(UV_VERSION)
	$(LOCK) --group build $(ARGS) -o requirements.lock
	$(LOCK) --group build --extra dev --extra postgres --extra queue --extra tracing --extra train -c requirements.lock $(ARGS) -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
