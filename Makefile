# What people and CI call. Every target does its own set-up, once: a stamp lies in what it stands for.

PYTHON ?= python3
DATA ?= data
PORT ?=
PYTEST ?=

BIN := .venv/bin
# Modules are compiled when they are first used, most of them never; once, whatever the caller's Python is told.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check -c constraints.txt
NPM := npm ci --silent --no-audit --no-fund
PAGE := api/static/index.html
PAGE_SOURCES := $(shell find web -name node_modules -prune -o -type f -print)
RECURSE := $(MAKE) --no-print-directory --silent

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench chaos pages wheel clean browser

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=9000 and DATA=folder change where the demo listens and keeps its data;"
	@echo "  PYTEST='tests/cli -x' narrows the tests."

demo: ## start everything on this machine, with the sample collection, and print the address
	@$(RECURSE) -j3 .venv/.embedded $(PAGE) demo/node_modules/.installed
	@$(BIN)/clipline up --demo --data $(DATA) $(if $(PORT),--port $(PORT))

test: ## run every test: Python, pages, end to end
	@$(RECURSE) -j3 .venv/.dev $(PAGE) demo/node_modules/.installed
	@$(RECURSE) browser
	@cd web && npm run --silent test
	@$(BIN)/pytest $(PYTEST)

check: ## formatting, lint, types, layers
	@$(RECURSE) -j2 .venv/.dev web/node_modules/.installed
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .venv/layers.log || { cat .venv/layers.log; exit 1; }
	@cd web && npm run --silent check

chaos: ## the soak of the queue: 2,000 jobs, workers killed and frozen, Redis restarted
	@$(RECURSE) .venv/.dev
	@CLIPLINE_TEST_CHAOS_JOBS=2000 $(BIN)/pytest tests/chaos --log-cli-level=INFO $(PYTEST)

bench: ## run the benchmarks beside their peers
	@$(RECURSE) -j2 .venv/.dev .venv-peers/.made $(PAGE)
	@for name in $$($(BIN)/clipline bench); do $(BIN)/clipline bench $$name || exit 1; done

pages: ## build the pages that the API serves
	@$(RECURSE) $(PAGE)

wheel: ## build the wheel into dist/
	@$(RECURSE) -j2 .venv/.dev $(PAGE)
	@$(BIN)/hatchling build -t wheel

clean: ## forget what was installed and built; data/ stays
	rm -rf .venv .venv-peers api/static dist web/node_modules demo/node_modules

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Clipline needs Python 3.11 or newer")'
	@echo "making .venv"
	@$(PYTHON) -m venv .venv

.venv/.embedded: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	@echo "installing the Python packages"
	@$(PIP) -e '.[embedded]'
	@touch $@

# After the smaller set: two installations at once would spoil one environment.
.venv/.dev: .venv/.embedded
	@echo "installing the development tools"
	@$(PIP) -e '.[dev]'
	@touch $@

# A peer that cannot be had is reported as missing by the benchmark.
.venv-peers/.made: bench/peers/install.py $(wildcard bench/peers/*.txt) | .venv/.dev
	@mkdir -p .venv-peers
	@echo "installing the peers of the benchmarks"
	@$(BIN)/python -m bench.peers.install || true
	@touch $@

web/node_modules/.installed: web/package-lock.json web/package.json
	@echo "installing the packages that build the pages"
	@cd web && $(NPM)
	@touch $@

$(PAGE): web/node_modules/.installed $(PAGE_SOURCES)
	@echo "building the pages"
	@cd web && npm run --silent build > node_modules/.build.log 2>&1 || { cat node_modules/.build.log; exit 1; }
	@touch $@

demo/node_modules/.installed: demo/package-lock.json demo/package.json
	@echo "installing the pictograms"
	@cd demo && $(NPM)
	@touch $@

# As root, Debian's own package; elsewhere the browser tests say what is missing.
browser:
	@command -v chromium > /dev/null || command -v google-chrome > /dev/null || [ "$$(id -u)" != 0 ] || { \
		echo "installing chromium" && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium > /dev/null; }
