# `make demo` and `make test` set up everything that they need. `make help` lists the rest.
.DEFAULT_GOAL := help
export ASSENT_VENV ?= .venv
BIN := $(ASSENT_VENV)/bin
LOCK ?= requirements/cpu.lock
PYTEST_WORKERS ?= 2
PACKAGES := service safety pipeline provenance migrations

.PHONY: help install install-dev demo serve test check lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: ## virtual environment, locked packages, models (GPU: make install LOCK=requirements/gpu.lock)
	@deploy/scripts/setup-venv.sh $(LOCK)
	@$(BIN)/assent models prepare

install-dev:
	@deploy/scripts/setup-venv.sh requirements/dev.lock

demo: ## the whole main job over the real HTTP server, on real pictures, into demo/
	@deploy/scripts/setup-venv.sh $(LOCK)
	@$(BIN)/assent demo

serve: install ## start the server on http://127.0.0.1:8000
	@$(BIN)/assent serve

test: install-dev ## all tests, in parallel
	@deploy/scripts/install-test-services.sh
	@$(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

check: install-dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: install-dev ## resolve the requirements anew into hashed lock files
	@deploy/scripts/lock.sh $(BIN)/uv

clean: ## remove what was generated, but not your data in .assent
	rm -rf $(ASSENT_VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
