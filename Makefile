PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help test site site-check zip pdf serve results results-check lock format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: $(READY) ## format check, lint, types and all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

site: $(READY) ## build the course into site/
	$(BIN)/python -m site_gen build

site-check: tests/site_quality/node_modules/.ready ## check what is built by Lighthouse, axe and vnu; needs Node 20
	node tests/site_quality/check.mjs $(CHECKS)

zip: site ## pack the built course into site.zip
	$(BIN)/python -m site_gen zip

pdf: site ## print the built course into site.pdf; needs Chromium
	$(BIN)/python -m site_gen pdf

serve: $(READY) ## serve the course on 127.0.0.1:8000 and rebuild what changes
	$(BIN)/python -m site_gen serve

results: $(READY) ## make the runs behind the pages that are missing or out of date
	$(BIN)/python -m experiments.committed_runs

results-check: $(READY) ## make one of these runs again and compare it with its record
	$(BIN)/python -m experiments.committed_runs --check

lock: ## renew requirements.lock from pyproject.toml
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[^ ]*' requirements.lock)"
	build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--generate-hashes --no-header --no-annotate --no-emit-index-url \
		pyproject.toml --output-file requirements.lock

format: $(READY) ## format the code and apply the linter's safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what the build made, and the environment
	rm -rf .venv build dist site tests/site_quality/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

tests/site_quality/node_modules/.ready: tests/site_quality/package-lock.json
	npm ci --prefix tests/site_quality --ignore-scripts --no-audit --no-fund --silent
	touch $@

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
