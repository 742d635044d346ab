# The two commands of a newcomer: `make demo` and `make test`.
PYTHON ?= python3
TORCH ?= torch==2.13.0
STACK ?= mm
VENV ?= .venv
# What the tests and the demo need beside the stack.
EXTRAS ?= pdg,search,calibrate,watch,milvus,postgres,metrics,demo,deploy,video,visualize,tflite,dev
# PIP_OPTIONS: more for pip, such as --no-compile.
PIP_INSTALL = pip install --quiet --disable-pip-version-check $(PIP_OPTIONS)

.PHONY: help install install-docs demo test test-slow lint dist try-wheel package docs clean

help:
	@echo "mmtbps COMMAND is the command line, in $(VENV)/bin once that is made: mmtbps --help lists all,"
	@echo "among them index, query, serve (photographs) and check-data, train, test (models)."
	@echo "make demo   draw people, generate pairs, train, evaluate, search (minutes on two cores)"
	@echo "make test   run the test suite"
	@echo "make docs   build the documentation site, in site/"
	@echo "make package  build dist/ and try the wheel in an environment and a folder of its own"
	@echo "All make $(VENV) on first use. STACK=onedl takes the OneDL forks of the OpenMMLab stack."

install: $(VENV)/installed-$(STACK)

# torch goes first: resolved together with the rest, pip may replace a CPU build by a CUDA one.
$(VENV)/installed-$(STACK): pyproject.toml setup.py
	@echo "== Setting up $(VENV) (once; two or three minutes)"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m $(PIP_INSTALL) "$(TORCH)"
	$(VENV)/bin/python -m $(PIP_INSTALL) -e ".[$(STACK),$(EXTRAS)]"
	@touch $@

demo: install
	$(VENV)/bin/mmtbps demo

test: install
	$(VENV)/bin/python -m pytest

test-slow: install
	$(VENV)/bin/python -m pytest -m slow

lint: install
	$(VENV)/bin/ruff check .

# The wheel is built from the source archive.
dist: install
	rm -rf dist
	$(VENV)/bin/python -m build --quiet

try-wheel: install
	.ci/try_wheel $(VENV)/bin/python "$(TORCH)" $(STACK)

package: dist
	$(MAKE) try-wheel

install-docs: $(VENV)-docs/installed

# In an environment of its own: the pages need Sphinx, and neither torch nor the stack.
$(VENV)-docs/installed: docs/requirements.txt
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m $(PIP_INSTALL) -r $<
	@touch $@

docs: $(VENV)-docs/installed
	rm -rf docs/api site
	$(VENV)-docs/bin/sphinx-build --jobs auto --quiet --fail-on-warning --keep-going docs site

clean:
	rm -rf $(VENV) $(VENV)-docs site jupyter_execute dist work_dirs/demo
