# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The drill tests in which the checks judge a stack, by the clock too: nothing runs beside them.
ALONE := tests/drills/test_*.py tests/drills/matrix
.DEFAULT_GOAL := help
.PHONY: help venv demo drills families test unit drill matrix docker images coverage checkcode bench phrases lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/.installed ## the virtualenv, from the hash-locked requirements

$(VENV)/.installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is needed: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: venv ## break a whole voice-v2 on this machine, roll it back, prove the recovery
	@$(BIN)/python -m drills demo

drills: venv ## rehearse every action: break, notice, roll back, judge, count losses and damage
	@$(BIN)/python -m drills run

families: venv ## a drill of one fault of every family, on two stacks in containers
	@$(BIN)/python -m drills run --stack containers --each-family --jobs 2

test: unit drill ## every test: units first, then those that bring up a stack

unit: venv ## the unit tests, under a minute
	$(BIN)/pytest tests -m "not drill and not docker" -p xdist -n 3 --dist loadfile -q

drill: venv ## the tests that bring up a whole stack
	$(BIN)/pytest tests -m "drill and not docker" -p xdist -n 2 --dist loadfile -q $(ALONE:%=--ignore-glob=%)
	$(BIN)/pytest $(ALONE) -m "drill and not docker" -q

matrix: venv ## every fault against every check, on two embedded stacks
	@$(BIN)/python -m drills matrix --stack processes --jobs 2

docker: venv ## the tests on a Docker engine; .ci/engine brings one
	$(BIN)/pytest tests -m docker -p xdist -n 2 --dist loadfile -q

images: venv ## the images of the containers stack; builds those that are not there
	@$(BIN)/python -m drills images

coverage: venv ## which action is tested in which respect; a hole is an error
	@$(BIN)/python -m tests.coverage

checkcode: venv ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .cache/service-types
	$(BIN)/uv pip install --quiet --python .cache/service-types/bin/python --require-hashes -r drills/voice_v2/requirements.txt
	cd drills/voice_v2 && ../../$(BIN)/mypy --config-file ../../pyproject.toml \
	  --python-executable ../../.cache/service-types/bin/python -p app

bench: venv ## how fast the suite itself is; prints its figures
	@$(BIN)/python -m perf.bench

phrases: venv ## render the phrase catalogue again (needs espeak-ng)
	$(BIN)/python -m drills.providers.render

lock: venv ## lock the requirements again, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group build -o requirements.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group build --group drills --group dev -c requirements.txt -o requirements-dev.txt pyproject.toml
	cd drills/images/recipes/stand-ins && ../../../../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-header -c ../../../../requirements-dev.txt -o requirements.txt requirements.in

clean: ## take down the demo and remove what was made here (runs/ stays)
	@for stack in .demo play .drills/* .drills/*/*; do \
	  test ! -f $$stack/stack.json || $(BIN)/python -m drills down --dir $$stack; done
	rm -rf $(VENV) .demo .drills .matrix .quiet play .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
