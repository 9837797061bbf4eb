# make bitstream   the mnist network for an iCEBreaker, into build/icebreaker/mnist/
# make test        style, types and the whole suite
# make bench       the benchmark, into bench/results.json; PART=cycles measures only that
# All of it runs in a virtual environment of its own, .venv, with the versions of constraints.txt.

PYTHON ?= python3
BOARD ?= icebreaker
NETWORK ?= mnist
# Of the benchmark; all without it.
PART ?=

VENV := .venv
BIN := $(VENV)/bin
# pip's stamps: packages are installed again only when their list changes.
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: bitstream test lint bench clean

bitstream: $(INSTALLED)
	$(BIN)/python -m hdl.build --board $(BOARD) --network $(NETWORK)

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(INSTALLED_TEST)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# PyTorch is compared where it is installed: .venv/bin/pip install -e '.[bench]'
bench: $(INSTALLED_TEST)
	$(BIN)/python -m bench $(PART)

clean:
	rm -rf build .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Loam needs Python 3.11 or newer; $(PYTHON) is missing or older. Name another one:" \
	    "make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the pinned packages into $(VENV): a minute or two"
	@$(PIP_INSTALL) -e .
	@touch $@

$(INSTALLED_TEST): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the pinned packages, those of the tests too, into $(VENV): a few minutes"
	@$(PIP_INSTALL) -e '.[test]'
	@touch $@ $(INSTALLED)
