# Five words: demo, test, lint, bench, docs. Each sets up what it needs; a second call installs nothing again.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_FLAGS ?=

.PHONY: demo test lint bench docs clean

demo: $(VENV)/.installed
	$(BIN)/tunewright demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest --cov --cov-fail-under=90 $(PYTEST_FLAGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed
	$(BIN)/python -m evals.overhead
	$(BIN)/tunewright bench requests

docs: $(VENV)/.installed
	$(BIN)/python docs/make_reference.py

clean:
	rm -rf $(VENV) build *.egg-info

# torch goes first and pinned: a range would pull gigabytes of CUDA packages on a machine without a GPU.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,test]'
	touch $@
