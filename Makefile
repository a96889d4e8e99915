# Needs Python >= 3.11, make and git; everything else is installed into .venv, from the locks, once a change of them.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run demo docs screenshots cli quick test test-busy chaos bench bench-large bench-peers bench-rate check fmt format lint spelling types contracts lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

run: .venv/run.stamp ## start everything on this machine: Redis, S3, web, workers
	@$(BIN)/python run.py

demo: .venv/run.stamp ## watch a campaign survive a provider in trouble and a killed worker (2 minutes)
	@$(BIN)/python demo.py

docs: .venv/dev.stamp ## build the documentation, which the web process serves at /docs/
	@$(BIN)/python -m docs.site && echo "built; make run serves it at http://localhost:8080/docs/"

screenshots: .venv/dev.stamp ## take the pictures of the documentation anew
	@SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/browser/test_screenshots.py

cli: .venv/run.stamp ## install what the command line ./postrider needs
	@./postrider --help

quick: .venv/dev.stamp ## run the unit and property tests, on all cores, under a minute
	@EXAMPLES=quick $(BIN)/python -m pytest tests/unit tests/property --numprocesses auto --dist worksteal $(PYTEST)

test: .venv/dev.stamp ## run every test (PYTEST="-k name" for some)
	@$(BIN)/python -m pytest $(PARALLEL) $(PYTEST)

test-busy: .venv/dev.stamp ## run every test three times on a machine that has no core to spare (N=1 for once)
	@$(BIN)/python -m tests.busy --runs $(or $(N),3) -- $(PARALLEL) $(PYTEST)

# Each process takes the next test once it is free. Tests with servers and processes mostly wait, so three keep two
# cores busy.
PARALLEL = --numprocesses 3 --dist load --maxschedchunk 1

chaos: .venv/dev.stamp ## break everything on purpose, half an hour long (PYTEST="-k redis" for some)
	@CHAOS=full $(BIN)/python -m pytest tests/chaos $(PYTEST)

bench: .venv/dev.stamp ## measure speed beside plain Dramatiq, 12 min (docs/benchmarks.md)
	@$(BIN)/python -m bench

bench-large: .venv/dev.stamp ## the same with 10,000,000 recipients too, half an hour
	@$(BIN)/python -m bench large

bench-peers: .venv/dev.stamp ## measure speed beside a Go worker pool and BullMQ, if go and node are there, 15 min
	@$(BIN)/python -m bench.peers $(ARGS)

bench-rate: .venv/dev.stamp ## measure rate, pause and turns with real processes, 25 min (ARGS="--short", or points by name)
	@$(BIN)/python -m bench.rate $(ARGS)

check: format lint spelling types contracts test ## what CI runs: format, lint, spelling, types, import contracts, tests

fmt: .venv/dev.stamp ## format the code and fix what the linter can
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

format: .venv/dev.stamp ## show what fmt would change
	@$(BIN)/ruff format --check --diff .

lint: .venv/dev.stamp ## look for mistakes and bad style
	@$(BIN)/ruff check .

spelling: .venv/dev.stamp ## look for misspelt words in code and docs
	@$(BIN)/codespell

types: .venv/dev.stamp ## check the types, strictly
	@$(BIN)/mypy .

contracts: .venv/dev.stamp ## check that imports point downward only
	@$(BIN)/lint-imports

# In a separate environment, so that no tool of the lock gets into the project's.
# UPGRADE="--upgrade" takes the newest versions, "--upgrade-package NAME" one package's.
lock: ## resolve pyproject.toml's dependencies into the two lock files
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv; }
	@$(COMPILE) --output-file requirements.txt
	@$(COMPILE) --group dev --constraints requirements.txt --output-file requirements-dev.txt

COMPILE = .venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(UPGRADE) pyproject.toml

clean: ## remove the environment and what the tools keep; var/ (your data) stays
	rm -rf docs/site/html .venv .venv-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The installed sets: each stamp is newer than its lock once that lock is installed.
.venv/run.stamp: requirements.txt
	@$(call install,requirements.txt)

.venv/dev.stamp: requirements-dev.txt
	@$(call install,requirements-dev.txt)

define install
$(PYTHON) -c 'import sys; sys.exit("Postrider needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
test -x $(BIN)/pip || $(PYTHON) -m venv .venv
echo "installing $(1) into .venv"
$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
touch $@
endef
