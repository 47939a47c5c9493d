# What people and CI call. Every target does its own set-up, once: `.make/` holds a stamp for each finished step.

PYTHON ?= python3
DATA ?= data
PORT ?=
PYTEST ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
NPM := npm ci --silent --no-audit --no-fund
PAGE := api/static/index.html
PAGE_SOURCES := $(shell find web -name node_modules -prune -o -type f -print)
RECURSE := $(MAKE) --no-print-directory

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench pages wheel clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=9000 and DATA=folder change where the demo listens and keeps its data;"
	@echo "  PYTEST='tests/cli -x' narrows the tests."

demo: ## start everything on this machine, with the sample collection, and print the address
	@$(RECURSE) -j3 .make/embedded $(PAGE) .make/demo
	@$(BIN)/clipline up --demo --data $(DATA) $(if $(PORT),--port $(PORT))

test: ## run every test: Python, pages, end to end
	@$(RECURSE) -j3 .make/dev $(PAGE) .make/demo
	@$(RECURSE) .make/browser
	@cd web && npm run --silent test
	@$(BIN)/pytest $(PYTEST)

check: ## formatting, lint, types, layers
	@$(RECURSE) -j2 .make/dev .make/web
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .make/layers.log || { cat .make/layers.log; exit 1; }
	@cd web && npm run --silent check

bench: ## run the benchmarks beside their peers
	@$(RECURSE) -j2 .make/dev $(PAGE)
	@for name in $$($(BIN)/clipline bench); do $(BIN)/clipline bench $$name || exit 1; done

pages: ## build the pages that the API serves
	@$(RECURSE) $(PAGE)

wheel: ## build the wheel into dist/
	@$(RECURSE) -j2 .make/dev $(PAGE)
	@$(BIN)/hatchling build -t wheel

clean: ## forget what was installed and built; data/ stays
	rm -rf .venv .make api/static dist web/node_modules demo/node_modules

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Clipline needs Python 3.11 or newer")'
	@echo "making .venv"
	@$(PYTHON) -m venv .venv

.make/embedded: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	@mkdir -p .make
	@echo "installing the Python packages"
	@$(PIP) -e '.[embedded]'
	@touch $@

# After the smaller set: two installations at once would spoil one environment.
.make/dev: .make/embedded
	@echo "installing the development tools"
	@$(PIP) -e '.[dev]'
	@touch $@

.make/web: web/package-lock.json web/package.json
	@mkdir -p .make
	@echo "installing the packages that build the pages"
	@cd web && $(NPM)
	@touch $@

$(PAGE): .make/web $(PAGE_SOURCES)
	@echo "building the pages"
	@cd web && npm run --silent build > ../.make/pages.log 2>&1 || { cat ../.make/pages.log; exit 1; }
	@touch $@

.make/demo: demo/package-lock.json demo/package.json
	@mkdir -p .make
	@echo "installing the pictograms"
	@cd demo && $(NPM)
	@touch $@

# As root, Debian's own package; elsewhere the browser tests say what is missing.
.make/browser:
	@mkdir -p .make
	@command -v chromium chromium-browser google-chrome > /dev/null || [ "$$(id -u)" != 0 ] || { \
		echo "installing chromium"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium > .make/browser.log \
		|| { cat .make/browser.log; exit 1; }; }
	@touch $@
