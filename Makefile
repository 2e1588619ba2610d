# The two commands of the README are `make demo` and `make test`; both set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= out/demo

.PHONY: demo test check bench lock schemas clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    build the sample catalogue into $(OUT), load it, ask it three questions, write a picture page"
	@echo "make test    all tests (Neo4j and browser tests run where Java with Maven, and Chromium, are there)"
	@echo "make check   lint, format, types"
	@echo "make bench   speed and quality beside named peers -> bench/RESULTS.md"

# The lock is for Linux on x86-64 with CPython 3.11 or newer; elsewhere the bounds of pyproject.toml decide.
.venv/ready: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kgbuild needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	if [ "$$(uname -sm)" = "Linux x86_64" ]; then \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'; \
	fi
	touch $@

demo: .venv/ready
	$(BIN)/python -m kgbuild.demo --out $(OUT)

test: .venv/ready
	$(BIN)/python -m pytest

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready
	for script in bench/*.py; do $(BIN)/python $$script || exit 1; done

schemas: .venv/ready
	$(BIN)/python -m kgbuild.schemas schemas

lock:
	$(PYTHON) bench/lock.py requirements.lock

clean:
	rm -rf .venv out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
