# Every command a person needs; `make help` lists them.
# Python 3.11 to 3.13 is found by itself; PYTHON=/path/to/python names one, until .venv exists.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
SAM_VENV := .venv-sam
SAM_CLI := 1.170.0
BUILT_LAYER := .aws-sam/build/SharedLayer/python
READY := $(VENV)/.ready
SAM_READY := $(SAM_VENV)/.ready-$(SAM_CLI)
CHECKOV_VENV := .venv-checkov
CHECKOV := 3.3.30
CHECKOV_READY := $(CHECKOV_VENV)/.ready-$(CHECKOV)
RUN := $(VENV)/bin/python
CODE := layers functions local bench tests

# USER is also an environment variable, so only a USER of the command line counts.
TOKEN_USER := $(if $(filter command,$(firstword $(origin USER))),$(USER),dev@example.com)
ORG ?=
ROLE ?= ADMIN
export ORG ROLE TOKEN_USER

# Each worker has its own Postgres and S3 server. Tests that wait leave room for a third on two cores. Unit tests, which turn
# sockets off, stay first.
WORKERS ?= 3
test test-unit: override ARGS := -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# Tests start Python hundreds of times: without stored byte code each start would compile the sources again.
test test-unit test-faults test-slow: export PYTHONDONTWRITEBYTECODE =

FUNCTION ?=
EVENT ?=
export FUNCTION EVENT

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export SAM_CLI_TELEMETRY := 0
SAM_ENV := AWS_DEFAULT_REGION=eu-west-3 AWS_EC2_METADATA_DISABLED=true

# Prints the command of a Python that runs (a pyenv shim may not), is of a version we know and can make an environment.
define FIND_PYTHON
found=; without_venv=; \
for candidate in $${PYTHON:-python3.13 python3.12 python3.11 python3}; do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 || continue; \
	if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	without_venv=$${without_venv:-$$candidate}; \
done; \
if [ -z "$$found" ] && [ -n "$$without_venv" ]; then \
	echo "$$without_venv cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; \
elif [ -z "$$found" ]; then \
	echo "No Python 3.11, 3.12 or 3.13 found$${PYTHON:+ at $$PYTHON}. On Debian: apt-get install python3 python3-venv; else PYTHON=/path/to/python" >&2; exit 1; \
fi
endef

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Make .venv with everything a laptop needs (the other commands do it by themselves)

.PHONY: demo
demo: $(READY) ## Import a real file twice, show its history, export it again; a throw-away stack
	@$(RUN) -m local.commands.demo

.PHONY: run
run: $(READY) ## Run the stack until Ctrl-C (PORT=3000, 0 picks one; state in LEADS_STATE_DIR=.local)
	@exec $(RUN) -m local.commands.run

.PHONY: token
token: $(READY) ## Print a token for the running stack: make -s token ORG=acme ROLE=ADMIN USER=ana@acme.example
	@exec $(RUN) -m local.commands.token --org "$$ORG" --role "$$ROLE" --user "$$TOKEN_USER"

.PHONY: invoke
invoke: SAM_BUILD := --cached
invoke: $(READY) build ## Invoke a function of the running stack by SAM, in Docker: make invoke FUNCTION=ImportLeadsFunction EVENT=events/import_leads_form.json
	@$(RUN) -m local.commands.invoke "$$FUNCTION" "$$EVENT"

.PHONY: redrive
redrive: $(READY) ## Send the dead letters of the running stack through again
	@exec $(RUN) -m local.commands.redrive

.PHONY: check
check: $(READY) ## Check format, lint, spelling, types, security and templates
	@$(RUN) -m ruff format --check $(CODE)
	@$(RUN) -m ruff check $(CODE)
	@$(RUN) -m codespell_lib
	@$(RUN) -m mypy $(CODE)
	@$(MAKE) --no-print-directory validate

.PHONY: format
format: $(READY) ## Format the code, and mend what ruff can mend
	@$(RUN) -m ruff check --fix-only --quiet $(CODE)
	@$(RUN) -m ruff format $(CODE)

.PHONY: test
test: $(READY) ## Run all tests (ARGS="-k export" for some)
	@$(RUN) -m pytest $(ARGS)

.PHONY: test-unit
test-unit: $(READY) ## Run the tests that open no socket; seconds (ARGS="-k phone" for some)
	@$(RUN) -m pytest tests/unit $(ARGS)

