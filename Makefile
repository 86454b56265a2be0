# make run    start Rundesk: database, API, portal, runner
# make test   every check and every short test; make test-long runs the others
# make chaos  runs under injected faults: RUNS, FAULTS, SEED
# make bench  measurements, each next to a named peer or limit: BENCHES
# make lock   write requirements/ after a change of dependencies
# make texts  print every text that people can read

VENV := .venv
BIN := $(VENV)/bin
INSTALL := .ci/install
NGINX := .ci/debian $(VENV)/nginx nginx nginx
# One more than processors, because each worker waits now and then; more than eight would be idle.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 8 ? n + 1 : 8)))
RUNS ?= 200
FAULTS ?= 100
BENCHES ?= startup latency overhead walls throughput claims idle sessions drafts databases api uploads slow transfers
LINTED := $(patsubst %,check-%,$(sort $(wildcard workflows/*/workflow/Snakefile)))
CHECKS := check-types compiled $(LINTED) check-imports check-rules check-format check-spelling

# Prints the output of a command only when it fails.
quietly = output=$$($(1) 2>&1) || { echo "$$output"; exit 1; }

# Runs tests with the Chromium that a command prints, and nginx where it is available.
tests = chromium=$$($(1)) || exit 1; nginx=$$($(NGINX)); \
	RUNDESK_CHROMIUM=$$chromium RUNDESK_NGINX=$$nginx \
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Where it is set, each of the many processes would compile its imports.
unexport PYTHONDONTWRITEBYTECODE
export PIP_NO_INPUT := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-long check format lock texts chaos bench bench-latency screenshots clean
.PHONY: $(CHECKS)
.DEFAULT_GOAL := run

run: $(VENV)/.run
	@exec $(BIN)/rundesk up

# Chromium and nginx are downloaded while Python packages are installed.
test:
	@{ .ci/chromium; $(NGINX); } >/dev/null & $(MAKE) --no-print-directory check || exit 1; wait; \
	$(call tests,.ci/chromium) $(TESTS)

# Only tests marked `long`. `make chaos` is separate.
test-long: check $(VENV)/.clients
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
check-spelling:
	@$(call quietly,$(BIN)/codespell)
$(LINTED): check-%:
	@$(call quietly,$(BIN)/snakemake --lint -s $* -d $(*:/workflow/Snakefile=))

# Writes requirements/ after a change of dependencies; UPGRADE=1 takes the newest allowed versions.
lock: | $(BIN)/python
	@.ci/lock $(BIN)/python

# Every text that people can read, with file and line.
texts: $(VENV)/.test
	@$(BIN)/python -m tests.helpers.texts

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

# Screenshots of every page for docs/images/, with runs of the bundled example.
screenshots: $(VENV)/.test
	@chromium=$$(.ci/chromium) || exit 1; \
	RUNDESK_CHROMIUM=$$chromium $(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@python=$$(.ci/python) || exit 1; echo "Making $(VENV) with $$python"; $$python -m venv $(VENV)

$(VENV)/.run: pyproject.toml requirements/run.txt | $(BIN)/python
	@echo "Installing Rundesk and its dependencies (about a minute the first time)"
	@$(INSTALL) $(BIN)/python run
	@$(INSTALL) $(BIN)/python --rundesk
	@touch $@

$(VENV)/.test: pyproject.toml requirements/test.txt | $(BIN)/python $(VENV)/clients/bin/wes-client
	@echo "Installing Rundesk and the dependencies of its tests (a few minutes the first time)"
	@$(INSTALL) $(BIN)/python test
	@$(INSTALL) $(BIN)/python --rundesk
	@touch $@ $(VENV)/.run

# The imports of the tests are compiled once, next to the checks, not in each test process.
compiled: $(VENV)/.compiled
	@:
$(VENV)/.compiled: $(VENV)/.test
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null 2>&1 || true
	@touch $@

# In an environment of its own: its server part would add other event loops to the portal's.
$(VENV)/clients/bin/wes-client: | $(BIN)/python
	@$(BIN)/python -m venv --without-pip $(VENV)/clients
	@BY=$(BIN)/python $(INSTALL) $(VENV)/clients/bin/python wes-service

# Generators of API clients, and libraries of front ends.
$(VENV)/.clients: requirements/openapi-clients.txt tests/clients/package-lock.json | $(VENV)/.test
	@echo "Installing the clients that the API is tested with"
	@.ci/clients $(VENV)
	@touch $@

# In folders of their own: Snakemake imports every plugin that is installed, at each start.
$(VENV)/.bench: $(VENV)/.run
	@echo "Installing the peers of the benches"
	@$(BIN)/python -m pip -qq install --ignore-installed --prefix $(VENV)/peers \
		--require-hashes --requirement requirements/snakemake-logger-plugin-snkmt.txt
	@$(BIN)/python -m venv --without-pip $(VENV)/sapporo
	@BY=$(BIN)/python $(INSTALL) $(VENV)/sapporo/bin/python sapporo
	@.ci/debian $(VENV)/wrk wrk wrk libluajit-5.1-2 libluajit-5.1-common >/dev/null || true
	@touch $@
