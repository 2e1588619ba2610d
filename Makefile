# The two commands of the README are `make demo` and `make test`; both set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= out/demo

.PHONY: help demo test check bench lock schemas clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    build the sample catalogue into $(OUT), load it, ask it three questions, write a picture page"
	@echo "make test    all tests (Neo4j and browser tests run where Java with Maven, and Chromium, are there)"
	@echo "make check   lint, format, types"
	@echo "make bench   speed beside named peers, as bench/RESULTS.md has it (about 15 minutes)"

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
	$(BIN)/kgbuild build --config data/sample/kgbuild.toml --out $(OUT)
	@echo && echo "1. What is narrower than a t-shirt, and how many products is it?"
	$(BIN)/kgbuild query --out $(OUT) "MATCH (n:Concept)-[:IS_A]->(:Concept {label: 't-shirt'}) RETURN n.label AS narrower, n.n_products AS products ORDER BY products DESC, narrower LIMIT 5"
	@echo && echo "2. Which pictures stand for a short sleeve t-shirt?"
	$(BIN)/kgbuild query --out $(OUT) "MATCH (:Concept {label: 'short sleeve t-shirt'})-[p:HAS_PROTOTYPE]->(i:Image)<-[:HAS_IMAGE]-(x:Product) RETURN p.rank AS rank, x.title AS product, i.uri AS picture ORDER BY rank LIMIT 5"
	@echo && echo "3. What do products with a v-neck name besides?"
	$(BIN)/kgbuild query --out $(OUT) "MATCH (:Concept {label: 'v-neck'})<-[:MENTIONS]-(x:Product)-[:MENTIONS]->(c:Concept) WHERE c.label <> 'v-neck' RETURN c.label AS concept, count(DISTINCT x) AS products ORDER BY products DESC, concept LIMIT 5"
	@echo && $(BIN)/kgbuild page $(OUT)/page.html --out $(OUT)
	@echo && echo "Open $(OUT)/page.html in a browser. Tables: $(OUT)/current/*.parquet."
	@echo "This week's products:  $(BIN)/kgbuild expand data/sample/new_arrivals.jsonl --out $(OUT)"
	@echo "Your own catalogue:    $(BIN)/kgbuild init CATALOGUE && $(BIN)/kgbuild build --out out"

test: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python -m bench.hierarchy --append
	$(BIN)/python -m bench.prototypes mmr
	$(BIN)/python -m bench.prototypes pools
	$(BIN)/python -m bench.graph_load

schemas: .venv/ready
	$(BIN)/python -m kgbuild.schemas schemas

lock:
	$(PYTHON) .ci/lock.py requirements.lock

clean:
	rm -rf .venv out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
