# Every task of the project. Needs Python 3.11 to 3.13 with its venv module, git and make.
#
# The first run of a task sets up what it needs, from locked requirements with hashes: .venv for
# us, .synapse for the real Synapse of the demo and the tests; the suite that MCP servers are held
# to lies with its tests. Later runs find a stamp and start at once; a changed lock file sets up
# again.
.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

VENV := .venv
SYNAPSE := .synapse
BIN := $(VENV)/bin
SYNAPSE_PYTHON := $(SYNAPSE)/bin/python
CONFORMANCE := tests/conformance
SUITE := $(CONFORMANCE)/node_modules/.ready
# Files of tests at a time, each with servers of its own. The quick ones mostly wait.
QUICK := -n 5 --dist loadfile
SLOW := -n 2 --dist loadfile
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

.PHONY: help demo test check conformance lint format bench measure lock clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-15s %s\n", $$1, $$2 }'

demo: $(VENV)/.demo $(if $(ENCRYPTED),$(VENV)/.e2ee) $(SYNAPSE)/.ready ## Talk to @lycatra on a real Synapse; SCRIPT=file types the file's lines, ENCRYPTED=1 in an encrypted DM
	@$(BIN)/lycatra demo --synapse-python $(SYNAPSE_PYTHON) $(if $(ENCRYPTED),--encrypted) $${SCRIPT:+--script "$$SCRIPT"}

test: lint $(SYNAPSE)/.ready $(SUITE) ## Lint, types, contracts, and every test that is not slow
	@LYCATRA_SYNAPSE_PYTHON="$(CURDIR)/$(SYNAPSE_PYTHON)" $(BIN)/python -m pytest $(QUICK) -m "not slow" tests

check: $(VENV)/.dev $(SYNAPSE)/.ready ## The slow tests
	@LYCATRA_SYNAPSE_PYTHON="$(CURDIR)/$(SYNAPSE_PYTHON)" $(BIN)/python -m pytest $(SLOW) -m slow tests

conformance: $(VENV)/.dev $(SUITE) ## The public MCP suite; a line per leg: leg passed failed
	@$(BIN)/python -m tests.conformance

lint: $(VENV)/.dev ## Style, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## Repair what the linter can repair
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(VENV)/.bench $(SYNAPSE)/.ready ## Measure against baselines of the same run; ONLY=name for one
	@LYCATRA_SYNAPSE_PYTHON="$(CURDIR)/$(SYNAPSE_PYTHON)" $(BIN)/python -m benchmarks $${ONLY:+--only "$$ONLY"}

measure: $(VENV)/.dev ## How often a model is right: URL=http://localhost:11434/v1 MODEL=name ONLY=kind
	@$(BIN)/python -m tests.transcripts.record --base-url "$(URL)" --model "$(MODEL)" $(if $(ONLY),--only "$(ONLY)")

lock: $(VENV)/.tools ## Write requirements/*.txt anew from pyproject.toml; UPGRADE=1 takes newer versions
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements/base.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra demo -c requirements/base.txt -o requirements/demo.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra demo --extra e2ee -c requirements/demo.txt -o requirements/e2ee.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra docker --extra e2ee --extra kubernetes --extra otlp -c requirements/base.txt -o requirements/extras.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra demo --extra e2ee --group dev -c requirements/demo.txt -c requirements/extras.txt -o requirements/dev.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra demo --extra e2ee --group dev --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --group synapse -o requirements/synapse.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --group build -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --group tools -o requirements/tools.txt

clean: ## Remove the environments and every cache; the next run sets up again
	rm -rf $(VENV) $(SYNAPSE) $(CONFORMANCE)/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- setting up -----------------------------------------------------------------------------

# $(call make_environment,folder,options of venv): with the first Python that fits.
define make_environment
@for python in $(PYTHONS); do \
	if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
		echo "Setting up $(1) with $$("$$python" -V). This happens once."; \
		exec "$$python" -m venv --clear $(2) $(1); \
	fi; \
done; \
echo "No Python from 3.11 to 3.13 with its venv module among: $(PYTHONS)." >&2; \
echo "Install one (Debian and Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12" >&2; \
exit 1
endef

# $(call install,interpreter,lock file): uv, else pip. Either refuses a file with another hash.
define install
@if [ ! -x $(BIN)/uv ] || ! $(BIN)/uv pip install --quiet --python $(1) --require-hashes -r $(2); then \
	echo "Installing $(2) with pip instead of uv. This takes longer."; \
	$(BIN)/python -m pip --python $(1) --disable-pip-version-check install --quiet --require-hashes -r $(2); \
fi
endef

$(BIN)/python:
	$(call make_environment,$(VENV),)

$(SYNAPSE_PYTHON):
	$(call make_environment,$(SYNAPSE),--without-pip)

$(VENV)/.tools: requirements/tools.txt $(BIN)/python
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/tools.txt \
		|| echo "uv could not be installed; going on with pip."
	@touch $@

# The package itself is installed in place, by a backend from a lock file and without the network.
$(VENV)/.demo: requirements/demo.txt requirements/build.txt pyproject.toml $(VENV)/.tools
	$(call install,$(BIN)/python,requirements/build.txt)
	$(call install,$(BIN)/python,requirements/demo.txt)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.e2ee: requirements/e2ee.txt $(VENV)/.demo
	$(call install,$(BIN)/python,requirements/e2ee.txt)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.demo
	$(call install,$(BIN)/python,requirements/dev.txt)
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(call install,$(BIN)/python,requirements/bench.txt)
	@touch $@

$(SYNAPSE)/.ready: requirements/synapse.txt $(SYNAPSE_PYTHON) $(VENV)/.tools
	$(call install,$(SYNAPSE_PYTHON),requirements/synapse.txt)
	@touch $@

# The order-only .dev brings Node and npm; npm refuses what has another hash than the lock file's.
$(SUITE): $(CONFORMANCE)/package.json $(CONFORMANCE)/package-lock.json | $(VENV)/.dev
	@echo "Installing the MCP conformance suite. This happens once."
	@$(BIN)/python -m tests.conformance.install
	@touch $@
