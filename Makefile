# From a bare clone, with Python >= 3.11 and make:
#   make train         train the net on MNIST
#   make test          run the tests, without the long ones
# Both work in an environment of their own, .venv, and install what they need into it.
#   make test-all      run the long tests too: kills, fuzzing, compiling again and again
#   make lint          check style and types
#   make bench         run the benchmarks
#   make targets       measure how near this machine comes to the targets, in about 25 minutes; ONLY=few-rows,fit names
#                      some of them
#   make bench-check   is HEAD slower than its parent? BASE=v0.1.0 names another commit, BENCH="update_W1 and sparse"
#                      other benchmarks than those of the kernels, as in pytest -k
#   make installs      install what is built into fresh environments of every Python here, by pip, uv and pipx, in minutes
#   make readme        make the measured tables and pictures of README.md and docs/comparison.md again, from
#                      bench/comparison.json
#   make docs          make the documentation site, build/docs/index.html, and check every link inside it; with the
#                      network, make docs-links checks those that lead elsewhere
#   make clean         remove the environment and everything that was built
# With another Python: make train PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST = $(BIN)/python -m pytest
# For the tests that can run at the same time, in up to four processes (more would compile the same kernels again).
PARALLEL = -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: train test test-all lint bench targets bench-check installs readme docs docs-links clean

train: $(VENV)/installed
	$(BIN)/fastmlp train --hidden-size 300

test: $(VENV)/installed-test
	$(PYTEST) $(PARALLEL) -m "not long and not alone"
	$(PYTEST) -m "not long and alone"
	@echo "The long tests (kills, fuzzing, compiling again and again) were left out; 'make test-all' runs them too."

test-all: test
	$(PYTEST) $(PARALLEL) -m "long and not alone"
	$(PYTEST) -m "long and alone"

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-bench
	$(PYTEST) --benchmark-only

# bench/targets.py exits with 1 if a floor is missed or was not measured, and with 2 if it cannot begin; make with 2.
targets: $(VENV)/installed-bench
	@$(BIN)/python bench/targets.py $(if $(ONLY),--only='$(ONLY)')

# bench/check.py exits with 1 if something got slower and with 2 if it has no answer; make exits with 2 in either case.
bench-check: $(VENV)/installed-bench
	@$(BIN)/python bench/check.py $(if $(BASE),--base='$(BASE)') $(if $(BENCH),-k '$(BENCH)')

installs: $(VENV)/installed-test
	@$(BIN)/python tests/installs.py

readme: $(VENV)/installed-test
	$(BIN)/python bench/readme.py

# From nothing each time, so that each warning is seen each time, and is an error.
SPHINX = $(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet --conf-dir docs --doctree-dir build/doctrees

docs: $(VENV)/installed-docs
	rm -rf build/docs
	$(SPHINX) --builder html . build/docs
	@echo "Open build/docs/index.html in a browser."

docs-links: $(VENV)/installed-docs
	$(SPHINX) --builder linkcheck . build/docs-links

clean:
	rm -rf $(VENV) build dist .benchmarks .mypy_cache .pytest_cache .ruff_cache
	find fastmlp tests bench examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. The packages of a stamp file are installed if it is newer than pyproject.toml.

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
