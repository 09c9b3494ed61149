# `make demo` and `make test` are all that is needed; the rest is for developers.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: help setup demo test test-all test-system environments coverage lint sqlfluff format types checks configuration diagram faults fuzz bench bench-compare bench-scale kafka streamlit streamlit-setup streamlit-deploy quix-setup lock clean

help:
	@echo "make demo    watch a race: broker, worker, page and a source, all on this machine (ARGS='--speed 5')"
	@echo "make test    lint, types, the tests that need nothing but Python, and one demo run: some minutes"
	@echo "make test-all    all tests: Apache Kafka, Chromium, dbt, deployment too (Java 17, Maven, openssl, chromium, caddy, promtool)"
	@echo "make setup   only prepare the environment in .venv"
	@echo "make streamlit   past sessions and standings from the marts: http://localhost:8501"
	@echo "make lint | sqlfluff | format | types | checks | configuration | diagram | coverage | faults | fuzz | bench | bench-compare | bench-scale | kafka | lock | clean"

setup: .venv/.ready

.venv/.ready: pyproject.toml deploy/locks/uv.txt deploy/locks/dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("f1stream needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/locks/uv.txt
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes deploy/locks/uv.txt deploy/locks/dev.txt
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	@$(BIN)/f1stream demo $(ARGS)

# Tests share the cores: PYTEST_WORKERS=0 runs them one after the other, in the order in which they stand.
PYTEST_WORKERS ?= 2
# Tests of the whole system wait more than they compute.
PYTEST_SYSTEM_WORKERS ?= 3

test: lint types
	$(BIN)/pytest -m "not system" -n $(PYTEST_WORKERS) $(ARGS)

test-all: test sqlfluff checks test-system

test-system: environments
	$(BIN)/pytest -m system -n $(PYTEST_SYSTEM_WORKERS) --no-loadscope-reorder $(ARGS)

# What the tests of `make test-system` use beside our own environment.
environments: streamlit-setup quix-setup kafka .venv-sqlfluff/.ready .venv-checks/.ready

# Apart from `make test`: measuring doubles the time of all that runs in the tests' own process.
coverage: environments
	$(BIN)/pytest --cov --cov-report=term $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# sqlfluff and its dbt templater need other versions than we do: an environment of their own.
.venv-sqlfluff/.ready: deploy/locks/sqlfluff.txt | setup
	$(PYTHON) -m venv .venv-sqlfluff
	VIRTUAL_ENV=.venv-sqlfluff $(BIN)/uv pip sync --quiet --require-hashes deploy/locks/sqlfluff.txt
	@touch $@

sqlfluff: .venv-sqlfluff/.ready
	$(BIN)/python -m tests.support.sqlfluff $(or $(ARGS),lint .)

types: setup
	$(BIN)/mypy

# checkov and zizmor have some hundred dependencies, none of them ours: an environment of their own.
.venv-checks/.ready: deploy/locks/checks.txt | setup
	$(PYTHON) -m venv .venv-checks
	VIRTUAL_ENV=.venv-checks $(BIN)/uv pip sync --quiet --require-hashes deploy/locks/checks.txt
	@touch $@

# What runs in a cloud and in CI, read for known mistakes; nothing asks a server.
checks: .venv-checks/.ready
	.venv-checks/bin/checkov --quiet --compact --skip-download --framework terraform dockerfile --directory deploy
	.venv-checks/bin/zizmor --quiet --offline .github
	.venv-checks/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	.venv-checks/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml

# Streamlit needs other versions than we do, and much room: an environment of its own.
.venv-streamlit/.ready: deploy/locks/streamlit.txt | setup
	$(PYTHON) -m venv .venv-streamlit
	VIRTUAL_ENV=.venv-streamlit $(BIN)/uv pip sync --quiet --require-hashes deploy/locks/streamlit.txt
	@touch $@

streamlit-setup: .venv-streamlit/.ready

streamlit: streamlit-setup
	@$(BIN)/python deploy/streamlit/local.py $(ARGS)

# Snowflake's command line wants other versions again.
.venv-snow/.ready: deploy/locks/snow.txt | setup
	$(PYTHON) -m venv .venv-snow
	VIRTUAL_ENV=.venv-snow $(BIN)/uv pip sync --quiet --require-hashes deploy/locks/snow.txt
	@touch $@

# The app into Snowflake: account, user, database and key are SNOWFLAKE_* in the environment.
streamlit-deploy: .venv-snow/.ready
	cd deploy/streamlit && ../../.venv-snow/bin/snow streamlit deploy --replace --temporary-connection --role REPORTER $(ARGS)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# docs/configuration.md and docs/commands.md, from the settings and the command line.
configuration: setup
	$(BIN)/python -m f1stream.reference

# dbt/TABLES.md, from dbt's manifest.
diagram: setup
	$(BIN)/python -m f1stream.marts.diagram

# The long matrix: every fault several times, ten million samples waiting. CI runs each fault once.
faults: setup kafka
	F1STREAM_FAULTS=long $(BIN)/pytest tests/faults --timeout 0 $(ARGS)

# An hour: damaged recordings of the live timing, and hostile records through both workers' protocols.
fuzz: setup
	F1STREAM_FUZZ=1000 $(BIN)/pytest tests/sources/livetiming/recording/test_damage.py $(ARGS)
	F1STREAM_FUZZ=10000 $(BIN)/pytest --timeout 0 -n 2 tests/race/stages/test_hostile_records.py tests/warehouse/test_hostile_records.py $(ARGS)

# Apache Kafka's jars, for tests (Java 17 and Maven).
kafka:
	mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies

bench: setup
	$(BIN)/python -m tests.bench $(ARGS)

# The working tree against a commit, in turns: make bench-compare BASE=main ARGS="rules worker"
bench-compare: setup
	$(BIN)/python -m tests.bench.compare $(BASE) $(ARGS)

# Quix Streams wants other versions than we do: an environment of its own, only to be compared with.
.venv-quix/.ready: deploy/locks/quix.txt | setup
	$(PYTHON) -m venv .venv-quix
	VIRTUAL_ENV=.venv-quix $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes deploy/locks/quix.txt
	@touch $@

# Sessions × race workers on Apache Kafka, and the same job in Faust and in Quix Streams; deploy/SCALE.md has what came out.
quix-setup: .venv-quix/.ready

bench-scale: setup kafka quix-setup
	$(BIN)/python -m tests.bench.scale $(ARGS)

# The locks have hashes and no index addresses; whoever installs uses the index of their own machine.
lock: setup
	echo uv | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 - -o deploy/locks/uv.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml -o deploy/locks/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml --extra dev -o deploy/locks/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 deploy/locks/sqlfluff.in -o deploy/locks/sqlfluff.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 deploy/locks/streamlit.in -o deploy/locks/streamlit.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 deploy/locks/checks.in -o deploy/locks/checks.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 deploy/locks/snow.in -o deploy/locks/snow.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 deploy/locks/quix.in -o deploy/locks/quix.txt

clean:
	rm -rf .venv .venv-sqlfluff .venv-streamlit .venv-checks .venv-snow .venv-quix .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
