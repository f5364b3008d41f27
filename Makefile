PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow lint docs bench clean

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev,docs,postgres,braket,crosscheck,mitiq,clients]"
	touch $@

demo: $(STAMP)  ## the main job on the shipped model and the default device
	$(BIN)/qhw demo

test: $(STAMP)  ## the default tests (under 10 minutes)
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

test-slow: $(STAMP)  ## every test, the slow ones too
	$(BIN)/pip install -q -c constraints.txt -e ".[dev,train,m3]"
	$(BIN)/pytest -n 2

lint: $(STAMP)  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

docs: $(STAMP)  ## the documentation site, offline: build/site/index.html
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -q
	@echo "open build/site/index.html; with search: $(BIN)/python -m http.server -d build/site"

bench: $(STAMP)  ## training speed beside PennyLane and TensorCircuit-NG
	$(BIN)/pip install -q -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks.training

clean:
	rm -rf $(VENV) runs .cache
