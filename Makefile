# `make demo` needs Python 3.10 or newer, nothing else; the other targets need Node, too.
PYTHON ?= python3
BIN := .venv/bin
BROWNIE := .venv-brownie/bin
NODE_BIN := $(CURDIR)/node_modules/.bin

# Stamps: an environment is set up again only when what it is made from has changed.
RUNTIME := .venv/.runtime
DEV := .venv/.dev
BROWNIE_ENV := .venv-brownie/.ready
SLITHER_ENV := .venv-slither/.ready
NODE := node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help demo quick test test-main test-brownie brownie lint slither lowest fuzz simulate bench contracts \
	dist clean

help:
	@echo "make demo       an agreement from signature to release, on a chain of its own"
	@echo "make quick      style, types and the fast rooms' tests, in a minute"
	@echo "make test       all tests, Brownie's included; or those of one room: ROOM=oracle"
	@echo "make lowest     the fast rooms with the lowest release of every library that is allowed"
	@echo "make brownie    Brownie's environment, for docs/brownie.md"
	@echo "make lint       ruff, mypy, forge fmt, slither"
	@echo "make slither    static analysis, each finding answered in docs/security.md"
	@echo "make fuzz       contract against twin, with random seeds: SECONDS=600, or SEED=..."
	@echo "make simulate   the oracle under faults, from many seeds: SEEDS=5000, START=0"
	@echo "make bench      figures beside the peers', kept in bench/results"
	@echo "make contracts  compile the contracts into the package"
	@echo "make messages   collect all messages into the template of a translator's catalogue"
	@echo "make dist       a wheel and a source archive in dist/, the same bytes every time"
	@echo "make clean      remove what was built, but not the environments"

demo: $(RUNTIME)
	@$(BIN)/escrow demo

# What to run while writing: style, types, and what needs no chain and no service. CONTRIBUTING.md
# names each room's tests; a ROOM is one of those, or any folder below tests.
FAST := tests/house tests/unit
ROOM ?=
test: $(if $(ROOM),test-room,test-main test-brownie)

quick: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if test -x $(NODE_BIN)/forge; then $(NODE_BIN)/forge fmt --check contracts; fi
	$(BIN)/pytest -q -n 2 --dist worksteal -m "not slow" $(FAST)

.PHONY: test-room
test-room: $(DEV)
	$(BIN)/pytest -n 2 --dist worksteal $$($(BIN)/python -m tools.rooms $(ROOM))

test-main: $(DEV) $(NODE)
	$(BIN)/python -m milestone_escrow.chain.deploy.compiler --warm
	$(BIN)/pytest -n 2 --dist worksteal

# Brownie takes the compiler from where py-solc-x puts it, and Anvil from the PATH.
brownie: $(NODE) $(BROWNIE_ENV)
	$(BROWNIE)/python -m milestone_escrow.chain.deploy.compiler --install
	PATH="$(NODE_BIN):$$PATH" $(BROWNIE)/brownie compile

test-brownie: brownie
	PATH="$(NODE_BIN):$$PATH" $(BROWNIE)/brownie test

lint: $(DEV) $(NODE) slither
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(NODE_BIN)/forge fmt --check contracts

# Slither reads what forge builds, with the compiler from where py-solc-x puts it.
slither: $(DEV) $(NODE) $(SLITHER_ENV)
	$(BIN)/python -m milestone_escrow.chain.deploy.compiler --install
	PATH="$(NODE_BIN):$$PATH" .venv-slither/bin/python tools/slither_check.py

# The oldest that pyproject.toml allows of everything that it names, in an environment of its own.
lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python \
		--resolution lowest-direct -e '.[dev]'
	.venv-lowest/bin/pytest -q -n 2 --dist worksteal $(FAST) $(LOWEST)

# Where web3, click, SQLAlchemy, FastAPI, openpyxl and fpdf2 are used most.
LOWEST := tests/chain/test_connection.py tests/cli/agreement tests/cli/status tests/cli/test_reference.py \
	tests/oracle/store tests/oracle/api/test_access.py

# As long as it is told; SEED plays one round again, and shrinks what fails.
SECONDS ?= 600
SEED ?=
fuzz: $(DEV) $(NODE)
	$(BIN)/python -m tests.invariants.fuzz $(if $(SEED),--seed $(SEED),--seconds $(SECONDS))

# Those of the suite, and as many more as are asked for; a seed that fails becomes a test.
SEEDS ?= 2000
START ?= 0
simulate: $(DEV)
	$(BIN)/python -m tests.oracle.simulation --seeds $(SEEDS) --start $(START)

bench: $(DEV) $(NODE)
	$(BIN)/python -m bench

contracts: $(DEV) $(NODE)
	$(BIN)/python -m milestone_escrow.chain.deploy.compiler

messages: $(DEV)
	$(BIN)/python tools/catalogue.py

dist: $(DEV)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

clean:
	rm -rf build dist bench/results .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(RUNTIME): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV): $(RUNTIME)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(BROWNIE_ENV): pyproject.toml constraints-brownie.txt
	$(PYTHON) -m venv .venv-brownie
	$(BROWNIE)/pip install --quiet --disable-pip-version-check -c constraints-brownie.txt -e '.[brownie]'
	@touch $@

$(SLITHER_ENV): constraints-slither.txt
	$(PYTHON) -m venv .venv-slither
	.venv-slither/bin/pip install --quiet --disable-pip-version-check -r constraints-slither.txt
	@touch $@

$(NODE): package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@
