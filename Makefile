# make install     a virtual environment in .venv with everything in it; anew when setup.py has changed
# make quickstart  draw the sample set, train a small model on it, test it
# make test        every test but the slow ones      make test-slow  the slow ones
# make lint        style and types                   make test-long  those that no CI has time for
# make bench       speed
#
# make install PYTHON=/path/to/python3.12 takes that Python instead of the newest that is found;
# make test PROCESSES=8 runs tests in eight processes, of one thread each.

PYTHON ?=
PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q -n $(PROCESSES) --dist worksteal
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.PHONY: install quickstart test test-slow test-long lint bench

install: $(VENV)/.installed

$(VENV)/.installed: setup.py
	@found=""; \
	for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python); do \
		if "$$python" -c '$(SUITABLE)' >/dev/null 2>&1; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Renaissance needs Python 3.11, 3.12 or 3.13 with venv and pip; $(or $(PYTHON),no python here) is not that." >&2; \
		echo "Install one (on Debian or Ubuntu: apt install python3.11-venv), or name it:" >&2; \
		echo "    make install PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	echo "$$("$$found" --version) in $(VENV)"; \
	"$$found" -m venv $(VENV) && $(BIN)/python -m pip install --quiet --editable ".[dev]" && touch $@

quickstart: install
	$(BIN)/python run.py with quickstart

test: install
	$(PYTEST) -m "not slow and not long"

test-slow: install
	$(PYTEST) -m slow

test-long: install
	$(PYTEST) -m long

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks.step
	$(BIN)/python -m benchmarks.attention
	$(BIN)/python -m benchmarks.contrastive
	$(BIN)/python -m benchmarks.patch_dropout
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.dashboard
	$(BIN)/python -m benchmarks.runs
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.forward
