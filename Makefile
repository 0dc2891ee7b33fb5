# The commands of textbook. `make help` lists the targets.
SHELL := /bin/bash -o pipefail
# The first Python that the locked packages are for; that of an earlier set-up comes first.
SUITS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
PYTHON ?= $(shell for name in $(VENV)/bin/python python3.11 python3.12 python3.13; do $$name $(SUITS) && exec echo $$name; done; echo python3)
VENV := .venv
PORT ?= 5000
ALIAS ?= champion
TORCH := torch==2.13.0
# Where pip finds PyTorch besides the package index. Without an NVIDIA GPU the CPU build is enough, and saves gigabytes.
# The builds of these two places have their hashes in torch.lock; an index of the user's own is taken at its word.
ifeq ($(origin TORCH_INDEX),undefined)
TORCH_INDEX := $(shell command -v nvidia-smi >/dev/null || echo https://download.pytorch.org/whl/cpu)
TORCH_WHEEL := --require-hashes -r torch.lock
else
TORCH_WHEEL := $(TORCH)
endif
TORCH_FROM := $(addprefix --extra-index-url ,$(TORCH_INDEX))
# Python compiles files when it first imports them. Most never are, and compiling all takes a minute.
PIP := python -m pip install --disable-pip-version-check --no-compile
# Of what pip prints, errors and one line now and then remain: minutes without any look like a hang.
install = { $(PIP) $1 2>&1 >&3 | sed -E '/^ *(WARNING|DEPRECATION): /d' >&2; } 3>&1 | { n=0; while read -r word rest; do case $$word in \
	Collecting|Processing) ((++n % 40)) || echo "  $$n packages downloaded" ;; \
	Downloading) [[ $$rest =~ ([0-9]{3}\.[0-9] MB|GB)\)$$ ]] && echo "  downloading $${rest\#\#*/}" ;; \
	Installing) ((n < 40)) || echo "  installing them" ;; \
	esac; done; true; }
# Tests run in two processes with a thread each: tiny models gain nothing from more threads. The tests of a file share
# fixtures, so they stay together; the files keep their order, in which the longest are not last.
PYTEST := OMP_NUM_THREADS=1 python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

export PATH := $(abspath $(VENV))/bin:$(PATH)
# Whether a variable is given on the command line, since others may have it in the environment; and an option if it is.
typed = $(filter command,$(origin $1))
given = $(if $(call typed,$1),--$2="$$$1")

export PORT ALIAS  # as all variables of the command line are; a shell reads none of them as code
export PYTHONDONTWRITEBYTECODE :=  # containers often set it; each of twenty stages would then compile all its imports
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help setup params new-task plan quickstart sweep bundle adopt student test test-all check ui pull rollback report \
	docs docs-serve bench bench-retrieval bench-distill bench-zero lock clean

help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make .venv with the locked versions (other targets do it if needed)

