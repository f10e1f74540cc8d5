# `make lab` runs the course, `make test` checks it. Without make, as on Windows: see README.md.

PYTHON ?= python3.13 python3.12 python3.11 python3
CONSTRAINTS ?= -c constraints.txt
IN = .venv/bin/python -m
NOTEBOOKS = $(wildcard notebooks/*.ipynb)

# The first candidate that runs, is new enough and can make virtual environments.
CHECK = import sys, ensurepip; sys.version_info >= (3, 11) or sys.exit(1)
FOUND = $(firstword $(foreach p,$(PYTHON),$(shell $(p) -c '$(CHECK)' >/dev/null 2>&1 && echo $(p))))
WANTED = This lab needs Python 3.11 or newer with venv (tried: $(PYTHON)). Install it, or name it: make PYTHON=python3.12

export PYTHONUNBUFFERED = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: lab test notebook lint clean

lab: .venv/lab.stamp
	$(IN) labutils run

test: .venv/test.stamp
	LAB_PROFILE=smoke $(IN) pytest tests notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout=600

notebook: .venv/lab.stamp
	$(IN) jupyterlab notebooks/00_start_here.ipynb

lint: .venv/test.stamp
	$(IN) ruff check .
	$(if $(NOTEBOOKS),.venv/bin/nbstripout --verify --keep-id $(NOTEBOOKS))

clean:
	rm -rf .venv runs .pytest_cache .ruff_cache

.venv/lab.stamp: requirements.txt constraints.txt
	$(or $(FOUND),$(error $(WANTED))) -m venv .venv
	$(IN) pip install -r requirements.txt $(CONSTRAINTS)
	@touch $@

.venv/test.stamp: .venv/lab.stamp requirements-test.txt
	$(IN) pip install -r requirements-test.txt -r requirements.txt $(CONSTRAINTS)
	@touch $@
