# On a bare machine `make train` and `make test` do everything, the installing included.

VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
CREATED := $(VENV)/.created
TRAIN := $(VENV)/.installed-train
DEV := $(VENV)/.installed-dev
DOCS := $(VENV)/.installed-docs

# Two makes at once share one environment: the second waits for the first.
LOCK := $(if $(shell command -v flock),flock Makefile)

.PHONY: help train test check docs clean

help:
	@echo 'make train    train on Kuhn poker; ARGS="--help" lists the settings'
	@echo 'make test     the whole test suite; ARGS="-k kuhn" and the like go to pytest'
	@echo 'make check    lint, formatting, types, import arrows'
	@echo 'make docs     the documentation, as site/index.html'
	@echo 'make clean    remove the environment and the caches'
	@echo
	@echo 'Each first installs what it needs into $(VENV). PYTHON=... picks the interpreter for that.'

train: $(TRAIN)
	@$(BIN)/python -m sepo_trainer train $(ARGS)

test: $(DEV)
	@$(BIN)/python -m pytest $(ARGS)

check: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

# The variable silences an advertisement; a warning of the build itself ends it.
docs: $(DOCS)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(ARGS)

clean:
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))

# Every stamp is written last, so an interrupted step is done again.
$(CREATED):
	@for python in $(or $(PYTHON),python3 python3.12 python3.11); do \
	  "$$python" -c '$(FITS)' 2>/dev/null || continue; \
	  exec $(LOCK) sh -c '[ -e $@ ] || { "$$0" -m venv --clear $(VENV) && touch $@; }' "$$python"; \
	done; \
	echo 'SEPO needs Python 3.11 or 3.12 with its venv module, and found neither$(if $(PYTHON), at $(PYTHON)).' >&2; \
	echo 'Install one (apt install python3.12-venv, brew install python@3.12, pyenv install 3.12),' >&2; \
	echo 'or say where it is: make test PYTHON=/path/to/python3.12' >&2; \
	exit 1

$(TRAIN): EXTRAS := train
$(DEV): EXTRAS := train,dev
$(DEV): $(TRAIN)
$(DOCS): EXTRAS := docs
$(TRAIN) $(DEV) $(DOCS): pyproject.toml constraints.txt | $(CREATED)
	@echo 'Installing sepo[$(EXTRAS)] into $(VENV) (the first time 1 to 3 minutes) ...'
	@start=$$(date +%s); \
	$(LOCK) $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input \
	  -c constraints.txt -e '.[$(EXTRAS)]' && touch $@ && \
	echo "... installed in $$(( $$(date +%s) - start )) s."
