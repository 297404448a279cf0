# Each target makes `.venv` and installs what it needs; nothing else is asked of the machine than Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench scan format clean

# The product in under a minute, without a cluster. ARGS=--once ends it when all has been shown.
demo: $(VENV)/installed
	$(BIN)/remediator demo $(ARGS)

# All tests. Those that need the real servers skip, and say so, where they are not.
test: $(VENV)/installed
	$(BIN)/python -m pytest $(ARGS)

# Style, types, and which room may know which.
check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Speed, as ratios within one run against the real kube-apiserver.
bench: $(VENV)/installed
	$(BIN)/python -m benchmarks $(ARGS)

# What a scanner says of the chart's manifests. What is meant to be so is in .checkov.yaml, each with its reason.
HELM ?= helm
scan: .venv-scan/installed
	mkdir -p build
	for values in values values-production; do \
	  $(HELM) template remediator chart --namespace remediator --values chart/$$values.yaml > build/$$values-rendered.yaml || exit 1; \
	  .venv-scan/bin/checkov --config-file .checkov.yaml --file build/$$values-rendered.yaml || exit 1; \
	done

.venv-scan/installed:
	$(PYTHON) -m venv .venv-scan
	.venv-scan/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30
	touch $@

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-scan build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "remediator needs Python 3.11 or later; say which with PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@