.PHONY: test-faults
test-faults: $(READY) ## Break things, and print of each fault what was seen; ten minutes
	@$(RUN) -m pytest -m "fault or slow_fault" --fault-table $(ARGS)

.PHONY: test-slow
test-slow: $(READY) ## Hold the import engine to its oracle on 2,000 random files; ten minutes
	@$(RUN) -m pytest -m slow $(ARGS)

.PHONY: test-sam-local
test-sam-local: $(READY) $(SAM_READY) ## Invoke each sample of events/ by SAM, in Docker; five minutes
	@local/sam/with_docker.sh $(RUN) -m pytest tests/sam_local $(ARGS)

.PHONY: soak
soak: $(READY) ## Mix imports, exports and faults, then audit what is left; ten minutes (ARGS="--minutes 1 --seed 7")
	@$(RUN) -m tests.soak $(ARGS)

.PHONY: bench-import
bench-import: $(READY) ## Time imports against Postgres alone; an hour (ARGS="--rows 1000000 --strategy SKIP")
	@$(RUN) -m bench.bench_import $(ARGS)

.PHONY: bench-export
bench-export: $(READY) ## Time exports against psql's own copy; ten minutes (ARGS="--rows 1000000 --rounds 3")
	@$(RUN) -m bench.bench_export $(ARGS)

.PHONY: bench-cold
bench-cold: $(READY) $(SAM_READY) ## Time how functions start, in AWS's runtime interface emulator; two minutes
	@$(RUN) -m bench.bench_cold $(ARGS)

.PHONY: validate
validate: $(SAM_READY) $(CHECKOV_READY) ## Check the template and what SAM makes of it, without an AWS account
	@$(SAM_ENV) $(SAM_VENV)/bin/sam validate --lint
	@$(SAM_ENV) $(SAM_VENV)/bin/cfn-lint template.yaml
	@mkdir -p .aws-sam
	@$(SAM_ENV) $(SAM_VENV)/bin/python tests/support/expand_template.py template.yaml > .aws-sam/expanded.json
	@$(SAM_ENV) $(SAM_VENV)/bin/cfn-lint .aws-sam/expanded.json
	@$(CHECKOV_VENV)/bin/checkov --config-file .checkov.yaml

.PHONY: build
build: $(SAM_READY) ## Build what is deployed (sam build, its layer slimmed and compiled; needs python3.13)
	@if ! python3.13 -c '' >/dev/null 2>&1 && command -v pyenv >/dev/null 2>&1; then \
		PYENV_VERSION=$$(pyenv versions --bare | grep -x '3\.13[0-9.]*' | tail -n 1); export PYENV_VERSION; \
	fi; \
	if ! python3.13 -c '' >/dev/null 2>&1; then \
		echo "sam build needs the functions' runtime: no working python3.13 on PATH (with Docker: $(SAM_VENV)/bin/sam build --use-container, whose layer is not finished, so it starts slowly)" >&2; exit 1; \
	fi; \
	$(SAM_ENV) $(SAM_VENV)/bin/sam build $(SAM_BUILD) && \
	PYTHONHASHSEED=0 python3.13 layers/finish_layer.py $(BUILT_LAYER)

# What set-up says goes to stderr: `make -s token` prints a token and nothing else, the first time, too.
$(READY): pyproject.toml layers/shared/requirements.txt
	@echo "Setting up $(VENV), which takes about a minute, once" >&2
	@$(FIND_PYTHON); \
	$(RUN) -c '' >/dev/null 2>&1 || "$$found" -m venv --clear $(VENV) >&2
	@$(RUN) -m pip install -qq --editable '.[dev]' >&2
	@touch $@

# SAM CLI and checkov pin older libraries than ours, so each lives alone.
define MAKE_VENV
@$(FIND_PYTHON); \
echo "Setting up $(1) ($(2)), which takes about a minute, once" >&2; \
$(1)/bin/python -c '' >/dev/null 2>&1 || "$$found" -m venv --clear $(1) >&2; \
$(1)/bin/python -m pip install -qq '$(2)' >&2
@touch $@
endef

$(SAM_READY):
	$(call MAKE_VENV,$(SAM_VENV),aws-sam-cli==$(SAM_CLI))

$(CHECKOV_READY):
	$(call MAKE_VENV,$(CHECKOV_VENV),checkov==$(CHECKOV))
