# Each target makes `.venv` and installs what it needs; nothing else is asked of the machine than Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Of what goes out: the version, the commit, and one time for all that is built from it.
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' remediator/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null)
EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1580601600)
TOOLS := .venv-release
DOCKER ?= docker
IMAGE ?= remediator:$(VERSION)
BUILD ?= $(DOCKER) build
BASE := $(shell sed -n 's/^ARG BASE=//p' Dockerfile)
COMPILE = $(TOOLS)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --system-certs --custom-compile-command 'make lock'

.PHONY: demo test check bench scan format clean wheel image base sbom lock krew

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

# The wheel and the sdist, in dist/; the same bits from the same commit.
wheel: $(TOOLS)/installed
	rm -f dist/*.whl dist/*.tar.gz
	SOURCE_DATE_EPOCH=$(EPOCH) $(TOOLS)/bin/hatchling build -d dist

# The image (docs/image.md). SOURCE=https://… is the address of the code, for its label.
image: $(TOOLS)/installed
	$(TOOLS)/bin/hadolint Dockerfile
	$(BUILD) --tag $(IMAGE) --build-arg SOURCE_DATE_EPOCH=$(EPOCH) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$(REVISION) --build-arg SOURCE=$(SOURCE) \
	  --build-arg CREATED=$(shell $(PYTHON) -c 'import datetime as d; print(d.datetime.fromtimestamp($(EPOCH), d.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))') .

# What the base image's tag is today; the Dockerfile's ARG BASE pins it.
base:
	$(DOCKER) buildx imagetools inspect $(firstword $(subst @, ,$(BASE)))

# What the image's Python packages are, with their licences and who needs whom, as CycloneDX: dist/remediator.cdx.json.
sbom: wheel
	rm -rf build/sbom
	$(PYTHON) -m venv --without-pip build/sbom
	$(TOOLS)/bin/pip --python build/sbom/bin/python install --quiet --require-hashes -r release/requirements.lock
	$(TOOLS)/bin/pip --python build/sbom/bin/python install --quiet --no-deps dist/*.whl
	SOURCE_DATE_EPOCH=$(EPOCH) $(TOOLS)/bin/python -m release.sbom build/sbom dist/remediator.cdx.json

# The newest versions that pyproject.toml allows, with hashes; to be reviewed and committed.
lock: $(TOOLS)/installed
	$(COMPILE) -o release/requirements.lock pyproject.toml
	$(COMPILE) -o release/build.lock release/build.in
	$(COMPILE) -o release/tools.lock -c release/requirements.lock -c release/build.lock release/tools.in

# The kubectl plugin for krew, of this platform, and its manifest: dist/krew. RELEASES=https://… is where archives will be served.
krew: wheel
	$(TOOLS)/bin/pip install --quiet --no-deps --force-reinstall dist/*.whl
	SOURCE_DATE_EPOCH=$(EPOCH) $(TOOLS)/bin/python -m release.krew $(RELEASES) $(HOMEPAGE)

clean:
	rm -rf $(VENV) $(TOOLS) .venv-scan build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "remediator needs Python 3.11 or later; say which with PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(TOOLS)/installed: release/requirements.lock release/build.lock release/tools.lock
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	  -r release/requirements.lock -r release/build.lock -r release/tools.lock
	touch $@
