# From a bare clone, with Python >= 3.11 and make:
#   make train    train the net on MNIST
#   make test     run all tests
# Both work in an environment of their own, .venv, and install there what they need.
#   make lint | bench | clean
#   make readme   the measured tables and pictures of README.md and docs/comparison.md, from bench/comparison.json
#   make bench-check    is HEAD slower than its parent? Another commit: BASE=v0.1.0; other benchmarks, as in
#                       pytest -k (default: the kernels): BENCH="update_W1 and sparse"
# Another Python: make train PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: train test lint bench bench-check readme clean

train: $(VENV)/installed
	$(BIN)/fastmlp train --hidden-size 300

test: $(VENV)/installed-test
	$(BIN)/python -m pytest

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-bench
	$(BIN)/python -m pytest --benchmark-only

# bench/check.py exits with 1 where something got slower and with 2 where it has no answer; make with 2 in either case.
bench-check: $(VENV)/installed-bench
	@$(BIN)/python bench/check.py $(if $(BASE),--base='$(BASE)') $(if $(BENCH),-k '$(BENCH)')

readme: $(VENV)/installed-test
	$(BIN)/python bench/readme.py

clean:
	rm -rf $(VENV) build dist .benchmarks .mypy_cache .pytest_cache .ruff_cache
	find fastmlp tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. Each stamp file is newer than pyproject.toml when its packages are installed.

$(VENV)/bin/python:
	@command -v "$(PYTHON)" > /dev/null || { \
	    echo "make: there is no '$(PYTHON)' here: install Python 3.11 or newer, or name one with PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: fastmlp needs Python 3.11 or newer and '$(PYTHON)' is" \
	         "$$("$(PYTHON)" --version 2>&1): name another one, e.g. make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -m venv "$(VENV)" || { rm -rf "$(VENV)"; \
	    echo "make: '$(PYTHON)' cannot make a virtual environment: install its venv module" \
	         "(Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	@echo "Installing fastmlp into $(VENV) ..." >&2
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable .
	@touch $@

$(VENV)/installed-%: $(VENV)/installed
	@echo "Installing what '$*' needs into $(VENV) ..." >&2
	@$(PIP) install --group $*
	@touch $@
