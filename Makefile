# The user's face of textbook. `make help` lists the targets.
SHELL := /bin/bash -o pipefail
PYTHON ?= python3.11
VENV := .venv
PORT ?= 5000
ALIAS ?= champion
TORCH := torch==2.13.0
# Where pip finds PyTorch besides the package index. Without an NVIDIA GPU the CPU build serves, and saves gigabytes.
TORCH_INDEX ?= $(shell command -v nvidia-smi >/dev/null || echo https://download.pytorch.org/whl/cpu)

export PATH := $(abspath $(VENV))/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help setup quickstart sweep student test check ui pull rollback report bench bench-retrieval bench-distill \
	bench-zero lock clean

help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make .venv with locked versions (quickstart and test do it if needed)

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
		|| { echo "error: $(PYTHON) is not Python 3.11; name one: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV): some 210 packages, one to five minutes"
	@$(PYTHON) -m venv $(VENV)
	@# A wheel that pip's configuration has at hand is taken first, as it is.
	@python -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$(TORCH)" 2>/dev/null \
		|| python -m pip install --disable-pip-version-check $(addprefix --extra-index-url ,$(TORCH_INDEX)) "$(TORCH)"
	@python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	@touch $@

quickstart: setup ## Run the whole pipeline on the shipped example and show what came of it
	@dvc repro metrics register
	@python -m pipelines.report
	@python -m pipelines.summary

sweep: setup ## Fill the grid init × teacher × textbook × task, or a part: make sweep SWEEP='textbook=general,contextualized'
	@python -m pipelines.sweep $(SWEEP)
	@python -m pipelines.report

student: setup ## The largest student of so many parameters or CPU milliseconds: make student BUDGET=10M (or 5ms)
	@python -m pipelines.student "$(BUDGET)"

test: setup check ## Lint, types and tests
	@python -m pytest

check: setup
	@ruff check .
	@ruff format --check .
	@mypy

ui: setup ## Open MLflow on http://127.0.0.1:5000 (PORT=…)
	@python -m tracking.server $(PORT)

pull: setup ## Fetch a registered model as a Hugging Face folder: make pull TASK=rotten_tomatoes [ALIAS=champion]
	@python -m tracking.pull "$(TASK)" "$(ALIAS)"

rollback: setup ## Make the champion before this one champion again: make rollback TASK=rotten_tomatoes [VERSION=1]
	@python -m tracking.promotion "$(TASK)" "$(VERSION)"

report: setup ## Bring reports/report.html up to date, with what the textbooks are made of
	@dvc repro metrics register analysis
	@python -m pipelines.report
	@python -m pipelines.summary

bench: bench-retrieval bench-distill bench-zero ## Measure the speed tables again (after quickstart)

bench-retrieval: setup ## Corpus to textbook, beside bare bm25s and Whoosh
	@python -m benchmarks.retrieval

bench-distill: setup ## The distillation loop, beside the plain one (on a GPU in the paper's setting)
	@python -m benchmarks.distill --profile

bench-zero: setup ## ZeRO 0 to 3 on two processes, beside the plain loop
	@python -m benchmarks.zero

lock: setup ## Pin the newest versions that pyproject.toml allows (needs pip-tools, installed aside)
	@python -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet pip-tools
	@$(VENV)/lock/bin/pip-compile --quiet --extra dev --extra team --generate-hashes --strip-extras --unsafe-package torch \
		--no-allow-unsafe --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--output-file $(VENV)/lock.txt pyproject.toml
	@{ echo "# Exact versions and hashes of everything but torch, which the Makefile installs. Made by 'make lock'."; \
		sed '/^# WARNING/,$$d;/^# The following packages/,$$d' $(VENV)/lock.txt; } > requirements.lock

clean: ## Remove what the pipeline made; DVC's cache stays, so `dvc repro` brings it back at once
	@git clean -fdxq data reports .cache
