# Everything this needs is brought into build/: uv from PyPI, and by it the locked environment.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON  ?= python3
PROFILE ?= small
CHAPTER ?=
ARGS    ?=
JOBS    ?= 1
EXECUTOR ?= local
RUNS    ?=
NAME    ?=
ifndef WORKERS
WORKERS := $(shell expr $$(nproc) \* 2)
endif
FROM    ?=
PORT    ?= 8000
REPOSITORY ?=

# A value as one word of the shell, whatever is in it. ARGS, FROM and PYTEST are words of a command.
quoted = '$(subst ','\'',$(value $(1)))'

ENV  := build/env
UV   := build/tools/bin/uv
ZIF4 := $(ENV)/bin/zif4
# what is compiled once is kept: many processes import TensorFlow and pandas
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/$(ENV)
export ZIF4_REPOSITORY := $(REPOSITORY)
export PATH := $(CURDIR)/$(ENV)/bin:$(PATH)

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

.PHONY: book
book: $(ENV)/.synced ## execute what is stale, render, check: build/PROFILE/html (PROFILE=small REPOSITORY=https://...)
	@$(ZIF4) book --profile $(call quoted,PROFILE) --jobs $(call quoted,JOBS)

.PHONY: serve
serve: $(ENV)/.synced ## show the book in a browser: http://localhost:8000 (PORT=8000)
	@test -f build/$(call quoted,PROFILE)/html/index.html \
	    || { echo the book of profile $(call quoted,PROFILE) is not built yet: make book PROFILE=$(call quoted,PROFILE) >&2; exit 1; }
	@echo http://localhost:$(call quoted,PORT) ' (Ctrl-C ends it)'
	@$(ENV)/bin/python -m http.server --bind 127.0.0.1 --directory build/$(call quoted,PROFILE)/html $(call quoted,PORT) >/dev/null 2>&1 \
	    || { code=$$?; test $$code -gt 128 || echo port $(call quoted,PORT) 'is taken: make serve PORT=8001' >&2; exit $$code; }

.PHONY: pdf
pdf: $(ENV)/.synced ## the whole book as build/PROFILE/book.pdf (Debian: chromium)
	@$(ZIF4) pdf --profile $(call quoted,PROFILE)

.PHONY: lab
lab: $(ENV)/.synced ## open the chapters as notebooks in JupyterLab
	@mkdir -p build/lab
	@JUPYTER_CONFIG_DIR='$(CURDIR)/build/lab' $(ENV)/bin/jupytext-config set-default-viewer python >/dev/null
	@JUPYTER_CONFIG_DIR='$(CURDIR)/build/lab' $(ENV)/bin/jupyter lab --notebook-dir='$(CURDIR)' \
	    --LabApp.default_url=/lab/tree/notebooks $(ARGS)

.PHONY: chapter
chapter: $(ENV)/.synced ## execute one chapter: CHAPTER=04_heating_rates ARGS="-p heating_rate 50"
	@$(ZIF4) chapter --profile $(call quoted,PROFILE) $(ARGS) -- $(call quoted,CHAPTER)

.PHONY: parameters
parameters: $(ENV)/.synced ## list the parameters of one chapter: CHAPTER=04_heating_rates
	@$(ZIF4) parameters --profile $(call quoted,PROFILE) -- $(call quoted,CHAPTER)

.PHONY: import
import: $(ENV)/.synced ## own OUTCAR, vasprun.xml, CP2K, extxyz as a set: NAME=mine FROM="run1 run2/OUTCAR"
	@$(ZIF4) import $(ARGS) -- $(call quoted,NAME) $(FROM)

.PHONY: frames
frames: $(ENV)/.synced ## make a set of labelled frames again: SET=crystal_0300 (recipes: data/sets.yaml)
	@$(ZIF4) frames $(ARGS) -- $(call quoted,SET)

.PHONY: potential
potential: $(ENV)/.synced ## train a potential: POTENTIAL=atp (recipes: data/potentials.yaml)
	@$(ZIF4) potential -- $(call quoted,POTENTIAL)

.PHONY: evaluate
evaluate: $(ENV)/.synced ## errors of a potential on every set, into its metrics.json: POTENTIAL=atp
	@$(ZIF4) evaluate -- $(call quoted,POTENTIAL)

.PHONY: run
run: $(ENV)/.synced ## make, resume or reuse a heating run: RUN=claims-100Kps-seed1 (recipes: data/runs.yaml)
	@$(ZIF4) run $(ARGS) -- $(call quoted,RUN)

