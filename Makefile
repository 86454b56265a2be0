# make run    the desk: database, API, portal, runner
# make test   every check and every test that does not take long; make test-long has the others
# make chaos  runs on a desk to which everything happens: RUNS, FAULTS, SEED
# make bench  what things cost, beside others that do the same: BENCHES

VENV := .venv
BIN := $(VENV)/bin
INSTALL := .ci/install
NGINX := .ci/debian $(VENV)/nginx nginx nginx
# One more than there are processors: each waits now and then. Eight hold all that can be shared out.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 8 ? n + 1 : 8)))
RUNS ?= 200
FAULTS ?= 100
BENCHES ?= startup latency overhead throughput claims idle sessions databases api uploads transfers
LINTED := $(patsubst %,check-%,$(sort $(wildcard workflows/*/workflow/Snakefile)))
CHECKS := check-types compiled $(LINTED) check-imports check-rules check-format

# Shows what a command says only when it fails.
quietly = said=$$($(1) 2>&1) || { echo "$$said"; exit 1; }

# Runs tests with the Chromium that a command finds, and nginx where there is one.
tests = chromium=$$($(1)) || exit 1; nginx=$$($(NGINX)); \
	RUNDESK_CHROMIUM=$$chromium RUNDESK_NGINX=$$nginx \
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Where it is set, each of the many processes of a desk would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE
export PIP_NO_INPUT := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-long check format chaos bench bench-latency screenshots clean
.PHONY: $(CHECKS)
.DEFAULT_GOAL := run

run: $(VENV)/.run
	@exec $(BIN)/rundesk up

# What is no Python package is fetched while those are installed.
test:
	@{ .ci/chromium; $(NGINX); } >/dev/null & $(MAKE) --no-print-directory check || exit 1; wait; \
	$(call tests,.ci/chromium) $(TESTS)

# What is marked `long` alone; the long course of `make chaos` is beside it.
test-long: check
	@$(call tests,.ci/chromium whole) -m long $(TESTS)

check: $(VENV)/.test
	@$(MAKE) --no-print-directory --jobs $(WORKERS) $(CHECKS)
	@echo "checks passed"

check-types:
	@$(call quietly,$(BIN)/mypy)
check-imports:
	@$(call quietly,$(BIN)/lint-imports --no-cache)
check-rules:
	@$(call quietly,$(BIN)/ruff check)
check-format:
	@$(call quietly,$(BIN)/ruff format --check)
	@$(call quietly,$(BIN)/snakefmt --check workflows)
$(LINTED): check-%:
	@$(call quietly,$(BIN)/snakemake --lint -s $* -d $(*:/workflow/Snakefile=))

chaos: $(VENV)/.run
	@exec $(BIN)/python -m tests.chaos --runs $(RUNS) --faults $(FAULTS) $(if $(SEED),--seed $(SEED))

format: $(VENV)/.test
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format
	@$(BIN)/snakefmt workflows

bench: $(VENV)/.bench
	@for name in $(BENCHES); do $(BIN)/python -m bench.$$name || exit 1; done

bench-latency: $(VENV)/.run
	@exec $(BIN)/python -m bench.latency

# Pictures of every view for docs/images/, of runs of the bundled example.
screenshots: $(VENV)/.test
	@chromium=$$(.ci/chromium) || exit 1; \
	RUNDESK_CHROMIUM=$$chromium $(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@python=$$(.ci/python) || exit 1; echo "Making $(VENV) with $$python"; $$python -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "Installing Rundesk and what it needs (about a minute the first time)"
	@$(INSTALL) $(BIN)/python --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python $(VENV)/clients/bin/wes-client
	@echo "Installing Rundesk and what its tests need (a few minutes the first time)"
	@$(INSTALL) $(BIN)/python --editable '.[dev]'
	@touch $@ $(VENV)/.run

# What the tests import is compiled once, beside the checks: else each of their processes would do it.
compiled: $(VENV)/.compiled
	@:
$(VENV)/.compiled: $(VENV)/.test
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null 2>&1 || true
	@touch $@

# Apart from the rest: its server half would bring other event loops into the portal's environment.
$(VENV)/clients/bin/wes-client: | $(BIN)/python
	@$(BIN)/python -m venv --without-pip $(VENV)/clients
	@BY=$(BIN)/python $(INSTALL) $(VENV)/clients/bin/python 'wes-service>=5,<6'

# In a folder of their own: Snakemake imports every plugin that it finds, at each start.
$(VENV)/.bench: $(VENV)/.run
	@echo "Installing what the benches compare with"
	@$(BIN)/python -m pip -qq install --ignore-installed --prefix $(VENV)/peers 'snakemake-logger-plugin-snkmt>=0.1.9,<0.2'
	@$(BIN)/python -m venv --without-pip $(VENV)/sapporo
	@BY=$(BIN)/python $(INSTALL) $(VENV)/sapporo/bin/python 'sapporo>=2.4,<3'
	@.ci/debian $(VENV)/wrk wrk wrk libluajit-5.1-2 libluajit-5.1-common >/dev/null || true
	@touch $@