$(VENV)/.ready: requirements.lock torch.lock pyproject.toml
	@$(PYTHON) $(SUITS) || { echo "error: $(PYTHON) is not Python 3.11, 3.12 or 3.13;" \
		"name one: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV): about 240 packages, one to five minutes"
	@$(PYTHON) -m venv $(VENV)
	@# A wheel that pip's configuration offers locally is used first.
	@$(PIP) -qq --no-index --no-deps $(TORCH_WHEEL) 2>/dev/null || $(call install,--no-deps $(TORCH_FROM) $(TORCH_WHEEL))
	@$(call install,--no-deps --require-hashes -r requirements.lock)
	@# A build for CUDA asks for exact versions of NVIDIA's libraries; all else is there by now.
	@$(call install,$(TORCH_FROM) "$(TORCH)")
	@# Built with the setuptools of the lock file.
	@$(PIP) -qq --no-build-isolation --no-deps --editable .
	@touch $@

params: setup ## Write params.yaml for a profile: make params PROFILE=reduced-cpu
	@python -m pipelines.commands.params "$$PROFILE"

new-task: setup ## Look at your own data, and add a task on it to params.yaml: make new-task FILE=tickets.csv
	@python -m pipelines.commands.new_task $(call given,NAME,name) $(call given,TEXT,text) $(call given,TEXT2,text2) \
		$(call given,LABEL,label) $(if $(filter 1,$(YES)),--yes) -- "$$FILE"

plan: setup ## What will run, how long it takes, disk and memory: make plan [SWEEP='textbook=general']
	@python -m $(if $(call typed,SWEEP),pipelines.sweep.estimate $$SWEEP,pipelines.commands.plan)

quickstart: setup ## Run the whole pipeline on the shipped example, or on one task: make quickstart [TASK=tickets]
	@targets=$(if $(call typed,TASK),$$(python -m pipelines.commands.targets "$$TASK"),"metrics register") \
		&& python -m pipelines.commands.plan --short $$targets && dvc repro $$targets
	@python -m pipelines.commands.report
	@python -m pipelines.commands.summary $(if $(call typed,TASK),"$$TASK")

sweep: setup ## Fill the grid init × teacher × textbook × task, or a part: make sweep SWEEP='textbook=general,contextualized'
	@python -m pipelines.sweep $$SWEEP
	@python -m pipelines.commands.report

bundle: setup ## A part of the grid to be made on another machine: make bundle SWEEP='…' [SPLIT=60M] [OUT=…]
	@python -m pipelines.sweep.bundle $(call given,OUT,out) $(call given,SPLIT,split) $$SWEEP

adopt: setup ## Take in cells of a bundle, from a folder or a tar file: make adopt RESULTS=results.tar.gz
	@python -m pipelines.sweep.adopt $(if $(RESULTS),"$$RESULTS")
	@python -m pipelines.commands.report

student: setup ## The largest student within a number of parameters or CPU milliseconds: make student BUDGET=10M (or 5ms)
	@python -m pipelines.commands.student "$$BUDGET"

test: check ## Lint, types, layers and the fast tests (10 to 20 minutes)
	@$(PYTEST) -m "not slow"

test-all: check ## The same with all tests: sweeps that are killed, servers, browser (30 to 60 minutes)
	@$(PYTEST)

check: setup ## Lint, types and layers
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports --no-logo

ui: setup ## Open MLflow on http://127.0.0.1:5000 (PORT=…)
	@python -m pipelines.commands.ui "$$PORT"

pull: setup ## Fetch a registered model as a Hugging Face folder: make pull TASK=rotten_tomatoes [ALIAS=…|MAX_MS=3 MAX_MB=10]
	@python -m pipelines.commands.pull $(call given,MAX_MS,max-ms) $(call given,MAX_MB,max-mb) \
		$(if $(TASK),"$$TASK" "$$ALIAS")

rollback: setup ## Make the previous champion champion again: make rollback TASK=rotten_tomatoes [VERSION=1]
	@python -m pipelines.commands.rollback $(if $(TASK),"$$TASK" "$$VERSION")

report: setup ## Update reports/report.html, with the statistics of the textbooks
	@dvc repro metrics register analysis
	@python -m pipelines.commands.report
	@python -m pipelines.commands.summary

docs: setup ## Build the documentation into site/
	@python -m mkdocs build --quiet
	@echo "Documentation: site/index.html"

docs-serve: setup ## Serve the documentation on http://127.0.0.1:8000
	@python -m mkdocs serve --dev-addr 127.0.0.1:8000

bench: bench-retrieval bench-distill bench-zero ## Measure the speed tables again (after quickstart)

bench-retrieval: setup ## Corpus to textbook, beside bare bm25s and Whoosh
	@python -m benchmarks.retrieval

bench-distill: setup ## The distillation loop, beside the plain one (on a GPU in the paper's setting)
	@python -m benchmarks.distill --profile

bench-zero: setup ## ZeRO 0 to 3 on two processes, beside the plain loop
	@python -m benchmarks.zero

lock: setup ## Add what pyproject.toml newly asks for to requirements.lock; UPGRADE=1 takes the newest versions of all
	@$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet pip-tools
	@cp requirements.lock $(VENV)/lock.txt
	@$(VENV)/lock/bin/pip-compile --quiet $(if $(UPGRADE),--upgrade) --extra dev --extra team --generate-hashes --strip-extras \
		--unsafe-package torch --no-allow-unsafe --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --output-file $(VENV)/lock.txt pyproject.toml
	@{ echo "# Exact versions and hashes of everything but torch, which the Makefile installs. Made by 'make lock'."; \
		sed '/^# WARNING/,$$d;/^# The following packages/,$$d;/^# Exact versions/d' $(VENV)/lock.txt; } > requirements.lock

clean: setup ## Remove outputs that `dvc checkout` restores, and the report; CELLS=1: cells and unfinished work of hours too
	@python -m pipelines.commands.clean $(if $(CELLS),--cells)
