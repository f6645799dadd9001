# The verbs of the project. `make demo` and `make test` need Python 3.11+ and a C++ compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint fuzz measure bench sanitize aarch64 docs site lock clean

demo: $(VENV)/installed
	$(BIN)/elman train imdb --out runs/demo --overwrite

test: $(VENV)/installed lint
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Damaged files, random settings, command lines and layers, for three minutes; FUZZ says otherwise (tests/fuzz/__main__.py).
fuzz: $(VENV)/installed
	PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ)

# How dense the code reads, what a command costs before it computes, and the way of one text through the house.
measure: $(VENV)/installed
	$(BIN)/python benchmarks/house.py $(MEASURE)

# Layers against their peers; PEERS names the interpreters that have Keras and ONNX Runtime, if any (CONTRIBUTING.md).
bench: $(VENV)/installed
	$(BIN)/python benchmarks/speed --wait-policy default --rounds 11 $(PEERS)
	$(BIN)/python benchmarks/speed/tables.py

# The kernel tests under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize: $(VENV)/installed
	cmake -S cpp -B build/sanitize -DELMAN_SANITIZE=ON -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python \
		-Dnanobind_DIR=$$($(BIN)/python -m nanobind --cmake_dir)
	cmake --build build/sanitize
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so) $$(gcc -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
		$(BIN)/python tests/sanitize.py build/sanitize/_kernels*.so tests/ops/test_native.py tests/ops/test_options.py \
		tests/ops/test_gemm.py tests/ops/test_bfloat16.py tests/ops/test_cross_entropy.py

# That the kernels compile for aarch64 (needs aarch64-linux-gnu-g++) and give the same numbers there (needs qemu-user).
aarch64:
	cmake -S cpp -B build/aarch64 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
		-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DELMAN_PYTHON=OFF
	cmake --build build/aarch64
	qemu-aarch64-static -L /usr/aarch64-linux-gnu build/aarch64/elman_check

# The documentation as pages in build/site; their programs run, and any warning ends it.
site: $(VENV)/installed
	$(BIN)/python -m mkdocs build --quiet

docs: $(VENV)/installed
	$(BIN)/python docs/generate.py

$(VENV)/installed: requirements.lock pyproject.toml $(wildcard cpp/* cpp/*/* cpp/*/*/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@

# Pins what the current environment holds; run after changing a dependency in pyproject.toml.
lock:
	$(BIN)/pip install --quiet --upgrade --editable '.[demo,dev,docs,parquet,tensorboard,zh]' 'torch==2.13.0' nanobind scikit-build-core cmake ninja
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf $(VENV) build dist runs
