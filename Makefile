# make run     a bridge and, if there is no homeserver yet, a homeserver, from nothing but Python
# make demo    the same with a simulated WhatsApp, for people without a phone at hand
# make test    everything that needs nothing but Python; make test-extra the rest
# Variables: PYTHON (which Python makes the environment), VENV, DATA (folder of make run), JOBS (of pytest), ARGS

VENV ?= .venv
PYTHON ?=
DATA ?= data
# More than processors, as most tests wait for processes of their own half of the time; each takes 300 MB.
JOBS ?= $(shell jobs=$$((5 * $$(getconf _NPROCESSORS_ONLN) / 2)); echo $$((jobs < 24 ? jobs : 24)))
ARGS ?=
BIN := $(VENV)/bin
export VENV PYTHON
# Otherwise whoever sets it has every start of a program compile all that it loads, Synapse and the tests included.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.PHONY: help run test lint types layers pytest test-extra chaos fuzz bench demo lock format clean venv-local venv-test

help:
	@sed -n 's/^# //p' Makefile

run: venv-local
	@$(BIN)/python -m mautrix_whatsapp_py quickstart --data '$(DATA)' $(ARGS)

# The types are looked at by one processor, while the tests leave some of another.
test: venv-test lint
	@MAKE='$(MAKE)' tools/both types pytest

lint: venv-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: venv-test
	@$(BIN)/mypy

layers: venv-test
	@$(BIN)/lint-imports --no-cache

# Sizes, README, lock files and examples are checked by tests/arch. The first time, one process compiles what all load.
pytest: venv-test
	@[ -d tests/unit/__pycache__ ] || { $(BIN)/python -c 'import synapse.app.homeserver' & \
	    $(BIN)/python -m pytest --collect-only -qq >/dev/null; wait; }
	@tools/in-memory $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-extra: venv-test
	@tests/extra/run

chaos: venv-test
	@CHAOS=long $(BIN)/python -m pytest -n 0 -s tests/chaos tests/workers tests/flow/test_talk_on_synapse.py $(ARGS)

fuzz: venv-test
	@FUZZ=5000 $(BIN)/python -m pytest -n 0 -o log_cli=true --log-cli-level=WARNING tests/unit/media/test_fuzz.py $(ARGS)

bench: venv-test
	@$(BIN)/python -m bench $(ARGS)

demo: venv-test
	@$(BIN)/python -m tests.simulator.demo $(ARGS)

lock: venv-test
	@tools/make-locks

format: venv-test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	@! [ -f '$(VENV)/pyvenv.cfg' ] || rm -rf '$(VENV)'
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

venv-local:
	@tools/make-venv local

venv-test:
	@tools/make-venv test
