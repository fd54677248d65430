# The two commands: make start, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 240
# One process more than there are cores: tests wait for processes and for the clock now and then.
CHECKERS ?= $(shell expr $$(nproc) + 1)
MODELS ?= $(or $(PAI_MODELS),starter)
HOME_OF_PAI := $(or $(PAI_HOME),$(HOME)/.local/share/pai)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Compiled tests are kept: without them each run rewrites every assertion again (7 s of processor time).
unexport PYTHONDONTWRITEBYTECODE
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip

.PHONY: start transformers speech test test-extras check docs bench soak interop lock uninstall
.DEFAULT_GOAL := help

help:
	@echo "make start      install, initialise and serve (the first run fetches a model)"
	@echo "make test       everything the tests need, then all tests"
	@echo "make transformers  the engine on PyTorch, an extra: models as safetensors, of eight families and their kin"
	@echo "make speech     recordings written down, an extra: then pai models add whisper-base, pai transcribe"
	@echo "make test-extras   its tests: installs it, then some minutes"
	@echo "make check      quick and read-only: format, lint, types, import contracts, reference, fast tests"
	@echo "make docs       write docs/reference from the code"
	@echo "make bench      speed and size against bare engines; answers over the samples (about 20 minutes)"
	@echo "make interop    outside clients, installed apart, against a served installation (tests/interop)"
	@echo "make soak       fuzzes the readers of model files, on from where it stopped (SECONDS=240)"
	@echo "make lock       resolve the lock files anew"
	@echo "make uninstall  remove what make start installed; says what goes and asks first, for PAI_HOME apart"

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "PAI needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@echo "making a Python environment in $(CURDIR)/$(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/default.stamp: requirements/default.txt pyproject.toml $(VENV)/python.stamp
	@echo "installing libraries (0.7 GB, half a minute or more) ..."
	@began=$$(date +%s); $(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements/default.txt && \
	 $(BIN)/python -m pip install -q --no-deps --no-build-isolation -e . && echo "libraries are in: $$(( $$(date +%s) - began )) s"
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/default.stamp
	@echo "installing what the tests need ..."
	@$(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements/test.txt
	@touch $@

$(VENV)/transformers.stamp: requirements/transformers.txt $(VENV)/default.stamp
	@echo "installing PyTorch and Transformers (1 GB on disk) ..."
	@began=$$(date +%s); $(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements/transformers.txt || { \
	  echo "The build of PyTorch without graphics processors is not in the ordinary registry: set PIP_FIND_LINKS or" >&2; \
	  echo "PIP_EXTRA_INDEX_URL to where its makers offer it, or to a folder that holds the wheel." >&2; exit 1; }; \
	 echo "the extra is in: $$(( $$(date +%s) - began )) s"
	@touch $@

$(VENV)/speech.stamp: requirements/speech.txt $(VENV)/default.stamp
	@echo "installing what writes recordings down (0.2 GB on disk) ..."
	@$(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements/speech.txt
	@touch $@

transformers: $(VENV)/transformers.stamp

speech: $(VENV)/speech.stamp

start: $(VENV)/default.stamp
	@echo "PAI: home $(HOME_OF_PAI)"
	@case "$(MODELS)" in echo|none) ;; *) $(BIN)/python -m pai.bootstrap.fetch --models $(MODELS) --cache .cache/models --home "$(HOME_OF_PAI)" ;; esac
	@if [ -e "$(HOME_OF_PAI)/initialised" ]; then exec $(BIN)/pai serve; \
	 else exec $(BIN)/pai init --ask --serve --models $(MODELS) --move-models; fi

.PHONY: debian
debian:
	@have() { PATH=$$PATH:/usr/sbin:/sbin command -v $$1 >/dev/null; }; missing=""; \
	 have nft || missing="$$missing nftables"; have ip || missing="$$missing iproute2"; have certutil || missing="$$missing libnss3-tools"; \
	 have chromium || missing="$$missing chromium"; have chromedriver || missing="$$missing chromium-driver"; \
	 if [ -n "$$missing" ]; then echo "installing$$missing ..."; \
	  if [ "$$(id -u)" = 0 ]; then S=; else S=sudo; fi; $$S apt-get update -qq && $$S apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi

test: $(VENV)/test.stamp debian
	@$(BIN)/python -m pai.bootstrap.fetch --models small --cache .cache/models
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-extras: $(VENV)/test.stamp $(VENV)/transformers.stamp $(VENV)/speech.stamp
	@$(BIN)/python -m pai.bootstrap.fetch --model whisper-tiny-en --cache .cache/models
	@$(BIN)/python -m pai.bootstrap.fetch --model whisper-base --cache .cache/models
	@$(BIN)/python -m pytest -m extra $(PYTEST_ARGS)

check: $(VENV)/test.stamp
	@$(BIN)/ruff format --check -q src tests
	@$(BIN)/ruff check -q src tests
	@$(BIN)/mypy -p pai
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m pai.bootstrap.reference --check
	@$(BIN)/python -m pytest -n $(CHECKERS) --dist loadfile -m "not slow and not model and not browser and not namespace and not extra"

docs: $(VENV)/default.stamp
	@$(BIN)/python -m pai.bootstrap.reference

bench: $(VENV)/test.stamp
	@$(BIN)/python -m pai.bootstrap.fetch --models starter --cache .cache/models
	@$(BIN)/python -m pai.bootstrap.fetch --models small --cache .cache/models
	@for one in size_and_start ingest_speed chat_speed; do echo "== $$one"; PYTHONPATH=tests $(BIN)/python benchmarks/$$one.py || exit 1; done
	@echo "== answers"; $(BIN)/python benchmarks/answers_eval.py --embedding .cache/models/all-minilm-l6-v2 \
	  --chat .cache/models/qwen2.5-coder-1.5b-instruct/model.gguf --sets tuning,held_out,fresh,final --out benchmarks/results/answers.json | tail -40

interop: $(VENV)/test.stamp
	@$(BIN)/python tests/interop/run.py $(CLIENTS)

soak: $(VENV)/test.stamp
	@$(BIN)/python tests/fuzz/model_formats.py --seconds $(SECONDS) --state .cache/fuzz

lock:
	@rm -rf .cache/lock && $(PYTHON) -m venv .cache/lock && .cache/lock/bin/python -m pip install -q -U pip && .cache/lock/bin/python requirements/lock.py

uninstall:
	@exec $(PYTHON) -I src/pai/bootstrap/uninstall.py --program $(VENV) --program .cache --program .mypy_cache \
	  --program .ruff_cache --program .pytest_cache --program .hypothesis --sources src --sources tests --sources benchmarks --home "$(HOME_OF_PAI)"
