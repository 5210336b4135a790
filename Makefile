# Everything from an empty folder: Python 3.11+ and a C++ compiler are all that is needed.
#   make run [PORT=8501] [MODEL=deepseek-r1:1.5b] [PYTHON=/path/to/python3.11]

.DEFAULT_GOAL := help
.PHONY: help run setup test test-fast test-nightly check format lock protocol clean environment environment-dev setup-test

SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3 || echo python3)
PORT ?= 8501
BIN := .venv/bin
CODE := rag ingest eval api ui tests
PYTEST_OPTIONS ?=

# Where this is set, every process compiles all of Python's packages again: seconds for each start of the desk and each test.
unexport PYTHONDONTWRITEBYTECODE

ifdef MODEL
export ANSWERDESK_MODEL := $(MODEL)
endif

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: environment  ## set everything up, ingest the sample knowledge base, open the desk on PORT
	@$(BIN)/python -m ui --port $(PORT)

setup: environment  ## virtual environment, Ollama, a model, the embedder (once)
	@$(BIN)/python -m rag.setup

# Of the tests of the real product three files at a time, in the order of tests/conftest.py: each has its own server,
# folder and ports, and waits half of its time.
REAL_WORKERS := 3
REAL := -n $(REAL_WORKERS) --dist loadfile --no-loadscope-reorder

test: setup-test check  ## set everything up, run every check and every test of a commit
	@HYPOTHESIS_PROFILE=commit $(BIN)/python -m pytest -m "not real and not nightly" -n auto $(PYTEST_OPTIONS)
	@$(BIN)/python -m pytest -m "real and not nightly" $(REAL) $(PYTEST_OPTIONS)

test-nightly: setup-test check  ## everything: also the benchmarks' real runs, many kills, and four times the random examples
	@HYPOTHESIS_PROFILE=night $(BIN)/python -m pytest -m "not real" -n auto $(PYTEST_OPTIONS)
	@$(BIN)/python -m pytest -m real $(REAL) $(PYTEST_OPTIONS)

# The list at its end names tests that may have to be marked `slow`: CONTRIBUTING.md says when.
test-fast: environment-dev  ## the tests to run after each change: the quick ones of every folder, in under 20 seconds
	@$(BIN)/python -m pytest -m "not real and not slow" -n auto --durations=10 --durations-min=0.1 $(PYTEST_OPTIONS)

check: environment-dev  ## ruff, mypy --strict, import layers, catalogues, JavaScript and CSS, circles between folders, known vulnerabilities where osv.dev answers (AUDIT=--require)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.support.folder_circles rag ingest eval api ui
	@$(BIN)/python -m tests.support.catalogues
	@$(BIN)/python -m tests.support.browser_files
	@$(BIN)/python -m rag.setup.audit $(AUDIT) requirements.lock requirements-dev.lock rag/setup/*.lock

format: environment-dev  ## let ruff lay out the code
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

LOCK := UV_CACHE_DIR="$${ANSWERDESK_CACHE_DIR:-$$HOME/.cache/answerdesk}/uv" uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

# OpenVINO demands openvino-telemetry and works without: a package that reports to others is not installed at all.
WITHOUT := --no-emit-package openvino-telemetry

# What a checkout is set up with beyond the package's own dependencies: what an installed package has as extras, the
# API's faces and several desks over one server.
FACES := --extra grpc --extra mcp --extra postgres --extra s3

lock:  ## renew the lock files; UPGRADE=--upgrade takes the newest versions
	@$(LOCK) $(WITHOUT) $(UPGRADE) pyproject.toml $(FACES) --output-file requirements.lock
	@$(LOCK) $(WITHOUT) $(UPGRADE) pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	@$(LOCK) $(UPGRADE) rag/setup/build-tools.in --output-file rag/setup/build-tools.lock
	@$(LOCK) $(UPGRADE) rag/setup/bootstrap.in --output-file rag/setup/bootstrap.lock

protocol: environment-dev  ## write the gRPC code from api/grpc/answerdesk.proto
	@$(BIN)/python -m tests.support.protocol

clean:  ## delete what can be made again; data/runtime and the caches stay
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist tests/output
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@$(PYTHON) rag/setup/environment.py run

environment-dev:
	@$(PYTHON) rag/setup/environment.py dev

# On a port of their own: an Ollama that runs on the usual one would be used as it is, and the tests start theirs.
setup-test: export ANSWERDESK_OLLAMA_HOST = 127.0.0.1:11435
setup-test: environment-dev
	@$(BIN)/python -m rag.setup ollama
	@$(BIN)/python -m rag.setup model stand-in:0.5b
	@$(BIN)/python -m rag.setup embedder
	@$(BIN)/python -m rag.setup browser
	@$(BIN)/python -m rag.setup sandbox
