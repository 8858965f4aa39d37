# SPDX-License-Identifier: GPL-3.0-or-later
# packmairie: every target works on a fresh Debian machine; what it needs it installs into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := requirements/base.txt requirements/dev.txt

.PHONY: help install demo demo-down test test-tools test-unit test-integration test-together test-lab test-nightly lint lock schemas clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'

install: $(STAMP) ## Install packmairie and its tools into .venv, from the hashed lock
$(STAMP): $(LOCKS) pyproject.toml scripts/install
	@scripts/install $(VENV)
	@touch $@

demo: $(STAMP) ## Boot the lab, deploy three real communes on it, prove that their mail arrives
	@scripts/demo

demo-down: $(STAMP) ## Stop the lab and remove its hosts
	@$(BIN)/packmairie lab down

test: lint test-tools test-unit test-together ## Everything: checks, unit, integration, and the lab when root

test-tools: ## Install the programs that tests start themselves (apt, when root)
	@scripts/install-test-tools

test-unit: $(STAMP) ## Fast tests, alone
	@$(BIN)/pytest tests/unit -q -n auto -m "not slow"

test-integration: $(STAMP) ## Slow unit tests, and tests against real programs on loopback
	@scripts/install-test-tools
	@$(BIN)/pytest tests/unit -q -n auto -m slow
	@$(BIN)/pytest tests/integration -q

test-together: $(STAMP) ## Integration and lab tests, side by side
	@scripts/install-test-tools
	@scripts/test-together $(BIN)

test-lab: $(STAMP) ## Tests on booted hosts (root on Linux)
	@scripts/test-lab $(BIN)

test-nightly: $(STAMP) ## Attacks on backups, kills and moves of a territory, the complete desktop, the installer (root)
	@scripts/test-lab $(BIN) nightly

lint: $(STAMP) ## ruff, mypy, import-linter, yamllint, ansible-lint
	@scripts/lint $(BIN)

lock: $(STAMP) ## Resolve the dependencies again and lock them with hashes
	@scripts/lock $(BIN)

schemas: $(STAMP) ## Export the JSON Schemas that editors use
	@$(BIN)/packmairie inventory schema --to docs/schemas

clean: ## Remove what was built here; the lab is stopped by demo-down
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
