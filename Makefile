# make install     a virtual environment in .venv with everything in it; anew when setup.py has changed
# make quickstart  draw the sample set, train a small model on it, test it
# make test        every test but the slow ones      make test-slow  the slow ones
# make lint        style and types                   make bench      speed
#
# make install PYTHON=/path/to/python3.12 takes that Python instead of the newest that is found.

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.PHONY: install quickstart test test-slow lint bench

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
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -q -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks.step
	$(BIN)/python -m benchmarks.attention
	$(BIN)/python -m benchmarks.pipeline
