# One word for each chore. `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIP ?=
FUZZ ?=
LOAD ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint types check fix openapi evaluate bench page load scale chaos fuzz containers clean examples

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "PointAction needs Python 3.11 or newer; call make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[serve]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[dev]'
	@touch $(VENV)/.serve $@

demo: $(VENV)/.serve  ## classify a bundled clip, or CLIP=path.mp4, with the whole service
	$(BIN)/pointaction demo $(CLIP)

serve: $(VENV)/.serve  ## run the service until Ctrl-C
	$(BIN)/pointaction serve

test: $(VENV)/.dev  ## run the tests, in two processes of one core each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev  ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev  ## mypy --strict
	$(BIN)/mypy

check: test lint types  ## what has to be green

fix: $(VENV)/.dev  ## format and mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

examples: $(VENV)/.dev  ## run the scripts and the notebook of examples/
	$(BIN)/python -m pytest tests/examples

openapi: $(VENV)/.dev  ## rewrite openapi/openapi.json from the code; a test compares them
	$(BIN)/python -m service.openapi > openapi/openapi.json

evaluate: $(VENV)/.serve  ## measure the shipped model on held-out procedural motion
	$(BIN)/pointaction evaluate procedural

bench: $(VENV)/.serve  ## measure latency and memory of the whole stack
	$(BIN)/python -m benchmarks.latency

page: $(VENV)/.dev  ## measure the page in a browser: its bytes, first paint and drawing
	$(BIN)/python -m benchmarks.page

load: $(VENV)/.dev  ## half an hour of more clips than it can look at, and a thousand listeners
	$(BIN)/python -m benchmarks.load $(LOAD)

scale: $(VENV)/.dev  ## two APIs and four workers in network namespaces; takes two workers away
	unshare --map-root-user --net $(BIN)/python -m benchmarks.scale

chaos: $(VENV)/.dev  ## kill every process at every moment of a job, and worse; half an hour
	unshare --map-root-user --net --mount $(BIN)/python -m benchmarks.chaos

fuzz: $(VENV)/.dev  ## 20,000 damaged files and every named attack against the service; FUZZ="--files N --seed S"
	$(BIN)/python -m benchmarks.fuzz $(FUZZ)
	$(BIN)/python -m benchmarks.attacks

containers: $(VENV)/.dev  ## run what the images run, as they run it, without Docker
	$(BIN)/python docker/try_without_docker.py

clean:  ## remove what the other words made
	rm -rf $(VENV) data runs demo-output .mypy_cache .pytest_cache .ruff_cache
