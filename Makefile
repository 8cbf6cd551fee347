# Every target sets itself up: .venv comes from requirements.lock, models from `ieat models fetch`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PROFILE ?= cpu
OUT ?= data/stage1-2
VENV := .venv
IEAT := $(VENV)/bin/ieat

.PHONY: help setup models build-stage1-1 build-stage1-2 test test-fast lint lock samples clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | column -t -s "$$(printf '\t')"

setup: $(VENV)/.ready ## the virtual environment, with exactly the versions of requirements.lock

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check -q -r requirements.lock
	$(VENV)/bin/python -m pip install --disable-pip-version-check -q --no-deps -e .
	@touch $@

models: setup ## fetch the small real models of the profile (about 1.5 GB, once)
	@$(IEAT) models fetch --for $(PROFILE)

build-stage1-1: models ## speech and natural replies, into data/stage1-1
	$(IEAT) build stage1-1 --profile $(PROFILE) --out data/stage1-1

build-stage1-2: models ## stages 1-1 and 1-2 on the sample sources, into data/stage1-2
	$(IEAT) build stage1-2 --profile $(PROFILE) --out $(OUT)

test: models ## all tests, those with the real models too
	$(VENV)/bin/python -m pytest

test-fast: setup ## the tests that need no model
	$(VENV)/bin/python -m pytest -m "not models"

lint: setup ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

samples: models ## make the shipped sample sources again (samples/)
	$(VENV)/bin/python scripts/make_samples.py

lock: ## resolve requirements.lock anew
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --disable-pip-version-check -q -e '.[dev]'
	$(VENV)-lock/bin/python -m pip freeze --exclude-editable > requirements.lock
	rm -rf $(VENV)-lock

clean: ## what was built, not the models
	rm -rf data
