# Everything runs from .venv, which the lock file fills and only the lock file.

PYTHON ?= $(firstword $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python; done))
BIN := .venv/bin
READY := .venv/.ready
CODE := rewriter tracker certs tests bench .ci
# Tests wait for servers a third of their time: one process more than there are cores.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN) + 1)

.PHONY: help run test lint format corpus servers openapi fuzz bench benchrewriter benchtls benchstore benchenrich benchforward lock clean
.DEFAULT_GOAL := help

help: ## show what can be made
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: $(READY) ## start everything on loopback, rewrite a newsletter, show events as they come in
	@$(BIN)/tracker demo

test: $(READY) ## run the tests, side by side; ARGS= for pytest
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist loadgroup $(ARGS)

lint: $(READY) ## check style, types and the direction of imports
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the code into its one form
	$(BIN)/ruff format $(CODE)

corpus: $(READY) ## fetch the pages and messages of others that the tests try
	$(BIN)/python -m tests.corpus.fetch

servers: $(READY) ## fetch the certificate authorities and client libraries that the tests run
	$(BIN)/python -m tests.servers.fetch
	$(BIN)/python -m tests.sdk.fetch

openapi: $(READY) ## try the API with what its description allows and forbids, for a minute
	$(BIN)/python -m tests.openapi $(ARGS)

fuzz: $(READY) ## look for inputs that break the rewriter, for a minute; ARGS= e.g. --seconds 600
	$(BIN)/python -m tests.fuzz $(ARGS)

bench: $(READY) ## measure the edge beside its peers; ARGS=--quick
	$(BIN)/python -m bench.edge $(ARGS)

benchrewriter: $(READY) ## measure the rewriter beside its peers
	$(BIN)/python -m bench.rewriter $(ARGS)

benchtls: $(READY) ## measure handshakes, memory and renewals under load, beside nginx
	$(BIN)/python -m bench.tls $(ARGS)

benchstore: $(READY) ## measure insertion and queries at 0.1, 1 and 10 million events; takes an hour
	$(BIN)/python -m bench.store $(ARGS)

benchenrich: $(READY) ## measure how fast hits become events, and how far sinks lag behind the edge
	$(BIN)/python -m bench.enrich $(ARGS)
	$(BIN)/python -m bench.enrich_flow $(ARGS)

benchforward: $(READY) ## measure the way from a spool through JetStream into PostgreSQL, and webhooks
	$(BIN)/python -m bench.forward $(ARGS)
	$(BIN)/python -m bench.webhooks

lock: $(READY) ## write requirements.lock anew; needs uv
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --annotation-style line --quiet --all-extras --group dev \
		pyproject.toml --output-file requirements.lock

clean: ## remove what was made, but no data
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "tracking-edge needs Python 3.11 or newer: none is on the PATH;" \
		"say 'make PYTHON=/path/to/python3 …'" >&2; exit 69; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
