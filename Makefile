# `make report` and `make test` install what they need on first use. Windows: the plain commands are in the README.
PYTHON ?= python3
IN_VENV = .venv/bin/python

report: .venv/installed
	$(IN_VENV) -m alkit report --profile quick

test: .venv/installed-test
	$(IN_VENV) -m pytest

bench: .venv/installed-bench
	$(IN_VENV) tests/bench.py

faults: .venv/installed-test
	$(IN_VENV) tests/faults.py

rename: .venv/installed
	$(IN_VENV) tests/rename.py

# The tests with the oldest releases that are allowed, and the oldest Python: make oldest PYTHON=python3.11
oldest:
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install uv
	.venv-oldest/bin/uv pip install --python .venv-oldest --resolution lowest-direct -r requirements.txt -e ".[test,bench]"
	.venv-oldest/bin/python -m pytest

lab: .venv/installed
	JUPYTER_PREFER_ENV_PATH=1 $(IN_VENV) -m jupyterlab --ServerApp.root_dir=. notebooks/00_start_here.ipynb

# Before anything else, on a machine without a GPU: PyTorch's wheels for processors alone, as in: make cpu report
cpu:
	$(PYTHON) -m venv .venv
	$(IN_VENV) -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11 to 3.13 is needed; name one, as in: make report PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(IN_VENV) -m pip install -r requirements.txt
	touch $@

.venv/installed-test: .venv/installed
	$(IN_VENV) -m pip install -e ".[test]"
	touch $@

.venv/installed-bench: .venv/installed
	$(IN_VENV) -m pip install -e ".[bench]"
	touch $@

.PHONY: report test bench faults rename oldest lab cpu
