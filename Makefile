# `make jam` plays, `make test` tests; both make their own environment in .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The two onnxruntime wheels overwrite each other's files: one of them, for all targets.
ORT := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
PLAY := $(VENV)/.installed-$(ORT)
DEVELOP := $(VENV)/.installed-$(ORT)-develop
# More for `antiphon jam`, as in: make jam ARGS="--mode follow --connect"
ARGS ?=

.PHONY: jam test lint bench soak docs clean

jam: $(PLAY)
	@$(BIN)/antiphon jam --or-bundled $(ARGS)

test: $(DEVELOP)
	@$(BIN)/python -m tests.everything

# A longer one: make soak ARGS="--minutes 60 --seed 7 --out runs/soak"
soak: $(DEVELOP)
	$(BIN)/python -m tests.soak $(ARGS)

lint: $(DEVELOP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEVELOP)
	$(BIN)/antiphon bench
	for bench in follow scheduling idle accompany kills; do \
		echo; echo "## $$bench"; $(BIN)/python -m tests.bench.$$bench || exit 1; \
	done

docs: $(PLAY)
	$(BIN)/antiphon osc --markdown > docs/parameters.md

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(PLAY): pyproject.toml | $(BIN)/python
	@echo "antiphon: nvidia-smi $(if $(filter gpu,$(ORT)),answers,does not answer), so onnxruntime is the $(ORT) wheel"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(ORT)]'
	@touch $@

$(DEVELOP): pyproject.toml | $(BIN)/python
	@echo "antiphon: nvidia-smi $(if $(filter gpu,$(ORT)),answers,does not answer), so onnxruntime is the $(ORT) wheel"
	@# what a test imports is compiled when it is imported; all of torch would take half a minute
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[$(ORT),train,dev]'
	@touch $(PLAY) $@