.PHONY: runs
runs: $(ENV)/.synced ## make the heating runs of a profile: PROFILE=full EXECUTOR=slurm ARGS=--dry-run (RUNS="a b")
	@$(ZIF4) runs --profile $(call quoted,PROFILE) --executor $(call quoted,EXECUTOR) $(ARGS) -- $(foreach one,$(RUNS),$(call quoted,one))

.PHONY: ship-run
ship-run: $(ENV)/.synced ## put a finished heating run into data/runs, thinned: RUN=claims-100Kps-seed1
	@$(ZIF4) ship-run $(ARGS) -- $(call quoted,RUN)

.PHONY: dft
dft: $(ENV)/.synced ## label by CP2K (Debian: cp2k libopenblas0-serial) data/dft again, or ARGS="--new ZIF-4"
	@$(ZIF4) dft $(ARGS)

.PHONY: correction
correction: $(ENV)/.synced ## fit what CP2K adds to the reference: data/correction.yaml
	@$(ZIF4) correction

.PHONY: check
check: $(ENV)/.synced ## look through the rendered book for errors, broken links, empty figures
	@$(ZIF4) check --profile $(call quoted,PROFILE)

.PHONY: test
test: lint ## lint, unit tests, and the smoke book of all chapters, live (PYTEST="-k rdf" selects)
	@$(ENV)/bin/pytest -n $(call quoted,WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

.PHONY: test-slurm
test-slurm: $(ENV)/.synced ## heating runs through a real Slurm on this machine (Debian: slurm-wlm, munge)
	@$(ENV)/bin/pytest -rs tests/test_slurm.py

.PHONY: bench-train
bench-train: $(ENV)/.synced ## what a training step costs on this machine: build/bench/training.json
	@$(ZIF4) bench-train $(ARGS)

.PHONY: bench-analysis
bench-analysis: $(ENV)/.synced ## what an analysis costs, beside MDAnalysis, freud and ASE: build/bench/analysis.json
	@OMP_NUM_THREADS=1 $(ZIF4) bench-analysis $(ARGS)

.PHONY: bench-md
bench-md: $(ENV)/.synced ## what a step of MD costs, by engine, and how exact it is: build/bench/ (ARGS="--seconds 60 --cp2k")
	@$(ZIF4) bench-md $(ARGS)

.PHONY: bench-timestep
bench-timestep: $(ENV)/.synced ## how long a step of MD may be: energy and shares of heat, build/bench/timestep.json
	@$(ZIF4) bench-timestep $(ARGS)

.PHONY: bench-nets
bench-nets: $(ENV)/.synced ## nets of several shapes: errors against the cost of a step (hours): build/bench/architectures.json
	@$(ZIF4) bench-nets $(ARGS)

.PHONY: lint
lint: $(ENV)/.synced ## ruff (rules and format), the floors and the types of src/helpers
	@$(ENV)/bin/ruff check --quiet src tests notebooks
	@$(ENV)/bin/ruff format --check --quiet src tests notebooks
	@$(ENV)/bin/lint-imports --no-logo
	@$(ENV)/bin/ty check --quiet src/helpers

.PHONY: env
env: $(ENV)/.synced ## bring uv and the locked environment into build/

.PHONY: clean
clean: ## remove executed notebooks and rendered books; keep the environment and what was computed
	rm -rf .snakemake $(foreach p,$(wildcard data/profiles/*.yaml),build/$(basename $(notdir $(p))))

.PHONY: distclean
distclean: ## remove build/ altogether, with potentials and runs made here
	rm -rf .snakemake build

$(ENV)/.synced: uv.lock pyproject.toml | $(UV)
	@$(UV) sync --frozen
	@touch $@

# A virtual environment for uv alone; where Python comes without ensurepip, pip puts it there.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; PYTHON=python3.12 names another than python3")'
	@rm -rf build/tools
	@if $(PYTHON) -m venv build/tools >/dev/null 2>&1; then \
	    build/tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'; \
	else \
	    rm -rf build/tools; \
	    $(PYTHON) -m pip install --quiet --disable-pip-version-check --target build/tools 'uv>=0.9,<1' \
	    || { echo 'neither venv nor pip comes with $(PYTHON): install them (Debian: apt-get install python3-venv)' >&2; exit 1; }; \
	fi
	@test -x $@
